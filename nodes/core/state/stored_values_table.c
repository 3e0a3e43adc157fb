/* The stored values as a table of the state: a row is a value with its segments. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/state_table.h"
#include "nodes/core/state/stored_values_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "shared/wire/value_segment.h"

/* Of the longest rows that are half a megabyte: one slice of a checkpoint, or two. */
#define GROUP_ROWS 8

static void watch(struct state *state, struct row_watch *watch)
{
    state->stored.watch = watch;
}

static void clear(struct state *state)
{
    for (size_t i = 0; i < state->stored.n; i++)
        stored_value_free(state->stored.at[i]);
    free(state->stored.at);
    free(state->stored.settled);
    state->stored = (struct stored_values){0};
}

static void check_value(const struct stored_values *stored, const struct stored_value *value)
{
    uint64_t bytes = 0, items = 0;
    for (size_t i = 0; i < value->n_segments; i++) {
        assert(value->segments[i].len && stored_value_names(value, value->segments[i].op));
        bytes += value->segments[i].len;
        items += value->segments[i].items;
    }
    assert(bytes == value->bytes && items == value->items && bytes <= value->len);
    assert(!value->whole || bytes == value->len);
    assert(value->since_ms <= stored->clock_ms);
    assert(!stored->watch == !value->row.group);
}

/* What its owners have of it, counted again. */
static void check_owners(const struct state *state)
{
    const struct job_owners *owners = &state->jobs.owners;
    for (size_t i = 0; i < owners->n; i++) {
        uint64_t values = 0, bytes = 0;
        for (size_t at = 0; at < state->stored.n; at++)
            if (!strcmp(state->stored.at[at]->owner, owners->at[i]->name)) {
                values++;
                bytes += state->stored.at[at]->len;
            }
        assert(owners->at[i]->values == values && owners->at[i]->value_bytes == bytes);
    }
}

static void check_invariants(const struct state *state)
{
    const struct stored_values *stored = &state->stored;
    size_t unnamed = 0, named = 0, naming = 0;
    assert(stored->n <= VALUES_MAX);
    for (size_t i = 0; i < stored->n; i++) {
        const struct stored_value *value = stored->at[i];
        assert(!i || stored->at[i - 1]->id < value->id);
        check_value(stored, value);
        unnamed += !value->n_jobs;
        named += value->n_jobs;
    }
    for (size_t i = 0; i < state->jobs.n; i++)
        naming += state->jobs.at[i]->n_inputs;
    assert(stored->unnamed == unnamed && named <= naming);
    check_owners(state);
}

/* --- checkpoints --- */

static struct row *next(const struct state *state, uint64_t *cursor)
{
    size_t at = stored_values_after(&state->stored, *cursor);
    if (at == state->stored.n)
        return NULL;
    *cursor = state->stored.at[at]->id;
    return &state->stored.at[at]->row;
}

static struct slice pack_segments(struct message *message, const struct stored_value *value)
{
    uint8_t *bytes = message_room(message, value->n_segments + 1, VALUE_SEGMENT_BYTES);
    for (size_t i = 0; i < value->n_segments; i++) {
        uint8_t *at = bytes + i * VALUE_SEGMENT_BYTES;
        bytes_put_le64(at, value->segments[i].op);
        bytes_put_le64(at + 8, value->segments[i].len);
        bytes_put_le64(at + 16, value->segments[i].items);
        memcpy(at + 24, value->segments[i].sha256, HASH_BYTES);
    }
    return (struct slice){bytes, value->n_segments * VALUE_SEGMENT_BYTES};
}

static void save(struct checkpoint_sink *sink, const struct state *state, const struct row *row)
{
    const struct stored_value *value = (const struct stored_value *)row;
    struct message *message = message_new(MESSAGE_IMAGE_VALUE);
    message->as.image_value = (struct wire_image_value){
        .value = value->id,
        .owner = message_text(message, value->owner),
        .sha256 = message_copy(message, (struct slice){value->sha256, HASH_BYTES}),
        .len = value->len,
        .format = message_text(message, value->format),
        .name = message_text(message, value->name),
        .begun_ms = value->begun_ms,
        /* In a fresh cluster that goes on from a snapshot all are young, as its clock is. */
        .since_ms = sink->use == CHECKPOINT_OPEN ? 0 : value->since_ms,
        .whole = value->whole,
        .source = state->step->config.id,
        .packed = pack_segments(message, value)};
    checkpoint_sink_add(sink, message);
}

/* The record at `at` of a part's segments. */
static struct stored_segment read_segment(const uint8_t *at)
{
    struct value_segment is = value_segment_at(at);
    struct stored_segment segment = {.op = is.op, .len = is.len, .items = is.items};
    memcpy(segment.sha256, is.sha256.at, HASH_BYTES);
    return segment;
}

static bool segments_are_valid(const struct wire_image_value *part)
{
    uint64_t bytes = 0;
    size_t n = part->packed.len / VALUE_SEGMENT_BYTES;
    if (part->packed.len % VALUE_SEGMENT_BYTES)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct stored_segment segment = read_segment(part->packed.at + i * VALUE_SEGMENT_BYTES);
        uint64_t number = segment.op & (((op_id_t)1 << VALUE_SEGMENT_BITS) - 1);
        if (!segment.len || segment.len > part->len - bytes || number != i + 1 ||
            segment.op > OP_MAX)
            return false;
        bytes += segment.len;
    }
    return !part->whole || bytes == part->len;
}

