/* A program of a user folds the parts of a stored value, two to four at a time and in their order,
 * by a tree upwards. The job's second input is the program, with how it is run (shared/tasks/
 * operator.h): so a job has the one that it began with. A single part is its own fold. */
#include <inttypes.h>

#include "nodes/core/kinds/graph.h"
#include "nodes/core/kinds/kinds_table.h"
#include "nodes/core/kinds/segments.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"

enum { PARTS, BYTES, PROGRAM_BYTES };

/* A part is a segment of its own. */
static bool input(const struct plan *plan, size_t input, struct plan_input *out)
{
    const uint64_t *numbers = plan->numbers;
    *out = input == 1 ? (struct plan_input){numbers[PARTS], numbers[PARTS], numbers[BYTES], "parts"}
                      : (struct plan_input){1, OPERATOR_PARTS, numbers[PROGRAM_BYTES], "operator"};
    return input >= 1 && input <= 2;
}

static int check(const struct plan *plan, struct text *why)
{
    uint64_t parts = plan->numbers[PARTS], bytes = plan->numbers[BYTES];
    if (parts < 1 || parts > VALUE_SEGMENTS_MAX) {
        text_add(why, "reduce: a job has 1 to %d parts, not %" PRIu64, VALUE_SEGMENTS_MAX, parts);
        return ERR_RANGE;
    }
    if (bytes / BYTES_LENGTH >= parts && bytes <= VALUE_BYTES_MAX)
        return OK;
    text_add(why, "reduce: %" PRIu64 " parts cannot have %" PRIu64 " bytes", parts, bytes);
    return ERR_RANGE;
}

/* What a program writes is bounded when it runs. */
static uint64_t cost(const struct plan *plan)
{
    (void)plan;
    return 0;
}

static uint64_t groups(const struct plan *plan)
{
    return (plan->numbers[PARTS] + OPERANDS_MAX - 1) / OPERANDS_MAX;
}

/* Groups are of one size, or differ by one: none of several parts is left with one. */
static uint64_t first_of(const struct plan *plan, uint64_t group)
{
    return group * plan->numbers[PARTS] / groups(plan);
}

static size_t range(const struct plan *plan, uint64_t at, struct plan_operand out[OPERANDS_MAX])
{
    size_t n = 0;
    for (uint64_t part = first_of(plan, at); part < first_of(plan, at + 1); part++)
        out[n++] = (struct plan_operand){.literal = part + 1, .input = 1};
    return n;
}

static uint64_t range_bytes(const struct plan *plan, uint64_t at)
{
    (void)at;
    return segment_bytes(groups(plan), plan->numbers[BYTES]);
}

static void plan_stages(struct plan *plan)
{
    static const struct plan_lane fold = {.opcode = OPCODE_FOLD}, bytes = {.opcode = OPCODE_BYTES};
    size_t flat = plan_add_leaves(plan, &fold, 1, groups(plan), false);
    size_t tree = plan_add_up(plan, flat, &fold, OPERANDS_MAX);
    plan_add_last(plan, &bytes, (struct plan_root[]){{.part = tree}}, 1);
}

const struct job_kind kind_reduce = {
    .name = "reduce",
    .example = "200 12345 678",
    .about = "folds files with a program of `op add`; NAME --files 'parts/*'",
    .level = ENTRY_LEVEL_REDUCE,
    .numbers = 3,
    .commands = true,
    .check = check,
    .cost = cost,
    .plan = plan_stages,
    .input = input,
    .range = range,
    .range_bytes = range_bytes,
    .label = "reduce(%1 parts)",
};
