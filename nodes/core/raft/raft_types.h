/* raft_types.h - the replicated log: who coordinates, what is committed, who holds it, and the
 * values that entries name.
 *
 * It knows of the state what machine.h says, and of other rooms nothing: what they must hear it
 * reports as facts, which node.c hands on (node_settle()). */
#ifndef CONCLAVE_CORE_RAFT_TYPES_H
#define CONCLAVE_CORE_RAFT_TYPES_H

#include "nodes/core/link/link.h"
#include "nodes/core/raft/machine.h"
#include "nodes/core/raft/replica.h"
#include "nodes/core/raft/stored.h"
#include "shared/base/map.h"

/* --- a follower's view of what it lacks --- */

/* looked for here --> waits for room --> fetched --> kept; what fails rests, and is looked for
 * again. */
enum need_state { NEED_LOOKING, NEED_WAITING, NEED_FETCHING, NEED_KEEPING, NEED_RESTING };

/* A value that must be on this node's disk before something can be acknowledged. */
struct need {
    struct value_id id;
    node_id_t source;
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    log_index_t index; /* of the entry, or checkpoint, that names it */
    enum need_state state;
    unsigned tries;   /* sources that did not have it */
    uint64_t wake_us; /* RESTING: when it is looked for again; else: then it waited too long */
};

struct follower {
    struct need *needs; /* of the entry, or of the checkpoint, that came last */
    size_t n_needs, needs_size;
    struct map kept;                       /* needs that were met: (job, op) -> a mark */
    struct message *parked[APPEND_WINDOW]; /* appends, in order, that wait for these values */
    size_t n_parked;
    struct checkpoint *checkpoint; /* being received; NULL: none */
    void *loaded;                  /* the machine's state as far as it has come; owned */
    size_t expected;               /* parts in all */
    uint64_t round;                /* the greatest answered */
    uint64_t fetched;              /* bytes of values that came while entries waited for them */
};

/* Entries as they were sent last in one frame: the next follower mostly wants the same. */
struct run {
    log_index_t from;
    size_t n;
    struct blob *packed; /* owned; NULL: there is none */
};

struct replication {
    uint64_t round;        /* of the last appends */
    uint64_t asked;        /* the last one that all are asked to answer */
    bool round_wanted;     /* a read waits for a new one */
    log_index_t reported;  /* an entry of an older term, on a majority: a log line said so */
    log_index_t waits_for; /* the commit index when entries last began to wait, or it moved */
    uint64_t waits_us;     /* and when that was; 0: nothing waits */
    uint64_t unconfirmed, unconfirmed_us; /* likewise, of rounds that reads wait for */
    struct run run;
};

/* What a peer says of its disk. */
struct membership {
    uint8_t cluster_id[CLUSTER_ID_BYTES]; /* all zero: blank, or not heard yet */
    incarnation_t birth, last_birth; /* of this incarnation's disk; of the one before; 0: unknown */
    bool voter;                      /* it claims to be admitted */
    bool last_voter;                 /* the incarnation before did */
    uint64_t found_us;               /* when the cluster was last announced to it */
};

/* --- who belongs to the cluster --- */

/* A voter's disk is admitted by an entry of the log that is not applied yet. */
struct admission {
    log_index_t index;
    node_id_t node;
    incarnation_t birth;
};

struct members {
    struct admission *pending; /* in the order of the log */
    size_t n_pending, pending_size;
    uint64_t began_us; /* when this node started, to wait for others before it founds */
    struct membership of[NODES_MAX + 1];
};

/* --- election: follower -> pre-candidate -> candidate -> coordinator -> follower --- */

enum role { ROLE_FOLLOWER, ROLE_PRE_CANDIDATE, ROLE_CANDIDATE, ROLE_COORDINATOR };

struct election {
    enum role role;
    node_id_t vote;
    bool voter; /* see struct node_durable */
    bool voted_for_us[NODES_MAX + 1];
    term_t stated[NODES_MAX + 1];           /* the greatest that each peer said it is in */
    uint64_t candidacies_us[NODES_MAX + 1]; /* a candidate's raises of our term count until then */
    node_id_t leader;                       /* the coordinator of our term, once it is known */
    uint64_t entered_us;                    /* when we entered our term, or started */
    uint64_t told_us;        /* when we entered one because enough voters were in it; 0: never */
    uint64_t timeout_us;     /* when a voter that hears nothing starts a pre-vote */
    uint64_t contact_us;     /* the last contact with the coordinator */
    bool lost;               /* its connection closed: a hint that it died */
    unsigned retries;        /* quick pre-votes left after that hint */
    uint64_t began_us;       /* when this role began */
    uint64_t rests_until_us; /* it leads badly: others are to be elected until then */
    bool serving;            /* coordinator whose first entry is committed */
    uint64_t ahead_us;       /* as such: since when a voter is in a higher term; 0: none is */
    uint64_t recall_us;      /* not recalled again before */
    term_t recall_term;      /* pre-votes for it are counted; 0: none */
    unsigned recalls;        /* in a row */
    node_id_t recalled_by;   /* as follower: our coordinator, which we gave such a pre-vote, ... */
    term_t recalled_term;    /* ... for this term */
};

