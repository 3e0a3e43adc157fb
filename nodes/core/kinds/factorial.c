/* N!: a tree of products over the integers N..1, and the conversion of its root to text.
 *
 * Large ones by their primes: N! is the product of all primes up to N, each to the power with which
 * it divides N!. An operation takes (N, from, to) and makes the product over the primes in
 * from < p <= to; the bounds are N^(i/ranges), for the primes up to x make up about log x / log N
 * of N!, so all results are of one size. Powers are made by squaring, so this takes little more
 * than half of the time of the tree (docs/reliability.md). */
#include "nodes/core/kinds/estimate.h"
#include "nodes/core/kinds/graph.h"
#include "nodes/core/kinds/kinds_table.h"
#include "shared/base/bits.h"

/* N! is below N^N. */
static uint64_t cost(const struct plan *plan)
{
    uint64_t n = plan->n, bits = bits_of(n | 1);
    return n > UINT64_MAX / bits ? UINT64_MAX / 8 : n * bits / 8 + 1;
}

/* --- by primes --- */

#define PRIMES_FROM 4
/* Below, the tree takes a quarter of a second at most, and shows its progress in small steps. */
#define PRIMES_FASTER_FROM 1000001

/* The root of a * b, rounded down: by integers only, so that all nodes mean the same. */
static uint64_t mean(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    uint64_t low = a, high = b; /* a <= b, and the root is between */
    while (low < high) {
        uint64_t middle = high - (high - low) / 2;
        if ((unsigned __int128)middle * middle <= product)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* About N^(at/ranges), halving the way to it again and again: `ranges` is a power of two. */
static uint64_t bound(const struct plan *plan, uint64_t at)
{
    uint64_t low = 1, high = plan->n, first = 0, width = plan->ranges;
    if (at == plan->ranges)
        return plan->n;
    while (at != first) {
        uint64_t middle = mean(low, high);
        width /= 2;
        if (at < first + width) {
            high = middle;
        } else {
            low = middle;
            first += width;
        }
    }
    return low;
}

static size_t range(const struct plan *plan, uint64_t at, struct plan_operand out[OPERANDS_MAX])
{
    out[0] = (struct plan_operand){.literal = plan->n};
    out[1] = (struct plan_operand){.literal = bound(plan, at)};
    out[2] = (struct plan_operand){.literal = bound(plan, at + 1)};
    return 3;
}

/* The result has N * log2(to / from) bits. Large primes have small exponents: less is squared, more
 * multiplied, and they have to be found. As measured: of 16 ranges of 10000000! the first takes 29
 * ms, the middle one 47, the last 192. */
static uint64_t range_bytes(const struct plan *plan, uint64_t at)
{
    uint64_t log = bits_of(plan->n) * (at + 1) / plan->ranges;
    uint64_t bytes = cost(plan) / plan->ranges + 1;
    return bytes + bytes / 100 * log * log;
}

/* Larger ones are of no node, whatever their plan. */
#define ESTIMATED_MAX ((uint64_t)1 << 36)

static uint64_t digits(const struct plan *plan)
{
    return plan->n > ESTIMATED_MAX ? UINT64_MAX
                                   : estimate_digits_of_log2(estimate_log2_factorial(plan->n));
}

static void plan_stages(struct plan *plan)
{
    static const struct plan_lane flat = {.opcode = OPCODE_PRIMES};
    if (plan->ranges) {
        plan_add_ranges(plan, &flat);
        return;
    }
    plan_add_tree(plan, OPCODE_MULTIPLY, plan->n ? plan->n : 1);
    plan_add_one(plan, OPCODE_TEXT);
}

const struct job_kind kind_factorial = {
    .name = "factorial",
    .example = "10",
    .about = "10!, the product of 1 to 10",
    .numbers = 1,
    .cost = cost,
    .digits = digits,
    .plan = plan_stages,
    .ranges_from = PRIMES_FROM,
    .ranges_faster_from = PRIMES_FASTER_FROM,
    .range = range,
    .range_bytes = range_bytes,
    .label = "%1!",
};
