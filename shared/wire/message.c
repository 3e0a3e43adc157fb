#include "shared/wire/message.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/text.h"

#define FRAMES_FIRST 4 /* most messages carry fewer further frames */

/* --- descriptions, from the same table --- */

#define REQ         true
#define OPT         false
#define NAMED(name) #name, sizeof #name - 1 /* an argument that is stringified is not expanded */
#define D_U64(need, name, max, doc) \
    {NAMED(name), FIELD_U64, need, max, offsetof(self, name), NULL, doc},
#define D_BOOL(need, name, doc) {NAMED(name), FIELD_BOOL, need, 1, offsetof(self, name), NULL, doc},
#define D_STR(need, name, max, doc) \
    {NAMED(name), FIELD_STR, need, max, offsetof(self, name), NULL, doc},
#define D_BIN(need, name, max, doc) \
    {NAMED(name), FIELD_BIN, need, max, offsetof(self, name), NULL, doc},
#define D_LIST(need, name, record, max, doc) \
    {NAMED(name), FIELD_LIST, need, max, offsetof(self, name), describe_##record, doc},

/* A function each, so that "self" can name the struct that is being described. */
#define R(name, FIELDS)                                                                       \
    static const struct record *describe_##name(void)                                         \
    {                                                                                         \
        typedef struct wire_##name self;                                                      \
        static const struct field fields[] = {FIELDS(D_U64, D_BOOL, D_STR, D_BIN, D_LIST)};   \
        static const struct record record = {#name, fields, sizeof fields / sizeof fields[0], \
                                             sizeof(self)};                                   \
        return &record;                                                                       \
    }
#define M(SYMBOL, name, FIELDS, where, doc) R(name, FIELDS)
#define operator opcode /* the member's name, see message.h */
WIRE_RECORDS(R)
WIRE_MESSAGES(M)
#undef operator
#undef M
#undef R

static const struct message_kind kinds[MESSAGE_TYPES] = {
#define M(SYMBOL, name, FIELDS, where, doc) \
    [MESSAGE_##SYMBOL] = {#name, sizeof #name - 1, describe_##name, where, doc},
    WIRE_MESSAGES(M)
#undef M
};

const struct message_kind *message_kind(enum message_type type)
{
    return (unsigned)type > MESSAGE_NONE && (unsigned)type < MESSAGE_TYPES ? &kinds[type] : NULL;
}

const char *message_name(enum message_type type)
{
    const struct message_kind *kind = message_kind(type);
    return kind ? kind->name : "none";
}

enum message_type message_type_of(struct slice name)
{
    for (int type = MESSAGE_NONE + 1; type < MESSAGE_TYPES; type++)
        if (slice_same(name,
                       (struct slice){(const uint8_t *)kinds[type].name, kinds[type].name_len}))
            return (enum message_type)type;
    return MESSAGE_NONE;
}

/* --- life --- */

struct message *message_new(enum message_type type)
{
    struct message *message = mem_new(1, sizeof *message);
    message->refs = 1;
    message->type = type;
    return message;
}

struct message *message_ref(struct message *message)
{
    message->refs++;
    return message;
}

void message_drop(struct message **message)
{
    struct message *it = *message;
    *message = NULL;
    if (!it || --it->refs)
        return;
    for (size_t i = 0; i < it->n_frames; i++)
        blob_drop(&it->frames[i]);
    arena_clear(&it->arena);
    free(it);
}

struct slice message_copy(struct message *message, struct slice bytes)
{
    if (!bytes.len)
        return (struct slice){NULL, 0};
    uint8_t *at = arena_new(&message->arena, bytes.len);
    slice_copy(at, bytes);
    return (struct slice){at, bytes.len};
}

struct slice message_text(struct message *message, const char *text)
{
    return message_copy(message, slice_of(text));
}

void *message_room(struct message *message, size_t n, size_t size)
{
    return n ? arena_new(&message->arena, n * size) : NULL;
}

uint64_t message_add_frame(struct message *message, struct blob *blob)
{
    size_t n = message->n_frames;
    if (n == 0 || (n >= FRAMES_FIRST && !(n & (n - 1)))) {
        struct blob **more =
            arena_new(&message->arena, (n ? 2 * n : FRAMES_FIRST) * sizeof(struct blob *));
        if (n)
            memcpy(more, message->frames, n * sizeof(struct blob *));
        message->frames = more;
    }
    message->frames[message->n_frames++] = blob_ref(blob);
    return message->n_frames;
}

struct blob *message_frame(const struct message *message, uint64_t number)
{
    return number && number <= message->n_frames ? message->frames[number - 1] : NULL;
}

bool message_is_checkpoint(enum message_type type)
{
    const struct message_kind *kind = message_kind(type);
    return kind && kind->place == PLACE_CHECKPOINT;
}
