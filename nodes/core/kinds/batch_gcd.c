/* Which of many integers share a factor (Bernstein 2004): the product of all by a tree upwards,
 * that modulo the square of each node's product downwards, and at each segment the common factors
 * of what comes down and its integers. A second input's integers are known ones: they have no lines
 * of their own, but others share factors with them. */
#include "nodes/core/kinds/graph.h"
#include "nodes/core/kinds/kinds_table.h"
#include "nodes/core/kinds/segments.h"
#include "shared/base/error.h"

enum { SEGMENTS, INTEGERS, BYTES, KNOWN_SEGMENTS, KNOWN_INTEGERS, KNOWN_BYTES };

static uint64_t all_segments(const struct plan *plan)
{
    return plan->numbers[SEGMENTS] + plan->numbers[KNOWN_SEGMENTS];
}

static uint64_t all_bytes(const struct plan *plan)
{
    return plan->numbers[BYTES] + plan->numbers[KNOWN_BYTES];
}

static bool input(const struct plan *plan, size_t input, struct plan_input *out)
{
    const uint64_t *numbers = plan->numbers + (input == 2 ? KNOWN_SEGMENTS : SEGMENTS);
    *out = (struct plan_input){numbers[SEGMENTS], numbers[INTEGERS], numbers[BYTES], "integers"};
    return input >= 1 && input <= 2 && out->segments;
}

static int check(const struct plan *plan, struct text *why)
{
    struct plan_input list;
    int error = OK;
    for (size_t i = 1; i <= 2 && !error; i++) {
        (void)input(plan, i, &list);
        error = segments_check(plan, &list, why);
    }
    struct plan_input all = {.segments = all_segments(plan), .items = UINT64_MAX};
    if (!error && all.segments > PLAN_LEAVES_MAX)
        error = segments_check(plan, &all, why);
    if (error || plan->numbers[SEGMENTS])
        return error;
    text_add(why, "%s: there is no integer to look for factors of", plan->kind->name);
    return ERR_RANGE;
}

/* What comes down is no longer than the product of all. */
static uint64_t cost(const struct plan *plan)
{
    return all_bytes(plan) + 1;
}

static size_t range(const struct plan *plan, uint64_t at, struct plan_operand out[OPERANDS_MAX])
{
    uint64_t own = plan->numbers[SEGMENTS];
    out[0] = at < own ? (struct plan_operand){.literal = at + 1, .input = 1}
                      : (struct plan_operand){.literal = at - own + 1, .input = 2};
    return 1;
}

static uint64_t range_bytes(const struct plan *plan, uint64_t at)
{
    (void)at;
    return segment_bytes(all_segments(plan), all_bytes(plan));
}

static void plan_stages(struct plan *plan)
{
    static const struct plan_lane product_of = {.opcode = OPCODE_PRODUCT_OF},
                                  multiply = {.opcode = OPCODE_MULTIPLY},
                                  remainder = {.opcode = OPCODE_REMAINDER},
                                  gcds = {.opcode = OPCODE_GCDS},
                                  gather = {.opcode = OPCODE_GATHER},
                                  report = {.opcode = OPCODE_REPORT};
    const uint64_t *numbers = plan->numbers;
    size_t flat = plan_add_leaves(plan, &product_of, 1, all_segments(plan), false);
    size_t products = plan_add_up(plan, flat, &multiply, OPERANDS_MAX);
    size_t remainders = plan_add_down(plan, products, &remainder, all_segments(plan));
    size_t each = plan_add_each(plan, remainders, &gcds);
    size_t rows = plan_add_up(plan, each, &gather, OPERANDS_MAX);
    plan_add_last(plan, &report,
                  (struct plan_root[]){{.part = rows},
                                       {.is_literal = true, .literal = numbers[INTEGERS]},
                                       {.is_literal = true, .literal = numbers[KNOWN_INTEGERS]}},
                  3);
}

const struct job_kind kind_batch_gcd = {
    .name = "batch-gcd",
    .example = "15 21 77",
    .about = "which of the integers share a factor; @FILE, --against @KNOWN",
    .level = ENTRY_LEVEL_PLANS,
    .numbers = 6,
    .check = check,
    .cost = cost,
    .plan = plan_stages,
    .input = input,
    .range = range,
    .range_bytes = range_bytes,
    .label = "batch-gcd(%2 integers)",
};