/* Of a snapshot jobs may come before what they name. */
static void find_names(struct state *state, const struct stored_value *value)
{
    for (size_t i = 0; i < state->jobs.n; i++) {
        const struct job *job = state->jobs.at[i];
        for (size_t k = 0; k < job->n_inputs; k++)
            if (job->inputs[k] == value->id)
                stored_values_name(&state->stored, value->id, job->id);
    }
}

static int load(struct state *state, const struct message *message, struct slice packed)
{
    const struct wire_image_value *part = &message->as.image_value;
    struct stored_values *stored = &state->stored;
    log_index_t index = job_id_index(part->value, state->applied);
    (void)packed;
    if (!part->value || !index || index > state->applied || part->sha256.len != HASH_BYTES ||
        !stored_format_is_known(part->format) || !text_is_utf8(part->name) ||
        part->since_ms > stored->clock_ms || stored->n >= VALUES_MAX ||
        stored_values_find(stored, part->value) || !segments_are_valid(part))
        return ERR_MALFORMED;
    struct stored_value *value = stored_values_insert(state, part->value, part->owner, part->len);
    text_copy(value->name, sizeof value->name, part->name);
    text_copy(value->format, sizeof value->format, part->format);
    memcpy(value->sha256, part->sha256.at, HASH_BYTES);
    value->begun_ms = part->begun_ms;
    value->since_ms = part->since_ms;
    value->whole = part->whole;
    for (size_t at = 0; at < part->packed.len; at += VALUE_SEGMENT_BYTES) {
        struct stored_segment segment = read_segment(part->packed.at + at);
        stored_value_add(value, &segment);
    }
    find_names(state, value);
    return OK;
}

static void want_values(const struct message *message, machine_value *want, void *wanting)
{
    const struct wire_image_value *part = &message->as.image_value;
    for (size_t at = 0; at + VALUE_SEGMENT_BYTES <= part->packed.len; at += VALUE_SEGMENT_BYTES) {
        struct stored_segment segment = read_segment(part->packed.at + at);
        want(wanting, (node_id_t)part->source, (struct value_id){part->value, segment.op},
             segment.len, (struct slice){segment.sha256, HASH_BYTES});
    }
}

/* --- comparing --- */

static const struct member stored_segment_fields[] = {
    FIELD(stored_segment, op, bytes),
    FIELD(stored_segment, len, bytes),
    FIELD(stored_segment, items, bytes),
    FIELD(stored_segment, sha256, bytes),
};

static uint64_t digest_segments(const void *owner, const struct member *field)
{
    const struct stored_value *value = owner;
    (void)field;
    return digest_array(FIELDS_OF(stored_segment), value->segments, value->n_segments);
}

/* Which jobs name it, the jobs say: in what order is nobody's business. */
static const struct member stored_value_fields[] = {
    OWN(stored_value, row),
    FIELD(stored_value, id, bytes),
    FIELD(stored_value, owner, text),
    FIELD(stored_value, name, text),
    FIELD(stored_value, format, text),
    FIELD(stored_value, sha256, bytes),
    FIELD(stored_value, len, bytes),
    FIELD(stored_value, bytes, bytes),
    FIELD(stored_value, items, bytes),
    FIELD(stored_value, begun_ms, bytes),
    FIELD(stored_value, since_ms, bytes),
    FIELD(stored_value, whole, bytes),
    FIELD(stored_value, segments, segments),
    FIELD(stored_value, n_segments, bytes),
    OWN(stored_value, segments_size),
    DERIVED(stored_value, jobs),
    FIELD(stored_value, n_jobs, bytes),
    OWN(stored_value, jobs_size),
};

static const struct member stored_values_fields[] = {
    WITHIN(stored_values, at),
    FIELD(stored_values, n, bytes),
    OWN(stored_values, size),
    FIELD(stored_values, unnamed, bytes),
    FIELD(stored_values, clock_ms, bytes),
    OWN(stored_values, settled),
    OWN(stored_values, n_settled),
    OWN(stored_values, settled_size),
    OWN(stored_values, watch),
};

static uint64_t digest(const struct state *state)
{
    const struct stored_values *stored = &state->stored;
    uint64_t sum = digest_fields(FIELDS_OF(stored_values), stored);
    for (size_t i = 0; i < stored->n; i++)
        sum = random_fold(sum, digest_fields(FIELDS_OF(stored_value), stored->at[i]));
    return sum;
}

static void compare(const struct comparison *to, const struct state *a, const struct state *b)
{
    const struct stored_values *left = &a->stored, *right = &b->stored;
    for (size_t i = 0; i < left->n || i < right->n; i++) {
        const struct stored_value *one = i < left->n ? left->at[i] : NULL;
        const struct stored_value *other = i < right->n ? right->at[i] : NULL;
        compare_arrays(to, FIELDS_OF(stored_segment), one ? one->segments : NULL,
                       one ? one->n_segments : 0, other ? other->segments : NULL,
                       other ? other->n_segments : 0);
        compare_fields(to, FIELDS_OF(stored_value), one, other);
    }
    compare_fields(to, FIELDS_OF(stored_values), left, right);
}

/* --- the table --- */

const struct state_table state_stored = {
    .name = "stored",
    .watch = watch,
    .clear = clear,
    .check_invariants = check_invariants,
    .check = stored_values_check,
    .apply = stored_values_apply,
    .save = save,
    .group_rows = GROUP_ROWS,
    .next = next,
    .parts = {MESSAGE_IMAGE_VALUE},
    .load = load,
    .want_values = want_values,
    .digest = digest,
    .compare = compare,
};
