/* released.h - the values that an entry makes the state name no more.
 *
 * A checkpoint on disk may name one of them still: a start takes the state back to it. So whatever
 * stops naming a value in applied state says so here, in the midst of a job as at its end, and the
 * log keeps the bytes until a checkpoint that covers the entry is on disk (sweep.h). */
#ifndef CONCLAVE_CORE_RELEASED_H
#define CONCLAVE_CORE_RELEASED_H

#include "nodes/core/step/step.h"

struct released_value {
    struct value_id id;
    uint64_t len;
};

/* Zero-initialize. */
struct released {
    struct released_value *at; /* owned */
    size_t n, size;
};

/* `released` may be NULL: nobody asks, as while a checkpoint is loaded. */
void released_add(struct released *released, struct value_id id, uint64_t len);

/* Takes one; false: there is none. */
bool released_take(struct released *released, struct value_id *id, uint64_t *len);

void released_clear(struct released *released);

#endif
