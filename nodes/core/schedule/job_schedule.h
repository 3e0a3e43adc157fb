/* job_schedule.h - the coordinator's schedule of one job, the volatile half of it: its operations,
 * what is ready, what was cut, and what is done beyond what the log tells. Used inside the room
 * only. */
#ifndef CONCLAVE_CORE_JOB_SCHEDULE_H
#define CONCLAVE_CORE_JOB_SCHEDULE_H

#include "nodes/core/schedule/schedule.h"
#include "shared/base/text.h"

enum open_op_state { OP_PENDING, OP_READY, OP_ASSIGNED, OP_FETCHING, OP_KEEPING, OP_DONE };

/* An operation in a worker's hands. */
struct assignment {
    struct open_op *open;
    node_id_t node; /* NODE_NONE: in nobody's */
    uint64_t attempt, given_us;
    uint64_t batch;    /* the number of the task message that it went with: worker_slot.batches */
    bool follows;      /* with operations that make its operands */
    uint64_t begun_us; /* one of its worker's slots is its own since then, as far as we know; 0: it
                          waits behind others */
    bool fetches;      /* its operands are on their way to the worker, as far as we know */
    uint64_t moved_us; /* in which its job was moving values before it was given */
    struct assignment *next, *previous; /* in the worker's queue */
};

/* An open operation, or the subtree whose root it is. */
struct open_op {
    struct job_schedule *job_schedule;
    op_id_t op;
    enum open_op_state state;
    bool cut;              /* off the plan: it needs no other operation's result */
    uint64_t first, count; /* count > 0: a subtree over leaves, which is cut */
    enum opcode opcode;
    uint64_t operations; /* that count: 1, or those of the subtree; conversions count apart */
    unsigned missing;    /* operands not done yet */
    uint64_t attempt;    /* times it was handed out: never goes back, so no number comes twice */
    uint64_t won;        /* done, or on its way back: the attempt that made the value */
    node_id_t node;      /* who made its value, or had it last */
    struct assignment assignments[HOLDERS_MAX]; /* assigned: who has it, one at least */
    bool alone;      /* it was in the hands of a worker that died: handed out alone from now on */
    unsigned deaths; /* workers that died while they executed it: suspicion.c */
    node_id_t killed[POISON_DEATHS];  /* the first of them */
    unsigned errors;                  /* workers that refused it with an error */
    node_id_t refused_by[ERRORS_MAX]; /* the first of them */
    struct blob *value;               /* done: the value, or NULL: a worker holds it (remake.h) */
    uint64_t value_deadline_us;       /* fetching or keeping: then it is asked for again */
    /* A value that is not in `value`: on its way to our disk, in our memory, on our disk. */
    bool keeping, here, kept;
    uint64_t keep_us;               /* since when it is on its way */
    bool lost;                      /* done, and its value is gone with its maker */
    node_id_t remade_for;           /* made again since that node lost it, or what it is for */
    bool counted;                   /* it was done before, or is now: it counts no more */
    bool logged;                    /* among the logged completions */
    uint64_t elapsed_us, remake_us; /* it took, and would cost to make again (remake_cost_us()) */
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    bool hashed; /* that is the one of a result that came in this term */
    char head[TEXT_EDGE_DIGITS + 1], tail[TEXT_EDGE_DIGITS + 1];
    struct open_op *next, *previous; /* of ready ones, or of those at workers */
    struct open_op *newer, *older;   /* all operations of the job schedule */
};

struct open_op_list {
    struct open_op *first, *last;
    uint64_t n;
};

/* A finished operation whose completion is not logged yet. */
struct done_mark {
    op_id_t op;
    enum opcode opcode;
    bool unit;
    node_id_t node;
    uint64_t attempt, operations, us; /* it took so long */
    bool logged;
};