/* --- log --- */

struct log_entry {
    term_t term;
    uint64_t seq;          /* the persist that makes it durable */
    struct blob *packed;   /* as it is on disk and on the wire */
    struct message *entry; /* until it is applied; NULL: unpack it then */
};

/* Entries base + 1 .. last. What is up to base is covered by a checkpoint. */
struct raft_log {
    log_index_t base, last;
    term_t base_term;
    log_index_t checkpoint; /* what the checkpoint on disk covers; >= base: some entries stay in
                             * memory for slow followers */
    log_index_t saved;      /* the same, once that is durable: a start goes on from there */
    uint64_t saving;        /* the persist that makes `checkpoint` durable; 0: it is */
    log_index_t durable, commit, applied;
    struct checkpoint_build *build; /* the checkpoint being built; NULL: none */
    struct log_entry *entries;      /* [index - base - 1] */
    size_t size;
    uint64_t bytes; /* of the entries after the checkpoint, and of the values that they refer to */
    struct stored stored;      /* of that checkpoint */
    uint64_t checkpoint_bytes; /* written with the last checkpoint */
    uint64_t checkpoint_us;    /* when */
    uint64_t tidy_us;          /* when to look next whether a checkpoint would free values */
    bool tidy;                 /* it would */
};

/* See repair.h. */
struct repair {
    struct value_id id;
    node_id_t source; /* asked last */
    bool waits;       /* for a fetch, or for the disk */
    uint64_t len, wake_us;
    uint8_t hash[HASH_BYTES];
};

struct repairs {
    struct repair at[REPAIRS_MAX];
    size_t n;
};

/* See offers.h. */
struct offer {
    struct value_id id;
    node_id_t source;
    uint64_t len, more_us, end_us; /* offered to all voters then; not waited for any more */
    uint8_t hash[HASH_BYTES];
    bool told[NODES_MAX + 1], held[NODES_MAX + 1]; /* by voter */
    bool told_all, spread;
};

struct taken_offer {
    struct value_id id;
    node_id_t coordinator, source;
    uint64_t len, end_us;
    uint8_t hash[HASH_BYTES];
    bool asked; /* the source was */
};

struct offers {
    term_t term; /* of all of them */
    struct offer made[OFFERS_MAX];
    size_t n_made;
    struct taken_offer taken[OFFERS_MAX];
    size_t n_taken;
};

/* See sweep.h. */
struct sweep {
    bool listing, all; /* a listing is under way; one of all is wanted */
    job_id_t job;      /* the listing's; JOB_NONE: of all */
    struct value_id after;
    uint64_t asked_us, next_us;    /* when it was asked for; when all is listed next */
    job_id_t jobs[SWEEP_JOBS_MAX]; /* that wait for theirs */
    size_t n_jobs;
    /* struct logged: values that entries after the checkpoint on disk name, or have made the state
     * name no more. */
    struct map logged;
    uint64_t pinned_until_us; /* 0: no snapshot needs values */
};

/* --- facts --- */

enum raft_fact_kind {
    RAFT_SERVES,  /* this node is coordinator, and its first entry is committed */
    RAFT_ENDED,   /* it is no longer coordinator */
    RAFT_FOLLOWS, /* work is that of another term's coordinator from now on */
};

struct raft_fact {
    enum raft_fact_kind kind;
    term_t term;
};

#define RAFT_FACTS_MAX 8 /* not handed on yet: each message changes a role once or twice */

/* What the log asks of whoever put it together with others: node.c. */
struct raft_owner {
    /* An entry was applied, and the machine made this of it: hands it on, before the next one. */
    void (*applied)(void *node, log_index_t index, void *made);

    /* True while a value that no entry names must stay on this disk. Entries name only values of
     * jobs, whose ids have a term (job_id.h). */
    bool (*names)(const void *node, struct value_id id);
};

struct raft {
    struct step *step;
    struct links *links;
    const struct machine *machine;
    void *state; /* the machine's */
    const struct raft_owner *owner;
    void *node; /* the owner's */
    struct members members;
    struct election election;
    struct raft_log log;
    struct replication replication;
    struct replica replicas[NODES_MAX + 1];
    struct follower follower;
    struct sweep sweep;
    struct repairs repairs;
    struct offers offers;
    bool full;                          /* our disk is, see space.h */
    uint64_t value_bytes, disk_busy_us; /* as the last event said */
    term_t reported_term;               /* of the last RAFT_FOLLOWS */
    struct raft_fact facts[RAFT_FACTS_MAX];
    size_t n_facts;
};

static inline bool raft_serves(const struct raft *raft)
{
    return raft->election.role == ROLE_COORDINATOR && raft->election.serving;
}

void raft_report(struct raft *raft, enum raft_fact_kind kind, term_t term);

/* The oldest fact that was not handed on; false: all were. */
bool raft_take_fact(struct raft *raft, struct raft_fact *fact);

#endif
