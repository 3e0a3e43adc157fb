#include "clients/web/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/show/health.h"
#include "clients/web/routes.h"
#include "clients/web/web.h"
#include "shared/base/limits.h"
#include "shared/base/version.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* How a figure is kept, and in which unit: all are shown in base units. */
enum unit { COUNT, ONE_OR_MORE, YES_OR_NO, MILLISECONDS, MICROSECONDS };

struct series {
    const char *name, *type, *help;
    enum unit unit;
    size_t offset; /* of a uint64_t, or a bool, in a struct of the wire */
};

#define OF_STATUS(field) offsetof(struct wire_status, field)
#define OF_NODE(field)   offsetof(struct wire_node_row, field)
#define OF_BROKER(field) offsetof(struct wire_broker, field)

static const struct series of_status[] = {
    {"conclave_term", "gauge", "The term of the coordinator.", COUNT, OF_STATUS(term)},
    {"conclave_quorum", "gauge", "Votes that an election needs.", COUNT, OF_STATUS(quorum)},
    {"conclave_healthy", "gauge",
     "Whether a coordinator serves and every node is alive and up to date.", YES_OR_NO,
     OF_STATUS(healthy)},
    {"conclave_voters_may_fail", "gauge", "How many more voters may stop without ending service.",
     COUNT, OF_STATUS(may_fail)},
    {"conclave_elections_total", "counter", "Elections that were won.", COUNT,
     OF_STATUS(elections)},
    {"conclave_node_restarts_total", "counter", "Starts of nodes on an existing data directory.",
     COUNT, OF_STATUS(restarts)},
    {"conclave_operations_total", "counter", "Operations of the plans that were finished.", COUNT,
     OF_STATUS(operations)},
    {"conclave_operations_reassigned_total", "counter", "Operations handed out again.", COUNT,
     OF_STATUS(reassigned)},
    {"conclave_operations_copied_total", "counter",
     "Second copies of operations, handed out because a worker was slow, in this term.", COUNT,
     OF_STATUS(copied)},
    {"conclave_kept_jobs", "gauge", "Finished jobs that are remembered.", COUNT,
     OF_STATUS(kept_jobs)},
    {"conclave_kept_jobs_limit", "gauge", "Finished jobs that are remembered at most.", COUNT,
     OF_STATUS(keep_jobs)},
    {"conclave_kept_bytes", "gauge", "Bytes of the results of finished jobs.", COUNT,
     OF_STATUS(kept_bytes)},
    {"conclave_kept_limit_bytes", "gauge", "Bytes of results kept at most; 0: any number.", COUNT,
     OF_STATUS(keep_bytes)},
};

