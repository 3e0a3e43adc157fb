#include "tests/sim/uploaders.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/node.h"
#include "shared/base/bytes.h"
#include "shared/base/mutant.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "tests/sim/asked.h"
#include "tests/sim/brokers.h"
#include "tests/sim/clients.h"

#define UPLOAD_EVERY 8 /* seeds: one of so many */
#define RETRY_US     (300 * MS_US)
#define LENGTH_MAX   20000

enum upload_wish {
    UPLOAD_NOTHING,
    UPLOAD_BEGIN,
    UPLOAD_PUT,
    UPLOAD_END,
    UPLOAD_READ,
    UPLOAD_SUBMIT,
    UPLOAD_WAIT,
    UPLOAD_DROP
};

/* What the value at hand is for. */
enum upload_use {
    USE_BYTES,   /* any job names it */
    USE_PROGRAM, /* an operator, which a job needs that folds what is uploaded after it */
    USE_PARTS    /* that is folded, each segment a part */
};

struct world_uploader {
    enum upload_wish wish;
    uint64_t random, left, things;
    enum upload_use use;
    job_id_t program, job; /* of a job that folds */
    uint64_t program_len;
    /* The value at hand. */
    uint64_t seed, len, segment_len, chunk_len;
    job_id_t value;           /* JOB_NONE: it was not begun */
    uint64_t segments, bytes; /* that were acknowledged */
    uint64_t offset;          /* in the segment that is being sent; in the value when it is read */
    bool whole, named;
    uint64_t touched_us; /* nobody can have logged that it ages before this */
    /* The question at hand. */
    uint64_t request, asked_us, retry_us;
    unsigned broker;
};

/* --- what is uploaded --- */

static uint8_t byte_of(const struct world_uploader *it, uint64_t at)
{
    if (at < sizeof it->seed) /* no two are the same */
        return (uint8_t)(it->seed >> 8 * at);
    return (uint8_t)(it->seed * 131 + at * 7 + at / 253);
}

/* All parts are as long as their segments. */
static uint8_t byte_at(const struct world_uploader *it, uint64_t at)
{
    uint64_t within = it->use == USE_PARTS ? at % it->segment_len : BYTES_LENGTH;
    if (within < BYTES_LENGTH)
        return (uint8_t)((it->segment_len - BYTES_LENGTH) >> 8 * within);
    return byte_of(it, it->use == USE_PARTS ? at - BYTES_LENGTH * (at / it->segment_len + 1) : at);
}

static struct blob *content(const struct world_uploader *it, uint64_t from, uint64_t len)
{
    struct blob *blob = blob_new(len);
    for (uint64_t i = 0; i < len; i++)
        blob->at[i] = byte_at(it, from + i);
    return blob;
}

static struct slice sha_of(struct message *message, const struct world_uploader *it, uint64_t from,
                           uint64_t len)
{
    uint8_t hash[HASH_BYTES];
    struct blob *blob = content(it, from, len);
    hash_bytes(blob->at, blob->len, hash);
    blob_drop(&blob);
    return message_copy(message, (struct slice){hash, HASH_BYTES});
}

/* --- asking --- */

static struct message *ask_put(const struct world_uploader *it)
{
    struct message *message = message_new(MESSAGE_VALUE_PUT);
    uint64_t len = it->len - it->bytes < it->segment_len ? it->len - it->bytes : it->segment_len;
    uint64_t n = len - it->offset < it->chunk_len ? len - it->offset : it->chunk_len;
    struct blob *bytes = content(it, it->bytes + it->offset, n);
    message->as.value_put =
        (struct wire_value_put){.value = it->value,
                                .segment = it->segments + 1,
                                .offset = it->offset,
                                .len = len,
                                .items = it->use == USE_PARTS     ? 1
                                         : it->use == USE_PROGRAM ? OPERATOR_PARTS
                                                                  : len,
                                .sha256 = sha_of(message, it, it->bytes, len)};
    message_add_frame(message, bytes);
    blob_drop(&bytes);
    return message;
}

