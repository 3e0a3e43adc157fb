#include "nodes/core/state/compare.h"

#include <stddef.h>
#include <string.h>

#include "shared/base/random.h"

/* A field is compared by its digest, in which what a pointer leads to counts, not the pointer. */
struct member {
    const char *name;
    size_t offset, size;
    /* NULL: it is not compared here. */
    uint64_t (*digest)(const void *owner, const struct member *field);
};

#define NAME(of, name) #of "." #name
#define FIELD(of, name, how)                                                                    \
    {                                                                                           \
        NAME(of, name), offsetof(struct of, name), sizeof(((struct of *)0)->name), digest_##how \
    }
/* This node's own, or the configuration. */
#define OWN(of, name) FIELD(of, name, nothing)
/* Follows from other fields: an index, a link of a list. */
#define DERIVED(of, name) FIELD(of, name, nothing)
/* A struct with a list of its own. */
#define WITHIN(of, name)  FIELD(of, name, nothing)
#define digest_nothing    NULL
#define FIELDS_OF(fields) (fields), sizeof(fields) / sizeof *(fields)

/* --- digests --- */

/* Eight bytes at a time: simulations do this for every entry at every node. */
static uint64_t digest_block(const void *at, size_t len)
{
    uint64_t hash = len, word;
    size_t i = 0;
    for (; i + sizeof word <= len; i += sizeof word) {
        memcpy(&word, (const uint8_t *)at + i, sizeof word);
        hash = random_fold(hash, word);
    }
    word = 0;
    if (i < len)
        memcpy(&word, (const uint8_t *)at + i, len - i);
    return random_fold(hash, word);
}

static const void *at_of(const void *owner, const struct member *field)
{
    return (const uint8_t *)owner + field->offset;
}

static uint64_t digest_bytes(const void *owner, const struct member *field)
{
    return digest_block(at_of(owner, field), field->size);
}

/* An array of characters, ended by a NUL. */
static uint64_t digest_text(const void *owner, const struct member *field)
{
    const char *text = at_of(owner, field);
    return digest_block(text, strlen(text));
}

static uint64_t digest_blob(const void *owner, const struct member *field)
{
    const struct blob *blob = *(struct blob *const *)at_of(owner, field);
    return blob ? random_fold(1, digest_block(blob->at, blob->len)) : 0;
}

static uint64_t digest_fields(const struct member *fields, size_t n, const void *owner)
{
    uint64_t hash = n;
    for (size_t i = 0; i < n; i++)
        if (fields[i].digest)
            hash = random_fold(hash, fields[i].digest(owner, &fields[i]));
    return hash;
}

/* --- jobs --- */

static const struct member done_op_fields[] = {
    FIELD(done_op, op, bytes),   FIELD(done_op, unit, bytes),    FIELD(done_op, node, bytes),
    FIELD(done_op, len, bytes),  FIELD(done_op, attempt, bytes), FIELD(done_op, value, blob),
    FIELD(done_op, hash, bytes),
};

/* A map has no order that matters. */
static uint64_t digest_live(const void *owner, const struct member *field)
{
    const struct map *live = at_of(owner, field);
    const struct done_op *done;
    uint64_t sum = live->count;
    for (size_t at = 0; (done = map_next(live, &at, NULL));)
        sum += digest_fields(FIELDS_OF(done_op_fields), done);
    return sum;
}

/* All of a plan follows from the kind of job and its argument. */
static uint64_t digest_plan(const void *owner, const struct member *field)
{
    const struct plan *plan = at_of(owner, field);
    const char *kind = plan->kind ? plan->kind->name : "";
    return random_fold(digest_block(kind, strlen(kind)), plan->n);
}

static uint64_t digest_executors(const void *owner, const struct member *field)
{
    const struct executor *executors = ((const struct job *)owner)->executors;
    (void)field;
    return executors ? digest_block(executors, (NODES_MAX + 1) * sizeof *executors) : 0;
}

static uint64_t digest_trace(const void *owner, const struct member *field)
{
    const struct job *job = owner;
    (void)field;
    return job->trace ? digest_block(job->trace, job->plan.total * sizeof *job->trace) : 0;
}

static const struct member job_fields[] = {
    OWN(job, row),
    OWN(job, keeps),
    FIELD(job, id, bytes),
    FIELD(job, state, bytes),
    FIELD(job, key, text),
    FIELD(job, plan, plan),
    FIELD(job, submitted_ms, bytes),
    FIELD(job, finished_ms, bytes),
    FIELD(job, done, bytes),
    FIELD(job, executed, bytes),
    FIELD(job, digits, bytes),
    FIELD(job, sha256, bytes),
    FIELD(job, text, blob),
    FIELD(job, head, text),
    FIELD(job, tail, text),
    FIELD(job, converter, bytes),
    FIELD(job, reason, text),
    FIELD(job, level, bytes),
    FIELD(job, live, live),
    FIELD(job, executors, executors),
    FIELD(job, trace, trace),
};

