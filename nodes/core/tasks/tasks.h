/* tasks.h - the coordinator's work with jobs of tasks: hands tasks out to workers, takes outcomes
 * in, and puts them into the log in batches, with their details in values.
 *
 *   task: free --> handed out --> ended --> in the log (state/task_jobs.h)
 *          ^   \      |   |          ^
 *          |    \     |   '-failed, and retries are left--> delayed --> free
 *          |     \    '-worker lost--> free again; at most once: ended, as lost
 *          |      '-at most once: its beginning is logged first
 *
 * What is handed out is known by its number, which no other handing out of the job ever has: so a
 * late outcome is told from that of a later attempt. A new coordinator asks all workers what they
 * have before it hands out what they may have. It keeps nothing of a task that has ended but its
 * place in a range. */
#ifndef CONCLAVE_CORE_TASKS_H
#define CONCLAVE_CORE_TASKS_H

#include "nodes/core/link/link.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/state/state.h"
#include "shared/base/text.h"

/* A task gets a second copy when it takes so many times what those that are done took on average:
 * of tasks that differ by chance few take twice the mean, and what has just begun is not slow yet.
 * A new coordinator has seen none end: then after so long. */
#define TASK_COPY_TIMES    2
#define TASK_COPY_MIN_US   (3 * SECOND_US)
#define TASK_COPY_BLIND_US (60 * SECOND_US)

struct task_schedule;
struct task_hand;
struct task_pull;

/* A worker, as far as tasks go. */
struct task_slot {
    bool told;                      /* it has told what it has, in this term */
    struct task_hand *first, *last; /* what it has; in the order in which it got it; owned */
    uint64_t outstanding;           /* tasks, of these */
    uint64_t last_pick;
};

/* Who executes a task that has a second copy, and who that copy; NODE_NONE: it has none. */
struct task_place {
    node_id_t node, copy;
};

/* Zero-initialize, then set the first five. */
struct tasks {
    struct step *step;
    struct links *links;
    struct raft *raft;
    struct state *state;
    struct schedule *schedule;
    struct task_slot slots[NODES_MAX + 1];
    struct task_schedule **active; /* in the order of their ids; owned */
    size_t n_active, active_size;
    size_t turn;       /* whose turn it is to have tasks handed out */
    job_id_t cursor;   /* jobs up to here were taken up, or are finished */
    bool asked, waits; /* workers were asked what they have; and some must be waited for */
    uint64_t asked_us;
    uint64_t hands;          /* given out in this term */
    struct task_pull *pulls; /* outputs on their way here, oldest first; owned */
    size_t n_pulls;
    uint64_t picks;
};

/* This node begins or stops to coordinate. */
void tasks_start(struct tasks *tasks);
void tasks_stop(struct tasks *tasks);

/* A committed entry made or finished a job of tasks. */
void tasks_job_accepted(struct tasks *tasks, const struct job *job);
void tasks_job_finished(struct tasks *tasks, const struct job *job);

/* A worker, or this node itself, tells how tasks ended; and that it has told all, but what it
 * executes. */
void tasks_ended(struct tasks *tasks, node_id_t from, struct message *message);
void tasks_held(struct tasks *tasks, node_id_t from, const struct message *message);

/* A worker is gone; one is there in a new incarnation. */
void tasks_worker_lost(struct tasks *tasks, node_id_t worker, bool died);
void tasks_worker_met(struct tasks *tasks, node_id_t worker);

/* An output is in memory; it or details are on this node's disk, or could not be had or written. */
void tasks_value_ready(struct tasks *tasks, struct value_id id);
void tasks_value_kept(struct tasks *tasks, struct value_id id);
void tasks_value_failed(struct tasks *tasks, struct value_id id);

/* Fills what is known of the tasks of a job: here, if it is in work, else from the log. */
void tasks_count(const struct tasks *tasks, const struct task_job *job,
                 struct wire_task_counts *counts);

/* Of tasks in a row that have no outcome in the log, the first ones that are alike, and their
 * state: queued, running, or cancelled with the job. */
struct range tasks_alike(const struct tasks *tasks, const struct task_job *job, struct range open,
                         const char **state, struct task_place *place);

/* Adds what is known of it, for people: what follows its name. */
void tasks_explain(const struct tasks *tasks, const struct job *job, struct text *out);

/* True when its tasks are handed out here. */
bool tasks_is_active(const struct tasks *tasks, job_id_t job);

static inline void tasks_tick(struct tasks *tasks)
{
    (void)tasks; /* what is due is looked at in each step */
}

void tasks_pump(struct tasks *tasks);
uint64_t tasks_deadline(const struct tasks *tasks);

void tasks_clear(struct tasks *tasks);
void tasks_check_invariants(const struct tasks *tasks);

#endif
