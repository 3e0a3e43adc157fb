/* feed_order.c - what is new in the feed, and what is missing. */
#include "clients/show/feed.h"
#include "shared/base/error.h"

int feed_origin(const struct message *message, struct feed_origin *out)
{
    const struct wire_heartbeat *beat = &message->as.heartbeat;
    const struct wire_event *event = &message->as.event;
    if (message->type == MESSAGE_HEARTBEAT)
        *out = (struct feed_origin){(node_id_t)beat->node, beat->incarnation, beat->seq,
                                    beat->time_ms, beat->term};
    else if (message->type == MESSAGE_EVENT)
        *out = (struct feed_origin){(node_id_t)event->node, event->incarnation, event->seq,
                                    event->time_ms, event->term};
    else
        return ERR_MALFORMED;
    return out->node >= 1 && out->node <= NODES_MAX ? OK : ERR_MALFORMED;
}

int feed_hear(struct feed *feed, const struct feed_origin *origin, uint64_t *missed)
{
    *missed = 0;
    bool known =
        feed->nodes[origin->node].incarnation == origin->incarnation && origin->incarnation;
    if (!known && origin->incarnation == feed->nodes[origin->node].before && origin->incarnation)
        return ERR_STALE;
    if (known && origin->seq <= feed->nodes[origin->node].seq)
        return ERR_STALE;
    if (known)
        *missed = origin->seq - feed->nodes[origin->node].seq - 1;
    else
        feed->nodes[origin->node].before = feed->nodes[origin->node].incarnation;
    feed->nodes[origin->node].incarnation = origin->incarnation;
    feed->nodes[origin->node].seq = origin->seq;
    return OK;
}