static struct message *ask_fold(const struct world_uploader *it, unsigned number)
{
    struct text key = {0}, spec = {0};
    struct message *message = message_new(MESSAGE_SUBMIT_COMMANDS);
    struct wire_submit_commands *body = &message->as.submit_commands;
    text_add(&key, "uploader%u-%" PRIu64, number, it->things);
    text_add(&spec, "%" PRIu64 " %" PRIu64 " %" PRIu64, it->len / it->segment_len, it->len,
             it->program_len);
    body->key = message_text(message, key.at);
    body->kind = slice_of("reduce");
    body->spec = message_text(message, spec.at);
    body->inputs.n = 2;
    body->inputs.at = message_room(message, 2, sizeof(struct wire_value_ref));
    body->inputs.at[0].value = it->value;
    body->inputs.at[1].value = it->program;
    return message;
}

static struct message *ask_begin(const struct world_uploader *it, unsigned number)
{
    static const char *const formats[] = {"bytes", "operator", "parts"};
    char name[STORED_NAME_MAX + 1];
    struct message *message = message_new(MESSAGE_VALUE_BEGIN);
    text_format(name, sizeof name, "simulated-%u",
                number); /* the next operator has the name then */
    message->as.value_begin = (struct wire_value_begin){.sha256 = sha_of(message, it, 0, it->len),
                                                        .len = it->len,
                                                        .format = slice_of(formats[it->use]),
                                                        .name = message_text(message, name)};
    return message;
}

static struct message *ask_submit(const struct world_uploader *it, unsigned number)
{
    char key[JOB_KEY_MAX + 1];
    struct text spec = {0};
    struct message *message = message_new(MESSAGE_SUBMIT);
    text_format(key, sizeof key, "uploader%u-%" PRIu64, number, it->things);
    message->as.submit.key = message_text(message, key);
    message->as.submit.kind = message_text(message, asked_job(8 + it->things % 3 * 8, &spec));
    message->as.submit.spec = message_text(message, spec.at);
    message->as.submit.inputs.n = 1;
    message->as.submit.inputs.at = message_room(message, 1, sizeof(struct wire_value_ref));
    message->as.submit.inputs.at[0].value = it->value;
    return message;
}

static struct message *ask_for(const struct world_uploader *it, unsigned number)
{
    struct message *message = NULL;
    switch (it->wish) {
    case UPLOAD_BEGIN:
        return ask_begin(it, number);
    case UPLOAD_PUT:
        return ask_put(it);
    case UPLOAD_END:
        message = message_new(MESSAGE_VALUE_END);
        message->as.value_end.value = it->value;
        break;
    case UPLOAD_READ:
        message = message_new(MESSAGE_VALUE_READ);
        message->as.value_read = (struct wire_value_read){.value = it->value,
                                                          .offset = it->offset,
                                                          .len = VALUE_CHUNK_BYTES};
        break;
    case UPLOAD_SUBMIT:
        return it->use == USE_PARTS ? ask_fold(it, number) : ask_submit(it, number);
    case UPLOAD_WAIT:
        message = message_new(MESSAGE_JOB_GET);
        message->as.job_get.job = it->job;
        break;
    case UPLOAD_DROP:
        message = message_new(MESSAGE_VALUE_DROP);
        message->as.value_drop.value = it->value;
        break;
    case UPLOAD_NOTHING:
        break;
    }
    return message;
}

static void wake_after(struct world *world, unsigned number, uint64_t after_us)
{
    world->uploaders[number].retry_us = world->now_us + after_us;
    world_post(world, &(struct pending){.at_us = world->now_us + after_us,
                                        .kind = PENDING_CLIENT,
                                        .client = UPLOADERS_FIRST + number});
}

static void ask(struct world *world, unsigned number)
{
    struct world_uploader *it = &world->uploaders[number];
    node_id_t to = world_coordinator(world);
    it->request++;
    wake_after(world, number, RETRY_US);
    if (!to && !world->brokers)
        return;
    struct message *message = ask_for(it, number);
    message->as.request.request = it->request;
    if (world->brokers)
        brokers_ask(world, it->broker, UPLOADERS_FIRST + number, it->request, message);
    else
        world_post(world, &(struct pending){.at_us = world->now_us + world->options.delay_us,
                                            .kind = PENDING_REQUEST,
                                            .to = to,
                                            .incarnation = world->nodes[to].incarnation,
                                            .client = UPLOADERS_FIRST + number,
                                            .seq = it->request,
                                            .message = world_transmit(message)});
    message_drop(&message);
}

