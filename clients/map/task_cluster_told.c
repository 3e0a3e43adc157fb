#include "clients/map/task_cluster_told.h"

int task_cluster_open_told(struct cli *cli, job_id_t job, const struct task_cluster_wants *wants,
                           struct task_cluster **out)
{
    struct task_cluster_wants until = *wants;
    char id[JOB_TEXT_MAX];
    until.deadline_us = cli_wait_deadline_us(cli);
    int code = cli_told(cli, task_cluster_open(&cli->connection, job, &until, out));
    job_id_t forgotten = task_cluster_forgotten(*out);
    if (!code && forgotten)
        cli_note("job %s, which it repeats, is forgotten: what its tasks wrote is gone",
                 job_id_text(forgotten, id));
    return code;
}

int task_cluster_explain(const struct task_cluster *cluster, const struct text *why)
{
    int code = task_cluster_fail(cluster, why);
    return why->len ? cli_fail(code, "%s", why->at) : code;
}
