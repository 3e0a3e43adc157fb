/* pace.h - how long operations take, by what they do and how large their operands are, and so how
 * long the next one should take.
 *
 * No operator's time is a multiple of one number: a multiplication of 100 bytes and one of 10 MB
 * differ by twice what operator_cost() says, a conversion by ten times. So a pace, picoseconds per
 * unit of operator_cost(), is measured for each power of two of the operands' bytes apart. What was
 * not measured follows from its neighbours: between two of them on the line that joins them (both
 * axes logarithmic), beyond the last one on, with the exponent that was measured; each doubling
 * away from what was measured makes it longer, and never shorter. */
#ifndef CONCLAVE_CORE_PACE_H
#define CONCLAVE_CORE_PACE_H

#include "nodes/core/kinds/kinds.h"

/* A class is an operator, or, in the last place, subtrees over leaves. */
#define PACE_OF_SUBTREES ((size_t)OPCODES)
#define PACE_CLASSES     (OPCODES + 1)
#define PACE_SIZES       32 /* powers of two: four operands of 512 MiB are 2^31 bytes */

struct paces {
    uint64_t ps[PACE_CLASSES][PACE_SIZES]; /* moving averages; 0: nothing was measured */
};

/* What one operation does. */
struct pace_of {
    size_t class;
    enum opcode opcode; /* of the class, or what its subtrees are made of */
    uint64_t bytes;     /* of all its operands */
};

/* Adds a sample to a moving average over about eight; 0: there is none yet. One that was stopped in
 * its midst says little: it counts as eight times the average at most. */
void pace_average(uint64_t *average, uint64_t sample);

/* An operation took so long, simulated delay excluded. */
void pace_note(struct paces *paces, struct pace_of what, uint64_t took_us);

struct pace_estimate {
    uint64_t us; /* at least 1 */
    bool known;  /* operations that are like it were measured; else it is what the others of the
                    cluster, and a slow processor, make likely, and rather too long */
};

/* How long one should take at a worker. `own`: that worker's paces; `all`: those of all. */
struct pace_estimate pace_estimate(const struct paces *own, const struct paces *all,
                                   struct pace_of what);

#endif
