/* task_cluster.h - rows and outputs of a job's tasks, from its cluster: a task source
 * (task_source.h).
 *
 * Each segment of the job is read once, while the job runs or afterwards, checked against its
 * SHA-256, and kept on this machine (task_kept.h); the inputs, when they are wanted, likewise. */
#ifndef CONCLAVE_CLIENTS_TASK_CLUSTER_H
#define CONCLAVE_CLIENTS_TASK_CLUSTER_H

#include "clients/ask/connection.h"
#include "clients/input/content.h"
#include "clients/map/task_source.h"

struct task_cluster;

struct task_cluster_wants {
    bool streams[TASK_STREAMS]; /* whose bytes */
    bool inputs, commands;      /* of views; else they are empty */
    bool merged;                /* of a job that repeats another one: its tasks, too, that this one
                                 * did not execute */
    bool bar;                   /* while waiting */
    bool waits;                 /* for the job's end: also while no coordinator serves */
    uint64_t deadline_us;       /* of each question and wait; 0: none */
    const struct content *content; /* borrowed: the stored value, if it is here; NULL */
};

/* Opens the job as it is now. EXIT_OK, or a code and the connection's reason: also for a job that
 * has no tasks. Caller destroys in any case, before the connection is closed. */
int task_cluster_open(struct conclave *connection, job_id_t job,
                      const struct task_cluster_wants *wants, struct task_cluster **out);

const struct task_source *task_cluster_source(const struct task_cluster *cluster);

/* The job as it was seen last (borrows until the next call of the source). */
const struct wire_job_row *task_cluster_row(const struct task_cluster *cluster);

/* Returns the code of an error that the source returned, and makes `why` the connection's reason.
 */
int task_cluster_fail(const struct task_cluster *cluster, const struct text *why);

/* Until when what follows is asked for and waited for. */
void task_cluster_set_deadline(struct task_cluster *cluster, uint64_t deadline_us);

/* A job that this one repeats, of which nothing is known any more; JOB_NONE. */
job_id_t task_cluster_forgotten(const struct task_cluster *cluster);

/* Accepts NULL. */
void task_cluster_destroy(struct task_cluster **cluster);

#endif
