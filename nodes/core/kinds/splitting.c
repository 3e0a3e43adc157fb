#include "nodes/core/kinds/splitting.h"

#include <inttypes.h>

#include "shared/base/error.h"

int splitting_check(const struct plan *plan, struct text *why)
{
    if (plan->n <= DECIMALS_MAX)
        return OK;
    text_add(why, "%s: %" PRIu64 " decimals are too many; at most %" PRIu64 " can be asked for",
             plan->kind->name, plan->n, (uint64_t)DECIMALS_MAX);
    return ERR_RANGE;
}

uint64_t splitting_leaves(const struct plan *plan, uint64_t terms)
{
    return plan->ranges < terms ? plan->ranges : terms;
}

size_t splitting_range(const struct plan *plan, uint64_t at, uint64_t terms,
                       struct plan_operand out[OPERANDS_MAX])
{
    uint64_t leaves = splitting_leaves(plan, terms);
    out[0] = (struct plan_operand){.literal = terms * at / leaves};
    out[1] = (struct plan_operand){.literal = terms * (at + 1) / leaves};
    return 2;
}

void splitting_end(struct plan *plan, size_t digits)
{
    static const struct plan_lane text = {.opcode = OPCODE_DECIMALS_TEXT};
    plan_add_last(plan, &text, (struct plan_root[]){{digits, 0}}, 1, &plan->n, 1);
}
