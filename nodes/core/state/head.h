/* head.h - what the head of a checkpoint tells beside its place in the log: the voters' disks, and
 * what was counted of all jobs. */
#ifndef CONCLAVE_CORE_HEAD_H
#define CONCLAVE_CORE_HEAD_H

#include "shared/base/limits.h"
#include "shared/base/types.h"

/* Zero-initialize. */
struct head {
    /* The voters' disks as the applied log has them; 0: not known. Written by the raft room
     * (machine.h). */
    incarnation_t births[NODES_MAX + 1];
    uint64_t operations[NODES_MAX + 1]; /* of all jobs, by the node that executed them */
    uint64_t conversions[NODES_MAX + 1];
    uint64_t elections, reassigned; /* counted over all terms, as far as the log tells */
};

#endif
