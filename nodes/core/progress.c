#include "nodes/core/progress.h"

#include <stdlib.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"

static struct progress_node *find(const struct progress *progress, uint64_t index)
{
    return map_get(&progress->nodes, (struct map_key){index, 0});
}

static struct progress_node *find_or_add(struct progress *progress, uint64_t index)
{
    struct progress_node *node = find(progress, index);
    if (node)
        return node;
    node = mem_new(1, sizeof *node);
    node->index = index;
    map_put(&progress->nodes, (struct map_key){index, 0}, node);
    return node;
}

static void push(struct progress_node *node, struct progress_mark mark)
{
    if (node->n == node->size) {
        node->size = node->size ? 2 * node->size : 4;
        node->marks = mem_grow(node->marks, node->size, sizeof *node->marks);
    }
    node->marks[node->n++] = mark;
}

void progress_set_state(struct progress *progress, uint64_t index, uint64_t state)
{
    struct progress_node *node = find_or_add(progress, index);
    struct progress_mark *last = node->n ? &node->marks[node->n - 1] : NULL;
    if (last && last->state == state)
        return;
    if (last && last->snapshot == progress->snapshots)
        last->state = state;
    else
        push(node, (struct progress_mark){progress->snapshots, state});
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
    *state = state_at(find(progress, index), snapshot);
    return OK;
}

uint64_t progress_now(const struct progress *progress, uint64_t index)
{
    return state_at(find(progress, index), UINT64_MAX);
}

int progress_load_mark(struct progress *progress, uint64_t index, struct progress_mark mark)
{
    struct progress_node *node = find_or_add(progress, index);
    if (mark.snapshot > progress->snapshots ||
        (node->n && node->marks[node->n - 1].snapshot >= mark.snapshot))
        return ERR_MALFORMED;
    push(node, mark);
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
