#include "broker/tracker.h"

#include <inttypes.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/quorum.h"

void tracker_init(struct tracker *tracker, uint32_t n_nodes, uint32_t n_voters, uint64_t silence_us)
{
    *tracker = (struct tracker){.n_nodes = n_nodes, .n_voters = n_voters, .silence_us = silence_us};
}

static void copy_text(char *at, size_t size, struct slice text)
{
    text_escape(at, size, text);
}

static void take_heartbeat(struct tracker_node *node, const struct wire_heartbeat *beat)
{
    node->term = beat->term;
    node->coordinator = (node_id_t)beat->coordinator;
    node->serving = beat->serving;
    node->full = beat->full;
    node->bundles = beat->bundles;
    node->founded = beat->cluster_id.len > 0;
    node->admitted = beat->voter;
    node->operations = beat->operations;
    node->conversions = beat->conversions;
    node->queued = beat->queued;
    node->held = beat->held;
    node->held_bytes = beat->held_bytes;
    node->spilled_bytes = beat->spilled_bytes;
    node->unspillable = beat->unspillable;
    node->pressed = beat->pressed;
    node->applied = beat->applied;
    node->committed = beat->committed;
    node->rejected = beat->rejected;
    node->refused = beat->refused;
    node->forbidden = beat->forbidden;
    node->insecure = beat->insecure;
    node->pid = beat->pid;
    if (beat->access_hash.len == HASH_BYTES) {
        node->access_version = beat->access_version;
        memcpy(node->access_hash, beat->access_hash.at, HASH_BYTES);
    }
    node->voters = (uint32_t)beat->voters;
    copy_text(node->role, sizeof node->role, beat->role);
    copy_text(node->host, sizeof node->host, beat->host);
    copy_text(node->version, sizeof node->version, beat->version);
}

/* The cluster knows better than whoever started this broker how many vote: when a majority of those
 * who voted until now says so. Of one node's word a majority would be whatever it likes, itself
 * alone for one. */
static void take_voters(struct tracker *tracker, uint32_t voters, uint64_t now_us)
{
    uint32_t n = 0;
    if (!voters || voters > tracker->n_nodes)
        return;
    for (node_id_t id = 1; id <= tracker->n_voters; id++)
        n += tracker_alive(tracker, id, now_us) && tracker->nodes[id].voters == voters;
    if (n >= quorum_of(tracker->n_voters) || MUTANT(broker_believes_one))
        tracker->n_voters = voters;
}

int tracker_hear(struct tracker *tracker, const struct message *message, uint64_t now_us)
{
    bool beats = message->type == MESSAGE_HEARTBEAT;
    uint64_t id = beats ? message->as.heartbeat.node : message->as.event.node;
    incarnation_t incarnation =
        beats ? message->as.heartbeat.incarnation : message->as.event.incarnation;
    uint64_t seq = beats ? message->as.heartbeat.seq : message->as.event.seq;
    if (id == 0 || id > tracker->n_nodes)
        return ERR_RANGE;
    struct tracker_node *node = &tracker->nodes[id];
    bool same = node->heard && node->incarnation == incarnation;
    if (same && seq <= node->seq)
        return ERR_STALE;
    /* A lower incarnation is a late message, unless the disk was wiped: then the higher one is
     * silent. */
    if (node->heard && incarnation < node->incarnation &&
        (tracker_alive(tracker, (node_id_t)id, now_us) || MUTANT(wiped_unheard)))
        return ERR_STALE;
    if (!same)
        *node = (struct tracker_node){.heard = true, .incarnation = incarnation, .role = "unknown"};
    node->seq = seq;
    node->heard_us = now_us;
    if (!beats)
        return OK;
    take_heartbeat(node, &message->as.heartbeat);
    take_voters(tracker, node->voters, now_us);
    return OK;
}

bool tracker_alive(const struct tracker *tracker, node_id_t node, uint64_t now_us)
{
    const struct tracker_node *it = &tracker->nodes[node];
    return it->heard && now_us - it->heard_us <= tracker->silence_us;
}

