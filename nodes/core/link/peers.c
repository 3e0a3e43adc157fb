#include "nodes/core/link/peers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define COMPLAINT_US     (10 * SECOND_US)
#define REFUSAL_SHOWN_US (3 * SECOND_US) /* several heartbeats, of any sane configuration */

/* --- facts --- */

static void report(struct links *links, enum link_fact_kind kind, node_id_t id, bool flag)
{
    struct link_facts *facts = &links->facts;
    if (facts->n == facts->size) {
        facts->size = facts->size ? 2 * facts->size : 16;
        facts->at = mem_grow(facts->at, facts->size, sizeof *facts->at);
    }
    facts->at[facts->n++] = (struct link_fact){kind, id, flag};
}

bool peers_take_fact(struct links *links, struct link_fact *fact)
{
    struct link_facts *facts = &links->facts;
    if (!facts->n)
        return false;
    *fact = facts->at[0];
    memmove(facts->at, facts->at + 1, --facts->n * sizeof *fact);
    return true;
}

/* --- life and death --- */

/* `died`: its process is gone, as far as we can tell; else it may only be out of reach. */
static void declare_dead(struct links *links, node_id_t id, const char *why, bool died)
{
    struct peer *peer = &links->peers[id];
    if (peer->alive && step_coordinates(links->step))
        step_event(links->step, "node_suspected", id, JOB_NONE, "node %u is suspected: %s", id,
                   why);
    peer->alive = false;
    report(links, LINK_LOST, id, died);
}

static void declare_alive(struct links *links, node_id_t id)
{
    struct peer *peer = &links->peers[id];
    if (!peer->alive && step_coordinates(links->step))
        step_event(links->step, "node_up", id, JOB_NONE, "node %u is up", id);
    if (!peer->alive)
        report(links, LINK_BACK, id, false);
    peer->alive = true;
}

void peers_end_life(struct links *links, node_id_t id, incarnation_t incarnation)
{
    if (links->peers[id].incarnation && links->peers[id].incarnation != incarnation)
        declare_dead(links, id, "it was started again", true);
}

void peers_meet(struct links *links, node_id_t id, incarnation_t incarnation)
{
    struct peer *peer = &links->peers[id];
    if (peer->incarnation == incarnation)
        return;
    peer->incarnation = incarnation;
    peer->excused = false;
    peer->distrust_until_us = 0; /* leftovers are of the old life: this one is used at once */
    channel_open(&peer->channel, incarnation);
    peer->counted_sent = peer->counted_received = 0;
    message_drop(&peer->heartbeat);
    /* A connection that its former life had welcomed is not welcomed by this one. */
    for (int plane = 0; plane < PLANE_COUNT; plane++)
        if (peer->links[plane].state == LINK_WELCOMED)
            peer->links[plane].state = LINK_GREETED;
    report(links, LINK_MET, id, false);
}

/* --- connections --- */

static void send_welcome(struct links *links, enum plane plane, node_id_t id)
{
    struct peer *peer = &links->peers[id];
    struct link *link = &peer->links[plane];
    if (link->state == LINK_DOWN || !link->heard_from)
        return; /* it is sent behind our own HELLO, when the connection is made */
    struct message *message = message_new(MESSAGE_WELCOME);
    message->as.welcome = (struct wire_welcome){
        .plane = plane,
        .src = links->step->config.id,
        .incarnation = links->step->config.incarnation,
        .dst_incarnation = link->heard_from,
        .connection = link->heard_connection,
        .last_delivered = plane == PLANE_CHANNEL ? peer->channel.delivered : 0,
    };
    outbox_send(&links->step->out, plane, id, message);
}