/* Another thing, for the first time. */
static void want(struct world *world, unsigned number, enum upload_wish wish)
{
    struct world_uploader *it = &world->uploaders[number];
    it->wish = wish;
    it->asked_us = world->now_us;
    ask(world, number);
}

/* --- values one after another --- */

static void begin_value(struct world *world, unsigned number)
{
    struct world_uploader *it = &world->uploaders[number];
    it->value = JOB_NONE;
    it->segments = it->bytes = it->offset = 0;
    it->whole = it->named = false;
    want(world, number, UPLOAD_BEGIN);
}

static void shape_program(struct world_uploader *it)
{
    it->use = USE_PROGRAM;
    it->segment_len = it->len;
    it->chunk_len = 1 + it->len / 2;
}

/* Behind its program: some parts, among them often no multiple of four. */
static void begin_parts(struct world *world, unsigned number)
{
    struct world_uploader *it = &world->uploaders[number];
    uint64_t parts = 1 + random_below(&it->random, 20);
    it->program = it->value;
    it->program_len = it->len;
    it->use = USE_PARTS;
    it->things++;
    it->seed = number * 1000 + it->things;
    it->segment_len = BYTES_LENGTH + sizeof it->seed + random_below(&it->random, 3000);
    it->len = parts * it->segment_len;
    it->chunk_len = it->segment_len;
    begin_value(world, number);
}

static void begin(struct world *world, unsigned number)
{
    struct world_uploader *it = &world->uploaders[number];
    it->wish = UPLOAD_NOTHING;
    if (!it->left)
        return;
    it->left--;
    it->things++;
    it->seed = number * 1000 + it->things;
    it->use = USE_BYTES;
    it->len = sizeof it->seed + random_below(&it->random, LENGTH_MAX);
    it->segment_len = 1 + it->len / (1 + random_below(&it->random, 6));
    it->chunk_len = 1 + it->segment_len / (1 + random_below(&it->random, 3));
    if (world->options.owners && world->options.n_nodes > 1 && random_below(&it->random, 2))
        shape_program(it);
    begin_value(world, number);
}

static void rest(struct world *world, unsigned number)
{
    world->uploaders[number].wish = UPLOAD_NOTHING;
    wake_after(world, number, random_below(&world->uploaders[number].random, SECOND_US) + 1);
}

static void send_more(struct world *world, unsigned number)
{
    struct world_uploader *it = &world->uploaders[number];
    want(world, number, it->bytes < it->len ? UPLOAD_PUT : UPLOAD_END);
}

static void read_all(struct world *world, unsigned number)
{
    world->uploaders[number].offset = 0;
    want(world, number, UPLOAD_READ);
}

/* All of it was read, and is as it was sent. */
static void after_reading(struct world *world, unsigned number)
{
    struct world_uploader *it = &world->uploaders[number];
    uint64_t draw = random_below(&it->random, 4);
    if (!it->named && draw < 2 && world->options.n_nodes > 1)
        want(world, number, UPLOAD_SUBMIT);
    else if (it->named || draw == 2)
        want(world, number, UPLOAD_DROP);
    else
        rest(world, number); /* it stays, until it is old */
}

/* --- answers --- */

static void take_row(struct world *world, unsigned number, const struct wire_value_row *row)
{
    struct world_uploader *it = &world->uploaders[number];
    if (it->value == row->value && (row->segments < it->segments || it->whole > row->whole))
        world_fail(world, "V1: what was acknowledged of a stored value is there",
                   "uploader %u: %" PRIu64 " segments of %" PRIu64, number, row->segments,
                   it->segments);
    it->touched_us = it->asked_us;
    if (it->wish == UPLOAD_DROP) {
        if (it->named && !world_forgets_jobs(world))
            world_fail(world, "V2: a stored value that a job names is there", "it was dropped");
        world->counts.values_dropped++;
        rest(world, number);
        return;
    }
    it->value = row->value;
    it->segments = row->segments;
    it->bytes = row->bytes;
    it->offset = 0;
    it->whole = row->whole;
    world->counts.values += it->whole && it->wish == UPLOAD_END;
    if (it->whole && it->use == USE_PROGRAM)
        begin_parts(world, number);
    else if (it->whole && it->use == USE_PARTS)
        want(world, number, UPLOAD_SUBMIT);
    else if (it->whole)
        read_all(world, number);
    else
        send_more(world, number);
}

