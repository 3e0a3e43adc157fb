/* op_set.h - a set of operations of a plan whose results have several consumers: a bit each. */
#ifndef CONCLAVE_CORE_OP_SET_H
#define CONCLAVE_CORE_OP_SET_H

#include <stdbool.h>
#include <stdlib.h>

#include "shared/base/memory.h"
#include "shared/base/types.h"

/* Zero-initialize: empty, without room. */
struct op_set {
    uint64_t *words; /* owned */
};

/* Makes room for the operations 1..n, unless it has. */
static inline void op_set_open(struct op_set *set, uint64_t n)
{
    if (!set->words)
        set->words = mem_new((size_t)(n / 64 + 1), sizeof *set->words);
}

static inline bool op_set_has(const struct op_set *set, op_id_t op)
{
    return set->words && set->words[op / 64] >> op % 64 & 1;
}

/* The set has room. */
static inline void op_set_add(struct op_set *set, op_id_t op)
{
    set->words[op / 64] |= (uint64_t)1 << op % 64;
}

static inline void op_set_clear(struct op_set *set)
{
    free(set->words);
    set->words = NULL;
}

#endif
