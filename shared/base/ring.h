/* ring.h - a queue in one piece of memory: it grows at its end, shrinks at its front, and each
 * element can be reached by its place. Grows to twice its size; never shrinks. */
#ifndef CONCLAVE_BASE_RING_H
#define CONCLAVE_BASE_RING_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialize: empty. Each element has the same size; what they own is the caller's. */
struct ring {
    uint8_t *at;
    size_t element, size, head, n; /* size: room for so many, a power of two */
};

/* The element at place i of 0..n-1, from the front. Borrowed until the next ring_push(). */
static inline void *ring_at(const struct ring *ring, size_t i)
{
    return ring->at + ((ring->head + i) & (ring->size - 1)) * ring->element;
}

/* Adds an element of so many bytes at the end, copied from `element`. */
void ring_push(struct ring *ring, const void *element, size_t bytes);

/* Removes the first element, or all of them with the memory. */
void ring_pop(struct ring *ring);
void ring_clear(struct ring *ring);

#endif
