/* timing.h - where a job's time goes: at each moment it is in exactly one phase, so the phases add
 * up to its time, whatever happens in which order.
 *
 * A job's time begins when it is submitted and ends when the entry that finishes it is committed.
 * The account is its coordinator's own, and volatile: how long the last entry took is known only
 * when it is committed, and no entry, checkpoint or table of jobs grows by it. A coordinator that
 * begins knows nothing of the time before. */
#ifndef CONCLAVE_CORE_TIMING_H
#define CONCLAVE_CORE_TIMING_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/limits.h"

/* X(SYMBOL, name on the wire). When several things go on for a job, the first of these counts. */
#define PHASES(X)             \
    X(COMPUTING, computing)   \
    X(CONVERTING, converting) \
    X(MOVING, moving)         \
    X(KEEPING, keeping)       \
    X(PLANNING, planning)     \
    X(WAITING, waiting)       \
    X(ANNOUNCING, announcing) \
    X(EARLIER, earlier)

enum phase {
#define X(SYMBOL, name) PHASE_##SYMBOL,
    PHASES(X)
#undef X
        PHASE_KINDS
};

_Static_assert((int)PHASE_KINDS <= PHASES_MAX, "an answer has room for all phases");

/* Zero-initialize, then timing_begin(). */
struct timing {
    uint64_t us[PHASE_KINDS]; /* up to at_us */
    enum phase phase;         /* since then */
    uint64_t at_us;
    uint64_t since_ms; /* wall clock: what was before is PHASE_EARLIER; 0: it is all known */
};

const char *phase_name(enum phase phase);

/* Begins in a phase, after so much time in another one. */
void timing_begin(struct timing *timing, uint64_t now_us, enum phase phase, enum phase before,
                  uint64_t before_us);

/* It is in that phase from now on, or still. */
void timing_enter(struct timing *timing, uint64_t now_us, enum phase phase);

/* The phase's time up to now. */
uint64_t timing_of(const struct timing *timing, uint64_t now_us, enum phase phase);

/* The sum of all. */
uint64_t timing_total(const struct timing *timing, uint64_t now_us);

/* Some of what was counted for one phase belonged to another: at most what was counted. */
void timing_move(struct timing *timing, uint64_t now_us, enum phase from, enum phase to,
                 uint64_t us);

#endif
