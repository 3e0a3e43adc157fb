/* snapshots.c - snapshots of the whole cluster: libconclave. */
#include "clients/library/snapshots.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clients/ask/snapshot_fetch.h"
#include "shared/base/limits.h"
#include "shared/snapshot/verify.h"

_Static_assert(CONCLAVE_SNAPSHOT_ID_MAX >= SNAPSHOT_NAME_MAX, "ids have room");

static void tell(const struct wire_snapshot_row *row, struct conclave_snapshot *out)
{
    const struct snapshot_name name = {row->initiator, row->incarnation, row->counter};
    *out = (struct conclave_snapshot){.node = row->initiator,
                                      .counter = row->counter,
                                      .complete = row->complete,
                                      .periodic = row->periodic,
                                      .time_ms = row->time_ms,
                                      .took_us = row->took_us,
                                      .bytes = row->bytes,
                                      .states = row->nodes};
    snapshot_name_text(&name, out->id);
    text_escape(out->missing, sizeof out->missing, row->missing);
}

/* 0: whoever it is about. */
static int check_node(struct conclave *cluster, unsigned node)
{
    return node ? library_node(cluster, node) : EXIT_OK;
}

/* --- take --- */

int conclave_snapshot_take(struct conclave *cluster, unsigned node, struct conclave_snapshot *out)
{
    /* It is answered when it is over; a request that is sent again takes another one. */
    const struct asking how = {.need = CLIENT_PATIENT, .wait_us = WAIT_MAX_MS * MS_US};
    struct message *reply = NULL;
    *out = (struct conclave_snapshot){0};
    int code = check_node(cluster, node);
    if (code)
        return code;
    struct message *request = message_new(MESSAGE_SNAPSHOT_TAKE);
    request->as.snapshot_take.node = node;
    code = connection_ask_as(cluster, request, MESSAGE_SNAPSHOT, &how, &reply);
    if (!code && reply->as.snapshot.heads.n != 1)
        code = connection_fail(cluster, EXIT_FAILED, "the answer names no snapshot");
    if (!code) {
        tell(&reply->as.snapshot.heads.at[0], out);
        if (!out->complete)
            code =
                connection_fail(cluster, EXIT_FAILED, "the snapshot is partial: %s", out->missing);
    }
    message_drop(&reply);
    return code;
}

/* --- lists --- */

/* A page must be what was asked for: counters that did not rise could have us ask for ever. */
static bool page_fits(const struct wire_snapshot_page *page, uint64_t node, uint64_t after)
{
    for (size_t i = 0; i < page->heads.n; i++) {
        const struct wire_snapshot_row *row = &page->heads.at[i];
        if (row->initiator != node || row->counter <= after)
            return false;
        after = row->counter;
    }
    return page->heads.n || !page->more;
}

/* *enough: `take` wants no more. */
static int list_node(struct conclave *cluster, uint64_t node,
                     const struct snapshot_listing *listing, bool *enough)
{
    uint64_t after = 0;
    int code = EXIT_OK;
    for (bool more = true; more && !code;) {
        struct message *request = message_new(MESSAGE_SNAPSHOT_LIST), *reply = NULL;
        request->as.snapshot_list.node = node;
        request->as.snapshot_list.after = after;
        code = connection_ask(cluster, request, MESSAGE_SNAPSHOT_PAGE, &reply);
        if (code)
            break;
        const struct wire_snapshot_page *page = &reply->as.snapshot_page;
        if (!page_fits(page, node, after))
            code = connection_fail(cluster, EXIT_FAILED,
                                   "node %" PRIu64 " sent a page of snapshots that does not fit",
                                   node);
        for (size_t i = 0; i < page->heads.n && !code && !*enough; i++) {
            struct conclave_snapshot row;
            tell(&page->heads.at[i], &row);
            after = page->heads.at[i].counter;
            *enough = listing->take(listing->context, &row) != 0;
        }
        more = page->more && !*enough;
        message_drop(&reply);
    }
    return code;
}

static void skip(const struct snapshot_listing *listing, uint64_t node, int code)
{
    if (listing->skipped)
        listing->skipped(listing->context, node, code);
}

/* Each node lists its own; without those that do not answer the others are listed all the same. */
static int list_all(struct conclave *cluster, const struct snapshot_listing *listing)
{
    struct cluster_view view;
    const struct wire_node_row *rows = NULL;
    size_t n = 0, answered = 0;
    bool enough = false;
    int code = cluster_look_or_wait(cluster, false, &view);
    if (view.outcome == ERR_INTERRUPTED)
        code = connection_explain(cluster, view.outcome);
    else if (code)
        code = connection_fail(cluster, code, "%s", view.reason.at);
    cluster_nodes(&view, &rows, &n); /* without a coordinator, as a broker sees them */
    for (size_t i = 0; i < n && !enough; i++) {
        int error = rows[i].alive ? list_node(cluster, rows[i].node, listing, &enough) : EXIT_OK;
        answered += rows[i].alive && !error;
        code = error ? error : code;
        if (!rows[i].alive || error)
            skip(listing, rows[i].node, error);
    }
    cluster_view_clear(&view);
    return answered ? EXIT_OK : code;
}

