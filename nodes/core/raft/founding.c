#include "nodes/core/raft/founding.h"

#include <inttypes.h>
#include <string.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/link/link.h"
#include "shared/base/mutant.h"

#define FOUND_EVERY 2 /* heartbeats: the founder tells a blank peer of the cluster so often */

static bool is_blank(const uint8_t cluster_id[CLUSTER_ID_BYTES])
{
    static const uint8_t none[CLUSTER_ID_BYTES];
    return !memcmp(cluster_id, none, CLUSTER_ID_BYTES);
}

/* --- telling of it --- */

static void tell(struct raft *raft, node_id_t to)
{
    const struct identity *identity = &raft->step->identity;
    struct message *message = message_new(MESSAGE_FOUND);
    struct wire_found *found = &message->as.found;
    *found = (struct wire_found){.cluster_id = message_copy(message, step_cluster_id(raft->step)),
                                 .founder = identity->founder,
                                 .nodes = identity->n_nodes,
                                 .voters = identity->n_voters,
                                 .elected = raft->log.last > 0};
    found->births.n = identity->n_voters;
    found->births.at = message_room(message, found->births.n, sizeof *found->births.at);
    for (node_id_t id = 1; id <= identity->n_voters; id++)
        found->births.at[id - 1] = (struct wire_voter_birth){id, identity->births[id]};
    raft->members.of[to].found_us = raft->step->now_us;
    peers_send_control(raft->links, to, message);
}

static void tell_all(struct raft *raft)
{
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++)
        if (step_is_peer(raft->step, id))
            tell(raft, id);
}

void founding_met(struct raft *raft, node_id_t from)
{
    if (step_is_founded(raft->step) && is_blank(raft->members.of[from].cluster_id))
        tell(raft, from);
}

/* All others tell once, and repeat it more slowly: only the founder's death makes that needed, and
 * each time that N tell all, N squared messages of N births are sent. */
static uint64_t repeat_us(const struct raft *raft)
{
    return raft->step->identity.founder == raft->step->config.id
               ? FOUND_EVERY * raft->step->config.heartbeat_us
               : raft->step->config.election_timeout_us;
}

/* One that has elected nobody yet may still change to the cluster that wins. */
void founding_heartbeat(struct raft *raft, node_id_t from, const struct wire_heartbeat *heartbeat)
{
    struct peer *peer = &raft->links->peers[from];
    if (peer->incarnation && peer->incarnation != heartbeat->incarnation)
        return;
    members_learn(raft, from, heartbeat->cluster_id, heartbeat->birth);
    bool lacks = is_blank(raft->members.of[from].cluster_id) ||
                 (members_is_foreign(raft, from) && !heartbeat->term);
    if (step_is_founded(raft->step) && lacks &&
        raft->step->now_us >= raft->members.of[from].found_us + repeat_us(raft))
        tell(raft, from);
}

/* --- becoming part of it --- */

static void join(struct raft *raft, const struct identity *identity)
{
    node_id_t self = raft->step->config.id;
    raft->step->identity = *identity;
    raft->step->config.n_voters = identity->n_voters;
    members_found(raft, identity);
    /* Our disk has been the same since before the founding, and has forgotten nothing. */
    raft->election.voter =
        self <= identity->n_voters && identity->births[self] == raft->step->birth;
    election_write(raft);
    election_rest(raft);
    raft->step->news = true;
    outbox_log(&raft->step->out, LOG_INFO,
               "belongs to a cluster of %" PRIu32 " nodes, %" PRIu32
               " of them vote, founded by node %u%s",
               identity->n_nodes, identity->n_voters, identity->founder,
               raft->election.voter || self > identity->n_voters ? "" : "; waits to be admitted");
    tell_all(raft);
}

static bool read_record(const struct wire_found *found, struct identity *out)
{
    if (found->cluster_id.len != CLUSTER_ID_BYTES || is_blank(found->cluster_id.at) ||
        !found->founder || !found->nodes || !found->voters || found->voters > found->nodes)
        return false;
    *out = (struct identity){.founder = (node_id_t)found->founder,
                             .n_nodes = (uint32_t)found->nodes,
                             .n_voters = (uint32_t)found->voters};
    memcpy(out->cluster_id, found->cluster_id.at, CLUSTER_ID_BYTES);
    for (size_t i = 0; i < found->births.n; i++)
        if (found->births.at[i].node && found->births.at[i].node <= found->voters)
            out->births[found->births.at[i].node] = found->births.at[i].birth;
    return true;
}

