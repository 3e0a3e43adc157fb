/* job_losses.h - what a job had to compute again because values were lost with the workers that
 * alone held them (schedule/remake.h): for each such worker how many values, how many operations
 * were executed again for these, and how long that took.
 *
 * They are sums, as what was executed is: each entry about finished operations tells all of them,
 * so a new coordinator goes on from there. Few jobs have any, and few nodes in each. */
#ifndef CONCLAVE_CORE_JOB_LOSSES_H
#define CONCLAVE_CORE_JOB_LOSSES_H

#include "shared/wire/message.h"

struct job_loss {
    node_id_t node;
    uint64_t values;     /* that it alone held, and that were needed again */
    uint64_t operations; /* executed again for them and done, their operands' included */
    uint64_t us;         /* of computing, for these */
};

/* Zero-initialize. */
struct job_losses {
    struct job_loss *at; /* in the order of their nodes; owned */
    size_t n;
};

/* The row of a node, made when there is none; borrowed until the next call. */
struct job_loss *job_losses_of(struct job_losses *losses, node_id_t node);

/* Replaces what is there by a copy. */
void job_losses_copy(struct job_losses *losses, const struct job_losses *from);

/* Writes rows into a message (borrows its memory); returns how many. */
size_t job_losses_write(const struct job_losses *losses, struct message *message,
                        struct wire_loss **out);

/* Replaces what is there, unless there are no rows: whoever wrote them knew of none, or they are of
 * a release that counted none. */
void job_losses_read(struct job_losses *losses, const struct wire_loss *rows, size_t n);

/* True when each row names a node. */
bool job_losses_are_valid(const struct wire_loss *rows, size_t n);

void job_losses_clear(struct job_losses *losses);

#endif