struct job_schedule {
    const struct job *job; /* what the log says of it; borrowed from the state */
    bool failing;          /* its failure is proposed: nothing more is handed out */
    bool small;            /* follow_fits() */
    bool keeps;            /* values of its operations may be on our disk that no entry names */
    uint64_t done;         /* operations of the plan done so far, logged or not */
    uint64_t again;        /* of these: their values were lost, and are being made again */
    uint64_t executed;     /* operations executed in all, repetitions included */
    struct job_executor executors[NODES_MAX + 1]; /* the same, by node */
    bool given[NODES_MAX + 1];  /* who was ever given anything of it, and may hold values */
    struct job_losses losses;   /* what was computed again, since workers were lost */
    struct trace_mark *trace;   /* by operation number - 1; owned; NULL: they are too many */
    struct done_mark *unlogged; /* in the order in which they were finished; owned */
    size_t n_unlogged, unlogged_size;
    uint64_t unlogged_us;        /* of computing, in all of these */
    uint64_t attempts;           /* the greatest number of an attempt at any of its operations */
    unsigned level;              /* of the subtrees */
    uint64_t next_cut;           /* the next subtree to cut, of plan.nodes[level] */
    struct open_op_list combine; /* ready operations on results: they go before starting leaves */
    struct open_op_list cuts;    /* subtrees and flat operations, handed back or just cut */
    struct open_op_list out;     /* assigned, fetching or being kept */
    struct open_op *newest;      /* of all operations */
    /* In a plan that shares results: what was done once, whether its value is there or not; and of
     * what the log knows, with what is proposed, that it is done. */
    struct op_set finished, settled;
    struct open_op *spreading; /* the last one: its text is kept here and offered to others */
    uint64_t n_open_ops;
    struct timing timing;
    unsigned at_work; /* job_timing_look()'s own: a bit for each phase */
};

void list_push(struct open_op_list *list, struct open_op *open);
void list_remove(struct open_op_list *list, struct open_op *open);

/* Begins to schedule a job (borrowed until job_schedule_destroy()), from where the log says that it
 * is. */
struct job_schedule *job_schedule_new(struct schedule *schedule, const struct job *job);

/* Frees the job schedule and all its operations, and takes them out of the workers' hands. */
void job_schedule_destroy(struct schedule *schedule, struct job_schedule **job_schedule);

/* The schedule of a job; NULL: it is not being scheduled here. */
struct job_schedule *job_schedule_of(const struct schedule *schedule, job_id_t job);

/* A node says how much it has executed for the job in this incarnation: what is new counts. */
void job_schedule_note_executed(struct job_schedule *job_schedule, node_id_t node,
                                incarnation_t incarnation, uint64_t executed);

/* True when all that uses the operation's value is done, and is not being made again. */
bool open_op_is_used_up(const struct schedule *schedule, const struct open_op *open);

/* How many of its operands are not done. */
unsigned open_op_count_missing(const struct schedule *schedule, const struct open_op *open);

/* The operations that it stands for are done. */
void job_schedule_note_done(struct job_schedule *job_schedule, const struct open_op *open);

struct open_op *open_op_find(const struct schedule *schedule, job_id_t job, op_id_t op);

/* The open operations whose values the operation uses; returns how many. A subtree uses none. */
size_t open_op_used(const struct schedule *schedule, const struct open_op *open,
                    struct open_op *used[OPERANDS_MAX]);

/* Makes an open one of the operation, pending. */
struct open_op *open_op_add(struct schedule *schedule, struct job_schedule *job_schedule,
                            op_id_t op);

/* Removes and frees an operation that is in no list. */
void open_op_remove(struct schedule *schedule, struct open_op *open);

/* It comes off the plan: a subtree over leaves, or an operation of a flat stage. */
void open_op_cut(struct open_op *open);

/* The list of ready operations that it belongs to. */
struct open_op_list *open_op_list(const struct open_op *open);

/* Puts a pending or returned operation into its list of ready ones; in front when it is handed out
 * again. */
void open_op_make_ready(struct open_op *open, bool again);

/* It is in nobody's hands any more: ready, in front of the others, or pending when operands of it
 * are not done. */
void open_op_return(struct schedule *schedule, struct open_op *open);

/* The next operation to hand out (stays in its list), cutting a new subtree when nothing else is
 * ready; NULL: none now. */
struct open_op *job_schedule_next(struct schedule *schedule, struct job_schedule *job_schedule);

/* What it does. */
const struct operator_traits *open_op_traits(const struct open_op *open);

/* Appends "R17", or "the conversion to text". */
void open_op_name(const struct open_op *open, struct text *out);

#endif
