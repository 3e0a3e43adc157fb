/* pi: the series of Chudnovsky and Chudnovsky (1989) by binary splitting. Q, T and P of ranges of
 * terms are made side by side; two neighbours are combined by Q = Q1*Q2, T = T1*Q2 + P1*T2 and
 * P = P1*P2. A square root needs none of that and comes first: it is the longest of all flat
 * operations. Digits follow from it and from Q and T of all. */
#include "nodes/core/kinds/splitting.h"
#include "shared/base/bits.h"

/* A term's Q has 53.3 bits and three times those of its number. */
#define TERM_BITS 54

enum {
    Q = SPLITTING_Q,
    T = SPLITTING_T,
    P,
    LANES
}; /* P is the last: the rightmost one of a level has no consumer */

static const struct plan_lane leaves[LANES] = {{.opcode = OPCODE_PI_Q},
                                               {.opcode = OPCODE_PI_T},
                                               {.opcode = OPCODE_PI_P}};
static const struct plan_lane pairs[LANES] = {
    [Q] = {.opcode = OPCODE_MULTIPLY},
    [T] = {.opcode = OPCODE_CROSS,
           .n_picks = 4,
           .picks = {{0, T, 0}, {1, Q, 0}, {0, P, 0}, {1, T, 0}}},
    [P] = {.opcode = OPCODE_MULTIPLY},
};
static const struct plan_lane root = {.opcode = OPCODE_PI_SQRT};
static const struct plan_lane digits = {.opcode = OPCODE_PI_DIGITS};

static uint64_t terms(const struct plan *plan)
{
    return splitting_pi_terms(plan->n);
}

/* Of the largest integer, T of all terms. */
static uint64_t cost(const struct plan *plan)
{
    if (plan->n > DECIMALS_MAX)
        return UINT64_MAX / 8;
    return (terms(plan) + 1) * (TERM_BITS + 3 * bits_of(terms(plan))) / 8 + 1;
}

static size_t range(const struct plan *plan, uint64_t at, struct plan_operand out[OPERANDS_MAX])
{
    if (at)
        return splitting_range(plan, (at - 1) / LANES, terms(plan), out);
    out[0] = (struct plan_operand){.literal = plan->n};
    return 1;
}

static uint64_t range_bytes(const struct plan *plan, uint64_t at)
{
    return at ? cost(plan) / splitting_leaves(plan, terms(plan)) + 1 : plan->n + 1;
}

static void plan_stages(struct plan *plan)
{
    size_t first = plan_add_leaves(plan, &root, 1, 1, false);
    size_t flat = plan_add_leaves(plan, leaves, LANES, splitting_leaves(plan, terms(plan)), true);
    size_t tree = plan_add_up(plan, flat, pairs, 2);
    splitting_end(plan, &digits, tree, &(struct plan_root){.part = first});
}

const struct job_kind kind_pi = {
    .name = "pi",
    .example = "50",
    .about = "pi to 50 decimals, not rounded",
    .level = ENTRY_LEVEL_PLANS,
    .numbers = 1,
    .check = splitting_check,
    .cost = cost,
    .plan = plan_stages,
    .range = range,
    .range_bytes = range_bytes,
    .label = "pi",
};
