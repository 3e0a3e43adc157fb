/* oracle_internal.h - the ghost history, for the files of the oracle only. */
#ifndef CONCLAVE_SIM_ORACLE_INTERNAL_H
#define CONCLAVE_SIM_ORACLE_INTERNAL_H

#include "tests/sim/oracle.h"

/* An entry that was ever in any log: what it was, and the term of the one before it. */
struct ghost_entry {
    uint64_t hash;
    term_t before;
};

struct ghost_commit {
    struct blob *packed;
    term_t term;
    term_t in; /* the term in which it was first committed; greater when it came beneath another */
};

/* What a coordinator sees of a peer, as it is: goal was committed at since_us. A peer that was
 * killed begins from the start, though it may be up again before anybody looks. */
struct ghost_level {
    log_index_t goal;
    uint64_t since_us;
    incarnation_t incarnation; /* of the peer */
};

/* A voter, as long as a coordinator has something that waits: what it has done of it, and when it
 * did last. */
struct ghost_move {
    uint64_t progress, moved_us;
};

struct ghost_health {
    struct ghost_move moves[WORLD_NODES_MAX + 1];
    term_t term;           /* a coordinator looks at others anew in each term */
    log_index_t committed; /* moves are counted from each commit on */
    struct ghost_level levels[WORLD_NODES_MAX + 1];
};

/* The digest of a job that is finished and does not change any more, but for its trace. */
struct ghost_job {
    const struct job *at; /* NULL: it is not known */
    job_id_t id;
    const struct trace_mark *trace;
    uint64_t digest;
};

/* What a node has ever done, its former lives included. */
struct ghost_node {
    struct map votes;   /* term -> whom it voted for, on this disk */
    struct map given;   /* (term, candidate): a vote of this disk or of one before it */
    struct map values;  /* (job, op) that its disk has ever held; since it was wiped */
    bool wiped;         /* its disk is not the one that acknowledged, and is not admitted again */
    struct entries log; /* in memory, with what it has compacted in this life */
    log_index_t checked, applied; /* in this life: looked at up to here */
    struct ghost_job *jobs;       /* by place in the table of jobs; owned */
    size_t n_jobs;
    size_t finished;    /* jobs that its state remembers */
    term_t term_before; /* this step */
    node_id_t vote_before;
    bool led_before;
    struct ghost_health health; /* in this life */
};

struct oracle {
    struct ghost_node nodes[WORLD_NODES_MAX + 1];
    struct map entries; /* (index, term) -> struct ghost_entry */
    struct map commits; /* index -> struct ghost_commit */
    log_index_t committed;
    struct map leaders;                        /* term -> node */
    term_t term;                               /* the greatest that any node was in */
    incarnation_t births[WORLD_NODES_MAX + 1]; /* by the committed log */
    bool admitted[WORLD_NODES_MAX + 1];        /* since the founding */
    bool founded;
    struct map states; /* applied index -> digest of the replicated state */
    struct map used;   /* (job, op): some node's committed state does not name it any more */
    uint64_t keys_forgotten, keys_gone; /* of jobs and snaps, ever: keys.h */
};

/* After a step: oracle_health.c. */
void oracle_health(struct world *world, node_id_t id, const struct event *event);
/* An entry is committed: should it admit a voter's disk, that is its disk from now on. */
void oracle_admitted(struct world *world, log_index_t index, term_t term,
                     const struct blob *packed);

/* True when the disk of a node holds the entry, or was wiped after it might have. */
bool oracle_held(const struct world *world, node_id_t id, log_index_t index, term_t term);

/* Each disk has the values that its node's state names. */
void oracle_values(struct world *world);

/* A node starts: what its log names is on its disk, too (W4). */
void oracle_log_values(struct world *world, node_id_t id);
void oracle_saved_values(struct world *world, node_id_t id);

static inline void *as_pointer(uint64_t number)
{
    return (void *)(uintptr_t)number;
}

static inline uint64_t as_number(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static inline struct map_key key(uint64_t a)
{
    return (struct map_key){a, 0};
}

#endif
