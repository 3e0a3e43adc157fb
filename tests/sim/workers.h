/* workers.h - runs seeds in child processes, so that a failed check, an assertion or a crash of the
 * cores ends one of them and is told by the parent. */
#ifndef CONCLAVE_SIM_WORKERS_H
#define CONCLAVE_SIM_WORKERS_H

#include "shared/base/mutant.h"
#include "shared/base/text.h"
#include "tests/sim/swarm.h"

#define WORKERS_MAX 64

/* Which seeds: from the first on, `count` of them, or as many as fit into so many seconds. */
struct range {
    uint64_t first, count;
    unsigned seconds; /* 0: count them */
};

/* What one child has done so far; shared with its parent. */
struct report {
    uint64_t seeds, seed; /* passed; being run */
    bool failed;
    char check[128], text[TEXT_MAX]; /* what did not hold, where */
    uint64_t settle_us;              /* the longest */
    struct world_counts counts;
};

/* Runs the seeds with so many children and adds up what they report. Stops at the first failure,
 * which is in the sum then. */
struct report workers_run(struct range range, unsigned jobs);

/* Runs the seeds, with the bug planted, in one child from the first seed on until it is caught;
 * call workers_wait() for each that was begun, in any order: it returns the bug that has ended. */
void workers_begin_mutant(enum mutant mutant, struct range range);
enum mutant workers_wait(struct report *report);

#endif