void peers_link_up(struct links *links, enum plane plane, node_id_t id)
{
    struct link *link = &links->peers[id].links[plane];
    link->state = LINK_GREETED;
    link->greeted_us = links->step->now_us;
    link->connection++;
    struct message *message = message_new(MESSAGE_HELLO);
    message->as.hello = (struct wire_hello){
        .cluster = message_text(message, links->step->config.cluster),
        .plane = plane,
        .src = links->step->config.id,
        .incarnation = links->step->config.incarnation,
        .dst = id,
        .connection = link->connection,
        .version = message_text(message, links->step->config.version),
        .cluster_id = message_copy(message, step_cluster_id(links->step)),
        .birth = links->step->birth,
        .nodes = links->step->config.n_nodes,
        .voters = links->step->config.n_voters,
    };
    outbox_send(&links->step->out, plane, id, message);
    send_welcome(links, plane, id);
}

void peers_link_down(struct links *links, enum plane plane, node_id_t id)
{
    struct peer *peer = &links->peers[id];
    if (peer->links[plane].state == LINK_DOWN)
        return;
    peer->links[plane].state = LINK_DOWN;
    if (plane == PLANE_CHANNEL)
        channel_unlinked(&peer->channel);
    if (plane != PLANE_CHANNEL && plane != PLANE_CONTROL)
        return;
    peer->distrust_until_us = links->step->now_us + 2 * links->step->config.heartbeat_us;
    declare_dead(links, id, "its connection closed", true);
    if (plane == PLANE_CONTROL)
        report(links, LINK_GONE, id, false);
}

bool peers_is_doubled(const struct links *links, node_id_t id, incarnation_t incarnation)
{
    const struct peer *peer = &links->peers[id];
    return !MUTANT(doubled_is_believed) && peer->incarnation && peer->incarnation != incarnation &&
           peer->alive && peer->heartbeat && peer->links[PLANE_CONTROL].state == LINK_WELCOMED &&
           links->step->now_us < peer->heard_us + links->step->config.election_timeout_us;
}

void peers_hello(struct links *links, node_id_t from, const struct wire_hello *hello)
{
    struct link *link = &links->peers[from].links[hello->plane];
    link->heard_from = hello->incarnation;
    link->heard_connection = hello->connection;
    send_welcome(links, (enum plane)hello->plane, from);
}

bool peers_is_ours(const struct links *links, node_id_t from, const struct wire_welcome *welcome)
{
    const struct link *link = &links->peers[from].links[welcome->plane];
    return welcome->dst_incarnation == links->step->config.incarnation &&
           welcome->connection == link->connection && link->state != LINK_DOWN;
}

void peers_welcome(struct links *links, node_id_t from, const struct wire_welcome *welcome)
{
    struct peer *peer = &links->peers[from];
    struct link *link = &peer->links[welcome->plane];
    link->state = LINK_WELCOMED;
    link->unanswered = 0;
    if (welcome->plane == PLANE_CHANNEL)
        channel_linked(&peer->channel, welcome->last_delivered);
    if (welcome->plane == PLANE_CHECKPOINT)
        report(links, LINK_OPEN, from, false);
}

void peers_goodbye(struct links *links, node_id_t from, const struct wire_goodbye *goodbye)
{
    struct peer *peer = &links->peers[from];
    if (peer->incarnation != goodbye->incarnation)
        return;
    peer->excused = true;
    report(links, LINK_BACK, from, false); /* should its end have been noticed before */
    if (goodbye->injected)
        return; /* its end is there to be noticed */
    peer->distrust_until_us = links->step->now_us + 2 * links->step->config.heartbeat_us;
    declare_dead(links, from, "it said goodbye", false);
    report(links, LINK_GONE, from, false);
}

void peers_say_goodbye(struct links *links, bool injected)
{
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        if (!step_is_peer(links->step, id) ||
            links->peers[id].links[PLANE_CONTROL].state == LINK_DOWN)
            continue;
        struct message *message = message_new(MESSAGE_GOODBYE);
        message->as.goodbye.incarnation = links->step->config.incarnation;
        message->as.goodbye.injected = injected;
        outbox_send(&links->step->out, PLANE_CONTROL, id, message);
    }
}

