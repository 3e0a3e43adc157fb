#include "clients/map/map_wait.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clients/local/outfile.h"
#include "clients/map/follow.h"
#include "clients/map/task_cluster_told.h"
#include "clients/show/render.h"
#include "clients/show/tasks.h"
#include "shared/base/memory.h"

static const struct task_choice all;

int map_wait_check(const struct map_wait *wait)
{
    int code = wait->joblog ? outfile_check("--joblog", wait->joblog) : EXIT_OK;
    return !code && wait->dir ? follow_check_dir(wait->dir) : code;
}

static int explain(const struct task_cluster *cluster, int error, const struct text *why)
{
    return error ? task_cluster_explain(cluster, why) : EXIT_OK;
}

static int wait_for_all(struct task_cluster *cluster, const struct task_source *source)
{
    struct text why = {0};
    int error = OK;
    while (!error)
        error = source->wait(source->context, &why);
    return explain(cluster, error == ERR_NOT_FOUND ? OK : error, &why);
}

static int write_outputs(struct task_cluster *cluster, const struct task_source *source,
                         const struct map_wait *wait)
{
    struct text why = {0};
    struct outputs outputs = {.source = source,
                              .choice = &all,
                              .streams = {true, false},
                              .tag = wait->tag,
                              .unordered = wait->unordered,
                              .wait = true};
    return explain(cluster, outputs_write(&outputs, stdout, &why), &why);
}

/* To the end of the job: log and files are written on the way. */
static int follow_job(struct cli *cli, struct task_cluster *cluster, const struct map_wait *wait)
{
    struct follow *follow = mem_new(1, sizeof *follow);
    struct text why = {0};
    int code = follow_begin(follow, task_cluster_source(cluster), &all, wait->joblog, wait->dir);
    if (!code && !wait->dir && !cli->json && !wait->parts)
        code = write_outputs(cluster, &follow->source, wait);
    if (!code)
        code = wait_for_all(cluster, &follow->source); /* also when nothing of the rest is shown */
    if (!code)
        code = explain(cluster, follow_rest(follow, &why), &why);
    if (!code && wait->dir)
        outputs_saved_note(&follow->saved, wait->dir);
    code = follow_end(follow, code);
    free(follow);
    return code;
}

/* The last line, and what the job came to. */
static int conclude(struct cli *cli, const struct task_cluster *cluster,
                    const struct map_wait *wait)
{
    const struct wire_job_row *row = task_cluster_row(cluster);
    struct task_sum sum = tasks_sum(row);
    struct text line = {0};
    char id[JOB_TEXT_MAX];
    if (cli->json && !wait->parts)
        cli_print_json(cli, render_job(row));
    fflush(stdout);
    task_sum_line(&sum, job_id_text(row->job, id), &line);
    cli_note("%s", line.at);
    return task_sum_code(&sum);
}

static void say_it_goes_on(job_id_t job)
{
    char id[JOB_TEXT_MAX];
    job_id_text(job, id);
    cli_note("job %s continues; `conclave job output %s --follow` shows what it writes, `conclave "
             "job cancel %s` ends it",
             id, id, id);
}

int map_wait(struct cli *cli, job_id_t job, const struct map_wait *wait)
{
    struct task_cluster *cluster = NULL;
    const struct task_cluster_wants wants = {.streams = {true, wait->dir},
                                             .inputs = wait->tag || wait->dir || wait->joblog,
                                             .commands = wait->dir || wait->joblog,
                                             .bar = true,
                                             .waits = true,
                                             .content = wait->content};
    int code = task_cluster_open_told(cli, job, &wants, &cluster);
    bool opened = !code;
    if (!code)
        code = follow_job(cli, cluster, wait);
    /* Also when its outputs cannot be written here. */
    bool finished = opened && job_is_finished(task_cluster_row(cluster));
    if (!code && !(code = conclude(cli, cluster, wait)) && wait->parts)
        code = parts_add_outputs(wait->parts, task_cluster_source(cluster));
    else if (code == EXIT_TIMEOUT || code >= 128 || (opened && !finished))
        say_it_goes_on(job);
    task_cluster_destroy(&cluster);
    return code;
}