static void take_chunk(struct world *world, unsigned number)
{
    struct world_uploader *it = &world->uploaders[number];
    uint64_t len = it->len - it->bytes < it->segment_len ? it->len - it->bytes : it->segment_len;
    it->offset += len - it->offset < it->chunk_len ? len - it->offset : it->chunk_len;
    if (it->offset == len) {
        it->segments++;
        it->bytes += len;
        it->offset = 0;
        it->touched_us = it->asked_us;
    }
    send_more(world, number);
}

static void take_bytes(struct world *world, unsigned number, const struct message *message)
{
    struct world_uploader *it = &world->uploaders[number];
    const struct blob *bytes = message_frame(message, 1);
    if (!bytes || message->as.value_bytes.total != it->len || bytes->len > it->len - it->offset ||
        (!bytes->len && it->offset < it->len))
        world_fail(world, "V1: a stored value is as it was sent", "it has another length");
    for (size_t i = 0; i < bytes->len; i++)
        if (bytes->at[i] != byte_at(it, it->offset + i))
            world_fail(world, "V1: a stored value is as it was sent",
                       "uploader %u: byte %" PRIu64 " is another", number, it->offset + i);
    it->offset += bytes->len;
    if (it->offset < it->len)
        want(world, number, UPLOAD_READ);
    else
        after_reading(world, number);
}

/* --- jobs that fold --- */

/* The model of a program appends: what is folded is all of it, in its order. */
static void check_fold(struct world *world, const struct world_uploader *it,
                       const struct wire_job_row *row)
{
    uint64_t len = it->len - it->len / it->segment_len * BYTES_LENGTH;
    uint8_t hash[HASH_BYTES];
    struct blob *blob = blob_new(len);
    for (uint64_t i = 0; i < len; i++)
        blob->at[i] = byte_of(it, i);
    hash_bytes(blob->at, blob->len, hash);
    blob_drop(&blob);
    if (row->digits != len || row->sha256.len != HASH_BYTES ||
        memcmp(hash, row->sha256.at, HASH_BYTES) != 0)
        world_fail(world, "what a program makes of parts is their fold, in order",
                   "%" PRIu64 " parts have another", it->len / it->segment_len);
}

static void take_job(struct world *world, unsigned number, const struct wire_job_row *row)
{
    struct world_uploader *it = &world->uploaders[number];
    world->counts.uploaders_jobs += it->wish == UPLOAD_SUBMIT;
    if (it->use != USE_PARTS) {
        it->named = true;
        read_all(world, number);
        return;
    }
    it->job = row->job;
    it->wish = UPLOAD_WAIT;
    if (slice_equals(row->state, "done"))
        check_fold(world, it, row);
    else if (slice_equals(row->state, "failed") &&
             world->counts.faults[FAULT_CRASH] + world->counts.faults[FAULT_FAILED_DISK] < 3)
        world_fail(world, "no job fails", "%.*s", (int)row->error.len, (const char *)row->error.at);
    else if (!slice_equals(row->state, "failed")) {
        wake_after(world, number, RETRY_US);
        return;
    }
    world->counts.folds++;
    rest(world, number);
}

/* It is gone: it was dropped by a try before, or it was old. */
static void take_gone(struct world *world, unsigned number)
{
    struct world_uploader *it = &world->uploaders[number];
    uint64_t keep_us = world->options.keep_values_us, age_us = world->now_us - it->touched_us;
    if (it->named && !world_forgets_jobs(world))
        world_fail(world, "V2: a stored value that a job names is there", "uploader %u: it is not",
                   number);
    if (it->wish != UPLOAD_DROP && !keep_us)
        world_fail(world, "V1: what was acknowledged of a stored value is there",
                   "uploader %u: it is gone", number);
    if (it->wish != UPLOAD_DROP && age_us < keep_us * 8 / 10)
        world_fail(world, "V3: a stored value is kept for as long as was said",
                   "uploader %u: it is gone after %" PRIu64 " ms", number, age_us / MS_US);
    world->counts.values_aged += it->wish != UPLOAD_DROP;
    rest(world, number);
}

