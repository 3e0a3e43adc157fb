/* The product of all integers of a stored value: an operation a segment, a tree of products, and
 * the conversion of its root to text. No integers have the product 1. */
#include "nodes/core/kinds/graph.h"
#include "nodes/core/kinds/kinds_table.h"
#include "nodes/core/kinds/segments.h"

enum { SEGMENTS, INTEGERS, BYTES };

static uint64_t segments(const struct plan *plan)
{
    return plan->numbers[SEGMENTS];
}

static bool input(const struct plan *plan, size_t input, struct plan_input *out)
{
    const uint64_t *numbers = plan->numbers;
    *out = (struct plan_input){numbers[SEGMENTS], numbers[INTEGERS], numbers[BYTES], "integers"};
    return input == 1 && segments(plan);
}

static int check(const struct plan *plan, struct text *why)
{
    struct plan_input list;
    (void)input(plan, 1, &list);
    return segments_check(plan, &list, why);
}

/* A product is no longer than its factors together. */
static uint64_t cost(const struct plan *plan)
{
    return plan->numbers[BYTES] + 1;
}

static size_t range(const struct plan *plan, uint64_t at, struct plan_operand out[OPERANDS_MAX])
{
    out[0] = segments(plan) ? (struct plan_operand){.literal = at + 1, .input = 1}
                            : (struct plan_operand){.literal = 1};
    return 1;
}

static uint64_t range_bytes(const struct plan *plan, uint64_t at)
{
    (void)at;
    return segment_bytes(segments(plan), plan->numbers[BYTES]);
}

static void plan_stages(struct plan *plan)
{
    static const struct plan_lane segment = {.opcode = OPCODE_PRODUCT_OF},
                                  multiply = {.opcode = OPCODE_MULTIPLY},
                                  text = {.opcode = OPCODE_TEXT};
    uint64_t n = segments(plan);
    size_t flat = plan_add_leaves(plan, n ? &segment : &multiply, 1, n ? n : 1, false);
    size_t tree = plan_add_up(plan, flat, &multiply, OPERANDS_MAX);
    plan_add_last(plan, &text, (struct plan_root[]){{.part = tree}}, 1);
}

const struct job_kind kind_product = {
    .name = "product",
    .example = "12 -5 7",
    .about = "the product of the integers; @FILE, @- (stdin): one a line",
    .level = ENTRY_LEVEL_PLANS,
    .numbers = 3,
    .check = check,
    .cost = cost,
    .plan = plan_stages,
    .input = input,
    .range = range,
    .range_bytes = range_bytes,
    .label = "product(%2 integers)",
};
