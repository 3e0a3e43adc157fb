/* scheduled.h - a schedule through its door, without a node: a coordinator and two workers, 10!.
 * The log is played by a loop that applies at once what is proposed, the workers by the results
 * that a test makes up. */
#ifndef CONCLAVE_HARNESS_SCHEDULED_H
#define CONCLAVE_HARNESS_SCHEDULED_H

#include "nodes/core/schedule/schedule.h"

enum { SCHEDULED_NODES = 3, SCHEDULED_INTERVAL_US = 100000 };

struct scheduled {
    struct step step;
    struct links links;
    struct raft raft;
    struct state state;
    struct schedule schedule;
    struct job *job;
};

/* The fixture of a test, for cmocka: the job is accepted, and its first operations are handed out.
 */
int scheduled_begin(void **context);
int scheduled_end(void **context);

/* The end of a step. */
void scheduled_pump(struct scheduled *it);

/* What is proposed is committed at once. */
void scheduled_apply(struct scheduled *it);

/* A worker returns a value: any bytes do, for a coordinator computes nothing. `keeps`: of so many
 * bytes, which it keeps; 0: the value comes along. */
void scheduled_give(struct scheduled *it, node_id_t from, op_id_t op, uint64_t executed,
                    uint64_t keeps);
void scheduled_give_back(struct scheduled *it, node_id_t from, op_id_t op, uint64_t executed);

/* A worker returns this result of the job at hand; its texts are borrowed until the end of the
 * call. Without a hash it has one that all others have. */
void scheduled_return(struct scheduled *it, node_id_t from, struct wire_result_op result,
                      struct blob *value);

/* It returns its first attempt of the operation unexecuted, because that operand is not to be had.
 */
void scheduled_refuse(struct scheduled *it, node_id_t from, op_id_t op, op_id_t lacks);

/* The task of that operation, of those that wait in the channels to the workers; what is before it
 * is passed over. */
const struct wire_task_op *scheduled_task(struct scheduled *it, op_id_t op);

/* Time passes, and finished operations are logged. */
void scheduled_log(struct scheduled *it);

#endif
