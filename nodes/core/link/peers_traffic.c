/* Messages to and from peers: channels, and the control plane. */
#include "nodes/core/link/peers_internal.h"
#include "shared/base/mutant.h"

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
                    "its channel message has an acknowledgement or a sequence out of range");
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

/* --- sending --- */

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
