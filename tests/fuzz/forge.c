#include "tests/fuzz/forge.h"

#include <assert.h>

#include "shared/base/error.h"
#include "shared/wire/codec.h"
#include "tests/harness/samples.h"

#define BYTES_MAX 4096

/* Words that mean something in one field or another. */
static const char *const words[] = {
    "",
    "a",
    "b",
    "A",
    "factorial",
    "10",
    "3",
    "100",
    "2000",
    "worker",
    "candidate",
    "coordinator",
    "multiply",
    "text",
    "done",
    "running",
    "queued",
    "failed",
    "cancelled",
    "conclave",
    "key-1",
    "key-2",
    "1",
    "12",
    "0.1.0",
    "a b",
    "12345678901234567890",
    "session-0000010000000002-9f86d081884c7d65-1",
    "session-0000010000000003-9f86d081884c7d65-18446744073709551615"};

enum { N_WORDS = sizeof words / sizeof *words };

/* Likewise, of tasks. Apart, and chosen by the last numbers: so older inputs say what they said. */
static const char *const words_of_tasks[] = {"empty", "map", "lost", "tasks", "bytes", "reduce"};

enum {
    N_TASK_WORDS = sizeof words_of_tasks / sizeof *words_of_tasks,
    WORDS_END = 128 /* below it a text is a word */
};

static uint64_t known(struct forge *forge)
{
    return forge->n_numbers ? forge->numbers[reader_below(forge->in, (unsigned)forge->n_numbers)]
                            : 0;
}

/* Small ones, those that the node knows and their neighbours, the ends, and all others. */
static uint64_t forge_number(void *context, const struct field *field)
{
    struct forge *forge = context;
    uint8_t how = reader_byte(forge->in);
    uint64_t number, max = field->max;
    if (how < 96)
        number = how;
    else if (how < 160)
        number = known(forge);
    else if (how < 192)
        number = known(forge) + (uint64_t)(int8_t)reader_byte(forge->in);
    else if (how < 208)
        number = max - (how - 192u);
    else if (how < 240)
        number = (uint64_t)1 << 2 * (how - 208);
    else
        number = reader_u64(forge->in);
    return number > max && max < UINT64_MAX ? number % (max + 1) : number;
}

static bool forge_flag(void *context)
{
    struct forge *forge = context;
    return reader_byte(forge->in) & 1;
}

static struct slice forge_bytes(void *context, const struct field *field)
{
    static const uint8_t filler[BYTES_MAX];
    struct forge *forge = context;
    uint8_t how = reader_byte(forge->in);
    size_t most = field->max < BYTES_MAX ? (size_t)field->max : BYTES_MAX;
    if (field->kind == FIELD_STR && how < WORDS_END)
        return slice_of(how < WORDS_END - N_TASK_WORDS
                            ? words[how % N_WORDS]
                            : words_of_tasks[how - (WORDS_END - N_TASK_WORDS)]);
    if (how < 64)
        return forge->cluster_id;
    if (how < 96)
        return (struct slice){filler, most < 8u * (how - 64u) ? most : 8u * (how - 64u)};
    if (how < 128)
        return (struct slice){filler, most};
    return reader_bytes(forge->in, how - 128u);
}

static size_t forge_elements(void *context, const struct field *field)
{
    struct forge *forge = context;
    size_t n = reader_below(forge->in, 4);
    return n < field->max ? n : (size_t)field->max;
}

/* What further frames of a message hold: entries, parts of checkpoints and of snapshots, or bytes;
 * within those, bytes only. */
static void add_frames(struct forge *forge, struct message *message, bool nested)
{
    static const enum message_place places[] = {PLACE_ENTRY, PLACE_CHECKPOINT, PLACE_CUT};
    for (unsigned n = reader_below(forge->in, 4); n; n--) {
        unsigned what = reader_below(forge->in, 4);
        struct blob *frame = NULL;
        if (what < 3 && !nested) {
            struct forge inner = *forge;
            frame = forge_packed(&inner, places[what]);
        }
        if (!frame) {
            struct slice bytes = reader_bytes(forge->in, reader_byte(forge->in));
            frame = blob_copy(bytes.at, bytes.len);
        }
        message_add_frame(message, frame);
        blob_drop(&frame);
    }
}

static struct message *make(struct forge *forge, enum message_type type, bool nested)
{
    struct message *message =
        sample_make(type, &(struct sample_source){forge, forge_number, forge_flag, forge_bytes,
                                                  forge_elements});
    add_frames(forge, message, nested);
    return message;
}

enum message_type forge_type(struct forge *forge, enum message_place place)
{
    unsigned n = 0, chosen;
    for (int type = MESSAGE_NONE + 1; type < MESSAGE_TYPES; type++)
        n += message_kind((enum message_type)type)->place == place;
    chosen = reader_below(forge->in, n);
    for (int type = MESSAGE_NONE + 1; type < MESSAGE_TYPES; type++)
        if (message_kind((enum message_type)type)->place == place && !chosen--)
            return (enum message_type)type;
    return MESSAGE_NONE; /* no place is empty */
}

struct message *forge_transmit(struct message *message)
{
    struct codec_buffer buffer = {0};
    struct message *copy = NULL;
    struct text why = {0};
    if (!codec_encode(message, &buffer) &&
        !codec_decode((struct slice){buffer.at, buffer.len}, &copy, &why))
        for (size_t i = 0; i < message->n_frames; i++)
            message_add_frame(copy, message->frames[i]);
    codec_buffer_clear(&buffer);
    message_drop(&message);
    return copy;
}

struct message *forge_message(struct forge *forge, enum message_type type)
{
    return forge_transmit(make(forge, type, false));
}

struct blob *forge_packed(struct forge *forge, enum message_place place)
{
    struct message *message = make(forge, forge_type(forge, place), true);
    struct blob *packed = codec_pack(message);
    message_drop(&message);
    return packed;
}
