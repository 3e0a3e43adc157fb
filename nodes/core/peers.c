#include "nodes/core/peers.h"

#include <assert.h>
#include <inttypes.h>

#include "nodes/core/deadlines.h"
#include "nodes/core/election.h"
#include "nodes/core/feed.h"
#include "nodes/core/health.h"
#include "nodes/core/founding.h"
#include "nodes/core/ledger_outbox.h"
#include "nodes/core/members.h"
#include "nodes/core/replication.h"
#include "nodes/core/schedule.h"

#include "shared/base/mutant.h"
/* --- life and death --- */

/* `died`: its process is gone, as far as we can tell; else it may only be out of reach. */
static void declare_dead(struct node *node, node_id_t id, const char *why, bool died)
{
    struct peer *peer = &node->peers[id];
    if (peer->alive && node_is_coordinator(node))
        feed_event(node, "node_suspected", id, JOB_NONE, "node %u is suspected: %s", id, why);
    peer->alive = false;
    schedule_worker_lost(node, id, died);
}

static void declare_alive(struct node *node, node_id_t id)
{
    struct peer *peer = &node->peers[id];
    if (!peer->alive && node_is_coordinator(node))
        feed_event(node, "node_up", id, JOB_NONE, "node %u is up", id);
    if (!peer->alive)
        schedule_worker_lives(node, id, true);
    peer->alive = true;
}

/* A peer's new life: nothing of the old one counts any more. */
static void meet(struct node *node, node_id_t id, incarnation_t incarnation)
{
    struct peer *peer = &node->peers[id];
    if (peer->incarnation == incarnation)
        return;
    if (peer->incarnation)
        declare_dead(node, id, "it was started again", true);
    peer->incarnation = incarnation;
    members_forget(node, id);
    peer->excused = false;
    peer->distrust_until_us = 0; /* leftovers are of the old life: this one is used at once */
    schedule_worker_lives(node, id, false);
    replication_forget(node, id);
    channel_open(&peer->channel, incarnation);
    snapshot_peer_met(node, id); /* first: what the ledger sends counts in the new channel */
    ledger_peer_met(node, id);
    message_drop(&peer->heartbeat);
    /* A connection that its former life had welcomed is not welcomed by this one. */
    for (int plane = 0; plane < PLANE_COUNT; plane++)
        if (peer->links[plane].state == LINK_WELCOMED)
            peer->links[plane].state = LINK_GREETED;
}

/* --- connections --- */

static void send_welcome(struct node *node, enum plane plane, node_id_t id)
{
    struct peer *peer = &node->peers[id];
    struct link *link = &peer->links[plane];
    if (link->state == LINK_DOWN || !link->heard_from)
        return; /* it is sent behind our own HELLO, when the connection is made */
    struct message *message = message_new(MESSAGE_WELCOME);
    message->as.welcome = (struct wire_welcome){
        .plane = plane,
        .src = node->config.id,
        .incarnation = node->config.incarnation,
        .dst_incarnation = link->heard_from,
        .connection = link->heard_connection,
        .last_delivered = plane == PLANE_CHANNEL ? peer->channel.delivered : 0,
    };
    outbox_send(&node->out, plane, id, message);
}

void peers_link_up(struct node *node, enum plane plane, node_id_t id)
{
    struct link *link = &node->peers[id].links[plane];
    link->state = LINK_GREETED;
    link->greeted_us = node->now_us;
    link->connection++;
    struct message *message = message_new(MESSAGE_HELLO);
    message->as.hello = (struct wire_hello){
        .cluster = message_text(message, node->config.cluster),
        .plane = plane,
        .src = node->config.id,
        .incarnation = node->config.incarnation,
        .dst = id,
        .connection = link->connection,
        .version = message_text(message, node->config.version),
        .cluster_id = message_copy(message, members_cluster_id(node)),
        .birth = node->members.birth,
        .nodes = node->config.n_nodes,
        .voters = node->config.n_voters,
    };
    outbox_send(&node->out, plane, id, message);
    send_welcome(node, plane, id);
}

void peers_link_down(struct node *node, enum plane plane, node_id_t id)
{
    struct peer *peer = &node->peers[id];
    if (peer->links[plane].state == LINK_DOWN)
        return;
    peer->links[plane].state = LINK_DOWN;
    if (plane == PLANE_CHANNEL)
        channel_unlinked(&peer->channel);
    if (plane != PLANE_CHANNEL && plane != PLANE_CONTROL)
        return;
    peer->distrust_until_us = node->now_us + 2 * node->config.heartbeat_us;
    declare_dead(node, id, "its connection closed", true);
    if (plane == PLANE_CONTROL)
        election_peer_lost(node, id);
}

