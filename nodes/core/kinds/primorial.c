/* N#: the product of the primes up to N. The flat stage sieves ranges of integers of one length;
 * the primes up to x make up about x / N of the digits, so all results are of one size. */
#include <inttypes.h>

#include "nodes/core/kinds/estimate.h"
#include "nodes/core/kinds/graph.h"
#include "nodes/core/kinds/kinds_table.h"
#include "shared/base/error.h"

static int check(const struct plan *plan, struct text *why)
{
    if (plan->n <= SIEVE_MAX)
        return OK;
    text_add(why, "primorial: %" PRIu64 " is too large; at most %" PRIu64 " can be asked for",
             plan->n, SIEVE_MAX);
    return ERR_RANGE;
}

/* The sum of log p over the primes up to x is below 1.017 x (Rosser and Schoenfeld): 0.184 bytes.
 */
static uint64_t cost(const struct plan *plan)
{
    return plan->n / 5 + 1;
}

static size_t range(const struct plan *plan, uint64_t at, struct plan_operand out[OPERANDS_MAX])
{
    out[0] = (struct plan_operand){.literal = plan_bound(plan, at)};
    out[1] = (struct plan_operand){.literal = plan_bound(plan, at + 1)};
    return 2;
}

/* Two bytes of integers are sieved while one of a product is made, roughly. */
static uint64_t range_bytes(const struct plan *plan, uint64_t at)
{
    (void)at;
    return plan->n / plan->ranges + 1;
}

/* The same sum is about N: log10(e) of it, in 2^-20. */
static uint64_t digits(const struct plan *plan)
{
    return estimate_digits(plan->n, 455390);
}

static void plan_stages(struct plan *plan)
{
    static const struct plan_lane flat = {.opcode = OPCODE_PRIMORIAL};
    plan_add_ranges(plan, &flat);
}

const struct job_kind kind_primorial = {
    .name = "primorial",
    .example = "30",
    .about = "30#, the product of the primes up to 30",
    .level = ENTRY_LEVEL_NUMBERS,
    .numbers = 1,
    .check = check,
    .cost = cost,
    .digits = digits,
    .plan = plan_stages,
    .range = range,
    .range_bytes = range_bytes,
    .label = "%1#",
};