/* Two were founded at the same time. Who has never voted in one may change to the other: votes of
 * a quorum of each are needed to elect anybody, and who has voted never changes. */
static bool changes_to(const struct raft *raft, const struct identity *other, bool elected)
{
    const struct identity *ours = &raft->step->identity;
    if (raft->step->term || raft->log.last)
        return false;
    if (elected || other->founder != ours->founder)
        return elected || other->founder < ours->founder;
    return memcmp(other->cluster_id, ours->cluster_id, CLUSTER_ID_BYTES) < 0;
}

void founding_take(struct raft *raft, node_id_t from, const struct wire_found *found)
{
    struct identity identity;
    struct text why = {0};
    if (!read_record(found, &identity)) {
        step_reject(raft->step, from, "the identity of its cluster is malformed");
        return;
    }
    if (identity.n_nodes != raft->step->config.n_nodes ||
        (identity.n_voters != raft->step->config.n_voters && !members_is_open(raft))) {
        text_add(&why,
                 "its cluster has %" PRIu32 " nodes, %" PRIu32 " of them vote; we were started "
                 "with %" PRIu32 " and %" PRIu32,
                 identity.n_nodes, identity.n_voters, raft->step->config.n_nodes,
                 raft->step->config.n_voters);
        peers_complain(raft->links, from, why.at);
        return;
    }
    if (identity_same_cluster(&identity, &raft->step->identity))
        return;
    if (!step_is_founded(raft->step) || changes_to(raft, &identity, found->elected))
        join(raft, &identity);
}

/* --- founding --- */

static void found_with(struct raft *raft, bool (*takes_part)(const struct raft *, node_id_t))
{
    struct identity identity = {.founder = raft->step->config.id,
                                .n_nodes = raft->step->config.n_nodes,
                                .n_voters = raft->step->config.n_voters};
    for (size_t i = 0; i < CLUSTER_ID_BYTES; i += 8) {
        uint64_t word = step_random(raft->step, UINT64_MAX);
        memcpy(identity.cluster_id + i, &word, 8);
    }
    identity.cluster_id[0] |= 1; /* never all zero */
    for (node_id_t id = 1; id <= identity.n_voters; id++) {
        if (id == raft->step->config.id)
            identity.births[id] = raft->step->birth;
        else if (takes_part(raft, id))
            identity.births[id] = raft->members.of[id].birth;
    }
    step_event(raft->step, "founded", raft->step->config.id, JOB_NONE, "node %u founds the cluster",
               raft->step->config.id);
    join(raft, &identity);
    /* Nobody coordinates yet, so there is nobody to wait for: only for the others to hear of it. */
    election_hurry(raft, FOUND_EVERY * raft->step->config.heartbeat_us);
}

/* Its process said, in this incarnation of it, that its disk is blank and has promised nothing. */
static bool is_ready(const struct raft *raft, node_id_t id)
{
    const struct peer *peer = &raft->links->peers[id];
    if (id == raft->step->config.id)
        return true;
    return peer->heartbeat && raft->members.of[id].birth &&
           is_blank(raft->members.of[id].cluster_id) && !peer->heartbeat->as.heartbeat.term;
}

static bool is_there(const struct raft *raft, node_id_t id)
{
    return is_ready(raft, id) && (id == raft->step->config.id || raft->links->peers[id].alive);
}

/* Somebody has an identity, or a term: then it is for them to tell of their cluster. */
static node_id_t find_member(const struct raft *raft)
{
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++) {
        const struct peer *peer = &raft->links->peers[id];
        bool used = !is_blank(raft->members.of[id].cluster_id) ||
                    (peer->heartbeat && peer->heartbeat->as.heartbeat.term);
        if (step_is_peer(raft->step, id) && used)
            return id;
    }
    return NODE_NONE;
}

static unsigned count_there(const struct raft *raft)
{
    unsigned n = 0;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++)
        n += is_there(raft, id);
    return n;
}

static unsigned count_ready(const struct raft *raft)
{
    unsigned n = 0;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++)
        n += is_ready(raft, id);
    return n;
}

static bool all_were_heard(const struct raft *raft)
{
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++)
        if (step_is_peer(raft->step, id) && !raft->links->peers[id].heartbeat)
            return false;
    return true;
}

