/* jobs_explain.c - why a job is where it is, and its operations: libconclave. */
#include <string.h>

#include "clients/library/jobs.h"
#include "clients/map/map_label.h"
#include "clients/show/render.h"
#include "clients/show/tasks.h"

/* --- explanations --- */

/* What the nodes call a job by its numbers is said by its command, if this key may see it. */
static void name_by_command(struct conclave *cluster, job_id_t job, char line[RENDER_LINE_MAX])
{
    char label[JOBSPEC_LABEL_MAX];
    struct message *reply = NULL, *spec = NULL;
    struct text named = {0};
    const char *at;
    if (!strstr(line, ", map(") || library_get(cluster, job, false, &reply))
        return;
    const struct wire_job_row *row = &reply->as.job.jobs.at[0];
    at = strstr(line, jobspec_label(row->kind, row->spec, label));
    spec = at ? map_label_spec(cluster, row) : NULL;
    if (spec && tasks_are(row)) {
        text_add(&named, "%.*s", (int)(at - line), line);
        map_label_long(spec, row->tasks.at[0].total, &named);
        text_add(&named, "%s", at + strlen(label));
        text_format(line, RENDER_LINE_MAX, "%s", named.at);
    }
    message_drop(&spec);
    message_drop(&reply);
}

int library_explain(struct conclave *cluster, job_id_t job,
                    bool (*take)(void *context, const char *line), void *context)
{
    char line[RENDER_LINE_MAX];
    struct message *reply = NULL, *request = message_new(MESSAGE_JOB_EXPLAIN);
    request->as.job_explain.job = job;
    int code = connection_ask(cluster, request, MESSAGE_EXPLANATION, &reply);
    if (code)
        return code;
    struct slice rest = reply->as.explanation.text;
    bool first = true;
    while (render_line(&rest, line)) {
        if (first)
            name_by_command(cluster, job, line);
        first = false;
        if (!take(context, line))
            break;
    }
    message_drop(&reply);
    return EXIT_OK;
}

struct lines {
    int (*take)(void *context, const char *line);
    void *context;
};

static bool tell_line(void *context, const char *line)
{
    const struct lines *lines = context;
    return !lines->take(lines->context, line);
}

int conclave_job_explain(struct conclave *cluster, const char *id,
                         int (*take)(void *context, const char *line), void *context)
{
    struct lines lines = {take, context};
    job_id_t job;
    int code = library_id(cluster, id, &job);
    return code ? code : library_explain(cluster, job, tell_line, &lines);
}

/* --- operations --- */

/* Numbers that did not rise could have us ask for ever. */
static bool page_fits(const struct wire_trace_page *page, uint64_t *after)
{
    uint64_t last = *after;
    for (size_t i = 0; i < page->ops.n; i++) {
        if (page->ops.at[i].op <= last)
            return false;
        last = page->ops.at[i].op;
    }
    *after = last;
    return page->ops.n || !page->more;
}

int library_operations_each(struct conclave *cluster, job_id_t job,
                            bool (*take)(void *context, const struct wire_trace_row *row),
                            void *context)
{
    int code = EXIT_OK;
    uint64_t after = 0;
    for (bool more = true; more && !code;) {
        struct message *request = message_new(MESSAGE_JOB_TRACE), *reply = NULL;
        request->as.job_trace.job = job;
        request->as.job_trace.after = after;
        code = connection_ask(cluster, request, MESSAGE_TRACE_PAGE, &reply);
        if (code)
            break;
        const struct wire_trace_page *page = &reply->as.trace_page;
        if (!page_fits(page, &after))
            code = connection_fail(cluster, EXIT_FAILED, "a page of operations does not fit");
        more = page->more && !code;
        for (size_t i = 0; i < page->ops.n && !code; i++)
            if (!take(context, &page->ops.at[i])) {
                more = false;
                break;
            }
        message_drop(&reply);
    }
    return code;
}

struct operations {
    int (*take)(void *context, const struct conclave_operation *operation);
    void *context;
};

static bool tell_operation(void *context, const struct wire_trace_row *row)
{
    const struct operations *operations = context;
    struct conclave_operation out = {.number = row->op, .node = row->node, .attempt = row->attempt};
    struct text text = {0};
    render_operation_text(row, &text);
    text_format(out.text, sizeof out.text, "%s", text.at);
    return !operations->take(operations->context, &out);
}

int conclave_job_operations_each(struct conclave *cluster, const char *id,
                                 int (*take)(void *context,
                                             const struct conclave_operation *operation),
                                 void *context)
{
    struct operations operations = {take, context};
    job_id_t job;
    int code = library_id(cluster, id, &job);
    return code ? code : library_operations_each(cluster, job, tell_operation, &operations);
}

/* --- details of tasks --- */

bool library_has_details(struct conclave *cluster, job_id_t job, uint64_t segments_max)
{
    struct message *request = message_new(MESSAGE_JOB_SEGMENTS), *reply = NULL;
    request->as.job_segments.job = job;
    request->as.job_segments.from =
        segments_max; /* how many there are is told, and none of these */
    int error = client_ask(connection_client(cluster), request, CLIENT_PATIENT, 0,
                           connection_deadline_us(cluster), &reply);
    bool has = !error && reply->type == MESSAGE_SEGMENT_PAGE && reply->as.segment_page.total &&
               reply->as.segment_page.total <= segments_max;
    message_drop(&reply);
    return has;
}