struct message *peers_refused(const struct links *links, node_id_t id)
{
    const struct peer *peer = &links->peers[id];
    const struct wire_heartbeat *heartbeat = &peer->heartbeat->as.heartbeat;
    struct message *message = message_new(MESSAGE_REFUSED);
    message->as.refused = (struct wire_refused){.plane = PLANE_CONTROL,
                                                .src = links->step->config.id,
                                                .incarnation = peer->incarnation,
                                                .host = message_copy(message, heartbeat->host),
                                                .pid = heartbeat->pid};
    return message;
}

/* --- heartbeats --- */

bool peers_heartbeat(struct links *links, node_id_t from, struct message *message)
{
    const struct wire_heartbeat *heartbeat = &message->as.heartbeat;
    struct peer *peer = &links->peers[from];
    if (peer->incarnation && peer->incarnation != heartbeat->incarnation)
        return false; /* a leftover, or a new life that has not said HELLO yet */
    if (!peer->incarnation || links->step->now_us < peer->distrust_until_us)
        return false;
    message_drop(&peer->heartbeat);
    peer->heartbeat = message_ref(message);
    peer->heard_us = links->step->now_us;
    if (heartbeat->term == links->step->term && heartbeat->coordinator == links->step->config.id)
        peer->follows_us = links->step->now_us;
    declare_alive(links, from);
    return true;
}

void peers_forgive(struct links *links)
{
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        struct peer *peer = &links->peers[id];
        if (peer->alive)
            peer->heard_us = peer->follows_us = links->step->now_us;
        for (int plane = 0; plane < PLANE_COUNT; plane++)
            peer->links[plane].greeted_us = links->step->now_us;
    }
}

bool peers_is_linked(const struct links *links, node_id_t id)
{
    const struct peer *peer = &links->peers[id];
    return step_is_peer(links->step, id) && peer->alive &&
           peer->links[PLANE_CHANNEL].state == LINK_WELCOMED;
}

void peers_complain(struct links *links, node_id_t from, const char *what)
{
    struct peer *peer = &links->peers[from];
    uint64_t now_us = links->step->now_us;
    links->step->rejected_here++;
    peer->refused_us = now_us;
    text_format(peer->refusal, sizeof peer->refusal, "%s", what);
    if (peer->complained_us && now_us < peer->complained_us + COMPLAINT_US)
        return;
    peer->complained_us = now_us;
    outbox_log(&links->step->out, LOG_WARN, "refuses node %u: %s", from, what);
}

const char *peers_refusal(const struct links *links, node_id_t id)
{
    const struct peer *peer = &links->peers[id];
    bool now = peer->refused_us && links->step->now_us < peer->refused_us + REFUSAL_SHOWN_US;
    return now ? peer->refusal : "";
}

/* --- channels --- */

bool peers_receive(struct links *links, node_id_t from, struct message *message)
{
    struct channel *channel = &links->peers[from].channel;
    switch (channel_receive(channel, links->step->config.incarnation, message, links->step->now_us,
                            &links->clock)) {
    case CHANNEL_DELIVER:
        return true;
    case CHANNEL_OUT_OF_RANGE:
        step_reject(links->step, from,
                    "its channel message acknowledges or numbers what cannot be");
        return false;
    case CHANNEL_ACK_ONLY:
    case CHANNEL_DUPLICATE:
    case CHANNEL_GAP:
    case CHANNEL_FOREIGN:
        break;
    }
    return false;
}

static int enqueue(struct links *links, node_id_t to, struct message *message, uint64_t after_seq)
{
    int error = channel_send(&links->peers[to].channel, message, after_seq, &links->clock);
    if (error)
        message_drop(&message);
    else
        links->peers[to].counted_sent += channel_counts(message->type);
    return error;
}

int peers_send(struct links *links, node_id_t to, struct message *message)
{
    return enqueue(links, to, message, 0);
}

int peers_send_durable(struct links *links, node_id_t to, struct message *message)
{
    return enqueue(links, to, message, outbox_durable_seq(&links->step->out));
}

