/* Requests about jobs of tasks. */
#include <inttypes.h>
#include <string.h>

#include "nodes/core/service/requests_internal.h"
#include "nodes/core/service/rights.h"
#include "nodes/core/state/state.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/text.h"

/* --- submit --- */

static const char *check_parent(const struct service *service, job_id_t id, const struct plan *plan,
                                struct text *reason)
{
    char text[JOB_TEXT_MAX];
    const struct job *parent = jobs_find(&service->state->jobs, id);
    if (!parent || !rights_see_job(service, parent)) {
        text_add(reason, "there is no job %s", job_id_text(id, text));
        return "not_found";
    }
    job_id_text(id, text);
    if (parent->plan.kind != plan->kind || plan_tasks(&parent->plan) != plan_tasks(plan))
        text_add(reason, "job %s has other tasks", text);
    else if (!job_is_finished(parent))
        text_add(reason, "job %s is not finished: what of it is to be repeated is not known yet",
                 text);
    return reason->len ? "invalid" : NULL;
}

const char *requests_check_tasks(const struct service *service, const struct wire_submit *submit,
                                 const struct plan *plan, struct text *reason)
{
    const struct wire_task_options *options = submit->tasks.n ? &submit->tasks.at[0] : NULL;
    if (!plan_tasks(plan)) {
        if (options || submit->parent)
            text_add(reason, "%s has no tasks: options of tasks are of no use", plan->kind->name);
        return reason->len ? "invalid" : NULL;
    }
    if (options && options->at_most_once && options->retries) {
        text_add(reason, "a task is executed at most once, or with retries, not both");
        return "invalid";
    }
    return submit->parent ? check_parent(service, submit->parent, plan, reason) : NULL;
}

void requests_add_options(struct message *entry, const struct wire_submit *submit)
{
    struct wire_entry_job_submitted *submitted = &entry->as.entry_job_submitted;
    if (!submit->tasks.n)
        return;
    submitted->tasks.n = 1;
    submitted->tasks.at = message_room(entry, 1, sizeof *submitted->tasks.at);
    submitted->tasks.at[0] = submit->tasks.at[0];
}
