/* run.h - the coordinator's schedule of one job, the volatile half of it: its items, what is ready,
 * what was cut, and what is done beyond what the log tells. Used inside the room only. */
#ifndef CONCLAVE_CORE_RUN_H
#define CONCLAVE_CORE_RUN_H

#include "nodes/core/schedule/schedule.h"
#include "shared/base/text.h"

enum item_state { ITEM_PENDING, ITEM_READY, ITEM_ASSIGNED, ITEM_FETCHING, ITEM_KEEPING, ITEM_DONE };

/* An item in a worker's hands. */
struct assignment {
    struct item *item;
    node_id_t node; /* NODE_NONE: in nobody's */
    uint64_t attempt, given_us;
    struct assignment *next, *previous; /* in the worker's queue */
};

/* An open operation, or the subtree whose root it is. */
struct item {
    struct run *run;
    op_id_t op;
    enum item_state state;
    uint64_t first, count; /* count > 0: a subtree over leaves */
    enum opcode opcode;
    uint64_t operations; /* that count: 1, or those of the subtree; conversions count apart */
    unsigned missing;    /* operands not done yet */
    uint64_t attempt;    /* times it was handed out: never goes back, so no number comes twice */
    uint64_t won;        /* done, or on its way back: the attempt that made the value */
    node_id_t node;      /* who made its value, or had it last */
    struct assignment holds[HOLDERS_MAX]; /* assigned: who has it, one at least */
    bool alone;      /* it was in the hands of a worker that died: handed out alone from now on */
    unsigned deaths; /* workers that died while they executed it: suspicion.c */
    node_id_t killed[POISON_DEATHS];  /* the first of them */
    unsigned errors;                  /* workers that refused it with an error */
    node_id_t refused_by[ERRORS_MAX]; /* the first of them */
    struct blob *value;               /* done: the value, or NULL: the runtime holds it */
    uint64_t value_deadline_us;       /* fetching or keeping: then it is asked for again */
    bool keeping, kept; /* a value of the runtime's: on its way to our disk, or there */
    bool logged;        /* in a checkpoint */
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    char head[TEXT_EDGE_DIGITS + 1], tail[TEXT_EDGE_DIGITS + 1];
    struct item *next, *previous; /* in the run's list of ready ones, or of those at workers */
    struct item *newer, *older;   /* all items of the run */
};

struct item_list {
    struct item *first, *last;
    uint64_t n;
};

/* A finished operation that is in no checkpoint yet. */
struct done_mark {
    op_id_t op;
    enum opcode opcode;
    bool unit;
    node_id_t node;
    uint64_t attempt, operations;
    bool logged;
};

struct run {
    const struct job *job; /* what the log says of it; borrowed from the state */
    bool failing;          /* its failure is proposed: nothing more is handed out */
    bool keeps;            /* values of its operations may be on our disk that no entry names */
    uint64_t done;         /* operations of the plan done so far, logged or not */
    uint64_t executed;     /* operations executed in all, repetitions included */
    struct job_executor executors[NODES_MAX + 1]; /* the same, by node */
    struct trace_mark *trace;   /* by operation number - 1; owned; NULL: they are too many */
    struct done_mark *unlogged; /* in the order in which they were finished; owned */
    size_t n_unlogged, unlogged_size;
    unsigned level;           /* of the subtrees */
    uint64_t next_cut;        /* the next subtree to cut, of plan.nodes[level] */
    struct item_list combine; /* ready operations on results: they go before starting leaves */
    struct item_list units; /* ready subtrees over leaves: those handed back, and those just cut */
    struct item_list out;   /* assigned, fetching or being kept */
    struct item *newest;    /* of all items */
    uint64_t n_items;
};

void list_push(struct item_list *list, struct item *item);
void list_remove(struct item_list *list, struct item *item);

/* Begins to schedule a job (borrowed until run_destroy()), from where the log says that it is. */
struct run *run_new(struct schedule *schedule, const struct job *job);

/* Frees the run and all its items, and takes them out of the workers' hands. */
void run_destroy(struct schedule *schedule, struct run **run);

/* The schedule of a job; NULL: it is not being scheduled here. */
struct run *run_of(const struct schedule *schedule, job_id_t job);

/* A node says how much it has executed for the job in this incarnation: what is new of it counts.
 */
void run_note_executed(struct run *run, node_id_t node, incarnation_t incarnation,
                       uint64_t executed);

/* The operations of the item are done. */
void run_note_done(struct run *run, const struct item *item);

struct item *run_find(const struct schedule *schedule, job_id_t job, op_id_t op);

/* Makes an item for the operation, pending. */
struct item *run_add(struct schedule *schedule, struct run *run, op_id_t op);

/* Removes and frees an item that is in no list. */
void run_remove(struct schedule *schedule, struct item *item);

/* Puts a pending or returned item into its list of ready ones; in front when it is handed out
 * again. */
void run_make_ready(struct item *item, bool again);

/* The next item to hand out (stays in its list), cutting a new subtree when nothing else is ready;
 * NULL: none now. */
struct item *run_next(struct schedule *schedule, struct run *run);

/* Its place among the paces. */
size_t item_pace(const struct item *item);

/* What it does. */
const struct operator_traits *item_traits(const struct item *item);

/* Appends "R17", or "the conversion to text". */
void item_name(const struct item *item, struct text *out);

#endif