void peers_send_control(struct links *links, node_id_t to, struct message *message)
{
    if (links->peers[to].links[PLANE_CONTROL].state == LINK_DOWN)
        message_drop(&message);
    else
        outbox_send_durable(&links->step->out, PLANE_CONTROL, to, message);
    if (MUTANT(vote_before_disk) && links->step->out.n)
        links->step->out.at[links->step->out.n - 1].after_seq = 0;
}

static void pump(struct links *links, node_id_t id)
{
    struct channel *channel = &links->peers[id].channel;
    struct message *message;
    uint64_t after_seq;
    while ((message = channel_next(channel, links->step->now_us, &after_seq))) {
        channel_stamp(channel, message, links->step->config.id, links->step->config.incarnation);
        outbox_send_after(&links->step->out, PLANE_CHANNEL, id, message_ref(message), after_seq);
    }
    if (!channel_ack_due(channel, links->step->now_us))
        return;
    message = message_new(MESSAGE_CHANNEL_ACK);
    message->as.channel_ack.gap = channel->gap;
    message->as.channel.clock = links->clock;
    channel_stamp(channel, message, links->step->config.id, links->step->config.incarnation);
    outbox_send(&links->step->out, PLANE_CHANNEL, id, message);
}

void links_send(struct links *links)
{
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++)
        if (step_is_peer(links->step, id))
            pump(links, id);
}

/* --- time --- */

static uint64_t greeting_patience_us(const struct links *links, const struct link *link)
{
    uint64_t first_us = HELLO_RETRY_MS * MS_US;
    if (first_us < links->step->config.election_timeout_us)
        first_us = links->step->config.election_timeout_us;
    return first_us << link->unanswered;
}

/* A greeted connection that nobody welcomes is of no use: the socket may have died for good (libzmq
 * refuses silently), or the peer knows a newer one. Or the peer is slow: so less and less often. */
static void check_greetings(struct links *links, node_id_t id)
{
    for (int plane = 0; plane < PLANE_COUNT; plane++) {
        struct link *link = &links->peers[id].links[plane];
        if (link->state != LINK_GREETED ||
            links->step->now_us < link->greeted_us + greeting_patience_us(links, link))
            continue;
        link->state = LINK_DOWN;
        link->unanswered += link->unanswered < HELLO_RETRY_DOUBLINGS;
        struct output *output = outbox_add(&links->step->out, OUTPUT_RELINK);
        output->relink.plane = (enum plane)plane;
        output->relink.peer = id;
    }
}

void links_tick(struct links *links)
{
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        struct peer *peer = &links->peers[id];
        if (!step_is_peer(links->step, id))
            continue;
        check_greetings(links, id);
        channel_tick(&peer->channel, links->step->now_us);
        if (peer->alive &&
            links->step->now_us >= peer->heard_us + links->step->config.election_timeout_us)
            declare_dead(links, id, "its heartbeats stopped", false);
    }
}

uint64_t links_deadline(const struct links *links)
{
    /* Silence is only watched, with every heartbeat of our own. */
    uint64_t at = UINT64_MAX;
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        const struct peer *peer = &links->peers[id];
        uint64_t due = channel_deadline(&peer->channel);
        at = due < at ? due : at;
        for (int plane = 0; plane < PLANE_COUNT; plane++) {
            const struct link *link = &peer->links[plane];
            due = link->greeted_us + greeting_patience_us(links, link);
            at = link->state == LINK_GREETED && due < at ? due : at;
        }
    }
    return at;
}

void links_clear(struct links *links)
{
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        channel_close(&links->peers[id].channel);
        message_drop(&links->peers[id].heartbeat);
    }
    free(links->facts.at);
    links->facts = (struct link_facts){0};
}

void links_check_invariants(const struct links *links)
{
    assert(!links->facts.n);
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        const struct peer *peer = &links->peers[id];
        channel_check_invariants(&peer->channel);
        assert(step_is_peer(links->step, id) || !peer->incarnation);
        assert(peer->channel.peer == peer->incarnation); /* a life has one channel */
        assert(!peer->alive || (peer->incarnation && peer->heartbeat));
        assert(!peer->channel.linked || peer->links[PLANE_CHANNEL].state == LINK_WELCOMED);
    }
}
