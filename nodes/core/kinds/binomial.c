/* C(N,K): by the primes up to N, each to the power with which it divides it, over ranges of
 * integers of one length. With few factors above and below the line, whatever N is, one operation
 * makes all of it and the others are 1: nobody sieves 10^12 for C(10^12, 2). */
#include <inttypes.h>

#include "nodes/core/kinds/estimate.h"
#include "nodes/core/kinds/graph.h"
#include "nodes/core/kinds/kinds_table.h"
#include "shared/base/bits.h"
#include "shared/base/error.h"

/* One operation makes all of it when its factors are so many times fewer than the integers to be
 * sieved. */
#define DIRECT_ODDS 64

/* K, or N - K if that is less; 0 also when K > N. */
static uint64_t factors(const struct plan *plan)
{
    uint64_t other = plan->n - plan->k;
    if (plan->k > plan->n)
        return 0;
    return plan->k < other ? plan->k : other;
}

static bool is_direct(const struct plan *plan)
{
    uint64_t few = factors(plan);
    return few <= BINOMIAL_DIRECT_MAX && few <= plan->n / DIRECT_ODDS;
}

static int check(const struct plan *plan, struct text *why)
{
    if (plan->n <= SIEVE_MAX || is_direct(plan))
        return OK;
    text_add(why,
             "binomial: N is at most %" PRIu64 " when K and N - K are above %d; got %" PRIu64
             " and %" PRIu64,
             SIEVE_MAX, BINOMIAL_DIRECT_MAX, plan->n, plan->k);
    return ERR_RANGE;
}

/* At most 2^N, and at most N^K. */
static uint64_t cost(const struct plan *plan)
{
    uint64_t few = factors(plan), bits = bits_of(plan->n | 1);
    return few < plan->n / bits ? few * bits / 8 + 1 : plan->n / 8 + 1;
}

static size_t range(const struct plan *plan, uint64_t at, struct plan_operand out[OPERANDS_MAX])
{
    bool direct = is_direct(plan);
    uint64_t end = plan_bound(plan, plan->ranges);
    out[0] = (struct plan_operand){.literal = plan->n};
    out[1] = (struct plan_operand){.literal = plan->k};
    out[2] = (struct plan_operand){.literal = !direct ? plan_bound(plan, at) : at ? end : 1};
    out[3] = (struct plan_operand){.literal = !direct ? plan_bound(plan, at + 1) : end};
    return 4;
}

static uint64_t range_bytes(const struct plan *plan, uint64_t at)
{
    if (is_direct(plan))
        return at ? 1 : cost(plan);
    return plan->n / plan->ranges + 1;
}

static uint64_t digits(const struct plan *plan)
{
    if (is_direct(plan) || !factors(plan))
        return 1; /* few, or of operations of which one makes all */
    uint64_t log2 = estimate_log2_factorial(plan->n) - estimate_log2_factorial(plan->k) -
                    estimate_log2_factorial(plan->n - plan->k);
    return estimate_digits_of_log2(log2);
}

static void plan_stages(struct plan *plan)
{
    static const struct plan_lane flat = {.opcode = OPCODE_BINOMIAL};
    plan_add_ranges(plan, &flat);
}

const struct job_kind kind_binomial = {
    .name = "binomial",
    .example = "10 3",
    .about = "C(10,3), the ways to choose 3 of 10",
    .level = ENTRY_LEVEL_NUMBERS,
    .numbers = 2,
    .check = check,
    .cost = cost,
    .digits = digits,
    .plan = plan_stages,
    .range = range,
    .range_bytes = range_bytes,
    .label = "C(%1,%2)",
};
