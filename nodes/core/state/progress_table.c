/* Progress as a table of the state: a row is a node with all its marks. The store itself is a
 * library of its own, progress.h. */
#include "nodes/core/state/state_table.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/random.h"

#define MARK_BYTES 16

static void watch(struct state *state, struct row_watch *watch)
{
    state->progress.watch = watch;
    state->progress.snaps_max = state->step->config.progress_snaps_max;
}

static void clear(struct state *state)
{
    progress_clear(&state->progress);
}

static void check_invariants(const struct state *state)
{
    progress_check_invariants(&state->progress);
}

/* --- entries --- */

static bool check(const struct message *entry)
{
    return entry->type == MESSAGE_ENTRY_PROGRESS_SET;
}

/* SetState(idx, state), first seed: the operations that a node has completed. */
static void add_tallies(struct progress *progress, const struct wire_done *done)
{
    for (size_t i = 0; i < done->tallies.n; i++) {
        const struct wire_tally *tally = &done->tallies.at[i];
        if (tally->operations)
            progress_set_state(progress, tally->node,
                               progress_now(progress, tally->node) + tally->operations);
    }
}

static struct job *apply(struct state *state, log_index_t index, term_t term,
                         const struct message *entry)
{
    (void)index;
    (void)term;
    if (entry->type == MESSAGE_ENTRY_PROGRESS_SET)
        progress_set_state(&state->progress, entry->as.entry_progress_set.index,
                           entry->as.entry_progress_set.state);
    else if (jobs_entry_is_done(entry) && jobs_is_open(&state->jobs, entry))
        add_tallies(&state->progress, &entry->as.done);
    return NULL;
}

/* --- checkpoints; how many snaps were taken is in the part of the snaps --- */

static struct row *next(const struct state *state, uint64_t *cursor)
{
    struct progress_node *found = progress_from(&state->progress, *cursor);
    if (!found)
        return NULL;
    *cursor = found->index + 1;
    return &found->row;
}

static void save(struct checkpoint_sink *sink, const struct state *state, const struct row *row)
{
    const struct progress_node *it = (const struct progress_node *)row;
    size_t most = PROGRESS_BYTES_MAX / MARK_BYTES;
    (void)state;
    for (size_t first = 0; first < it->n; first += most) {
        size_t n = it->n - first < most ? it->n - first : most;
        struct message *message = message_new(MESSAGE_IMAGE_PROGRESS);
        uint8_t *bytes = message_room(message, n, MARK_BYTES);
        for (size_t i = 0; i < n; i++) {
            bytes_put_le64(bytes + MARK_BYTES * i, it->marks[first + i].snapshot);
            bytes_put_le64(bytes + MARK_BYTES * i + 8, it->marks[first + i].state);
        }
        message->as.image_progress.index = it->index;
        message->as.image_progress.packed = (struct slice){bytes, MARK_BYTES * n};
        checkpoint_sink_add(sink, message);
    }
}

static int load(struct state *state, const struct message *message, struct slice packed)
{
    const struct wire_image_progress *part = &message->as.image_progress;
    int error = part->packed.len % MARK_BYTES ? ERR_MALFORMED : OK;
    (void)packed;
    for (size_t i = 0; i < part->marks.n && !error; i++)
        error = progress_load_mark(&state->progress, part->index,
                                   (struct progress_mark){part->marks.at[i].snapshot,
                                                          part->marks.at[i].state});
    for (size_t i = 0; i < part->packed.len && !error; i += MARK_BYTES)
        error = progress_load_mark(&state->progress, part->index,
                                   (struct progress_mark){bytes_get_le64(part->packed.at + i),
                                                          bytes_get_le64(part->packed.at + i + 8)});
    return error;
}

/* --- comparing: what can still be read --- */

static const struct member progress_mark_fields[] = {
    FIELD(progress_mark, snapshot, bytes),
    FIELD(progress_mark, state, bytes),
};

/* Of these digest_node() makes a digest, because when marks are forgotten is a node's own. */
static const struct member progress_node_fields[] __attribute__((unused)) = {
    OWN(progress_node, row),  WITHIN(progress_node, index), WITHIN(progress_node, marks),
    WITHIN(progress_node, n), OWN(progress_node, size),
};

static uint64_t digest_node(const struct progress *progress, const struct progress_node *node)
{
    size_t first = progress_first_mark(progress, node);
    return random_fold(node->index, digest_array(FIELDS_OF(progress_mark), node->marks + first,
                                                 node->n - first));
}

/* A map has no order that matters. */
static uint64_t digest_nodes(const void *owner, const struct member *field)
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
    FIELD(progress, nodes, nodes),
    OWN(progress, watch),
};

static uint64_t digest(const struct state *state)
{
    return digest_fields(FIELDS_OF(progress), &state->progress);
}

static void compare(const struct comparison *to, const struct state *a, const struct state *b)
{
    const struct progress_node *one;
    for (size_t at = 0; (one = map_next(&a->progress.nodes, &at, NULL));) {
        const struct progress_node *other = progress_find(&b->progress, one->index);
        size_t i = progress_first_mark(&a->progress, one);
        size_t j = other ? progress_first_mark(&b->progress, other) : 0;
        compare_arrays(to, FIELDS_OF(progress_mark), one->marks + i, one->n - i,
                       other ? other->marks + j : NULL, other ? other->n - j : 0);
    }
    compare_fields(to, FIELDS_OF(progress), &a->progress, &b->progress);
}

/* --- the table --- */

const struct state_table state_progress = {
    .name = "progress",
    .watch = watch,
    .clear = clear,
    .check_invariants = check_invariants,
    .check = check,
    .apply = apply,
    .save = save,
    .group_rows = 1, /* a row may have 160 KB, and those of busy nodes change all the time */
    .next = next,
    .parts = {MESSAGE_IMAGE_PROGRESS},
    .load = load,
    .digest = digest,
    .compare = compare,
};
