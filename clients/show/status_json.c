#include "clients/show/status_json.h"

#include "clients/local/supervised.h"
#include "clients/show/health.h"
#include "clients/show/render.h"

/* null without a coordinator, and from one of an earlier release. */
static json_t *render_kept(const struct wire_status *status)
{
    if (!status || !status->keep_jobs)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:o}", "jobs", (json_int_t)status->kept_jobs, "bytes",
                     (json_int_t)status->kept_bytes, "jobs_max", (json_int_t)status->keep_jobs,
                     "bytes_max", render_number(status->keep_bytes));
}

static json_t *render_jobs(const struct wire_status *status)
{
    if (!status)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "queued", (json_int_t)status->queued, "running",
                     (json_int_t)status->running, "done", (json_int_t)status->done, "failed",
                     (json_int_t)status->failed, "cancelled", (json_int_t)status->cancelled);
}

static json_t *render_broker(const struct address *address, const struct message *answer)
{
    char at[ADDRESS_TEXT_MAX];
    json_t *broker =
        json_pack("{s:s, s:b}", "address", address_text(address, at), "alive", answer != NULL);
    const struct wire_broker empty = {0}, *row = answer ? &answer->as.broker : &empty;
    json_object_set_new(broker, "coordinator", render_number(row->coordinator));
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {{"forwarded", row->forwarded}, {"rejected", row->rejected},
                  {"refused", row->refused},     {"keys_refused", row->keys_refused},
                  {"dropped", row->dropped},     {"waiting", row->waiting}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        json_object_set_new(broker, counts[i].name,
                            answer ? json_integer((json_int_t)counts[i].count) : json_null());
    json_object_set_new(broker, "insecure", answer ? json_boolean(row->insecure) : json_null());
    json_object_set_new(broker, "pid", render_number(row->pid));
    json_object_set_new(broker, "version", render_text(row->version));
    return broker;
}

struct status_summary status_summarize(const struct cluster_view *view)
{
    if (view->status) {
        const struct wire_status *status = &view->status->as.status;
        return (struct status_summary){status->coordinator, status->term, status->quorum,
                                       status->healthy};
    }
    for (size_t i = 0; i < BROKERS_MAX; i++)
        if (view->brokers[i])
            return (struct status_summary){.quorum = view->brokers[i]->as.broker.quorum};
    return (struct status_summary){0};
}

/* Counts that only a coordinator can tell. */
static void add_counts(json_t *all, const struct wire_status *status)
{
    const struct wire_status none = {0}, *is = status ? status : &none;
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {{"operations", is->operations}, {"reassigned", is->reassigned},
                  {"copied", is->copied},         {"restarts", is->restarts},
                  {"elections", is->elections},   {"may_fail", is->may_fail},
                  {"voters", health_voters(is)}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        json_object_set_new(all, counts[i].name,
                            status ? json_integer((json_int_t)counts[i].count) : json_null());
}

json_t *status_json(const struct cluster_view *view, const struct addresses *brokers,
                    const char *dir)
{
    const struct wire_status *status = view->status ? &view->status->as.status : NULL;
    const struct wire_node_row *rows = NULL;
    size_t n = 0;
    json_t *nodes = json_array(), *doors = json_array();
    struct status_summary summary = status_summarize(view);
    cluster_nodes(view, &rows, &n);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(nodes, render_node(&rows[i]));
    for (size_t i = 0; i < brokers->n; i++)
        json_array_append_new(doors, render_broker(&brokers->at[i], view->brokers[i]));
    json_t *all = json_pack("{s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "coordinator",
                            render_number(summary.coordinator), "term", render_number(summary.term),
                            "quorum", render_number(summary.quorum), "healthy", summary.healthy,
                            "nodes", nodes, "jobs", render_jobs(status), "brokers", doors);
    json_object_set_new(all, "kept", render_kept(status));
    add_counts(all, status);
    json_object_set_new(all, "error", render_text(slice_of(view->reason.at)));
    json_t *supervised = supervised_find(dir, brokers);
    json_object_set_new(all, "troubles", supervised_troubles(supervised));
    json_decref(supervised);
    return all;
}
