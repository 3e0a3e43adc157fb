/* task_schedule.h - the coordinator's schedule of one job of tasks. Used inside the room only. */
#ifndef CONCLAVE_CORE_TASK_SCHEDULE_H
#define CONCLAVE_CORE_TASK_SCHEDULE_H

#include "nodes/core/tasks/tasks.h"
#include "shared/base/hash.h"
#include "shared/base/task_row.h"

/* Tasks in a row in a worker's hands. */
struct task_hand {
    struct task_hand *next, *previous; /* of the worker */
    struct task_schedule *of;
    uint64_t number;
    node_id_t node;
    struct range tasks;
    uint64_t given_us;
    bool copy;         /* another worker has the same tasks, which are counted there */
    bool copied;       /* such a copy of these was made */
    log_index_t start; /* at most once: it is given when this entry is applied; 0: it was given */
};

/* A task with which something went wrong. */
struct task_trouble {
    uint64_t task, failures; /* attempts that failed */
    unsigned deaths;         /* of workers that executed it */
    unsigned returns;        /* of workers that could not get its inputs */
    bool alone;              /* it is executed where nothing else is: then it is known who kills */
    node_id_t killed[POISON_DEATHS], last_failed_on;
    uint64_t due_us; /* it waits for its next attempt until then; 0: it does not */
};

/* Outcomes on their way into the log, for one entry. */
struct task_batch {
    struct task_batch *next;
    struct ranges done;
    struct task_exception *exceptions; /* owned */
    size_t n_exceptions;
    uint8_t *rows; /* details; owned */
    size_t rows_len, rows_size;
    struct hash_stream hash;     /* of the rows so far */
    uint64_t first, last;        /* tasks with rows */
    struct task_values *bundles; /* that these name; owned, and their hashes */
    size_t n_bundles;
    uint64_t n_pieces; /* of these */
};

/* Details that go to disks, and the entry that names them. */
struct task_writing {
    struct message *entry; /* owned; NULL: none is under way */
    struct blob *rows;     /* owned; NULL: it has none */
    struct value_id id;
    bool kept;         /* on our disk */
    uint64_t again_us; /* it could not be written: once more at this time */
};

/* How a worker does with the job. */
struct task_worker {
    uint64_t failed; /* attempts in a row */
    uint64_t rests_until_us;
};

/* Every task is free, unsure, in hands, delayed, or taken. One that is in a worker's hands may have
 * a copy at another worker (copies.c), which is counted apart. */
struct task_schedule {
    const struct job *job;            /* borrowed from the state, as long as the job is open */
    const struct task_job *row;       /* likewise */
    struct ranges free;               /* to be handed out */
    struct ranges unsure;             /* at most once: somebody may have begun them */
    struct ranges taken;              /* have an outcome, in the log or on the way there */
    struct ranges troubled;           /* of which there is a struct task_trouble */
    struct map troubles;              /* task -> struct task_trouble; owned */
    uint64_t delayed, next_us;        /* tasks that wait for their next attempt; the first is due */
    uint64_t failed, lost, cancelled; /* of those taken */
    uint64_t handed;                  /* tasks in workers' hands ... */
    uint64_t copying;                 /* ... and copies of these */
    uint64_t done, done_us;           /* those that are, in this term, and what they took */
    bool stopping;                    /* too many failed: the rest is cancelled */
    struct task_batch *batch, *last_batch; /* owned */
    size_t n_batches;
    uint64_t batch_bytes;                       /* of details, in these */
    uint64_t attempts, retries, deaths, copies; /* since the last entry */
    struct task_writing writing;
    uint64_t segments; /* made in this term */
    uint64_t write_us; /* when the first batch is written at the latest */
    uint64_t task_ns;  /* moving average of what a task takes, when it was measured */
    bool measured;
    struct task_worker workers[NODES_MAX + 1];
};

/* --- tasks.c --- */

