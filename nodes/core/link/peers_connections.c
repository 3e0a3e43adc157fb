/* Connections to peers: HELLO and WELCOME, ends that are said and those that are noticed. */
#include "nodes/core/link/peers_internal.h"
#include "shared/base/mutant.h"

/* --- opening --- */

static void send_welcome(struct links *links, enum plane plane, node_id_t id)
{
    struct peer *peer = &links->peers[id];
    struct link *link = &peer->links[plane];
    if (link->state == LINK_DOWN || !link->heard_from)
        return; /* it is sent after our own HELLO, when the connection is made */
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
        .voters = step_is_founded(links->step) || !links->step->config.voters_open
                      ? links->step->config.n_voters
                      : 0, /* as many as the cluster that it finds has */
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
    peers_declare_dead(links, id, "its connection closed", true);
    if (plane == PLANE_CONTROL)
        peers_report(links, LINK_GONE, id, false);
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
        peers_report(links, LINK_OPEN, from, false);
}

/* --- ending --- */

void peers_goodbye(struct links *links, node_id_t from, const struct wire_goodbye *goodbye)
{
    struct peer *peer = &links->peers[from];
    if (peer->incarnation != goodbye->incarnation)
        return;
    peer->excused = true;
    peers_report(links, LINK_BACK, from, false); /* should its end have been noticed before */
    if (goodbye->injected)
        return; /* its end is there to be noticed */
    peer->distrust_until_us = links->step->now_us + 2 * links->step->config.heartbeat_us;
    peers_declare_dead(links, from, "it announced that it stops", false);
    peers_report(links, LINK_GONE, from, false);
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

/* --- greetings that nobody answers --- */

static uint64_t greeting_patience_us(const struct links *links, const struct link *link)
{
    uint64_t first_us = HELLO_RETRY_MS * MS_US;
    if (first_us < links->step->config.election_timeout_us)
        first_us = links->step->config.election_timeout_us;
    return first_us << link->unanswered;
}

/* A greeted connection that nobody welcomes is of no use: the socket may have died for good (libzmq
 * refuses silently), or the peer knows a newer one. Or the peer is slow: so less and less often. */
void peers_check_greetings(struct links *links, node_id_t id)
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

uint64_t peers_greetings_deadline(const struct links *links, node_id_t id)
{
    uint64_t at = UINT64_MAX;
    for (int plane = 0; plane < PLANE_COUNT; plane++) {
        const struct link *link = &links->peers[id].links[plane];
        if (link->state == LINK_GREETED)
            at = earlier_us(at, link->greeted_us + greeting_patience_us(links, link));
    }
    return at;
}
