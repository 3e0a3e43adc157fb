/* cluster.c - the cluster as its coordinator sees it, who we are there, its founding and its list
 * of keys: libconclave. */
#include <string.h>

#include "clients/ask/cluster.h"
#include "clients/ask/stored.h"
#include "clients/library/library.h"
#include "clients/map/named.h"
#include "shared/base/limits.h"

_Static_assert(CONCLAVE_NAME_MAX >= ACCESS_NAME_MAX && CONCLAVE_NAME_MAX >= ACCESS_CLUSTER_MAX,
               "names of keys and clusters have room");

/* --- status --- */

void library_status(const struct wire_status *status, struct conclave_status *out)
{
    *out = (struct conclave_status){.coordinator = status->coordinator,
                                    .term = status->term,
                                    .nodes = status->nodes.n,
                                    .may_fail = status->may_fail,
                                    .healthy = status->healthy,
                                    .queued = status->queued,
                                    .running = status->running,
                                    .done = status->done,
                                    .failed = status->failed,
                                    .cancelled = status->cancelled};
    for (size_t i = 0; i < status->nodes.n; i++) {
        out->alive += status->nodes.at[i].alive;
        out->slots += status->nodes.at[i].slots;
        out->slots_used += status->nodes.at[i].slots_used;
    }
}

/* A view to clear, with the coordinator's answer in it when the code is EXIT_OK. */
static int ask_status(struct conclave *cluster, struct cluster_view *view)
{
    int code = cluster_ask_status(cluster, CLIENT_PATIENT, connection_deadline_us(cluster), view);
    if (!code)
        return EXIT_OK;
    return connection_fail(cluster, view->outcome == ERR_TIMEOUT ? EXIT_TIMEOUT : code, "%s",
                           view->reason.at);
}

int conclave_status(struct conclave *cluster, struct conclave_status *out)
{
    struct cluster_view view;
    *out = (struct conclave_status){0};
    int code = ask_status(cluster, &view);
    if (!code)
        library_status(&view.status->as.status, out);
    cluster_view_clear(&view);
    return code;
}

static void tell_node(const struct wire_node_row *row, struct conclave_node *out)
{
    *out = (struct conclave_node){.node = row->node,
                                  .alive = row->alive,
                                  .disk_full = row->full,
                                  .votes = row->voter && row->admitted,
                                  .incarnation = row->incarnation,
                                  .boots = row->boots,
                                  .term = row->term,
                                  .pid = row->pid,
                                  .slots = row->slots,
                                  .slots_used = row->slots_used,
                                  .assigned = row->assigned,
                                  .operations = row->operations,
                                  .applied = row->applied,
                                  .committed = row->committed,
                                  .behind_us = row->behind_ms * MS_US,
                                  .stalled_us = row->stalled_ms * MS_US,
                                  .held_bytes = row->held_bytes,
                                  .spilled_bytes = row->spilled_bytes};
    text_escape(out->role, sizeof out->role, row->role);
    text_escape(out->host, sizeof out->host, row->host);
    text_escape(out->version, sizeof out->version, row->version);
    text_escape(out->refusal, sizeof out->refusal, row->refusal);
}

int conclave_nodes_each(struct conclave *cluster,
                        int (*take)(void *context, const struct conclave_node *node), void *context)
{
    struct cluster_view view;
    struct conclave_node node;
    int code = ask_status(cluster, &view), enough = 0;
    for (size_t i = 0; !code && !enough && i < view.status->as.status.nodes.n; i++) {
        tell_node(&view.status->as.status.nodes.at[i], &node);
        enough = take(context, &node);
    }
    cluster_view_clear(&view);
    return code;
}

/* --- keys --- */

int conclave_key(struct conclave *cluster, struct conclave_key *out)
{
    *out = (struct conclave_key){0};
    (void)connection_client(cluster); /* it is read with it */
    const struct entry *entry = &cluster->entry;
    const struct access *access = entry->access;
    if (entry->error)
        return connection_fail(cluster, EXIT_USAGE, "%s", entry->why.at);
    if (!access)
        return EXIT_OK;
    text_format(out->name, sizeof out->name, "%s", access->name);
    text_format(out->cluster, sizeof out->cluster, "%s", access->cluster);
    text_format(out->role, sizeof out->role, "%s", role_name(access->role));
    out->expires_ms = access->expires_ms;
    return EXIT_OK;
}

int library_access_get(struct conclave *cluster, uint64_t within_us, struct message **access)
{
    const struct asking how = {.need = CLIENT_PATIENT, .within_us = within_us};
    return connection_ask_as(cluster, message_new(MESSAGE_ACCESS_GET), MESSAGE_ACCESS, &how,
                             access);
}

int library_access_set(struct conclave *cluster, uint64_t within_us, uint64_t version,
                       struct slice list)
{
    const struct asking how = {.need = CLIENT_PATIENT, .within_us = within_us};
    struct message *request = message_new(MESSAGE_ACCESS_SET), *reply = NULL;
    request->as.access_set.version = version;
    request->as.access_set.list = message_copy(request, list);
    int code = connection_ask_as(cluster, request, MESSAGE_ACCESS, &how, &reply);
    message_drop(&reply);
    return code;
}

/* --- founding --- */

/* Who is there answers at once; what founds a cluster is not asked for again for long. */
#define INIT_US (CLIENT_UNREACHABLE_MS * MS_US + SECOND_US)

int library_init(struct conclave *cluster, uint64_t node, struct message **inited)
{
    const struct asking how = {.need = CLIENT_ONCE, .within_us = INIT_US};
    struct message *request = message_new(MESSAGE_INIT);
    request->as.init.node = node;
    return connection_ask_as(cluster, request, MESSAGE_INITED, &how, inited);
}

/* --- operators --- */

struct telling {
    int (*take)(void *context, const struct conclave_operator *row);
    void *context;
};

static bool tell_operator(void *context, const struct wire_value_row *row)
{
    const struct telling *telling = context;
    struct conclave_operator it = {.bytes = row->len};
    text_escape(it.name, sizeof it.name, row->name);
    text_escape(it.owner, sizeof it.owner, row->owner);
    stored_text(row->sha256, it.value);
    return !telling->take(telling->context, &it);
}

int conclave_operators_each(struct conclave *cluster,
                            int (*take)(void *context, const struct conclave_operator *row),
                            void *context)
{
    struct telling telling = {take, context};
    return named_each(cluster, tell_operator, &telling);
}
