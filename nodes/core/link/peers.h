/* peers.h - who the other nodes are, whether they live, and our connections and channels to them.
 *
 * The door of the room. What a peer's life means to other rooms is none of this one's business: it
 * reports facts, which node.c hands on (node_settle()) after each call that may make some. */
#ifndef CONCLAVE_CORE_PEERS_H
#define CONCLAVE_CORE_PEERS_H

#include "nodes/core/link/channel.h"
#include "nodes/core/step/step.h"

/* Our connection to a peer on a plane:
 *   down --EVENT_LINK_UP, HELLO sent--> greeted --WELCOME--> welcomed
 *     ^___________________________________|____________________|  EVENT_LINK_DOWN, or no WELCOME
 *                                                                 in time */
enum link_state { LINK_DOWN, LINK_GREETED, LINK_WELCOMED };

struct link {
    enum link_state state;
    uint64_t connection; /* counts our connections on this plane */
    uint64_t greeted_us;
    unsigned unanswered;      /* HELLOs in a row that nobody welcomed */
    incarnation_t heard_from; /* the incarnation of the peer's last HELLO on this plane; 0: none */
    uint64_t heard_connection;
};

struct peer {
    incarnation_t incarnation; /* 0: never met */
    struct link links[PLANE_COUNT];
    struct channel channel;
    uint64_t counted_sent,
        counted_received; /* messages of this channel that snapshots account for */
    bool alive;           /* its heartbeats arrive, and no disconnect came after them */
    bool excused;         /* it announced that it stops: no operation is to blame for its end */
    uint64_t heard_us;    /* the last heartbeat */
    uint64_t follows_us;  /* the last one that said it follows us in our term */
    bool begins;          /* that was the first one that did */
    uint64_t distrust_until_us; /* after a disconnect: heartbeats up to here may be leftovers */
    struct message *heartbeat;  /* the last one; NULL: none yet */
    uint64_t complained_us;     /* when the log last said that it is refused */
    uint64_t refused_us;        /* when it was last refused, and why */
    char refusal[REFUSAL_MAX];
};

enum link_fact_kind {
    LINK_LOST, /* a peer is dead, or out of reach; `died`: its process is gone, as far as we know */
    LINK_BACK, /* it lives, as the incarnation that it was; or its end is excused */
    LINK_MET,  /* it lives again, or is met for the first time */
    LINK_GONE, /* its connection closed, or it said that it ends: a hint for elections */
    LINK_OPEN  /* its checkpoint plane takes messages from now on */
};

struct link_fact {
    enum link_fact_kind kind;
    node_id_t node;
    bool died;
};

struct link_facts {
    struct link_fact *at; /* in their order; owned */
    size_t n, size;
};

/* Zero-initialize, then set step. */
struct links {
    struct step *step;
    uint64_t clock;                   /* Lamport */
    struct peer peers[NODES_MAX + 1]; /* by id; our own and 0 unused */
    struct link_facts facts;          /* not handed on yet */
};

/* The oldest fact that was not handed on; false: all were. */
bool peers_take_fact(struct links *links, struct link_fact *fact);

/* --- connections --- */

void peers_link_up(struct links *links, enum plane plane, node_id_t peer);
void peers_link_down(struct links *links, enum plane plane, node_id_t peer);

/* Another incarnation of the node than this one is heard, and our connection to it stands. */
bool peers_is_doubled(const struct links *links, node_id_t peer, incarnation_t incarnation);

/* A peer is heard as this incarnation: first its former incarnation ends, if it had one, then
 * it is met. */
void peers_end_life(struct links *links, node_id_t peer, incarnation_t incarnation);
void peers_meet(struct links *links, node_id_t peer, incarnation_t incarnation);

/* A HELLO of a peer that was met. */
void peers_hello(struct links *links, node_id_t from, const struct wire_hello *hello);

/* True when the WELCOME answers a connection that there is; takes it, from a peer that was met. */
bool peers_is_ours(const struct links *links, node_id_t from, const struct wire_welcome *welcome);
void peers_welcome(struct links *links, node_id_t from, const struct wire_welcome *welcome);

/* A peer ends, deliberately or by an injected failure. */
void peers_goodbye(struct links *links, node_id_t from, const struct wire_goodbye *goodbye);

/* We end: says so to all that are connected. */
void peers_say_goodbye(struct links *links, bool injected);

/* What a process is told whose id is that of a living peer, which peers_is_doubled() has said of
 * it: who has the id. Caller drops. */
struct message *peers_refused(const struct links *links, node_id_t peer);

/* A peer's heartbeat: notes its life and its numbers. False: it is of another incarnation, or
 * a leftover. */
bool peers_heartbeat(struct links *links, node_id_t from, struct message *heartbeat);

/* Its last heartbeat says that it follows us, in our term. */
bool peers_follows(const struct links *links, node_id_t id);

#define PEERS_FOREIGN "it belongs to another cluster"

/* What it sent is dropped, and why: the log says so once in a while, status as long as
 * it goes on. */
void peers_complain(struct links *links, node_id_t from, const char *what);

/* Why a process of that id is refused now; empty: none is. Borrowed. */
const char *peers_refusal(const struct links *links, node_id_t id);

/* --- messages --- */

/* Takes a channel message in; true when it is to be processed now. */
bool peers_receive(struct links *links, node_id_t from, struct message *message);

/* Queues a message for a peer's channel (takes it). ERR_UNAVAILABLE or ERR_FULL: it was dropped. */
int peers_send(struct links *links, node_id_t to, struct message *message);

/* The same for a message that must not leave before all that is written so far, in this step too,
 * is durable. What is queued after it waits with it. */
int peers_send_durable(struct links *links, node_id_t to, struct message *message);

/* Sends a message on the control plane, if there is a connection, once all that is written is
 * durable (takes it). */
void peers_send_control(struct links *links, node_id_t to, struct message *message);

/* --- the room --- */

/* Suspects the silent, repeats unanswered HELLOs, keeps the channels going. */
void links_tick(struct links *links);

static inline void links_pump(struct links *links)
{
    (void)links; /* what the rooms above queue has to come first: links_send() */
}

/* Puts on the bus what the channels have to send. */
void links_send(struct links *links);

uint64_t links_deadline(const struct links *links);

/* True when it is alive and its channel takes messages. */
bool peers_is_linked(const struct links *links, node_id_t peer);

/* After a stop of our own: nobody is blamed for silence that we did not listen to. */
void peers_forgive(struct links *links);

void links_clear(struct links *links);
void links_check_invariants(const struct links *links);

#endif
