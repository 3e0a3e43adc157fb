/* jobs.h - the table of jobs: a state machine of committed log entries.
 *
 *   queued --job_done--> done
 *      \-----job_failed--> failed
 *      \-----job_cancelled--> cancelled
 *
 * All of it is what entries make, the same on all nodes. That a job is being scheduled, and what is
 * done of it beyond its last entry, is its coordinator's alone: schedule.h. */
#ifndef CONCLAVE_CORE_JOBS_H
#define CONCLAVE_CORE_JOBS_H

#include "nodes/core/kinds/kinds.h"
#include "nodes/core/state/job_losses.h"
#include "nodes/core/state/job_owners.h"
#include "nodes/core/state/released.h"
#include "nodes/core/state/row.h"
#include "shared/base/map.h"
#include "shared/wire/message.h"

enum job_state { JOB_QUEUED, JOB_DONE, JOB_FAILED, JOB_CANCELLED, JOB_STATES };

/* Who executed an operation: the trace of a small job. */
struct trace_mark {
    uint16_t node, attempt;
};

/* What one incarnation of a node says that it executed for a job. */
struct job_executor {
    incarnation_t incarnation;
    uint64_t executed;
};

/* A finished operation whose value is still needed: its consumer is not finished. */
struct done_op {
    op_id_t op;
    bool unit;
    node_id_t node;
    uint64_t attempt, len;
    struct blob *value; /* NULL: on every replica's disk */
    uint8_t hash[HASH_BYTES];
};

struct job {
    struct row row;
    struct job *older_open, *newer_open; /* of those that are not finished, in the order of ids */
    job_id_t id;
    enum job_state state;
    char key[KEY_STORED_MAX + 1];
    char owner[OWNER_MAX + 1]; /* the name of the key that submitted it; empty: without keys */
    struct job_owner *account; /* of that name, in jobs.owners; NULL: without keys */
    struct plan plan;
    size_t n_inputs;
    job_id_t inputs[INPUTS_MAX]; /* stored values, which stay while the job is remembered */
    uint64_t submitted_ms, finished_ms;
    uint64_t done;     /* operations of the plan that are done */
    uint64_t executed; /* operations executed in all, repetitions included */
    uint64_t digits;
    uint64_t task_bytes; /* details, outputs and files of its tasks on disks */
    uint8_t sha256[HASH_BYTES];
    struct blob
        *text; /* the result's digits, up to TEXT_INLINE_DIGITS; NULL: none, or a kept value */
    char head[TEXT_EDGE_DIGITS + 1], tail[TEXT_EDGE_DIGITS + 1];
    node_id_t converter;
    char reason[JOB_REASON_MAX + 1];
    unsigned level;  /* of the plan, whose subtrees are handed out whole */
    struct map live; /* op -> struct done_op: what a new coordinator goes on from */
    /* Operations whose results all consumers have used: derived from `live`, in a plan that shares
     * results only, since in others it is derived again each time. */
    struct op_set covered;
    struct job_executor *executors; /* by node, while it is unfinished; NULL: none yet */
    struct job_losses losses;       /* what was computed again, since workers were lost */
    /* By operation number - 1, up to TRACE_OPS_MAX; NULL: not kept, or nothing is done yet. */
    struct trace_mark *trace;
    bool keeps; /* this node's own: values of it may be on the disk, its end sweeps them */
    /* The entry that ended it; 0: it is open, or ended before the log said how many are kept. */
    log_index_t ended;
    size_t rank; /* its place in jobs.finished.at[] */
    bool leaves; /* the entry that is being applied forgets it */
};

/* The finished jobs: a heap, the one that is forgotten next on top. */
struct finished_jobs {
    struct job **at; /* owned; the jobs are not */
    size_t n, size;
    size_t leaving; /* of these, forgotten by hand in this step */
    uint64_t bytes; /* of the results of all */
    uint64_t leaving_bytes;
};

/* Zero-initialize. */
struct jobs {
    struct job **at; /* in the order of their ids; the jobs are owned */
    size_t n, size;
    struct job **room; /* owned: `size` places, of which those before `at` were forgotten */
    size_t open;       /* not finished */
    struct finished_jobs finished;
    struct job_owners owners;
    struct job *oldest_open, *newest_open;
    size_t traces;      /* finished ones that still have their trace */
    job_id_t traceless; /* finished ones up to here have none any more */
    size_t states[JOB_STATES];
    struct map by_id, by_key;
    struct row_watch *watch;   /* told before a job changes; NULL: nobody */
    struct released *released; /* told of values that are used up; NULL: nobody */
};

