/* tasks.c - GET /api/jobs/ID/tasks and /output: the tasks of a job as `job tasks --json` lists
 * them, and what they wrote, as `job output` has it. */
#include <string.h>

#include "clients/show/task_view.h"
#include "clients/web/delegate.h"
#include "clients/web/routes.h"
#include "clients/web/web.h"
#include "shared/base/error.h"

#define NUMBERS_MAX 256 /* characters of tasks=17,60-70; more belong into a script */

static bool are_numbers(const char *text)
{
    return *text && strlen(text) <= NUMBERS_MAX && !text[strspn(text, "0123456789,-")];
}

static bool is_state(const char *text)
{
    for (int state = 0; state < TASK_VIEW_STATES_COUNT; state++)
        if (!strcmp(text, task_view_state_name((enum task_view_state)state)))
            return true;
    return false;
}

/* Begins `job COMMAND ID` with what both take. False after an answer. */
static bool begin(struct request *request, const char *command, struct child **out)
{
    const char *tasks = request_parameter(request, "tasks"),
               *state = request_parameter(request, "state"),
               *limit = request_parameter(request, "limit");
    uint64_t most = WEB_TASKS_MAX;
    char id[JOB_TEXT_MAX];
    if ((tasks && !are_numbers(tasks)) || (state && !is_state(state)) ||
        (limit && (parse_u64(slice_of(limit), WEB_TASKS_MAX, &most) || !most))) {
        request_error(request, MHD_HTTP_BAD_REQUEST, "malformed", EXIT_USAGE,
                      "tasks takes numbers (17,60-70), state that of a task, limit 1 to %d",
                      WEB_TASKS_MAX);
        return false;
    }
    struct child *child = *out = delegate_begin(request);
    if (!child)
        return false;
    child_add(child, "job");
    child_add(child, "%s", command);
    child_add(child, "%s", job_id_text(request->job, id));
    if (tasks)
        child_add(child, "--task=%s", tasks);
    if (state)
        child_add(child, "--state=%s", state);
    child_add(child, "--limit=%llu", (unsigned long long)most);
    return true;
}

void job_tasks(struct request *request)
{
    struct child *child;
    if (begin(request, "tasks", &child))
        delegate_start(request, MHD_HTTP_OK, "application/x-ndjson");
}

void job_output(struct request *request)
{
    const char *stream = request_parameter(request, "stream");
    struct child *child;
    bool errors = stream && !strcmp(stream, "stderr");
    if (stream && !errors && strcmp(stream, "stdout")) {
        request_error(request, MHD_HTTP_BAD_REQUEST, "malformed", EXIT_USAGE,
                      "stream takes stdout or stderr");
        return;
    }
    if (!begin(request, "output", &child))
        return;
    if (errors)
        child_add(child, "--stderr");
    delegate_start(request, MHD_HTTP_OK, "application/octet-stream");
}