static uint64_t patience_us(const struct raft *raft)
{
    return raft->members.began_us + 2 * raft->step->config.election_timeout_us;
}

/* All voters have said that they are ready, and enough to elect and to admit others are there. That
 * all are alive at the same moment is not asked: many nodes that start on few processors suspect
 * each other again and again. */
void founding_tick(struct raft *raft)
{
    uint32_t wanted = raft->step->config.n_voters, quorum = election_quorum(raft);
    if (MUTANT(founds_without_all))
        wanted = quorum;
    if (step_is_founded(raft->step) || raft->step->config.id > raft->step->config.n_voters ||
        find_member(raft) || count_ready(raft) < wanted || count_there(raft) < quorum)
        return;
    for (node_id_t id = 1; id < raft->step->config.id; id++)
        if (is_ready(raft, id))
            return; /* the lowest founds */
    /* A node that does not vote may know of a cluster that all voters have forgotten. */
    if (all_were_heard(raft) || raft->step->now_us >= patience_us(raft))
        found_with(raft, is_ready);
}

uint64_t founding_deadline(const struct raft *raft)
{
    bool waits = !step_is_founded(raft->step) && raft->step->now_us < patience_us(raft);
    return waits ? patience_us(raft) : UINT64_MAX;
}

/* --- a client's wish --- */

static void add_missing(const struct raft *raft, struct text *out)
{
    const char *between = "";
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++) {
        const struct peer *peer = &raft->links->peers[id];
        if (is_there(raft, id))
            continue;
        text_add(out, "%snode %u %s", between, id,
                 !peer->heartbeat ? "has not been heard from yet" : "is not alive");
        between = ", ";
    }
}

void founding_reason(const struct raft *raft, struct text *out)
{
    node_id_t member = find_member(raft);
    bool lacks = count_ready(raft) < raft->step->config.n_voters ||
                 count_there(raft) < election_quorum(raft);
    if (step_is_founded(raft->step))
        return;
    text_add(out, "not founded: ");
    if (member)
        text_add(out, "node %u belongs to a cluster already; this node waits to hear of it",
                 member);
    else if (lacks)
        add_missing(raft, out);
    else
        text_add(out, "all voters are there; it will be founded in a moment");
    if (!member && lacks)
        text_add(out, "; if the cluster is new, `conclave init` founds without %s",
                 raft->step->config.n_voters - count_there(raft) == 1 ? "it" : "them");
}

/* Why it cannot found; empty: it can. */
static const char *check_init(const struct raft *raft, struct text *why)
{
    node_id_t member = find_member(raft);
    if (step_is_founded(raft->step)) {
        text_add(why, "the cluster is founded already; node %u belongs to it",
                 raft->step->config.id);
        return "founded";
    }
    if (member) {
        text_add(why,
                 "node %u belongs to a cluster, or has a log; a new one is not founded beside it",
                 member);
        return "founded";
    }
    if (raft->step->config.id > raft->step->config.n_voters) {
        text_add(why, "node %u does not vote; ask one of nodes 1 to %" PRIu32,
                 raft->step->config.id, raft->step->config.n_voters);
        return "invalid";
    }
    if (count_there(raft) >= election_quorum(raft))
        return NULL;
    text_add(why, "%u of %" PRIu32 " voters are there, %" PRIu32 " are needed: ", count_there(raft),
             raft->step->config.n_voters, election_quorum(raft));
    add_missing(raft, why);
    return "unavailable";
}

static struct message *init(struct raft *raft, uint64_t request)
{
    struct text why = {0}, missing = {0};
    const char *code = check_init(raft, &why);
    if (code)
        return step_error(raft->step, request, code, why.at);
    add_missing(raft, &missing);
    found_with(raft, is_ready);
    struct message *message = message_new(MESSAGE_INITED);
    message->as.inited = (struct wire_inited){
        .request = request,
        .cluster_id = message_copy(message, step_cluster_id(raft->step)),
        .nodes = raft->step->config.n_nodes,
        .voters = raft->step->config.n_voters,
        .missing = message_text(message, missing.at),
    };
    return message;
}

void founding_init(struct raft *raft, uint64_t client, struct message *request)
{
    /* Nobody hears of a cluster before it is on this disk. */
    outbox_reply_durable(&raft->step->out, client, init(raft, request->as.request.request));
}
