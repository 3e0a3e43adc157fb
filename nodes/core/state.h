/* state.h - the state of a node, shared by the files of nodes/core and by nobody else. */
#ifndef CONCLAVE_CORE_STATE_H
#define CONCLAVE_CORE_STATE_H

#include "nodes/core/channel.h"
#include "nodes/core/jobs.h"
#include "nodes/core/outbox.h"
#include "shared/base/map.h"

/* --- peers --- */

/* Our connection to a peer on a plane:
 *   down --EVENT_LINK_UP, HELLO sent--> greeted --WELCOME--> welcomed; EVENT_LINK_DOWN or no
 * WELCOME in time: down */
enum link_state { LINK_DOWN, LINK_GREETED, LINK_WELCOMED };

struct link {
    enum link_state state;
    uint64_t connection; /* counts our connections on this plane */
    uint64_t greeted_us;
    incarnation_t heard_from; /* the incarnation of the peer's last HELLO on this plane; 0: none */
    uint64_t heard_connection;
};

/* What the coordinator gives to a worker and gets back. */
struct worker_slot {
    uint64_t outstanding; /* units assigned and not returned */
    uint64_t unit_us;     /* measured pace: moving average of the time a unit takes; 0: unknown */
    uint64_t last_pick;   /* when it was last chosen, in picks */
    uint64_t operations;  /* accepted from it in this reign */
    uint64_t conversions;
    struct message *batch; /* the task message being filled; NULL: none */
    size_t batch_bytes;
};

struct peer {
    incarnation_t incarnation; /* 0: never met */
    struct link links[PLANE_COUNT];
    struct channel channel;
    bool alive;                 /* its heartbeats arrive, and no disconnect came after them */
    uint64_t heard_us;          /* the last heartbeat */
    uint64_t follows_us;        /* the last one that said it follows us in our term */
    uint64_t distrust_until_us; /* after a disconnect: heartbeats up to here may be leftovers */
    struct message *heartbeat;  /* the last one; NULL: none yet */
    struct worker_slot slot;
};

/* --- election: follower -> pre-candidate -> candidate -> coordinator -> follower --- */

enum role { ROLE_FOLLOWER, ROLE_PRE_CANDIDATE, ROLE_CANDIDATE, ROLE_COORDINATOR };

struct election {
    enum role role;
    term_t term;
    node_id_t vote;
    node_id_t coordinator; /* whom we follow, or ourselves; NODE_NONE */
    bool voted_for_us[NODES_MAX + 1];
    uint64_t timeout_us; /* when a voter that hears nothing starts a pre-vote */
    uint64_t contact_us; /* the last contact with the coordinator */
    bool lost;           /* its connection closed: a hint that it died */
    unsigned retries;    /* quick pre-votes left after that hint */
    uint64_t began_us;   /* when this role began */
    bool serving;        /* coordinator whose first entry is committed */
};

/* --- log --- */

/* An entry that is not yet durable. */
struct proposal {
    log_index_t index;
    term_t term;
    uint64_t seq;
    struct message *entry;
};

struct journal {
    log_index_t last_index;
    term_t last_term;
    log_index_t applied; /* committed and applied; an entry commits on this node's own disk */
    struct proposal *pending;
    size_t n_pending, pending_size;
};

/* --- requests that wait --- */

struct waiter {
    uint64_t client, request;
    job_id_t job;         /* answered when it is finished ... */
    log_index_t index;    /* ... or, for a submit, when this entry is applied */
    uint64_t deadline_us; /* long poll: answer at the latest then */
};

struct waiters {
    struct waiter *at;
    size_t n, size;
};

/* --- scheduling (schedule.h) and working (worker.h) --- */

struct run;
struct work;

struct schedule {
    struct map items;    /* (job, op) -> struct item: operations in the frontier */
    uint64_t picks;      /* counts choices of a worker */
    uint64_t operations; /* accepted in this reign */
    uint64_t reassigned;
    struct job *active[ACTIVE_JOBS_MAX]; /* jobs being scheduled */
    size_t n_active, turn;               /* whose turn it is to have an operation assigned */
    job_id_t cursor;                     /* jobs up to here were taken up, or are finished */
};

struct worker {
    term_t term; /* of the coordinator whose tasks these are */
    struct work *first, *last;
    uint64_t queued;    /* operations waiting or executing */
    unsigned computing; /* of these, at the compute thread */
    uint64_t abandoned; /* still at the compute thread, but nobody waits for them */
    struct map held;    /* values kept here for others: (job, op) -> a non-NULL mark */
    uint64_t operations, conversions; /* executed in this incarnation */
};

struct node {
    struct node_config config;
    uint64_t now_us, wall_ms, random;
    uint64_t rejected, rejected_here; /* messages dropped: in all, and by the core */
    uint64_t promised_us;             /* the deadline that we gave; a step long after it was late */
    uint64_t last_us;                 /* of the last step */
    uint64_t clock;                   /* Lamport */
    uint64_t feed_seq;
    uint64_t heartbeat_at_us;
    bool heartbeat_now; /* something changed that others should know at once */
    struct outbox out;
    struct election election;
    struct journal journal;
    struct jobs jobs;
    struct waiters waiters;
    struct schedule schedule;
    struct worker worker;
    struct peer peers[NODES_MAX + 1]; /* by id; our own and 0 unused */
};

/* --- small helpers that every core file uses --- */

static inline bool node_is_coordinator(const struct node *node)
{
    return node->election.role == ROLE_COORDINATOR;
}

static inline bool node_serves(const struct node *node)
{
    return node_is_coordinator(node) && node->election.serving;
}

static inline bool node_is_peer(const struct node *node, uint64_t id)
{
    return id >= 1 && id <= node->config.n_nodes && id != node->config.id;
}

/* Counts a message that is malformed, foreign or absurd. */
void node_reject(struct node *node, node_id_t from, const char *why);

/* A pseudo-random number below `limit` (> 0), from the event's randomness. */
uint64_t node_random(struct node *node, uint64_t limit);

#endif