static const struct series of_nodes[] = {
    {"conclave_node_up", "gauge", "Whether the node's heartbeats arrive.", YES_OR_NO,
     OF_NODE(alive)},
    {"conclave_node_voter", "gauge", "Whether the node votes.", YES_OR_NO, OF_NODE(voter)},
    {"conclave_node_term", "gauge", "The term that the node is in.", COUNT, OF_NODE(term)},
    {"conclave_node_boots_total", "counter", "Starts of the node on its data directory.", COUNT,
     OF_NODE(boots)},
    {"conclave_node_applied_index", "gauge", "The last log entry that the node applied.", COUNT,
     OF_NODE(applied)},
    {"conclave_node_committed_index", "gauge",
     "The last log entry that the node knows to be committed.", COUNT, OF_NODE(committed)},
    {"conclave_node_lag_seconds", "gauge", "How long the node has been behind what was committed.",
     MILLISECONDS, OF_NODE(behind_ms)},
    {"conclave_node_disk_stalled_seconds", "gauge",
     "How long the node's disk has finished nothing of its work.", MILLISECONDS,
     OF_NODE(stalled_ms)},
    {"conclave_node_disk_full", "gauge", "Whether the node's disk is full.", YES_OR_NO,
     OF_NODE(full)},
    {"conclave_node_longest_turn_seconds", "gauge",
     "The longest turn of the node's event loop in the last minute.", MICROSECONDS,
     OF_NODE(turn_us)},
    {"conclave_node_longest_turn_own_seconds", "gauge",
     "The same, without the time that it waited for a processor.", MICROSECONDS,
     OF_NODE(turn_own_us)},
    {"conclave_node_operations_total", "counter",
     "Operations whose results the coordinator accepted from the node.", COUNT,
     OF_NODE(operations)},
    {"conclave_node_conversions_total", "counter", "Conversions to text accepted from the node.",
     COUNT, OF_NODE(conversions)},
    {"conclave_node_assigned_operations", "gauge", "Operations assigned to the node now.", COUNT,
     OF_NODE(assigned)},
    {"conclave_node_held_values", "gauge", "Values that the node holds in memory.", COUNT,
     OF_NODE(held)},
    {"conclave_node_held_bytes", "gauge", "Bytes of the values that the node holds in memory.",
     COUNT, OF_NODE(held_bytes)},
    {"conclave_node_spilled_bytes", "gauge", "Bytes of values that the node has spilled to disk.",
     COUNT, OF_NODE(spilled_bytes)},
    {"conclave_node_unspillable", "gauge",
     "Whether the node's disk had no room for the last value to be spilled.", YES_OR_NO,
     OF_NODE(unspillable)},
    {"conclave_node_short_of_memory", "gauge",
     "Whether the node holds more than its memory limit, and cannot spill it.", YES_OR_NO,
     OF_NODE(pressed)},
    {"conclave_node_command_slots", "gauge", "Commands that the node runs at a time.", COUNT,
     OF_NODE(slots)},
    {"conclave_node_operation_slots", "gauge",
     "Operations that the node executes at a time, commands included.", ONE_OR_MORE,
     OF_NODE(operation_slots)},
    {"conclave_node_occupied_slots", "gauge", "Slots in use by operations and commands.", COUNT,
     OF_NODE(slots_used)},
    {"conclave_node_rejected_messages_total", "counter",
     "Malformed or foreign messages that the node dropped.", COUNT, OF_NODE(rejected)},
    {"conclave_node_refused_connections_total", "counter",
     "Connections that the node refused because of their keys.", COUNT, OF_NODE(refused)},
    {"conclave_node_forbidden_requests_total", "counter",
     "Requests that the node refused because of the role of their key.", COUNT, OF_NODE(forbidden)},
    {"conclave_node_insecure", "gauge", "Whether the node runs without keys.", YES_OR_NO,
     OF_NODE(insecure)},
};

static const struct series of_brokers[] = {
    {"conclave_broker_forwarded_requests_total", "counter", "Requests that the broker passed on.",
     COUNT, OF_BROKER(forwarded)},
    {"conclave_broker_rejected_messages_total", "counter",
     "Malformed messages that the broker dropped.", COUNT, OF_BROKER(rejected)},
    {"conclave_broker_refused_requests_total", "counter",
     "Requests refused because too much waits for their client.", COUNT, OF_BROKER(refused)},
    {"conclave_broker_refused_connections_total", "counter",
     "Connections that the broker refused because of their keys.", COUNT, OF_BROKER(keys_refused)},
    {"conclave_broker_dropped_answers_total", "counter",
     "Answers dropped because too much waits for their client, or it is gone.", COUNT,
     OF_BROKER(dropped)},
    {"conclave_broker_waiting_bytes", "gauge", "Bytes of answers that wait for clients.", COUNT,
     OF_BROKER(waiting)},
    {"conclave_broker_insecure", "gauge", "Whether the broker runs without keys.", YES_OR_NO,
     OF_BROKER(insecure)},
};

#define COUNT_OF(table) (sizeof(table) / sizeof *(table))

/* --- writing --- */

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void number(FILE *out, uint64_t figure, enum unit unit)
{
    if (unit == ONE_OR_MORE && !figure)
        figure = 1; /* an earlier release says nothing of it */
    if (unit == MILLISECONDS)
        fprintf(out, " %" PRIu64 ".%03" PRIu64 "\n", figure / 1000, figure % 1000);
    else if (unit == MICROSECONDS)
        fprintf(out, " %" PRIu64 ".%06" PRIu64 "\n", figure / SECOND_US, figure % SECOND_US);
    else
        fprintf(out, " %" PRIu64 "\n", figure);
}

static void value(FILE *out, const struct series *series, const void *row)
{
    const void *at = (const char *)row + series->offset;
    number(out, series->unit == YES_OR_NO ? *(const bool *)at : *(const uint64_t *)at,
           series->unit);
}

