#include "nodes/core/kinds/operators.h"

#include <assert.h>

#include "shared/base/bits.h"

static const struct operator_traits operators[OPCODES] = {
#define X(SYMBOL, id, ...) [OPCODE_##SYMBOL] = {.name = #id, __VA_ARGS__},
    OPERATORS(X)
#undef X
};

const struct operator_traits *operator_traits(enum opcode opcode)
{
    assert(opcode < OPCODES);
    return &operators[opcode];
}

bool operator_find(struct slice name, enum opcode *out)
{
    for (enum opcode opcode = 0; opcode < OPCODES; opcode++)
        if (slice_equals(name, operators[opcode].name)) {
            *out = opcode;
            return true;
        }
    return false;
}

uint64_t operator_cost(enum opcode opcode, uint64_t bytes)
{
    uint64_t size = bytes + 64, cost = size; /* a small one is no more than its overhead */
    for (unsigned i = 0; i < operator_traits(opcode)->logs; i++)
        cost *= bits_of(size) - 1;
    return cost;
}
