#include "nodes/core/schedule/pace.h"

#include "shared/base/limits.h"
#include "shared/base/mutant.h"

#define PS_PER_US UINT64_C(1000000)
#define TOOK_MAX  (UINT64_MAX / PS_PER_US / 16) /* no clock of ours */

/* Logarithms to base 2, in 256ths: 15 million years of picoseconds, to a fraction of a percent. */
#define ONE 256

static int log2_of(uint64_t number)
{
    int log = 63 - __builtin_clzll(number | 1);
    uint64_t rest = log >= 8 ? number >> (log - 8) : number << (8 - log); /* 256..511 */
    return log * ONE + (int)(rest - ONE); /* on a line between powers of two: 6 % too low at most */
}

static uint64_t power_of_2(int log)
{
    if (log < 0)
        return 1;
    if (log >= 63 * ONE)
        return UINT64_MAX;
    uint64_t power = (uint64_t)1 << log / ONE;
    uint64_t rest = (uint64_t)(log % ONE);
    return power >= ONE ? power + power / ONE * rest : power + power * rest / ONE;
}

static int at_least(int a, int b)
{
    return a > b ? a : b;
}

/* --- measuring --- */

static size_t size_of(uint64_t bytes)
{
    if (MUTANT(linear_pace))
        return 0;
    size_t size = (size_t)(log2_of(bytes + 1) / ONE);
    return size < PACE_SIZES ? size : PACE_SIZES - 1;
}

void pace_average(uint64_t *average, uint64_t sample)
{
    sample = sample ? sample : 1;
    if (*average && sample / 8 > *average)
        sample = 8 * *average;
    *average = *average ? (7 * *average + sample) / 8 : sample;
    if (!*average)
        *average = 1;
}

void pace_note(struct paces *paces, struct pace_of what, uint64_t took_us)
{
    if (took_us > TOOK_MAX)
        return;
    pace_average(&paces->ps[what.class][size_of(what.bytes)],
                 took_us * PS_PER_US / operator_cost(what.opcode, what.bytes));
}

/* --- estimating --- */

/* A pace at a size, as a logarithm. */
struct guess {
    int log;
    bool any;  /* something of the class was measured */
    bool near; /* and it tells of this size */
};

/* Of an operation that takes much less than a millisecond, the time is that of the threads that
 * hand it over, and tells nothing of larger ones. */
static bool is_telling(enum opcode opcode, int size)
{
    return operator_cost(opcode, (uint64_t)1 << size) >= PACE_TELLING_COST;
}

/* How much longer a unit takes with each doubling, beyond the last size that was measured. */
static int growth_beyond(const uint64_t ps[PACE_SIZES], int last)
{
    int first = 0;
    while (first < last && !ps[first])
        first++;
    int growth = last - first >= PACE_GROWTH_SIZES
                     ? (log2_of(ps[last]) - log2_of(ps[first])) / (last - first)
                     : 0;
    growth = at_least(growth, PACE_MARGIN_LOG);
    return growth < ONE ? growth : ONE;
}

static struct guess guess_at(const uint64_t ps[PACE_SIZES], enum opcode opcode, int size)
{
    int below = size, above = size;
    while (below >= 0 && !ps[below])
        below--;
    while (above < PACE_SIZES && !ps[above])
        above++;
    bool lower = below >= 0, upper = above < PACE_SIZES;
    if (lower && upper) {
        int low = log2_of(ps[below]), high = log2_of(ps[above]), gap = above - below;
        int away = size - below < above - size ? size - below : above - size;
        int line = gap ? low + (high - low) * (size - below) / gap : low;
        return (struct guess){line + away * PACE_MARGIN_LOG, true, true};
    }
    if (upper)
        return (struct guess){log2_of(ps[above]) + (above - size) * PACE_MARGIN_LOG, true, true};
    if (!lower)
        return (struct guess){0};
    int away = size - below;
    return (struct guess){log2_of(ps[below]) + away * growth_beyond(ps, below), true,
                          is_telling(opcode, below) || away <= PACE_NEAR_SIZES};
}

/* How much slower the worker is than all of them, where both were measured. */
static int slowness(const struct paces *own, const struct paces *all)
{
    int slowest = 0;
    for (size_t class = 0; class < PACE_CLASSES; class ++)
        for (size_t size = 0; size < PACE_SIZES; size++)
            if (own->ps[class][size] && all->ps[class][size])
                slowest = at_least(slowest,
                                   log2_of(own->ps[class][size]) - log2_of(all->ps[class][size]));
    return slowest;
}

/* On a processor as slow as that what took so long was the operation, however little it had to do.
 */
static bool took_long(enum opcode opcode, int size, uint64_t ps)
{
    return ps >= PACE_TELLING_US * PS_PER_US / operator_cost(opcode, (uint64_t)1 << size);
}

/* Nothing of its class tells: a unit of any operator takes about as long on one processor. */
static int likely(const struct paces *all, enum opcode opcode)
{
    int log = log2_of(PACE_UNKNOWN_PS);
    for (size_t class = 0; class < PACE_CLASSES; class ++)
        for (int size = 0; size < PACE_SIZES; size++) {
            enum opcode of = class < OPCODES ? (enum opcode) class : opcode;
            uint64_t ps = all->ps[class][size];
            if (ps && (is_telling(of, size) || took_long(of, size, ps)))
                log = at_least(log, log2_of(ps) + PACE_OTHERS_LOG);
        }
    return log;
}

struct pace_estimate pace_estimate(const struct paces *own, const struct paces *all,
                                   struct pace_of what)
{
    int size = (int)size_of(what.bytes);
    struct guess mine = guess_at(own->ps[what.class], what.opcode, size);
    struct guess ours = guess_at(all->ps[what.class], what.opcode, size);
    bool known = mine.near || ours.near;
    int log = mine.any ? mine.log : 0;
    if (!own->ps[what.class][size] && ours.any)
        log = at_least(log, ours.log + slowness(own, all));
    if (!known)
        log = at_least(log, likely(all, what.opcode));
    log += log2_of(operator_cost(what.opcode, what.bytes));
    uint64_t us = power_of_2(log) / PS_PER_US + 1;
    return (struct pace_estimate){us < PACE_MAX_US ? us : PACE_MAX_US, known};
}