/* True when the state is final. */
bool job_is_finished(const struct job *job);
const char *job_state_name(enum job_state state);

/* The operation whose value is the result: the last of the plan. */
op_id_t job_text_op(const struct job *job);

struct job *jobs_find(const struct jobs *jobs, job_id_t id);
struct job *jobs_find_key(const struct jobs *jobs, struct slice key);

/* True when another key with the same hash is taken, so that this one cannot be used. */
bool jobs_key_collides(const struct jobs *jobs, struct slice key);

/* The first job with an id greater than `after`, as an index into at[]; n when there is none. */
size_t jobs_after(const struct jobs *jobs, job_id_t after);

/* The first one that is not finished with such an id; NULL: there is none. Costs what comes before
 * it of those that are not finished, not what is finished. */
const struct job *jobs_open_after(const struct jobs *jobs, job_id_t after);

/* Takes a committed entry in. Returns the job that it made or finished (borrows), NULL when it
 * changed nothing: a no-op, a key that exists, a job that is finished already. ERR_MALFORMED
 * entries from disk are refused by the caller through jobs_entry_is_valid(). */
struct job *jobs_apply(struct jobs *jobs, log_index_t index, term_t term,
                       const struct message *entry);

/* True when the entry is about jobs and jobs_apply() can take it. */
bool jobs_entry_is_valid(const struct message *entry);

/* True for entries that tell of finished operations: `as.done`. */
bool jobs_entry_is_done(const struct message *entry);

/* False when the entry is about a job that is unknown or finished: it changes nothing. */
bool jobs_is_open(const struct jobs *jobs, const struct message *entry);

/* True when the value of an operation on disk is still needed: its consumer is not done, or it is
 * the result. */
bool job_needs(const struct job *job, op_id_t op);

/* True when the log says that all that uses the operation's value is done. */
bool job_covers(const struct job *job, op_id_t op);

/* True when the log says that the operation is done: it, or all that used its result. */
bool job_has_done(const struct job *job, op_id_t op);

/* Fills a record of an entry or a checkpoint from a finished operation; its value becomes a
 * further frame. */
void job_write_done(struct message *message, const struct done_op *done, struct wire_done_op *out);

/* Parts of a checkpoint of what is applied up to that index; jobs come in any order. ERR_MALFORMED
 * when they do not fit. */
int jobs_load_job(struct jobs *jobs, const struct wire_image_job *part, log_index_t applied);
int jobs_load_ops(struct jobs *jobs, const struct message *part);

/* Fills the row of a job as its entries have made it, for a checkpoint or a client. */
void job_write_row(struct message *message, const struct job *job, struct wire_job_row *row);

/* Fills a record of what out->node has executed. `executors`: by node; may be NULL. */
void job_write_executed(const struct job_executor *executors, struct wire_tally *out);

/* Marks the operations of a unit, or one operation, as executed in a trace of the job. */
void job_mark_trace(const struct job *job, struct trace_mark *trace, op_id_t op, bool unit,
                    struct trace_mark mark);

/* So many more are, of its tasks. */
void jobs_add_task_bytes(struct jobs *jobs, struct job *job, uint64_t bytes);

/* The bytes of its result, and what its tasks have left, wherever they are; 0: it has none. */
uint64_t job_result_bytes(const struct job *job);

/* A job was finished by the entry at this index: from now on it is the last to be forgotten.
 * Without this its id is its place. */
void jobs_ended(struct jobs *jobs, struct job *job, log_index_t index);

/* The next jobs_forget_one() takes this finished job. */
void jobs_leave(struct jobs *jobs, struct job *job);

/* True when there are more finished jobs than so many, or more bytes of their results, and not only
 * because of the last one that finished. */
bool jobs_are_beyond(const struct jobs *jobs, size_t kept_max, uint64_t bytes_max);

/* All tasks of a job of tasks have an outcome: ends it in that state; `index`: for jobs_ended(), 0:
 * not. Returns it; NULL: there is none, or it is finished already. */
struct job *jobs_end_tasks(struct jobs *jobs, job_id_t id, enum job_state state, const char *reason,
                           uint64_t time_ms, log_index_t index);

/* Removes a finished job that leaves, or the oldest one when they are beyond the limits; caller
 * frees it with job_destroy(). NULL: there is none. */
struct job *jobs_forget_one(struct jobs *jobs, size_t kept_max, uint64_t bytes_max);

void job_destroy(struct job **job);
void jobs_clear(struct jobs *jobs);
void jobs_check_invariants(const struct jobs *jobs);

#endif