/* A majority of the voters says that it follows the node: what one says of itself does not do. */
static bool is_followed(const struct tracker *tracker, node_id_t of, uint64_t now_us)
{
    uint32_t n = 0;
    for (node_id_t id = 1; id <= tracker->n_voters; id++)
        n += tracker_alive(tracker, id, now_us) && tracker->nodes[id].coordinator == of;
    return n >= quorum_of(tracker->n_voters) && !MUTANT(broker_believes_one);
}

node_id_t tracker_coordinator(const struct tracker *tracker, uint64_t now_us)
{
    node_id_t best = NODE_NONE;
    bool best_followed = false;
    for (node_id_t id = 1; id <= tracker->n_nodes; id++) {
        const struct tracker_node *node = &tracker->nodes[id];
        if (!node->serving || !tracker_alive(tracker, id, now_us))
            continue;
        bool followed = is_followed(tracker, id, now_us);
        if (best == NODE_NONE || followed > best_followed ||
            (followed == best_followed && node->term > tracker->nodes[best].term)) {
            best = id;
            best_followed = followed;
        }
    }
    return best;
}

static bool has_same_list(const struct tracker_node *a, const struct tracker_node *b)
{
    return a->access_version == b->access_version &&
           !memcmp(a->access_hash, b->access_hash, HASH_BYTES);
}

node_id_t tracker_access(const struct tracker *tracker, uint64_t version, uint64_t now_us,
                         const struct tracker_node **out)
{
    for (node_id_t id = 1; id <= tracker->n_voters; id++) {
        uint32_t n = 0;
        *out = &tracker->nodes[id];
        if ((*out)->access_version <= version || !tracker_alive(tracker, id, now_us))
            continue;
        for (node_id_t other = 1; other <= tracker->n_voters; other++)
            n += tracker_alive(tracker, other, now_us) &&
                 has_same_list(*out, &tracker->nodes[other]);
        if (n >= quorum_of(tracker->n_voters) || MUTANT(broker_believes_one))
            return id;
    }
    return NODE_NONE;
}

/* --- requests --- */

static node_id_t lowest(const struct tracker *tracker, uint64_t now_us)
{
    for (node_id_t id = 1; id <= tracker->n_nodes; id++)
        if (tracker_alive(tracker, id, now_us))
            return id;
    return NODE_NONE;
}

static node_id_t route_named(const struct tracker *tracker, uint64_t node, uint64_t now_us,
                             const char **code, struct text *why)
{
    if (node > tracker->n_nodes) {
        *code = "invalid";
        text_add(why, "there is no node %" PRIu64 "; the cluster has %" PRIu32, node,
                 tracker->n_nodes);
        return NODE_NONE;
    }
    if (!tracker_alive(tracker, (node_id_t)node, now_us)) {
        *code = "unavailable";
        text_add(why, "node %" PRIu64 " is not alive", node);
        return NODE_NONE;
    }
    return (node_id_t)node;
}

node_id_t tracker_route(const struct tracker *tracker, const struct message *request,
                        uint64_t now_us, const char **code, struct text *why)
{
    uint64_t node = request->as.request.node;
    if (request->type == MESSAGE_INIT && !node)
        node = lowest(tracker, now_us);
    if (node)
        return route_named(tracker, node, now_us, code, why);
    node_id_t coordinator = tracker_coordinator(tracker, now_us);
    if (!coordinator) {
        *code = "unavailable";
        tracker_reason(tracker, now_us, why);
    }
    return coordinator;
}

/* --- what people read --- */

static bool is_full(const struct tracker *tracker, node_id_t id, uint64_t now_us)
{
    return tracker->nodes[id].full && tracker_alive(tracker, id, now_us);
}

/* A coordinator may be elected, but nothing can be written by a majority, its first
 * entry neither. */
static void add_full(const struct tracker *tracker, uint64_t now_us, uint32_t n_writing,
                     struct text *out)
{
    text_add(out, "; disk full on");
    for (node_id_t id = 1, nth = 0; id <= tracker->n_voters; id++)
        if (is_full(tracker, id, now_us))
            text_add(out, "%s%u", nth++ ? ", " : " ", (unsigned)id);
    text_add(out, ", so only %" PRIu32 " can write", n_writing);
}