/* Whoever is of another cluster, or of one of another size, is not met. */
static bool is_welcome(struct node *node, node_id_t from, const struct wire_hello *hello)
{
    const struct node_config *config = &node->config;
    struct text why = {0};
    if (hello->cluster_id.len && members_is_founded(node) &&
        !members_is_ours(node, hello->cluster_id))
        text_add(&why, MEMBERS_FOREIGN);
    else if (hello->nodes && hello->nodes != config->n_nodes)
        text_add(&why, "its cluster has %" PRIu64 " nodes, ours %" PRIu32, hello->nodes,
                 config->n_nodes);
    else if (hello->voters && hello->voters != config->n_voters)
        text_add(&why, "its cluster has %" PRIu64 " voters, ours %" PRIu32, hello->voters,
                 config->n_voters);
    if (why.len)
        members_complain(node, from, why.at);
    return !why.len;
}

bool peers_is_doubled(const struct node *node, node_id_t id, incarnation_t incarnation)
{
    const struct peer *peer = &node->peers[id];
    return !MUTANT(doubled_is_believed) && peer->incarnation && peer->incarnation != incarnation &&
           peer->alive && peer->heartbeat && peer->links[PLANE_CONTROL].state == LINK_WELCOMED &&
           node->now_us < peer->heard_us + node->config.election_timeout_us;
}

void peers_hello(struct node *node, node_id_t from, const struct wire_hello *hello)
{
    struct link *link = &node->peers[from].links[hello->plane];
    if (peers_is_doubled(node, from, hello->incarnation)) {
        members_complain(node, from, "another process of that id runs already");
        return;
    }
    if (!is_welcome(node, from, hello))
        return;
    meet(node, from, hello->incarnation);
    members_learn(node, from, hello->cluster_id, hello->birth);
    if (hello->plane == PLANE_CONTROL)
        founding_met(node, from);
    link->heard_from = hello->incarnation;
    link->heard_connection = hello->connection;
    send_welcome(node, (enum plane)hello->plane, from);
}

void peers_welcome(struct node *node, node_id_t from, const struct wire_welcome *welcome)
{
    struct peer *peer = &node->peers[from];
    struct link *link = &peer->links[welcome->plane];
    bool ours = welcome->dst_incarnation == node->config.incarnation &&
                welcome->connection == link->connection && link->state != LINK_DOWN;
    if (!ours)
        return; /* it answers a connection that is no more */
    meet(node, from, welcome->incarnation);
    link->state = LINK_WELCOMED;
    link->unanswered = 0;
    if (welcome->plane == PLANE_CHANNEL)
        channel_linked(&peer->channel, welcome->last_delivered);
    if (welcome->plane == PLANE_CHECKPOINT)
        replication_probe(node, from);
}

void peers_goodbye(struct node *node, node_id_t from, const struct wire_goodbye *goodbye)
{
    struct peer *peer = &node->peers[from];
    if (peer->incarnation != goodbye->incarnation)
        return;
    peer->excused = true;
    schedule_worker_lives(node, from, true); /* should its end have been noticed before */
    if (goodbye->injected)
        return; /* its end is there to be noticed */
    peer->distrust_until_us = node->now_us + 2 * node->config.heartbeat_us;
    declare_dead(node, from, "it said goodbye", false);
    election_peer_lost(node, from);
}

/* --- heartbeats --- */

void peers_heartbeat(struct node *node, node_id_t from, struct message *message)
{
    const struct wire_heartbeat *heartbeat = &message->as.heartbeat;
    struct peer *peer = &node->peers[from];
    if (peer->incarnation && peer->incarnation != heartbeat->incarnation)
        return; /* a leftover, or a new life that has not said HELLO yet */
    if (!peer->incarnation || node->now_us < peer->distrust_until_us)
        return;
    health_heartbeat(node, from, heartbeat);
    message_drop(&peer->heartbeat);
    peer->heartbeat = message_ref(message);
    peer->heard_us = node->now_us;
    if (heartbeat->term == node->election.term && heartbeat->coordinator == node->config.id)
        peer->follows_us = node->now_us;
    declare_alive(node, from);
    if (node_serves(node))
        deadlines_heartbeat(node, from);
}

unsigned peers_count_alive(const struct node *node)
{
    unsigned alive = 1;
    for (node_id_t id = 1; id <= node->config.n_nodes; id++)
        alive += node_is_peer(node, id) && node->peers[id].alive;
    return alive;
}

void peers_forgive(struct node *node)
{
    for (node_id_t id = 1; id <= node->config.n_nodes; id++) {
        struct peer *peer = &node->peers[id];
        if (peer->alive)
            peer->heard_us = peer->follows_us = node->now_us;
        for (int plane = 0; plane < PLANE_COUNT; plane++)
            peer->links[plane].greeted_us = node->now_us;
    }
}

bool peers_is_worker(const struct node *node, node_id_t id)
{
    const struct peer *peer = &node->peers[id];
    return node_is_peer(node, id) && peer->alive && members_is_member(node, id) &&
           peer->links[PLANE_CHANNEL].state == LINK_WELCOMED;
}

