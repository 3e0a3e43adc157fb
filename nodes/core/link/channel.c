#include "nodes/core/link/channel.h"

#include <assert.h>

#include "shared/base/error.h"
#include "shared/base/mutant.h"

static struct channel_entry *queued(const struct channel *channel, size_t i)
{
    return ring_at(&channel->queue, i);
}

static void pop(struct channel *channel)
{
    message_drop(&queued(channel, 0)->message);
    ring_pop(&channel->queue);
    if (channel->sent)
        channel->sent--;
    channel->acked++;
}

void channel_close(struct channel *channel)
{
    while (channel->queue.n)
        pop(channel);
    ring_clear(&channel->queue);
    *channel = (struct channel){0};
}

void channel_open(struct channel *channel, incarnation_t peer)
{
    channel_close(channel);
    channel->peer = peer;
}

/* Takes a cumulative acknowledgement in; false when it is of something never sent. */
static bool acknowledge(struct channel *channel, uint64_t ack, uint64_t now_us)
{
    if (ack > channel->acked + channel->queue.n)
        return false;
    bool moved = ack > channel->acked;
    while (channel->acked < ack)
        pop(channel);
    if (moved)
        channel->resend_at_us = channel->sent ? now_us + CHANNEL_RESEND_US : 0;
    return true;
}

void channel_linked(struct channel *channel, uint64_t last_delivered)
{
    acknowledge(channel, last_delivered, 0);
    channel->linked = true;
    channel->sent = 0;
    channel->resend_at_us = 0;
}

void channel_unlinked(struct channel *channel)
{
    channel->linked = false;
    channel->sent = 0;
    channel->resend_at_us = 0;
}

/* A known bug: the last message and the one before change places. */
static void overtake(struct channel *channel)
{
    struct channel_entry *last = queued(channel, channel->queue.n - 1),
                         *before = queued(channel, channel->queue.n - 2), entry = *last;
    *last = *before;
    *before = entry;
    last->message->as.channel.seq++;
    before->message->as.channel.seq--;
}

int channel_send(struct channel *channel, struct message *message, uint64_t after_seq,
                 uint64_t *clock)
{
    if (!channel->peer)
        return ERR_UNAVAILABLE;
    if (channel->queue.n == CHANNEL_QUEUE_MAX)
        return ERR_FULL;
    ring_push(&channel->queue, &(struct channel_entry){message, after_seq},
              sizeof(struct channel_entry));
    message->as.channel.seq = channel->acked + channel->queue.n;
    message->as.channel.clock = ++*clock;
    if (MUTANT(marker_overtakes) && message->type == MESSAGE_MARKER &&
        channel->queue.n >= channel->sent + 2)
        overtake(channel);
    return OK;
}

bool channel_has_room(const struct channel *channel)
{
    return channel->peer && channel->queue.n < CHANNEL_QUEUE_MAX;
}

void channel_stamp(struct channel *channel, struct message *message, node_id_t self,
                   incarnation_t incarnation)
{
    message->as.channel.src = self;
    message->as.channel.src_incarnation = incarnation;
    message->as.channel.dst_incarnation = channel->peer;
    message->as.channel.ack = channel->acknowledged = channel->delivered;
    channel->ack_at_us = 0;
    channel->gap = false;
}

struct message *channel_next(struct channel *channel, uint64_t now_us, uint64_t *after_seq)
{
    if (!channel->linked || channel->sent == channel->queue.n || channel->sent >= CHANNEL_WINDOW)
        return NULL;
    if (!channel->resend_at_us)
        channel->resend_at_us = now_us + CHANNEL_RESEND_US;
    const struct channel_entry *entry = queued(channel, channel->sent++);
    *after_seq = entry->after_seq;
    return entry->message;
}

static void owe_ack(struct channel *channel, uint64_t at_us)
{
    if (!channel->ack_at_us || at_us < channel->ack_at_us)
        channel->ack_at_us = at_us;
}

enum channel_verdict channel_receive(struct channel *channel, incarnation_t self,
                                     const struct message *message, uint64_t now_us,
                                     uint64_t *clock)
{
    const struct wire_channel *header = &message->as.channel;
    if (header->dst_incarnation != self || header->src_incarnation != channel->peer ||
        !channel->peer)
        return CHANNEL_FOREIGN;
    if (header->seq > channel->delivered + CHANNEL_SEQ_JUMP_MAX)
        return CHANNEL_OUT_OF_RANGE;
    if (!acknowledge(channel, header->ack, now_us))
        return CHANNEL_OUT_OF_RANGE;
    if (header->seq == 0) {
        bool gap = message->type == MESSAGE_CHANNEL_ACK && message->as.channel_ack.gap;
        if (gap && now_us >= channel->went_back_us + CHANNEL_ACK_DELAY_US) {
            channel->sent = 0;
            channel->went_back_us = now_us;
        }
        return CHANNEL_ACK_ONLY;
    }
    if (header->seq <= channel->delivered) {
        owe_ack(channel, now_us);
        return CHANNEL_DUPLICATE;
    }
    if (header->seq > channel->delivered + 1) {
        if (!channel->gap)
            owe_ack(channel, now_us);
        channel->gap = true;
        return CHANNEL_GAP;
    }
    channel->delivered++;
    /* Lamport 1978, rule IR2. */
    *clock =
        (header->clock > *clock && header->clock < UINT64_MAX / 2 ? header->clock : *clock) + 1;
    bool many = channel->delivered - channel->acknowledged >= CHANNEL_ACK_EVERY;
    owe_ack(channel, many ? now_us : now_us + CHANNEL_ACK_DELAY_US);
    return CHANNEL_DELIVER;
}

bool channel_ack_due(struct channel *channel, uint64_t now_us)
{
    return channel->linked && channel->ack_at_us && now_us >= channel->ack_at_us;
}

void channel_tick(struct channel *channel, uint64_t now_us)
{
    if (!channel->resend_at_us || now_us < channel->resend_at_us)
        return;
    channel->sent = 0;
    channel->resend_at_us = 0;
}

uint64_t channel_deadline(const struct channel *channel)
{
    uint64_t at = UINT64_MAX;
    if (channel->linked && channel->ack_at_us)
        at = channel->ack_at_us;
    if (channel->resend_at_us && channel->resend_at_us < at)
        at = channel->resend_at_us;
    return at;
}

void channel_check_invariants(const struct channel *channel)
{
    assert(channel->sent <= channel->queue.n);
    assert(channel->acknowledged <= channel->delivered);
    assert(channel->peer || (!channel->queue.n && !channel->delivered));
    for (size_t i = 0; i < channel->queue.n; i++)
        assert(queued(channel, i)->message->as.channel.seq == channel->acked + i + 1);
}

bool channel_counts(enum message_type type)
{
    switch (type) {
    case MESSAGE_MARKER:
    case MESSAGE_SNAPSHOT_REPORT:
    case MESSAGE_SNAPSHOT_END:
    case MESSAGE_CHANNEL_ACK:
        return false;
    default:
        return true;
    }
}
