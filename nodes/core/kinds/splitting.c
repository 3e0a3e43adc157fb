#include "nodes/core/kinds/splitting.h"

#include <inttypes.h>

#include "nodes/core/kinds/estimate.h"
#include "shared/base/error.h"

/* Each term of pi's series is less than the one before by 14.18 decimals: log10(151931373056000).
 */
#define PI_DECIMALS_100 1418

/* The two decimals that stand for a hundredth, and what the first terms are less accurate. */
#define DECIMALS_MORE 4

uint64_t splitting_pi_terms(uint64_t decimals)
{
    decimals += SPLITTING_GUARD;
    return (decimals + DECIMALS_MORE) * 100 / PI_DECIMALS_100 + 1;
}

uint64_t splitting_e_terms(uint64_t decimals)
{
    decimals += SPLITTING_GUARD;
    uint64_t wanted = (decimals + DECIMALS_MORE) * 3483295; /* log2(10), in 2^-20, rounded up */
    uint64_t low = 1, high = 16 * (decimals + DECIMALS_MORE);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (estimate_log2_factorial(middle) < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low + 1; /* what is left out is less than twice its first term, 1/low! */
}

int splitting_check(const struct plan *plan, struct text *why)
{
    if (plan->n <= DECIMALS_MAX)
        return OK;
    text_add(why, "%s: %" PRIu64 " decimals are too many; at most %" PRIu64 " can be asked for",
             plan->kind->name, plan->n, DECIMALS_MAX);
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
    out[0] = (struct plan_operand){.literal = plan->n};
    out[1] = (struct plan_operand){.literal = terms * at / leaves};
    out[2] = (struct plan_operand){.literal = terms * (at + 1) / leaves};
    return 3;
}

void splitting_end(struct plan *plan, const struct plan_lane *digits, size_t tree,
                   const struct plan_root *more)
{
    static const struct plan_lane text = {.opcode = OPCODE_DECIMALS_TEXT};
    struct plan_root decimals = {.is_literal = true, .literal = plan->n};
    struct plan_root roots[OPERANDS_MAX] = {{.part = tree, .lane = SPLITTING_Q},
                                            {.part = tree, .lane = SPLITTING_T},
                                            decimals};
    size_t n = 3;
    if (more)
        roots[n++] = *more;
    size_t all = plan_add_last(plan, digits, roots, n);
    plan_add_last(plan, &text, (struct plan_root[]){{.part = all}, decimals}, 2);
}