static const struct member snap_key_fields[] = {
    FIELD(snap_key, key, text),
    FIELD(snap_key, snapshot, bytes),
};

static uint64_t digest_jobs(const void *owner, const struct member *field)
{
    const struct jobs *jobs = owner;
    uint64_t hash = jobs->n;
    (void)field;
    for (size_t i = 0; i < jobs->n; i++)
        hash = random_fold(hash, digest_fields(FIELDS_OF(job_fields), jobs->at[i]));
    return hash;
}

static uint64_t digest_snaps(const void *owner, const struct member *field)
{
    const struct jobs *jobs = owner;
    uint64_t hash = jobs->n_snaps;
    (void)field;
    for (size_t i = 0; i < jobs->n_snaps; i++)
        hash = random_fold(hash, digest_fields(FIELDS_OF(snap_key_fields), &jobs->snaps[i]));
    return hash;
}

static const struct member jobs_fields[] = {
    FIELD(jobs, at, jobs),
    FIELD(jobs, n, bytes),
    OWN(jobs, size),
    FIELD(jobs, open, bytes),
    FIELD(jobs, traces, bytes),
    FIELD(jobs, states, bytes),
    DERIVED(jobs, by_id),
    DERIVED(jobs, by_key),
    FIELD(jobs, operations, bytes),
    FIELD(jobs, conversions, bytes),
    FIELD(jobs, elections, bytes),
    FIELD(jobs, reassigned, bytes),
    FIELD(jobs, snaps, snaps),
    FIELD(jobs, n_snaps, bytes),
    OWN(jobs, watch),
};

/* --- keys --- */

static const struct member key_session_fields[] = {
    FIELD(key_session, id, bytes),        FIELD(key_session, token, bytes),
    FIELD(key_session, watermark, bytes), DERIVED(key_session, older),
    DERIVED(key_session, newer),
};

/* In the order of their last use, which says who is evicted. */
static uint64_t digest_sessions(const void *owner, const struct member *field)
{
    uint64_t hash = 0;
    (void)field;
    for (const struct key_session *it = ((const struct keys *)owner)->oldest; it; it = it->newer)
        hash = random_fold(hash, digest_fields(FIELDS_OF(key_session_fields), it));
    return hash;
}

static const struct member keys_fields[] = {
    OWN(keys, limits),     WITHIN(keys, window),
    DERIVED(keys, by_id),  FIELD(keys, oldest, sessions),
    DERIVED(keys, newest), OWN(keys, last), /* a ledger's: it numbers its sessions */
};

static const struct member key_block_fields[] = {
    FIELD(key_block, number, bytes),
    FIELD(key_block, packed, blob),
    DERIVED(key_block, hashes),
    DERIVED(key_block, filter),
};

static uint64_t digest_blocks(const void *owner, const struct member *field)
{
    const struct key_window *window = owner;
    uint64_t hash = window->n;
    (void)field;
    for (size_t i = 0; i < window->n; i++)
        hash = random_fold(hash, digest_fields(FIELDS_OF(key_block_fields), &window->blocks[i]));
    return hash;
}

/* They are sorted when the block is sealed: their order does not matter. */
static uint64_t digest_open(const void *owner, const struct member *field)
{
    const struct key_window *window = owner;
    uint64_t sum = window->n_open;
    (void)field;
    for (size_t i = 0; i < window->n_open; i++)
        sum += random_fold(0, window->open[i]);
    return sum;
}

static const struct member key_window_fields[] = {
    OWN(key_window, block_hashes),
    OWN(key_window, blocks_max),
    FIELD(key_window, blocks, blocks),
    FIELD(key_window, n, bytes),
    OWN(key_window, size),
    OWN(key_window, filtered),
    OWN(key_window, missing),
    FIELD(key_window, next, bytes),
    FIELD(key_window, open, open),
    FIELD(key_window, n_open, bytes),
    DERIVED(key_window, by_open),
};

/* --- progress --- */

static const struct member progress_mark_fields[] = {
    FIELD(progress_mark, snapshot, bytes),
    FIELD(progress_mark, state, bytes),
};

static uint64_t digest_node(const struct progress *progress, const struct progress_node *node)
{
    uint64_t hash = node->index;
    for (size_t i = progress_first_mark(progress, node); i < node->n; i++)
        hash = random_fold(hash, digest_fields(FIELDS_OF(progress_mark_fields), &node->marks[i]));
    return hash;
}

/* What can still be read. */
static uint64_t digest_progress(const void *owner, const struct member *field)
{
    const struct progress *progress = owner;
    const struct progress_node *node;
    uint64_t sum = progress->nodes.count;
    (void)field;
    for (size_t at = 0; (node = map_next(&progress->nodes, &at, NULL));)
        sum += random_fold(0, digest_node(progress, node));
    return sum;
}

static const struct member progress_fields[] = {
    FIELD(progress, snapshots, bytes),
    OWN(progress, snaps_max),
    FIELD(progress, nodes, progress),
    OWN(progress, watch),
};

