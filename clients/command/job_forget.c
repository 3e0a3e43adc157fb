/* job_forget.c - conclave job forget. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clients/command/commands.h"
#include "clients/library/jobs.h"
#include "clients/show/render.h"
#include "shared/base/clock.h"
#include "shared/base/memory.h"
#include "shared/base/text.h"

#define OLDER_UNSET  UINT64_MAX
#define OLDER_MAX_US (10 * 366 * 24 * 3600 * SECOND_US)

static struct {
    bool all_finished;
    uint64_t older_us;
} options = {.older_us = OLDER_UNSET};

const struct option_spec job_forget_options[] = {{"all-finished", OPTION_FLAG,
                                                  &options.all_finished, 0, 0, NULL,
                                                  "all jobs that are finished now"},
                                                 {"older", OPTION_DURATION, &options.older_us, 0,
                                                  OLDER_MAX_US, "TIME",
                                                  "those that finished longer ago than this: 24h"},
                                                 {0}};

struct chosen {
    job_id_t *at; /* owned */
    size_t n, size;
};

static bool is_chosen(const struct chosen *chosen, job_id_t job)
{
    for (size_t i = 0; i < chosen->n; i++)
        if (chosen->at[i] == job)
            return true;
    return false;
}

static void choose(struct chosen *chosen, job_id_t job)
{
    if (chosen->n == chosen->size) {
        chosen->size = chosen->size ? 2 * chosen->size : 64;
        chosen->at = mem_grow(chosen->at, chosen->size, sizeof *chosen->at);
    }
    chosen->at[chosen->n++] = job;
}

/* --- which --- */

/* It must be known, and finished: nothing is forgotten before all are. */
static int check_job(struct cli *cli, job_id_t job)
{
    char id[JOB_TEXT_MAX];
    struct message *reply = NULL;
    int code = cli_told(cli, library_get(&cli->connection, job, false, &reply));
    if (!code && !job_is_finished(&reply->as.job.jobs.at[0]))
        code = cli_fail(EXIT_USAGE, "job %s is not finished: cancel it first; nothing is forgotten",
                        job_id_text(job, id));
    message_drop(&reply);
    return code;
}

static int choose_words(struct cli *cli, int n_words, char **words, struct chosen *chosen)
{
    for (int i = 0; i < n_words; i++) {
        job_id_t job;
        int code = cli_job_id(1, &words[i], &job);
        if (code)
            return code;
        if (!is_chosen(chosen, job))
            choose(chosen, job);
    }
    for (size_t i = 0; i < chosen->n; i++) {
        int code = check_job(cli, chosen->at[i]);
        if (code)
            return code;
    }
    return EXIT_OK;
}

static bool is_meant(const struct wire_job_row *row, uint64_t now_ms)
{
    if (!job_is_finished(row))
        return false;
    return options.older_us == OLDER_UNSET || row->finished_ms + options.older_us / MS_US < now_ms;
}

struct choosing {
    struct chosen *chosen;
    uint64_t now_ms;
};

static bool choose_meant(void *context, struct message *page, const struct wire_job_row *row)
{
    const struct choosing *choosing = context;
    (void)page;
    if (is_meant(row, choosing->now_ms))
        choose(choosing->chosen, row->job);
    return true;
}

static int choose_finished(struct cli *cli, struct chosen *chosen)
{
    struct choosing choosing = {chosen, clock_wall_ms()};
    return cli_told(cli, library_jobs_each(&cli->connection, NULL, choose_meant, &choosing));
}

/* --- forgetting --- */

static void tell(const struct cli *cli, const struct chosen *chosen, uint64_t forgotten,
                 const struct wire_jobs_forgotten *last)
{
    char id[JOB_TEXT_MAX], size[RENDER_SIZE_MAX];
    json_t *jobs;
    if (!cli->json && !chosen->n) {
        printf("no job matches; nothing is forgotten\n");
        return;
    }
    if (!cli->json) {
        printf("%" PRIu64 " job%s forgotten; %" PRIu64
               " finished job%s, with results of %s, %s left\n",
               forgotten, forgotten == 1 ? " is" : "s are", last->kept_jobs,
               last->kept_jobs == 1 ? "" : "s", render_size(last->kept_bytes, size),
               last->kept_jobs == 1 ? "is" : "are");
        return;
    }
    jobs = json_array();
    for (size_t i = 0; i < chosen->n; i++)
        json_array_append_new(jobs, json_string(job_id_text(chosen->at[i], id)));
    json_t *kept = chosen->n ? json_pack("{s:I, s:I}", "jobs", (json_int_t)last->kept_jobs, "bytes",
                                         (json_int_t)last->kept_bytes)
                             : json_null();
    cli_print_json(cli, json_pack("{s:I, s:o, s:o}", "forgotten", (json_int_t)forgotten, "jobs",
                                  jobs, "kept", kept));
}

int job_forget_run(struct cli *cli, int n_words, char **words)
{
    bool finished = options.all_finished || options.older_us != OLDER_UNSET;
    struct chosen chosen = {0};
    struct wire_jobs_forgotten last = {0};
    uint64_t forgotten = 0;
    if (finished == (n_words > 0) || (options.all_finished && options.older_us != OLDER_UNSET))
        return cli_fail(EXIT_USAGE,
                        "one of these is needed: job ids, such as 3-17; --all-finished; "
                        "--older TIME");
    int code =
        finished ? choose_finished(cli, &chosen) : choose_words(cli, n_words, words, &chosen);
    if (!code)
        code =
            cli_told(cli, library_forget(&cli->connection, chosen.at, chosen.n, &forgotten, &last));
    if (!code)
        tell(cli, &chosen, forgotten, &last);
    else if (forgotten)
        cli_note("%" PRIu64 " of %zu jobs are forgotten", forgotten, chosen.n);
    free(chosen.at);
    return code;
}
