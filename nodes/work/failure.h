/* failure.h - failures on purpose, by probability (second seed, part 2: "Modify your coordinator
 * and workers to fail based on some probability").
 *
 * A worker's turn comes with each batch of operations that it takes up (one, when they are slow):
 * it fails in the midst of the first, computed and not returned yet. A coordinator's comes with
 * each batch of log entries that it has made durable and told nobody of. The sequence of a life
 * follows from the seed, the node's id and its boot counter. */
#ifndef CONCLAVE_WORK_FAILURE_H
#define CONCLAVE_WORK_FAILURE_H

#include "shared/base/types.h"

struct failure_config {
    uint64_t exit_ppm, stall_ppm; /* probabilities in millionths */
    uint64_t stall_us;
    uint64_t seed; /* 0: chosen at random by the program */
    op_id_t on;    /* the process kills itself while it executes this operation; 0: none */
};

enum failure_kind { FAILURE_NONE, FAILURE_EXIT, FAILURE_STALL };

/* Who draws: each has a sequence of its own. */
enum failure_role { FAILURE_WORKER, FAILURE_COORDINATOR };

struct failure {
    struct failure_config config;
    uint64_t state;
};

/* Begins the sequence of this incarnation. */
void failure_begin(struct failure *failure, const struct failure_config *config, node_id_t id,
                   uint64_t boots, enum failure_role role);

/* What happens this time. */
enum failure_kind failure_draw(struct failure *failure);

#endif