int library_snapshots(struct conclave *cluster, unsigned node,
                      const struct snapshot_listing *listing)
{
    bool enough = false;
    int code = check_node(cluster, node);
    if (code)
        return code;
    return node ? list_node(cluster, node, listing, &enough) : list_all(cluster, listing);
}

int conclave_snapshots_each(struct conclave *cluster, unsigned node,
                            int (*take)(void *context, const struct conclave_snapshot *snapshot),
                            void *context)
{
    const struct snapshot_listing listing = {take, NULL, context};
    return library_snapshots(cluster, node, &listing);
}

/* --- what is in one --- */

void library_snapshot_node(const struct snapshot_model *model, uint64_t number,
                           struct conclave_snapshot_node *out)
{
    const struct model_node *node = &model->nodes[number];
    *out = (struct conclave_snapshot_node){.node = number, .present = node->present};
    if (!node->present) {
        text_escape(out->missing, sizeof out->missing, node->about.missing);
        return;
    }
    text_escape(out->role, sizeof out->role, node->state.role);
    out->term = node->state.term;
    out->marker = node->state.first_marker;
    out->took_us = node->about.took_us;
    out->accounts = node->accounts.n;
    for (size_t i = 0; i < node->accounts.n; i++)
        out->balance += node->accounts.at[i].balance;
    out->values = node->pairs.n;
    out->operations = node->state.operations;
    out->queued = node->queued.n;
    out->outbox = node->outbox.n;
}

static void add_up(const struct snapshot_model *model, struct conclave_snapshot_sums *out)
{
    struct findings findings;
    snapshot_verify(model, NULL, &findings);
    *out = (struct conclave_snapshot_sums){.complete = model->complete,
                                           .consistent = !findings.violations,
                                           .nodes = model->n_nodes,
                                           .coordinator = model->coordinator,
                                           .channels = findings.channels,
                                           .channels_known = findings.channels_known,
                                           .messages = findings.messages,
                                           .accounts = findings.accounts,
                                           .jobs = model->jobs.n,
                                           .balances = findings.balances,
                                           .in_channels = findings.in_channels,
                                           .in_outboxes = findings.in_outboxes,
                                           .money = findings.total};
    for (size_t i = 1; i <= model->n_nodes; i++)
        out->values += model->nodes[i].pairs.n;
    for (size_t i = 0; i < findings.lines.n && !out->violation[0]; i++)
        if (findings.lines.at[i].kind == FINDING_VIOLATION)
            text_format(out->violation, sizeof out->violation, "%s", findings.lines.at[i].text);
    findings_clear(&findings);
}

/* Reads it (caller destroys). */
static int fetch(struct conclave *cluster, const char *id, struct snapshot_model **model)
{
    struct snapshot_name name;
    *model = NULL;
    int code = snapshot_id_read(cluster, id, &name);
    return code ? code : snapshot_fetch(cluster, &name, model);
}

int conclave_snapshot_get(struct conclave *cluster, const char *id,
                          struct conclave_snapshot_sums *sums,
                          int (*take)(void *context, const struct conclave_snapshot_node *node),
                          void *context)
{
    struct snapshot_model *model;
    *sums = (struct conclave_snapshot_sums){0};
    int code = fetch(cluster, id, &model), enough = code || !take;
    if (!code)
        add_up(model, sums);
    for (uint64_t number = 1; !enough && number <= model->n_nodes; number++) {
        struct conclave_snapshot_node node;
        library_snapshot_node(model, number, &node);
        enough = take(context, &node);
    }
    snapshot_model_destroy(&model);
    return code;
}

int conclave_snapshot_read(struct conclave *cluster, const char *id, void **bytes, size_t *len)
{
    struct snapshot_name name;
    struct snapshot_model *model = NULL; /* that it can be read is all that is wanted */
    struct snapshot_bytes got = {0};
    *bytes = NULL;
    *len = 0;
    int code = snapshot_id_read(cluster, id, &name);
    if (!code)
        code = snapshot_fetch_bytes(cluster, &name, &got);
    if (!code)
        code = snapshot_load(cluster, &name, (struct slice){got.at, got.len}, &model);
    snapshot_model_destroy(&model);
    if (code) {
        free(got.at);
        return code;
    }
    *bytes = got.at;
    *len = got.len;
    return EXIT_OK;
}
