/* replica.h - a follower's log as its coordinator sees it, pure: what it is known to have, what is
 * on its way to it, and how it is to be talked to.
 *
 *   SEARCH: nothing is known of its log. One append at a time, from ever further back, until it
 *           agrees.
 *   PIPELINE: it agrees up to `match`. Appends go out ahead of its answers.
 *   PROBE: it agreed, but something that was sent may be lost. One empty append after `match` at a
 *          time, until it agrees: a follower that is slow, or lacks an entry, would be sent
 *          everything again and again, and only fall further behind.
 *   INSTALL: it lacks what the log does not hold any more. It gets a checkpoint.
 *
 *   SEARCH --agrees--> PIPELINE --refuses, or does not answer--> PROBE --agrees--> PIPELINE
 *   any --it is behind the log, or asks for one--> INSTALL --all is there--> PIPELINE
 *   any --its connection is new--> PIPELINE, or SEARCH; --it is a new incarnation--> SEARCH */
#ifndef CONCLAVE_CORE_REPLICA_H
#define CONCLAVE_CORE_REPLICA_H

#include "nodes/core/raft/checkpoint.h"

enum replica_state { REPLICA_SEARCH, REPLICA_PIPELINE, REPLICA_PROBE, REPLICA_INSTALL };

/* Whether a peer keeps up, as the coordinator sees it: health.h. */
struct level {
    log_index_t goal;  /* what was committed at since_us */
    uint64_t since_us; /* 0: it was not alive */
    bool reached;      /* it has been level since it is alive */
    bool behind;       /* it was said to be behind */
};

struct replica {
    enum replica_state state;
    log_index_t next, match; /* Raft's nextIndex and matchIndex; match is 0 in SEARCH */
    log_index_t probe;       /* SEARCH: where the last probe began */
    uint64_t probe_round;    /* PROBE: answers of an earlier round are to what was sent before */
    unsigned in_flight;      /* appends or installs not answered yet */
    uint64_t sent_us;        /* the last one; 0: something is to be sent at once */
    uint64_t sent_round, answered_round;
    bool answered; /* anything, in our term */
    log_index_t sent_commit;
    struct checkpoint *checkpoint; /* INSTALL: what it gets; NULL: it is being built */
    log_index_t useless;           /* values that a checkpoint up to here refers to are gone */
    size_t sent_parts, acked_parts;
    uint64_t moved_us; /* when it last acknowledged more, or took in bytes of values for it */
    bool heard;        /* its heartbeat came ... */
    uint64_t fetched;  /* ... and said that so many bytes of values came while entries waited */
    struct level level;
};

/* Nothing is known of it: the search begins after the last entry. */
void replica_forget(struct replica *replica, log_index_t last);

/* Its connection is new: what was on its way is lost. */
void replica_reconnected(struct replica *replica);

/* What was sent may be lost: it is asked where it is; in SEARCH, once more. An answer to something
 * sent earlier is told apart by its round, so `round` is a new one when true is returned. */
bool replica_doubt(struct replica *replica, uint64_t round);

/* It does not have the entry before the first one sent; it may agree after `match`. */
void replica_refused(struct replica *replica, log_index_t match);

/* It has everything up to an index, durable. True: that is more than was known. */
bool replica_matched(struct replica *replica, log_index_t match);

/* It has answered, and agrees with the coordinator's log at what was sent last. */
void replica_agreed(struct replica *replica);

/* An answer came, at that time. */
void replica_answered(struct replica *replica, uint64_t now_us);

/* It gets a checkpoint from now on, which the caller gives it; it has all of it. */
void replica_install(struct replica *replica);
void replica_installed(struct replica *replica, log_index_t index);

/* No checkpoint is sent to it any more. */
void replica_drop_checkpoint(struct replica *replica);

/* The entry that the next append begins after. */
log_index_t replica_prev(const struct replica *replica);

/* Something was sent ahead of its answers. */
bool replica_is_ahead(const struct replica *replica);

/* So many appends may be on their way. */
unsigned replica_window(const struct replica *replica);

/* Panics when it is inconsistent with a log that ends at `last`. */
void replica_check_invariants(const struct replica *replica, log_index_t last);

#endif
