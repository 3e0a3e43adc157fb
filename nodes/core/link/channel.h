/* channel.h - the logical FIFO link between one incarnation of this node and one of a peer:
 * gap-free, duplicate-free, by sequence, cumulative acknowledgement and going back, over whatever
 * the bus loses.
 *
 *   closed --channel_open(incarnation)--> open (link down) <--channel_link(up)--> open (link up)
 *
 * A new incarnation of the peer begins a new channel; what was in the old one is
 * dropped with it. */
#ifndef CONCLAVE_CORE_CHANNEL_H
#define CONCLAVE_CORE_CHANNEL_H

#include "shared/base/ring.h"
#include "shared/wire/message.h"

/* A message that waits for its turn, or for its acknowledgement. */
struct channel_entry {
    struct message *message; /* owned */
    uint64_t after_seq;      /* the persist sequence that must be durable before it may leave */
};

/* Zero-initialize: closed. */
struct channel {
    incarnation_t peer; /* 0: closed */
    bool linked;        /* our connection is welcomed: messages may go out */

    uint64_t acked;        /* the peer has everything up to here */
    struct ring queue;     /* of struct channel_entry: messages acked + 1, acked + 2, ... */
    size_t sent;           /* how many of the queued ones are on their way */
    uint64_t resend_at_us; /* 0: nothing is on its way */
    uint64_t went_back_us; /* when a gap last made it go back: once is enough for all that is in
                              flight */

    uint64_t delivered;    /* we have everything up to here */
    uint64_t acknowledged; /* as our last acknowledgement said */
    uint64_t ack_at_us;    /* when to send a pure one; 0: none is owed */
    bool gap;              /* the one owed says that something is missing */
};

/* What to do with a message that came in. */
enum channel_verdict {
    CHANNEL_DELIVER,     /* process it now */
    CHANNEL_ACK_ONLY,    /* it carried only an acknowledgement */
    CHANNEL_DUPLICATE,   /* delivered before */
    CHANNEL_GAP,         /* one before it is missing: drop, the peer will go back */
    CHANNEL_FOREIGN,     /* of or for another incarnation: drop */
    CHANNEL_OUT_OF_RANGE /* acknowledges what was never sent, or jumps too far: drop and count */
};

/* Begins a new channel with an incarnation of the peer, dropping the old one's messages. */
void channel_open(struct channel *channel, incarnation_t peer);

/* The peer welcomed our connection and has everything up to last_delivered: the rest goes out
 * again. */
void channel_linked(struct channel *channel, uint64_t last_delivered);

/* Our connection is gone; messages wait. */
void channel_unlinked(struct channel *channel);

/* Queues a message (takes it) and gives it its sequence; `after_seq` comes back with it, 0: it
 * waits for nothing. ERR_UNAVAILABLE when closed, ERR_FULL beyond CHANNEL_QUEUE_MAX: then the
 * caller keeps it. */
int channel_send(struct channel *channel, struct message *message, uint64_t after_seq,
                 uint64_t *clock);

/* True when channel_send() would take a message. */
bool channel_has_room(const struct channel *channel);

/* The next message to put on the bus (borrows), once *after_seq is durable; what follows must not
 * overtake it. NULL when none may go now. */
struct message *channel_next(struct channel *channel, uint64_t now_us, uint64_t *after_seq);

/* Judges a message by its header and takes its acknowledgement in. */
enum channel_verdict channel_receive(struct channel *channel, incarnation_t self,
                                     const struct message *message, uint64_t now_us,
                                     uint64_t *clock);

/* True when a pure acknowledgement is due: fill *message's header from it and send it. */
bool channel_ack_due(struct channel *channel, uint64_t now_us);

/* Goes back to the oldest unacknowledged message when it has waited too long. */
void channel_tick(struct channel *channel, uint64_t now_us);

/* When channel_tick() or channel_ack_due() has something to do next; UINT64_MAX: never. */
uint64_t channel_deadline(const struct channel *channel);

/* Fills the header of a message for this channel, but for its sequence. */
void channel_stamp(struct channel *channel, struct message *message, node_id_t self,
                   incarnation_t incarnation);

/* True for what a snapshot accounts for: not markers, reports and acknowledgements. */
bool channel_counts(enum message_type type);

void channel_close(struct channel *channel);
void channel_check_invariants(const struct channel *channel);

#endif