static void take_error(struct world *world, unsigned number, const struct wire_error *error)
{
    struct world_uploader *it = &world->uploaders[number];
    if (slice_equals(error->code, "not_found") && it->wish == UPLOAD_WAIT) {
        if (!world_forgets_jobs(world))
            world_fail(world, "a job that was accepted is there", "uploader %u: it is not", number);
        rest(world, number);
    } else if (slice_equals(error->code, "not_found")) {
        take_gone(world, number);
    } else if (slice_equals(error->code, "unknown")) {
        want(world, number, UPLOAD_BEGIN);
    } else if (slice_equals(error->code, "in_use") && it->wish == UPLOAD_DROP && it->named) {
        rest(world, number);
    } else if (slice_equals(error->code, "forgotten") && it->wish == UPLOAD_SUBMIT) {
        rest(world, number);
    } else if (slice_equals(error->code, "invalid") || slice_equals(error->code, "in_use") ||
               slice_equals(error->code, "malformed") || slice_equals(error->code, "forbidden")) {
        world_fail(world, "what an uploader asks is in order", "%.*s", (int)error->reason.len,
                   (const char *)error->reason.at);
    } else {
        wake_after(world, number, RETRY_US / 6);
    }
}

static const char *wish_name(enum upload_wish wish)
{
    static const char *const names[] = {"nothing", "begin",  "put",  "end",
                                        "read",    "submit", "wait", "drop"};
    return names[wish];
}

void uploader_reply(struct world *world, unsigned number, const struct pending *pending)
{
    struct world_uploader *it = &world->uploaders[number];
    const struct message *message = pending->message;
    if (it->wish == UPLOAD_NOTHING || pending->seq != it->request)
        return; /* an answer to an earlier try */
    world_say(world, NODE_NONE, "uploader %u: %s, thing %" PRIu64 ", answer %s %.*s", number,
              wish_name(it->wish), it->things, message_name(message->type),
              message->type == MESSAGE_ERROR ? (int)message->as.error.code.len : 0,
              (const char *)message->as.error.code.at);
    switch (message->type) {
    case MESSAGE_VALUE:
        take_row(world, number, &message->as.value.values.at[0]);
        break;
    case MESSAGE_VALUE_CHUNK_TAKEN:
        take_chunk(world, number);
        break;
    case MESSAGE_VALUE_BYTES:
        take_bytes(world, number, message);
        break;
    case MESSAGE_JOB:
        take_job(world, number, &message->as.job.jobs.at[0]);
        break;
    case MESSAGE_ERROR:
        take_error(world, number, &message->as.error);
        break;
    default:
        world_fail(world, "an answer fits its question", "uploader %u gets %s", number,
                   message_name(message->type));
    }
}

void uploader_wake(struct world *world, unsigned number)
{
    struct world_uploader *it = &world->uploaders[number];
    if (world->now_us < it->retry_us)
        return;
    if (it->wish == UPLOAD_NOTHING) {
        begin(world, number);
        return;
    }
    it->broker = brokers_next(world, it->broker);
    ask(world, number);
}

/* --- the world's --- */

static bool are_wanted(const struct world *world)
{
#ifdef CONCLAVE_MUTANTS
    if (mutant_planted == MUTANT_named_value_dropped || mutant_planted == MUTANT_segment_told_early)
        return true;
#endif
    return world->options.seed % UPLOAD_EVERY == UPLOAD_EVERY - 2;
}

void uploaders_open(struct world *world)
{
    uint64_t draw = ~world->options.seed * 5;
    if (!are_wanted(world))
        return;
    world->n_uploaders = 1 + (unsigned)random_below(&draw, WORLD_UPLOADERS_MAX);
    world->uploaders = mem_new(WORLD_UPLOADERS_MAX, sizeof *world->uploaders);
    if (random_below(&draw, 3))
        world->options.keep_values_us = SECOND_US + random_below(&draw, 15 * SECOND_US);
    for (unsigned i = 0; i < world->n_uploaders; i++) {
        world->uploaders[i].random = random_u64(&draw);
        world->uploaders[i].left = 1 + random_below(&draw, 12);
        wake_after(world, i, 1);
    }
}

bool uploaders_are_idle(const struct world *world)
{
    for (unsigned i = 0; i < world->n_uploaders; i++)
        if (world->uploaders[i].wish != UPLOAD_NOTHING || world->uploaders[i].left)
            return false;
    return true;
}