/* --- channels --- */

bool peers_receive(struct node *node, node_id_t from, struct message *message)
{
    struct channel *channel = &node->peers[from].channel;
    switch (
        channel_receive(channel, node->config.incarnation, message, node->now_us, &node->clock)) {
    case CHANNEL_DELIVER:
        return true;
    case CHANNEL_ABSURD:
        node_reject(node, from, "its channel message acknowledges or numbers what cannot be");
        return false;
    case CHANNEL_ACK_ONLY:
    case CHANNEL_DUPLICATE:
    case CHANNEL_GAP:
    case CHANNEL_FOREIGN:
        break;
    }
    return false;
}

static int enqueue(struct node *node, node_id_t to, struct message *message, uint64_t after_seq)
{
    int error = channel_send(&node->peers[to].channel, message, after_seq, &node->clock);
    if (error)
        message_drop(&message);
    else
        node->peers[to].counted_sent += snapshot_counts(message->type);
    return error;
}

int peers_send(struct node *node, node_id_t to, struct message *message)
{
    return enqueue(node, to, message, 0);
}

int peers_send_durable(struct node *node, node_id_t to, struct message *message)
{
    return enqueue(node, to, message, outbox_durable_seq(&node->out));
}

void peers_send_control(struct node *node, node_id_t to, struct message *message)
{
    if (node->peers[to].links[PLANE_CONTROL].state == LINK_DOWN)
        message_drop(&message);
    else
        outbox_send_durable(&node->out, PLANE_CONTROL, to, message);
    if (MUTANT(vote_before_disk) && node->out.n)
        node->out.at[node->out.n - 1].after_seq = 0;
}

static void pump(struct node *node, node_id_t id)
{
    struct channel *channel = &node->peers[id].channel;
    struct message *message;
    uint64_t after_seq;
    while ((message = channel_next(channel, node->now_us, &after_seq))) {
        channel_stamp(channel, message, node->config.id, node->config.incarnation);
        outbox_send_after(&node->out, PLANE_CHANNEL, id, message_ref(message), after_seq);
    }
    if (!channel_ack_due(channel, node->now_us))
        return;
    message = message_new(MESSAGE_CHANNEL_ACK);
    message->as.channel_ack.gap = channel->gap;
    message->as.channel.clock = node->clock;
    channel_stamp(channel, message, node->config.id, node->config.incarnation);
    outbox_send(&node->out, PLANE_CHANNEL, id, message);
}

void peers_pump(struct node *node)
{
    for (node_id_t id = 1; id <= node->config.n_nodes; id++)
        if (node_is_peer(node, id))
            pump(node, id);
}

/* --- time --- */

static uint64_t greeting_patience_us(const struct node *node, const struct link *link)
{
    uint64_t first_us = HELLO_RETRY_MS * MS_US;
    if (first_us < node->config.election_timeout_us)
        first_us = node->config.election_timeout_us;
    return first_us << link->unanswered;
}

/* A greeted connection that nobody welcomes is of no use: the socket may have died for good (libzmq
 * refuses silently), or the peer knows a newer one. Or the peer is slow: so less and less often. */
static void check_greetings(struct node *node, node_id_t id)
{
    for (int plane = 0; plane < PLANE_COUNT; plane++) {
        struct link *link = &node->peers[id].links[plane];
        if (link->state != LINK_GREETED ||
            node->now_us < link->greeted_us + greeting_patience_us(node, link))
            continue;
        link->state = LINK_DOWN;
        link->unanswered += link->unanswered < HELLO_RETRY_DOUBLINGS;
        struct output *output = outbox_add(&node->out, OUTPUT_RELINK);
        output->relink.plane = (enum plane)plane;
        output->relink.peer = id;
    }
}

void peers_tick(struct node *node)
{
    for (node_id_t id = 1; id <= node->config.n_nodes; id++) {
        struct peer *peer = &node->peers[id];
        if (!node_is_peer(node, id))
            continue;
        check_greetings(node, id);
        channel_tick(&peer->channel, node->now_us);
        if (peer->alive && node->now_us >= peer->heard_us + node->config.election_timeout_us)
            declare_dead(node, id, "its heartbeats stopped", false);
    }
}

uint64_t peers_deadline(const struct node *node)
{
    /* Silence and greetings are looked at with every heartbeat of our own; only the channels are
     * finer. */
    uint64_t at = UINT64_MAX;
    for (node_id_t id = 1; id <= node->config.n_nodes; id++) {
        uint64_t due = channel_deadline(&node->peers[id].channel);
        at = due < at ? due : at;
    }
    return at;
}

void peers_clear(struct node *node)
{
    for (node_id_t id = 1; id <= node->config.n_nodes; id++) {
        channel_close(&node->peers[id].channel);
        message_drop(&node->peers[id].heartbeat);
        message_drop(&node->peers[id].slot.batch);
    }
}
