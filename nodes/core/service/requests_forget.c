/* Forgetting finished jobs by hand. */
#include "nodes/core/raft/raft.h"
#include "nodes/core/service/requests_table.h"
#include "nodes/core/service/rights.h"
#include "nodes/core/state/state.h"
#include "shared/base/text.h"

void requests_reply_forgotten(struct service *service, struct caller caller)
{
    const struct finished_jobs *finished = &service->state->jobs.finished;
    struct message *message = message_new(MESSAGE_JOBS_FORGOTTEN);
    message->as.jobs_forgotten =
        (struct wire_jobs_forgotten){.request = caller.request,
                                     .forgotten = finished->leaving,
                                     .kept_jobs = finished->n - finished->leaving,
                                     .kept_bytes = finished->bytes - finished->leaving_bytes};
    outbox_reply(&service->step->out, caller.client, message);
}

/* The first of the jobs that is not finished; JOB_NONE: all are, or are forgotten already. */
static job_id_t find_open(const struct service *service, const struct wire_job_forget *forget)
{
    for (size_t i = 0; i < forget->jobs.n; i++) {
        const struct job *job = jobs_find(&service->state->jobs, forget->jobs.at[i].job);
        if (job && rights_see_job(service, job) && !job_is_finished(job))
            return job->id;
    }
    return JOB_NONE;
}

/* What the asker may not see is not known to it. */
static log_index_t propose(struct service *service, const struct wire_job_forget *forget)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOBS_FORGOTTEN);
    struct wire_entry_jobs_forgotten *forgotten = &entry->as.entry_jobs_forgotten;
    forgotten->jobs.at = message_room(entry, forget->jobs.n, sizeof *forgotten->jobs.at);
    for (size_t i = 0; i < forget->jobs.n; i++) {
        const struct job *job = jobs_find(&service->state->jobs, forget->jobs.at[i].job);
        if (job && rights_see_job(service, job))
            forgotten->jobs.at[forgotten->jobs.n++].job = job->id;
    }
    return raft_log_propose(service->raft, entry);
}

/* All or none: what is not known is forgotten already, so that a retry is answered as the first
 * try. */
void requests_job_forget(struct service *service, uint64_t client, struct message *request)
{
    const struct wire_job_forget *forget = &request->as.job_forget;
    struct caller caller = caller_of(client, request);
    struct text reason = {0};
    char id[JOB_TEXT_MAX];
    job_id_t open = find_open(service, forget);
    if (open) {
        text_add(&reason, "job %s is not finished: cancel it first", job_id_text(open, id));
        requests_refuse(service, caller, "invalid", reason.at);
        return;
    }
    const char *code =
        requests_unknown_to_some(service, ENTRY_LEVEL_RETENTION, "forgetting by hand", &reason);
    if (code) {
        requests_refuse(service, caller, code, reason.at);
        return;
    }
    if (!requests_may_propose(service, caller))
        return;
    step_line(service->step, "forget", LOG_LINES_PER_S, LOG_INFO,
              "a client has %zu finished jobs forgotten, the first is %s", forget->jobs.n,
              forget->jobs.n ? job_id_text(forget->jobs.at[0].job, id) : "none");
    requests_wait(service, (struct waiter){.kind = WAIT_FORGET,
                                           .client = caller.client,
                                           .request = caller.request,
                                           .index = propose(service, forget)});
}
