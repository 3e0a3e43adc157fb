#include "nodes/core/state/released.h"

#include <stdlib.h>

#include "shared/base/memory.h"

void released_add(struct released *released, struct value_id id, uint64_t len)
{
    if (!released)
        return;
    if (released->n == released->size) {
        released->size = released->size ? 2 * released->size : 16;
        released->at = mem_grow(released->at, released->size, sizeof *released->at);
    }
    released->at[released->n++] = (struct released_value){id, len};
}

bool released_take(struct released *released, struct value_id *id, uint64_t *len)
{
    if (!released->n)
        return false;
    struct released_value *last = &released->at[--released->n];
    *id = last->id;
    *len = last->len;
    return true;
}

void released_clear(struct released *released)
{
    free(released->at);
    *released = (struct released){0};
}