/* NULL: it is not in work here. */
struct task_schedule *task_schedule_of(const struct tasks *tasks, job_id_t job);

/* Its tasks do nothing, and nobody executes them. */
static inline bool task_schedule_is_instant(const struct tasks *tasks,
                                            const struct task_schedule *of)
{
    return of->job->plan.kind->instant && !tasks->step->config.tasks_execute;
}

/* --- hands.c: what workers have --- */

/* The worker has these tasks, as an earlier coordinator gave them; `copy`: another one has, too. */
struct task_hand *hands_resume(struct tasks *tasks, struct task_schedule *of, node_id_t node,
                               struct range range, uint64_t number, bool copy);

/* The hand with that number and task; NULL: the worker has it not, or no more. */
struct task_hand *hands_find(const struct tasks *tasks, node_id_t node, job_id_t job,
                             uint64_t number, uint64_t task);

/* Tasks that the worker executes at the same time, as it says. */
uint64_t hands_slots(const struct tasks *tasks, node_id_t id);

/* A hand other than that one (which may be NULL) with the task; NULL: there is none. */
struct task_hand *hands_other(const struct tasks *tasks, const struct task_schedule *of,
                              uint64_t task, const struct task_hand *than);

/* These tasks of the hand are in it no more; frees it when nothing is left. */
void hands_take(struct tasks *tasks, struct task_hand *hand, struct range range);

/* Whoever has these tasks has them no more. */
void hands_take_from_all(struct tasks *tasks, struct task_schedule *of, struct range range);

/* The worker executes that task of the hand no more. True: another worker still does, so it is in
 * that one's hands now. */
bool hands_leave(struct tasks *tasks, struct task_hand *hand, uint64_t task);

/* Nobody has tasks of the job any more. */
void hands_end(struct tasks *tasks, const struct task_schedule *of);

/* The worker may get tasks of the job, leaving aside how much it has to do. */
bool hands_is_suitable(const struct tasks *tasks, const struct task_schedule *of, node_id_t id);

/* It may, and has a slot in which nothing is or waits. */
bool hands_has_idle_slot(const struct tasks *tasks, const struct task_schedule *of, node_id_t id);

/* Hands out what is free to whoever has room. */
void hands_out(struct tasks *tasks);

/* --- copies.c: second copies of what takes long near the end --- */

/* A task is done. */
void copies_note(struct task_schedule *of, const struct wire_task_outcome *outcome);

/* The hand whose tasks should get a copy, and who gets it; NULL: none should, or nobody can. */
struct task_hand *copies_next(struct tasks *tasks, struct task_schedule *of, node_id_t *to);
uint64_t copies_deadline(const struct tasks *tasks, const struct task_schedule *of);

/* After a change of coordinators a worker tells of tasks that others have: as copies they stay. */
void copies_resume(struct tasks *tasks, struct task_schedule *of, node_id_t from,
                   const struct wire_task_hand *told);

/* --- outcomes.c: how they ended --- */

/* An outcome is taken in; `pulled`: the values that it names are on disks, else it has none. */
void outcomes_take(struct tasks *tasks, node_id_t from, const struct message *message,
                   const struct wire_task_outcome *outcome, bool pulled);

/* --- batch.c: outcomes on their way into the log --- */

/* The tasks, none of which has an outcome, are done, or (not NULL) end with that exception. What is
 * told of them may be NULL. */
void batch_add(struct tasks *tasks, struct task_schedule *of, struct range range,
               const struct task_exception *exception, const struct task_row *details);

/* The outcome that comes next names these values. */
void batch_add_bundle(struct tasks *tasks, struct task_schedule *of,
                      const struct wire_task_bundle *bundle);

/* True when no more should be handed out before some of it is in the log. */
bool batch_is_full(const struct task_schedule *of);

void batch_pump(struct tasks *tasks, struct task_schedule *of);
uint64_t batch_deadline(const struct task_schedule *of);
void batch_clear(struct tasks *tasks, struct task_schedule *of);

#endif