/* Of these digest_node() makes a digest, because when marks are forgotten is a node's own. */
static const struct member progress_node_fields[] __attribute__((unused)) = {
    OWN(progress_node, row),  WITHIN(progress_node, index), WITHIN(progress_node, marks),
    WITHIN(progress_node, n), OWN(progress_node, size),
};

/* --- the state --- */

static const struct member state_fields[] = {
    OWN(state, step),
    FIELD(state, applied, bytes),
    FIELD(state, applied_term, bytes),
    WITHIN(state, jobs),
    WITHIN(state, keys),
    OWN(state, keys_stored_first),
    OWN(state, keys_stored_next),
    WITHIN(state, progress),
    FIELD(state, births, bytes),
    OWN(state, builds),
};

uint64_t state_digest(const struct state *state)
{
    uint64_t hash = digest_fields(FIELDS_OF(state_fields), state);
    hash = random_fold(hash, digest_fields(FIELDS_OF(jobs_fields), &state->jobs));
    hash = random_fold(hash, digest_fields(FIELDS_OF(keys_fields), &state->keys));
    hash = random_fold(hash, digest_fields(FIELDS_OF(key_window_fields), &state->keys.window));
    return random_fold(hash, digest_fields(FIELDS_OF(progress_fields), &state->progress));
}

/* --- comparing --- */

struct comparison {
    state_field *field;
    void *context;
};

/* Of two rows one may be NULL: there is none. */
static void compare(const struct comparison *to, const struct member *fields, size_t n,
                    const void *a, const void *b)
{
    static const union {
        struct job job;
        struct state state;
    } none;
    a = a ? a : &none;
    b = b ? b : &none;
    for (size_t i = 0; i < n; i++)
        if (fields[i].digest)
            to->field(to->context, fields[i].name,
                      fields[i].digest(a, &fields[i]) == fields[i].digest(b, &fields[i]));
}

static void compare_live(const struct comparison *to, const struct job *a, const struct job *b)
{
    const struct done_op *done;
    struct map_key op;
    for (size_t at = 0; a && (done = map_next(&a->live, &at, &op));)
        compare(to, FIELDS_OF(done_op_fields), done, b ? map_get(&b->live, op) : NULL);
}

static void compare_jobs(const struct comparison *to, const struct jobs *a, const struct jobs *b)
{
    for (size_t i = 0; i < a->n || i < b->n; i++) {
        const struct job *one = i < a->n ? a->at[i] : NULL, *other = i < b->n ? b->at[i] : NULL;
        compare_live(to, one, other);
        compare(to, FIELDS_OF(job_fields), one, other);
    }
    for (size_t i = 0; i < a->n_snaps || i < b->n_snaps; i++)
        compare(to, FIELDS_OF(snap_key_fields), i < a->n_snaps ? &a->snaps[i] : NULL,
                i < b->n_snaps ? &b->snaps[i] : NULL);
    compare(to, FIELDS_OF(jobs_fields), a, b);
}

static void compare_keys(const struct comparison *to, const struct keys *a, const struct keys *b)
{
    const struct key_window *one = &a->window, *other = &b->window;
    const struct key_session *left = a->oldest, *right = b->oldest;
    while (left || right) {
        compare(to, FIELDS_OF(key_session_fields), left, right);
        left = left ? left->newer : NULL;
        right = right ? right->newer : NULL;
    }
    for (size_t i = 0; i < one->n || i < other->n; i++)
        compare(to, FIELDS_OF(key_block_fields), i < one->n ? &one->blocks[i] : NULL,
                i < other->n ? &other->blocks[i] : NULL);
    compare(to, FIELDS_OF(key_window_fields), one, other);
    compare(to, FIELDS_OF(keys_fields), a, b);
}

static void compare_progress(const struct comparison *to, const struct progress *a,
                             const struct progress *b)
{
    const struct progress_node *one;
    for (size_t at = 0; (one = map_next(&a->nodes, &at, NULL));) {
        const struct progress_node *other = progress_find(b, one->index);
        size_t i = progress_first_mark(a, one), j = other ? progress_first_mark(b, other) : 0;
        for (; i < one->n; i++, j++)
            compare(to, FIELDS_OF(progress_mark_fields), &one->marks[i],
                    other && j < other->n ? &other->marks[j] : NULL);
    }
    compare(to, FIELDS_OF(progress_fields), a, b);
}

void state_compare(const struct state *a, const struct state *b, state_field *field, void *context)
{
    struct comparison to = {field, context};
    compare(&to, FIELDS_OF(state_fields), a, b);
    compare_jobs(&to, &a->jobs, &b->jobs);
    compare_keys(&to, &a->keys, &b->keys);
    compare_progress(&to, &a->progress, &b->progress);
}

static void note_first(void *context, const char *name, bool same)
{
    const char **first = context;
    if (!same && !*first)
        *first = name;
}

const char *state_differs(const struct state *a, const struct state *b)
{
    const char *first = NULL;
    state_compare(a, b, note_first, &first);
    return first;
}
