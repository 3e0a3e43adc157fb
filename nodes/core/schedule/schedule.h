/* schedule.h - the coordinator's work: splits jobs into operations, assigns them to workers, takes
 * results in, and hands out again what a lost worker had. It computes nothing.
 *
 *   operation: pending (operands missing) --> ready --> assigned --> [fetching its text] --> done
 *                 ^                        ^__________|______________|                   |    |
 *                 |                        worker lost, or taken back                    |    v
 *                 |______________________________________________________________________|   gone
 *                    its value is lost with the worker that held it (remake.h)         (consumed)
 *
 * Only open operations exist: an operation is made when its subtree is cut or its first operand is
 * done, and goes when its consumer is done. */
#ifndef CONCLAVE_CORE_SCHEDULE_H
#define CONCLAVE_CORE_SCHEDULE_H

#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/pace.h"
#include "nodes/core/schedule/timing.h"
#include "nodes/core/state/state.h"
#include "shared/base/text.h"

struct assignment;

/* What the coordinator gives to a worker and gets back. */
struct worker_slot {
    struct assignment *first, *last; /* what it has, in the order in which it got it */
    uint64_t outstanding;            /* of these */
    uint64_t busy_us;     /* since when the first of them may be executing, of a single slot */
    uint64_t forgiven_us; /* what was before is nobody's fault */
    unsigned stray; /* heartbeats in which it executed what it does not have from us any more */
    bool slow; /* what waited behind its operation was taken back; it has returned nothing since */
    bool overdue; /* it has overrun a deadline and returned nothing since */
    bool alone;   /* it has an operation that may have killed a worker, and gets no other */
    struct value_id blamed; /* what it was executing when it died; op 0: nothing */
    unsigned errors;        /* results in a row that were errors */
    uint64_t rests_until_us, reserved_until_us;
    struct paces paces;
    uint64_t
        operation_us;    /* moving average of the time an operation or subtree takes; 0: unknown */
    uint64_t last_pick;  /* when it was last chosen, in picks */
    uint64_t operations; /* accepted from it in this term */
    uint64_t conversions;
    uint64_t warm_bytes, warm_until_us; /* operands of the largest operation it had lately */
    uint64_t tasks;                     /* slots that tasks take there: tasks/ says so */
    bool tasks_last;                    /* its one slot was for a task last */
    struct message *batch;              /* the task message being filled; NULL: none */
    size_t batch_bytes;
    uint64_t batches; /* the number of that message, or of the last one */
};

struct job_schedule;

/* Where the time of a job went that has ended. */
struct timing_row {
    job_id_t job;
    struct timing timing;
    uint64_t ended_us;
};

/* Zero-initialize, then set the first four. */
struct schedule {
    struct step *step;
    struct links *links;
    struct raft *raft;
    struct state *state;
    struct worker_slot slots[NODES_MAX + 1];
    struct map open_ops;      /* (job, op) -> struct operation: open operations */
    struct map job_schedules; /* job -> struct job_schedule: what active[] holds */
    uint64_t picks;           /* counts choices of a worker */
    uint64_t operations;      /* accepted in this term */
    uint64_t reassigned;      /* handed out again, beyond what the log tells */
    uint64_t copied;          /* to overtake somebody, in this term */
    uint64_t lost_values;     /* that their makers alone held, in this term */
    uint64_t keep_pace;       /* bytes in 1024 us from a worker to our disk; 0: unknown */
    struct paces paces;       /* of all workers */
    uint64_t watch_us;        /* when deadlines are looked at next ... */
    bool copy_waits;          /* ... or in every step: nobody had room for a copy */
    struct job_schedule *active[ACTIVE_JOBS_MAX]; /* jobs being scheduled; owned */
    size_t n_active, turn;             /* whose turn it is to have an operation assigned */
    size_t n_large;                    /* of the active ones, those that are not small */
    bool wants;                        /* an operation is ready that nobody had room for */
    size_t task_jobs;                  /* jobs of tasks in work: tasks/ says so ... */
    bool tasks_want;                   /* ... and whether one of theirs could be handed out */
    uint64_t completions_us;           /* when finished operations are logged next */
    uint64_t unlogged, unlogged_bytes; /* operations finished since, and their values' bytes */
    job_id_t cursor;                   /* jobs up to here were taken up, or are finished */
    log_index_t retention;             /* our last entry about what is remembered; 0: none */
    uint64_t began_us, began_ms;       /* to coordinate, by both clocks */
    struct timing_row timings[TIMINGS_KEPT_MAX]; /* of the latest jobs that ended, as a ring */
    uint64_t n_timings;                          /* that were ever put into it */
};