/* All who live have blank disks. */
static bool is_unfounded(const struct tracker *tracker, uint64_t now_us)
{
    bool any = false;
    for (node_id_t id = 1; id <= tracker->n_nodes; id++) {
        if (!tracker_alive(tracker, id, now_us))
            continue;
        if (tracker->nodes[id].founded)
            return false;
        any = true;
    }
    return any;
}

static void add_unfounded(const struct tracker *tracker, uint64_t now_us, struct text *out)
{
    unsigned missing = 0;
    text_add(out, "not founded: ");
    for (node_id_t id = 1; id <= tracker->n_voters; id++)
        if (!tracker_alive(tracker, id, now_us))
            text_add(out, "%snode %u %s", missing++ ? ", " : "", (unsigned)id,
                     tracker->nodes[id].heard ? "is not alive" : "has not been heard from yet");
    if (missing)
        text_add(out, "; if the cluster is new, `conclave init` founds without %s",
                 missing == 1 ? "it" : "them");
    else
        text_add(out, "all voters are there; it will be founded in a moment");
}

void tracker_reason(const struct tracker *tracker, uint64_t now_us, struct text *out)
{
    if (is_unfounded(tracker, now_us)) {
        add_unfounded(tracker, now_us, out);
        return;
    }
    uint32_t alive = 0, full = 0, admitted = 0, quorum = quorum_of(tracker->n_voters);
    for (node_id_t id = 1; id <= tracker->n_voters; id++) {
        alive += tracker_alive(tracker, id, now_us);
        admitted += tracker_alive(tracker, id, now_us) && tracker->nodes[id].admitted;
        full += is_full(tracker, id, now_us);
    }
    text_add(out, "no %s: %" PRIu32 " of %" PRIu32 " %s alive, %" PRIu32 " needed",
             alive < quorum ? "quorum" : "coordinator", alive, tracker->n_voters,
             tracker->n_voters < tracker->n_nodes ? "voters are" : "nodes are", quorum);
    if (alive < quorum)
        return;
    if (admitted < quorum) {
        text_add(out,
                 "; only %" PRIu32 " with a disk that counts: the others were wiped, or never "
                 "admitted, and wait for a majority that counts (else: `conclave recover`)",
                 admitted);
        return;
    }
    if (alive - full >= quorum)
        text_add(out, "; an election is under way");
    else
        add_full(tracker, now_us, alive - full, out);
}

static void report_node(struct message *report, struct wire_node_row *row,
                        const struct tracker_node *node)
{
    row->role = message_text(report, row->alive ? node->role : "unknown");
    row->host = message_text(report, node->host);
    row->full = node->full;
    row->version = message_text(report, node->version);
    row->pid = node->pid;
    row->incarnation = node->incarnation;
    row->boots = node->incarnation >> 32;
    row->term = node->term;
    row->operations = node->operations;
    row->conversions = node->conversions;
    row->assigned = node->queued;
    row->held = node->held;
    row->held_bytes = node->held_bytes;
    row->spilled_bytes = node->spilled_bytes;
    row->unspillable = node->unspillable;
    row->pressed = node->pressed;
    row->applied = node->applied;
    row->committed = node->committed;
    row->rejected = node->rejected;
    row->refused = node->refused;
    row->forbidden = node->forbidden;
    row->insecure = node->insecure;
}

struct message *tracker_report(const struct tracker *tracker, uint64_t now_us)
{
    struct message *report = message_new(MESSAGE_BROKER);
    struct wire_broker *broker = &report->as.broker;
    broker->coordinator = tracker_coordinator(tracker, now_us);
    broker->term = tracker->nodes[broker->coordinator].term;
    broker->quorum = quorum_of(tracker->n_voters);
    broker->nodes.n = tracker->n_nodes;
    broker->nodes.at = message_room(report, tracker->n_nodes, sizeof *broker->nodes.at);
    for (node_id_t id = 1; id <= tracker->n_nodes; id++) {
        struct wire_node_row *row = &broker->nodes.at[id - 1];
        row->node = id;
        row->alive = tracker_alive(tracker, id, now_us);
        report_node(report, row, &tracker->nodes[id]);
    }
    return report;
}
