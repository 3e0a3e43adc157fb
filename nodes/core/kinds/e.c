/* e: the sum of 1/k! by binary splitting. Q and T of ranges of terms are made side by side; two
 * neighbours are combined by Q = Q1*Q2 and T = T1*Q2 + T2. */
#include "nodes/core/kinds/splitting.h"
#include "shared/base/bits.h"

enum { Q = SPLITTING_Q, T = SPLITTING_T, LANES };

static const struct plan_lane leaves[LANES] = {{.opcode = OPCODE_E_Q}, {.opcode = OPCODE_E_T}};
static const struct plan_lane pairs[LANES] = {
    [Q] = {.opcode = OPCODE_MULTIPLY},
    [T] = {.opcode = OPCODE_CROSS,
           .n_picks = 4,
           .picks = {{0, T, 0}, {1, Q, 0}, {.literal = 1}, {1, T, 0}}},
};
static const struct plan_lane digits = {.opcode = OPCODE_E_DIGITS};

static uint64_t terms(const struct plan *plan)
{
    return splitting_e_terms(plan->n);
}

/* Of the largest integer, T of all terms: below 3 k!, and that below 3 k^k. */
static uint64_t cost(const struct plan *plan)
{
    if (plan->n > DECIMALS_MAX)
        return UINT64_MAX / 8;
    return terms(plan) * bits_of(terms(plan)) / 8 + 2;
}

static size_t range(const struct plan *plan, uint64_t at, struct plan_operand out[OPERANDS_MAX])
{
    return splitting_range(plan, at / LANES, terms(plan), out);
}

static uint64_t range_bytes(const struct plan *plan, uint64_t at)
{
    (void)at;
    return cost(plan) / splitting_leaves(plan, terms(plan)) + 1;
}

static void plan_stages(struct plan *plan)
{
    size_t flat = plan_add_leaves(plan, leaves, LANES, splitting_leaves(plan, terms(plan)), false);
    size_t tree = plan_add_up(plan, flat, pairs, 2);
    splitting_end(plan, &digits, tree, NULL);
}

const struct job_kind kind_e = {
    .name = "e",
    .example = "50",
    .about = "e to 50 decimals, not rounded",
    .level = ENTRY_LEVEL_PLANS,
    .numbers = 1,
    .check = splitting_check,
    .cost = cost,
    .plan = plan_stages,
    .range = range,
    .range_bytes = range_bytes,
    .label = "e",
};