/* This node begins or stops to coordinate. */
void schedule_start(struct schedule *schedule);
void schedule_stop(struct schedule *schedule);

/* A committed entry made or finished a job. */
void schedule_job_accepted(struct schedule *schedule, const struct job *job);
void schedule_job_finished(struct schedule *schedule, const struct job *job);

/* A worker returned results. */
void schedule_results(struct schedule *schedule, node_id_t from, const struct message *message);

/* A value that the coordinator wanted from a worker is there, or cannot be had; a text
 * is durable. */
void schedule_value_ready(struct schedule *schedule, struct value_id id);
void schedule_value_failed(struct schedule *schedule, struct value_id id);

void schedule_value_kept(struct schedule *schedule, struct value_id id);

/* What is to be reported of a job: what its coordinator knows while it schedules it, else what the
 * log says. Only a coordinator knows more than the log, and only of an unfinished job. */
struct job_status {
    const char *state; /* a job_state_name(), or "running": it is being scheduled here */
    uint64_t done, executed;
    const struct trace_mark *trace;  /* borrowed until the next step; NULL: none */
    const struct job_losses *losses; /* the same */
};
struct job_status schedule_status(const struct schedule *schedule, const struct job *job);

/* Where the job's time goes, or went, settled up to now or its end. False: it ended under another
 * coordinator, or so long ago that it was forgotten. */
bool schedule_timing(const struct schedule *schedule, const struct job *job, struct timing *out);

/* True when values of the job's operations may be on this node's disk that no entry names. */
bool schedule_keeps(const struct schedule *schedule, job_id_t job);

/* True when an entry that finishes the job waits to be applied. */
bool schedule_end_is_pending(const struct schedule *schedule, job_id_t job);

/* True when operations can be assigned to it. */
bool schedule_is_worker(const struct schedule *schedule, node_id_t worker);
unsigned schedule_count_workers(const struct schedule *schedule);

/* Slots that tasks may have of the worker's, those that they have included; `slots`: without
 * operations. 0: operations have its only one (shares.h). */
uint64_t schedule_slots_for_tasks(const struct schedule *schedule, node_id_t worker,
                                  uint64_t slots);

/* A worker is gone: its operations go to others at once. `died`: its process has, so that what it
 * executed is suspected. */
void schedule_worker_lost(struct schedule *schedule, node_id_t worker, bool died);

/* A worker is there: a new incarnation, or `again` the one that was thought to have died. */
void schedule_worker_lives(struct schedule *schedule, node_id_t worker, bool again);

/* A worker's heartbeat came. */
void schedule_heartbeat(struct schedule *schedule, node_id_t worker);

/* This node's loop stood still: nobody is blamed for that time. */
void schedule_forgive(struct schedule *schedule);

static inline void schedule_tick(struct schedule *schedule)
{
    (void)schedule; /* what is due is looked at before something is assigned */
}

/* Assigns what is ready to workers that have credit. */
void schedule_pump(struct schedule *schedule);
uint64_t schedule_deadline(const struct schedule *schedule);

/* What this coordinator has all remember of finished jobs: what it was told, else what holds. */
struct retention schedule_retention(const struct schedule *schedule);

/* The level of the plan whose subtrees are handed out whole, for a job that is being submitted. */
unsigned schedule_subtree_level(const struct schedule *schedule, const struct plan *plan);

/* Its part of a snapshot: the jobs in work, and who has what of them. */
extern const struct participant schedule_participant;

/* Adds what is known about a job's progress, for people. */
void schedule_explain(const struct schedule *schedule, const struct job *job, struct text *out);

void schedule_clear(struct schedule *schedule);
void schedule_check_invariants(const struct schedule *schedule);

#endif