/* A label's value: what strangers send is printable ASCII already, with its backslashes. */
static void label(FILE *out, const char *text)
{
    for (; *text; text++)
        fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void one(FILE *out, const char *name, const char *type, const char *help, uint64_t number)
{
    head(out, name, type, help);
    fprintf(out, "%s %" PRIu64 "\n", name, number);
}

static void write_status(const struct wire_status *status, FILE *out)
{
    const struct {
        const char *state;
        uint64_t jobs;
    } states[] = {{"queued", status->queued},
                  {"running", status->running},
                  {"done", status->done},
                  {"failed", status->failed},
                  {"cancelled", status->cancelled}};
    for (size_t i = 0; i < COUNT_OF(of_status); i++) {
        head(out, of_status[i].name, of_status[i].type, of_status[i].help);
        fprintf(out, "%s", of_status[i].name);
        value(out, &of_status[i], status);
    }
    one(out, "conclave_voters", "gauge", "Nodes that vote.", health_voters(status));
    head(out, "conclave_jobs", "gauge", "Jobs by state, of those remembered.");
    for (size_t i = 0; i < COUNT_OF(states); i++)
        fprintf(out, "conclave_jobs{state=\"%s\"} %" PRIu64 "\n", states[i].state, states[i].jobs);
}

static void write_nodes(const struct wire_node_row *rows, size_t n, FILE *out)
{
    for (size_t i = 0; i < COUNT_OF(of_nodes); i++) {
        head(out, of_nodes[i].name, of_nodes[i].type, of_nodes[i].help);
        for (size_t at = 0; at < n; at++) {
            fprintf(out, "%s{node=\"%" PRIu64 "\"}", of_nodes[i].name, rows[at].node);
            value(out, &of_nodes[i], &rows[at]);
        }
    }
    head(out, "conclave_node_info", "gauge", "The node's process: its value is 1.");
    for (size_t at = 0; at < n; at++) {
        char host[4 * 64 + 1], role[4 * 16 + 1], version[4 * 32 + 1];
        fprintf(out, "conclave_node_info{node=\"%" PRIu64 "\",host=\"", rows[at].node);
        label(out, text_escape(host, sizeof host, rows[at].host));
        fprintf(out, "\",role=\"");
        label(out, text_escape(role, sizeof role, rows[at].role));
        fprintf(out, "\",version=\"");
        label(out, text_escape(version, sizeof version, rows[at].version));
        fprintf(out, "\"} 1\n");
    }
}

/* A bucket counts all that took no longer than its bound. */
static void write_syncs(const struct wire_node_row *rows, size_t n, FILE *out)
{
    static const char name[] = "conclave_node_fsync_duration_seconds";
    struct histogram syncs;
    head(out, name, "histogram",
         "How long the node's disk took for commits of the log and syncs of files with values.");
    for (size_t at = 0; at < n; at++) {
        uint64_t node = rows[at].node, seen = 0;
        if (!histogram_unpack(rows[at].syncs, &syncs))
            continue;
        for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
            fprintf(out, "%s_bucket{node=\"%" PRIu64 "\",le=\"%g\"} %" PRIu64 "\n", name, node,
                    (double)histogram_bound_us(i) / SECOND_US, seen += syncs.counts[i]);
        }
        seen += syncs.counts[HISTOGRAM_BUCKETS - 1];
        fprintf(out, "%s_bucket{node=\"%" PRIu64 "\",le=\"+Inf\"} %" PRIu64 "\n", name, node, seen);
        fprintf(out, "%s_sum{node=\"%" PRIu64 "\"}", name, node);
        number(out, syncs.sum_us, MICROSECONDS);
        fprintf(out, "%s_count{node=\"%" PRIu64 "\"} %" PRIu64 "\n", name, node, seen);
    }
}

static void write_brokers(const struct metrics_source *source, FILE *out)
{
    char address[ADDRESS_TEXT_MAX];
    head(out, "conclave_broker_up", "gauge", "Whether the broker answers.");
    for (size_t at = 0; at < source->brokers->n; at++) {
        fprintf(out, "conclave_broker_up{broker=\"");
        label(out, address_text(&source->brokers->at[at], address));
        fprintf(out, "\"} %d\n", source->view->brokers[at] != NULL);
    }
    for (size_t i = 0; i < COUNT_OF(of_brokers); i++) {
        head(out, of_brokers[i].name, of_brokers[i].type, of_brokers[i].help);
        for (size_t at = 0; at < source->brokers->n; at++) {
            if (!source->view->brokers[at])
                continue;
            fprintf(out, "%s{broker=\"", of_brokers[i].name);
            label(out, address_text(&source->brokers->at[at], address));
            fprintf(out, "\"}");
            value(out, &of_brokers[i], &source->view->brokers[at]->as.broker);
        }
    }
}

