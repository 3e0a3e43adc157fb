/* jobs_list.c - which jobs there are, and forgetting them: libconclave. */
#include <stdlib.h>
#include <string.h>

#include "clients/ask/job_row.h"
#include "clients/ask/rows.h"
#include "clients/library/jobs.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

/* --- lists --- */

/* Sets *after to where the next page begins. False: these are not the jobs after that one, or they
 * lead nowhere, which could have us ask for ever. */
static bool page_fits(const struct wire_job_page *page, job_id_t *after)
{
    job_id_t last = *after;
    for (size_t i = 0; i < page->jobs.n; i++) {
        if (page->jobs.at[i].job <= last)
            return false;
        last = page->jobs.at[i].job;
    }
    last = page->after > last ? page->after : last;
    if (page->more && last == *after)
        return false;
    *after = last;
    return true;
}

int library_jobs_each(struct conclave *cluster, const char *state,
                      bool (*take)(void *context, struct message *page,
                                   const struct wire_job_row *row),
                      void *context)
{
    int code = EXIT_OK;
    job_id_t after = 0;
    for (bool more = true; more && !code;) {
        struct message *request = message_new(MESSAGE_JOB_LIST), *reply = NULL;
        request->as.job_list.after = after;
        code = connection_ask(cluster, request, MESSAGE_JOB_PAGE, &reply);
        if (code)
            break;
        const struct wire_job_page *page = &reply->as.job_page;
        more = page->more;
        if (!page_fits(page, &after))
            code = connection_fail(cluster, EXIT_FAILED, "a page of jobs does not fit");
        bool wanted = !code;
        for (size_t i = 0; i < page->jobs.n && wanted; i++)
            if (!state || slice_equals(page->jobs.at[i].state, state))
                wanted = take(context, reply, &page->jobs.at[i]);
        more = more && wanted;
        message_drop(&reply);
    }
    return code;
}

struct telling {
    int (*take)(void *context, const struct conclave_job *job);
    void *context;
};

static bool tell(void *context, struct message *page, const struct wire_job_row *row)
{
    const struct telling *telling = context;
    struct conclave_job job;
    (void)page;
    library_job(row, &job);
    return !telling->take(telling->context, &job);
}

static bool keep(void *context, struct message *page, const struct wire_job_row *row)
{
    rows_add(context, page, row);
    return true;
}

int conclave_jobs_each(struct conclave *cluster, const struct conclave_jobs *given,
                       int (*take)(void *context, const struct conclave_job *job), void *context)
{
    char shown[TEXT_MAX / 4];
    struct conclave_jobs which = {0};
    struct telling telling = {take, context};
    struct rows rows = {0};
    if (given)
        memcpy(&which, given, given->size < sizeof which ? given->size : sizeof which);
    if (which.state && !job_state_is_known(which.state))
        return connection_fail(cluster, EXIT_USAGE,
                               "'%s' is not a state: queued, running, done, failed or cancelled",
                               text_escape(shown, sizeof shown, slice_of(which.state)));
    if (!which.newest)
        return library_jobs_each(cluster, which.state, tell, &telling);
    int code = library_jobs_each(cluster, which.state, keep, &rows); /* they come oldest first */
    bool wanted = !code;
    for (size_t i = rows_first(rows.n, which.newest); i < rows.n && wanted; i++)
        wanted = tell(&telling, rows.pages[i], rows.at[i]);
    rows_clear(&rows);
    return code;
}

/* --- forgetting --- */

static int forget_some(struct conclave *cluster, const job_id_t *jobs, size_t n,
                       struct wire_jobs_forgotten *last)
{
    struct message *request = message_new(MESSAGE_JOB_FORGET), *reply = NULL;
    struct wire_job_forget *forget = &request->as.job_forget;
    forget->jobs.at = message_room(request, n, sizeof *forget->jobs.at);
    for (; forget->jobs.n < n; forget->jobs.n++)
        forget->jobs.at[forget->jobs.n].job = jobs[forget->jobs.n];
    int code = connection_ask(cluster, request, MESSAGE_JOBS_FORGOTTEN, &reply);
    if (!code)
        *last = reply->as.jobs_forgotten;
    message_drop(&reply);
    return code;
}

int library_forget(struct conclave *cluster, const job_id_t *jobs, size_t n, uint64_t *forgotten,
                   struct wire_jobs_forgotten *last)
{
    int code = EXIT_OK;
    *forgotten = 0;
    *last = (struct wire_jobs_forgotten){0};
    while (*forgotten < n && !code) {
        size_t left = n - (size_t)*forgotten;
        left = left < FORGET_JOBS_MAX ? left : FORGET_JOBS_MAX;
        code = forget_some(cluster, jobs + *forgotten, left, last);
        if (!code) /* not the answer's: a first try may have done it, and was not answered */
            *forgotten += left;
    }
    return code;
}

int conclave_jobs_forget(struct conclave *cluster, const char *const *ids, size_t n,
                         uint64_t *forgotten)
{
    struct wire_jobs_forgotten last;
    uint64_t done = 0;
    job_id_t *jobs = mem_new(n + 1, sizeof *jobs);
    int code = EXIT_OK;
    for (size_t i = 0; i < n && !code; i++)
        code = library_id(cluster, ids[i], &jobs[i]);
    if (!code)
        code = library_forget(cluster, jobs, n, &done, &last);
    if (forgotten)
        *forgotten = done;
    free(jobs);
    return code;
}
