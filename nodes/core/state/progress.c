#include "nodes/core/state/progress.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

struct progress_node *progress_find(const struct progress *progress, uint64_t index)
{
    return map_get(&progress->nodes, (struct map_key){index, 0});
}

struct progress_node *progress_from(const struct progress *progress, uint64_t index)
{
    struct progress_node *node = NULL;
    for (; index <= PROGRESS_INDEX_MAX && !node; index++)
        node = progress_find(progress, index);
    return node;
}

static struct progress_node *find_or_add(struct progress *progress, uint64_t index)
{
    struct progress_node *node = progress_find(progress, index);
    if (node) {
        row_changes(progress->watch, TABLE_PROGRESS, &node->row);
        return node;
    }
    node = mem_new(1, sizeof *node);
    node->index = index;
    row_is_made(progress->watch, TABLE_PROGRESS, &node->row);
    map_put(&progress->nodes, (struct map_key){index, 0}, node);
    return node;
}

static uint64_t snaps_max(const struct progress *progress)
{
    return progress->snaps_max ? progress->snaps_max : PROGRESS_SNAPS_MAX;
}

uint64_t progress_first_snap(const struct progress *progress)
{
    uint64_t most = snaps_max(progress);
    return progress->snapshots > most ? progress->snapshots - most : 0;
}

/* All before the last one that the oldest readable snap sees are of no use. */
size_t progress_first_mark(const struct progress *progress, const struct progress_node *node)
{
    uint64_t first = progress_first_snap(progress);
    size_t n = 0;
    while (n + 1 < node->n && node->marks[n + 1].snapshot <= first)
        n++;
    return n;
}

static void forget_marks(const struct progress *progress, struct progress_node *node)
{
    size_t n = progress_first_mark(progress, node);
    if (!n)
        return;
    node->n -= n;
    memmove(node->marks, node->marks + n, node->n * sizeof *node->marks);
}

/* A quarter more than can be read: so many marks are forgotten at once, not one by one. */
static void push(const struct progress *progress, struct progress_node *node,
                 struct progress_mark mark)
{
    if (node->n == node->size)
        forget_marks(progress, node);
    if (node->n == node->size) {
        uint64_t most = snaps_max(progress), grown = node->size ? 2 * node->size : 4;
        if (grown / 2 > most && grown > most + most / 4 + 16)
            grown = most + most / 4 + 16;
        node->size = grown > node->n ? grown : node->n + 1;
        node->marks = mem_grow(node->marks, node->size, sizeof *node->marks);
    }
    node->marks[node->n++] = mark;
}

void progress_set_state(struct progress *progress, uint64_t index, uint64_t state)
{
    if (index > PROGRESS_INDEX_MAX)
        return;
    struct progress_node *node = find_or_add(progress, index);
    struct progress_mark *last = node->n ? &node->marks[node->n - 1] : NULL;
    if (last && last->state == state)
        return;
    if (last && last->snapshot == progress->snapshots)
        last->state = state;
    else
        push(progress, node, (struct progress_mark){progress->snapshots, state});
}

uint64_t progress_snap(struct progress *progress)
{
    return progress->snapshots++;
}

/* The last mark that a snap saw: those made before it was taken have its id or a smaller one. */
static uint64_t state_at(const struct progress_node *node, uint64_t snapshot)
{
    size_t low = 0, high = node ? node->n : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (node->marks[middle].snapshot > snapshot)
            high = middle;
        else
            low = middle + 1;
    }
    return low ? node->marks[low - 1].state : 0;
}

int progress_get_state(const struct progress *progress, uint64_t index, uint64_t snapshot,
                       uint64_t *state)
{
    if (snapshot >= progress->snapshots)
        return ERR_NOT_FOUND;
    if (snapshot < progress_first_snap(progress))
        return ERR_STALE;
    *state = state_at(progress_find(progress, index), snapshot);
    return OK;
}

uint64_t progress_now(const struct progress *progress, uint64_t index)
{
    return state_at(progress_find(progress, index), UINT64_MAX);
}

int progress_load_mark(struct progress *progress, uint64_t index, struct progress_mark mark)
{
    if (index > PROGRESS_INDEX_MAX)
        return OK; /* of an older release, which kept any: see limits.h */
    struct progress_node *node = find_or_add(progress, index);
    if (mark.snapshot > progress->snapshots ||
        (node->n && node->marks[node->n - 1].snapshot >= mark.snapshot))
        return ERR_MALFORMED;
    push(progress, node, mark);
    return OK;
}

void progress_clear(struct progress *progress)
{
    struct progress_node *node;
    for (size_t at = 0; (node = map_next(&progress->nodes, &at, NULL));) {
        free(node->marks);
        free(node);
    }
    map_clear(&progress->nodes);
    *progress = (struct progress){0};
}

void progress_check_invariants(const struct progress *progress)
{
    const struct progress_node *node;
    struct map_key key;
    for (size_t at = 0; (node = map_next(&progress->nodes, &at, &key));) {
        assert(node->index == key.a && node->index <= PROGRESS_INDEX_MAX);
        assert(node->n && node->n <= node->size);
        assert(node->marks[node->n - 1].snapshot <= progress->snapshots);
        for (size_t i = 1; i < node->n; i++)
            assert(node->marks[i - 1].snapshot < node->marks[i].snapshot);
        assert(!progress->watch == !node->row.group);
    }
}
