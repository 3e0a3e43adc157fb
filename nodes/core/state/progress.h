/* progress.h - the first seed's node states and their snaps: SetState(idx, state), Snap(), and
 * reads of past snaps.
 *
 * A library of its own: all it needs is row.h and tables.h, and map.c, memory.c and error.c of
 * shared/base. progress_table.c makes a table of the replicated state of it.
 *
 *     struct progress progress = {0};
 *     progress_set_state(&progress, 3, 17);
 *     uint64_t id = progress_snap(&progress), state;          // the first snap is 0
 *     progress_set_state(&progress, 3, 18);
 *     progress_get_state(&progress, 3, id, &state);           // OK, 17
 *     progress_get_state(&progress, 4, id, &state);           // OK, 0: never set
 *     progress_get_state(&progress, 3, id + 1, &state);       // ERR_NOT_FOUND: not taken yet
 *     progress_clear(&progress);
 *
 * The seed copies all states at each snap. Here a node keeps its changes only, each with the number
 * of snaps taken before it: a snap is O(1), a read is O(log changes of that node), and memory grows
 * with changes only: two SetStates between two snaps are one change.
 *
 * It is bounded: indices are 0..PROGRESS_INDEX_MAX, SetState of another does nothing; the latest
 * PROGRESS_SNAPS_MAX snaps can be read, and changes that only older ones saw are forgotten. States
 * are any 64-bit numbers. No function fails for lack of memory: mem_new() ends the process then. */
#ifndef CONCLAVE_CORE_PROGRESS_H
#define CONCLAVE_CORE_PROGRESS_H

#include "nodes/core/state/row.h"
#include "shared/base/map.h"

/* From `snapshot` on (until the next mark of this node) the state is `state`. */
struct progress_mark {
    uint64_t snapshot; /* snaps taken before this change */
    uint64_t state;
};

struct progress_node {
    struct row row;
    uint64_t index;
    struct progress_mark *marks; /* ascending; owned */
    size_t n, size;
};

/* Zero-initialize. */
struct progress {
    uint64_t snapshots;      /* taken so far; the next one's id */
    uint64_t snaps_max;      /* that can be read; 0: PROGRESS_SNAPS_MAX */
    struct map nodes;        /* index -> struct progress_node */
    struct row_watch *watch; /* told before a node changes; NULL: nobody */
};

/* Sets the present state of a node. Idempotent. */
void progress_set_state(struct progress *progress, uint64_t index, uint64_t state);

/* Takes a snap; returns its id, the first is 0. */
uint64_t progress_snap(struct progress *progress);

/* The oldest snap that can still be read. */
uint64_t progress_first_snap(const struct progress *progress);

/* The state of a node in a past snap; 0 for a node never set by then. ERR_NOT_FOUND (the seed's
 * None) for a snap not taken yet, ERR_STALE for one that is forgotten. */
int progress_get_state(const struct progress *progress, uint64_t index, uint64_t snapshot,
                       uint64_t *state);

/* The present state of a node; 0 for a node never set. */
uint64_t progress_now(const struct progress *progress, uint64_t index);

/* The node of that index; NULL: never set. The first one whose index is not below `index`. */
struct progress_node *progress_find(const struct progress *progress, uint64_t index);
struct progress_node *progress_from(const struct progress *progress, uint64_t index);

/* The first mark of a node, as an index, that a snap sees which can be read. When those before it
 * are forgotten is of no importance. */
size_t progress_first_mark(const struct progress *progress, const struct progress_node *node);

/* Puts a mark after the ones a node has, when loading; ERR_MALFORMED when it is out of order. */
int progress_load_mark(struct progress *progress, uint64_t index, struct progress_mark mark);

void progress_clear(struct progress *progress);

void progress_check_invariants(const struct progress *progress);

#endif