static void write_feed(const struct events *events, FILE *out)
{
    head(out, "conclave_feed_messages_total", "counter",
         "Messages of the feed that this process has received.");
    fprintf(out,
            "conclave_feed_messages_total{type=\"heartbeat\"} %" PRIu64
            "\nconclave_feed_messages_total{type=\"event\"} %" PRIu64 "\n",
            events->heartbeats, events->heard);
    one(out, "conclave_feed_missed_messages_total", "counter",
        "Messages of the feed that were missed.", events->missed);
    static const struct series of_beats[] = {
        {"conclave_node_fetched_bytes_total", "counter",
         "Bytes of values that the node fetched while log entries waited for them.", COUNT,
         offsetof(struct events_beat, fetched)},
        {"conclave_node_queued_operations", "gauge",
         "Operations that wait or are being executed at the node.", COUNT,
         offsetof(struct events_beat, queued)},
        {"conclave_node_disk_busy_seconds", "gauge",
         "How long the node's disk has been busy with its current work.", MILLISECONDS,
         offsetof(struct events_beat, disk_ms)},
    };
    for (size_t i = 0; i < COUNT_OF(of_beats); i++) {
        head(out, of_beats[i].name, of_beats[i].type, of_beats[i].help);
        for (uint32_t node = 1; node <= NODES_MAX; node++) {
            if (!events->last[node].heard)
                continue;
            fprintf(out, "%s{node=\"%" PRIu32 "\"}", of_beats[i].name, node);
            value(out, &of_beats[i], &events->last[node]);
        }
    }
    head(out, "conclave_feed_events_total", "counter",
         "Events that this process has received, by their names: snapshots, failures, elections.");
    for (size_t i = 0; i < events->n_counts; i++) {
        fprintf(out, "conclave_feed_events_total{event=\"");
        label(out, events->counts[i].name);
        fprintf(out, "\"} %" PRIu64 "\n", events->counts[i].seen);
    }
}

static void write_web(const struct metrics_source *source, FILE *out)
{
    head(out, "conclave_web_info", "gauge", "The web process: its value is 1.");
    fprintf(out, "conclave_web_info{version=\"%s\"} 1\n", CONCLAVE_VERSION);
    one(out, "conclave_web_connections", "gauge", "Connections that are open.",
        source->http->connections);
    one(out, "conclave_web_event_streams", "gauge", "Readers of events.",
        source->events->n_streams);
    one(out, "conclave_web_requests_total", "counter", "Requests that arrived.",
        source->http->requests);
    one(out, "conclave_web_refused_requests_total", "counter",
        "Requests refused because of their token, host or origin.", source->http->refused);
    head(out, "conclave_web_answers_total", "counter",
         "Answers, by the first digit of their status.");
    for (unsigned class = 2; class < 6; class ++)
        fprintf(out, "conclave_web_answers_total{class=\"%uxx\"} %" PRIu64 "\n", class,
                source->http->answers[class]);
}

void metrics_write(const struct metrics_source *source, FILE *out)
{
    const struct wire_status *status =
        source->view->status ? &source->view->status->as.status : NULL;
    const struct wire_node_row *rows = NULL;
    size_t n = 0;
    one(out, "conclave_up", "gauge", "Whether a coordinator serves.", status != NULL);
    if (status)
        write_status(status, out);
    one(out, "conclave_coordinator", "gauge", "The node that coordinates; 0: none.",
        status ? status->coordinator : 0);
    if (cluster_nodes(source->view, &rows, &n)) {
        write_nodes(rows, n, out);
        write_syncs(rows, n, out);
    }
    write_brokers(source, out);
    if (source->subscribed)
        write_feed(source->events, out);
    write_web(source, out);
}

/* --- GET /metrics --- */

static void show(struct request *request)
{
    struct web *web = request->web;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        panic("no memory for metrics");
    metrics_write(&(struct metrics_source){&web->look.view, &web->cli->connection.brokers,
                                           &web->events, http_counts(web->http), web->subscribed},
                  out);
    fclose(out);
    request_text(request, METRICS_TYPE, text, len);
}

void metrics_get(struct request *request)
{
    look_await(request, show);
}
