#include "shared/base/ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"

#define RING_FIRST 16 /* elements: most queues are short */

static void grow(struct ring *ring)
{
    size_t size = ring->size ? 2 * ring->size : RING_FIRST;
    uint8_t *at = mem_new(size, ring->element);
    for (size_t i = 0; i < ring->n; i++)
        memcpy(at + i * ring->element, ring_at(ring, i), ring->element);
    free(ring->at);
    ring->at = at;
    ring->size = size;
    ring->head = 0;
}

void ring_push(struct ring *ring, const void *element, size_t bytes)
{
    assert(!ring->size || ring->element == bytes);
    ring->element = bytes;
    if (ring->n == ring->size)
        grow(ring);
    memcpy(ring_at(ring, ring->n++), element, bytes);
}

void ring_pop(struct ring *ring)
{
    assert(ring->n);
    ring->head = (ring->head + 1) & (ring->size - 1);
    ring->n--;
}

void ring_clear(struct ring *ring)
{
    free(ring->at);
    *ring = (struct ring){0};
}
