/* task_cluster_told.h - rows and outputs of a job's tasks (task_cluster.h) for a person at the
 * command line: what goes wrong is one line on stderr. */
#ifndef CONCLAVE_CLIENTS_TASK_CLUSTER_TOLD_H
#define CONCLAVE_CLIENTS_TASK_CLUSTER_TOLD_H

#include "clients/cli.h"
#include "clients/map/task_cluster.h"

/* Opens the job, until the command's deadline. EXIT_OK, or an exit code after one line. Caller
 * destroys in any case. */
int task_cluster_open_told(struct cli *cli, job_id_t job, const struct task_cluster_wants *wants,
                           struct task_cluster **out);

/* Returns the exit code of an error that the source returned, after one line: `why`. */
int task_cluster_explain(const struct task_cluster *cluster, const struct text *why);

#endif
