/* task_jobs.h - the jobs of tasks: which of their tasks have an outcome, and which. A state machine
 * of committed entries, beside that of jobs (jobs.h), which it ends.
 *
 *   task: open --tasks_done--> done | failed | lost | cancelled
 *
 * An outcome never changes: what an entry says of a task that has one is passed over. Tasks that
 * are done are ranges, others are rows; the details of each are in values of the job, which the
 * same entries name. What is at workers is the coordinator's alone: nodes/core/tasks/. */
#ifndef CONCLAVE_CORE_TASK_JOBS_H
#define CONCLAVE_CORE_TASK_JOBS_H

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/jobs.h"
#include "nodes/core/state/row.h"
#include "shared/base/ranges.h"

enum task_state { TASK_OPEN, TASK_DONE, TASK_FAILED, TASK_LOST, TASK_CANCELLED, TASK_STATES };

/* Tasks that ended otherwise than done, and alike. */
struct task_exception {
    struct range tasks;
    enum task_state state;
    uint64_t attempts, exit, signal;
    node_id_t node; /* who executed the last attempt; NODE_NONE: nobody did */
    char reason[TASK_REASON_MAX + 1];
};

/* A value with details. */
struct task_segment {
    op_id_t op; /* of the value */
    uint64_t len, first, last;
    uint8_t hash[HASH_BYTES];
};

/* What a task has left beside its details: values with the numbers op, op + 1, ... */
struct task_values {
    op_id_t op;
    uint64_t len;    /* of all together: bundle_piece_bytes() says how long each is */
    uint8_t *hashes; /* SHA-256 of each; owned */
};

/* Tasks that may have been begun, of those that are executed at most once. */
struct task_start {
    struct range tasks;
    node_id_t node;
    incarnation_t incarnation;
};

/* As the submit says. */
struct task_options {
    uint64_t retries, retry_delay_ms, time_limit_ms, max_fails, max_fails_percent;
    bool at_most_once;
    uint64_t slots; /* of its node, that a task takes; 0: one */
    bool bundles;   /* long outputs and files of tasks are kept, too */
    bool speculate; /* slow ones may have a second copy */
};

struct task_job {
    struct row row;
    job_id_t id;
    uint64_t total;
    struct task_options options;
    job_id_t parent;    /* the job whose tasks these are; JOB_NONE: it repeats none */
    uint64_t inherited; /* tasks that were done there */
    bool ended;         /* the job is finished */
    uint64_t attempts, retries, deaths, copies;
    struct ranges decided;             /* the tasks that have an outcome */
    struct task_exception *exceptions; /* of these, those not done; in their order; owned */
    size_t n_exceptions, exceptions_size;
    uint64_t counts[TASK_STATES];  /* of exceptions, by their states */
    struct task_segment *segments; /* in the order of their entries; owned */
    size_t n_segments, segments_size;
    uint64_t segment_bytes;
    struct task_values *bundles; /* by op; owned */
    size_t n_bundles, bundles_size;
    uint64_t bundle_bytes;
    struct task_start *starts; /* of tasks without an outcome; owned */
    size_t n_starts, starts_size;
};

/* Zero-initialize. */
struct task_jobs {
    struct task_job **at; /* in the order of their ids; owned */
    size_t n, size;
    struct row_watch *watch;
};

struct state;

const char *task_state_name(enum task_state state);

/* TASK_STATES: there is none of that name. */
enum task_state task_state_of(struct slice name);

/* NULL: there is no such job of tasks. */
struct task_job *task_jobs_find(const struct task_jobs *jobs, job_id_t id);

/* True while a value of the job is named, or may come to be. */
bool task_jobs_name(const struct task_jobs *jobs, struct value_id id);

/* What is said of a named value; false: it is not named. */
bool task_jobs_describe(const struct task_jobs *jobs, struct value_id id, uint64_t *len,
                        uint8_t hash[HASH_BYTES]);

/* The segment of that value; NULL: none is. */
const struct task_segment *task_job_segment(const struct task_job *job, op_id_t op);

/* Whether that is the value of a bundle; its length and SHA-256, which may be NULL. */
bool task_job_piece(const struct task_job *job, op_id_t op, uint64_t *len,
                    uint8_t hash[HASH_BYTES]);

/* What a bundle says of itself is possible. */
bool task_bundle_is_sound(const struct wire_task_bundle *bundle);

/* Its details, outputs and files on disks. */
uint64_t task_job_bytes(const struct task_job *job);

/* What became of a task; *exception is set for what is neither open nor done. */
enum task_state task_job_state(const struct task_job *job, uint64_t task,
                               const struct task_exception **exception);

/* One past the last task, from the first of `decided` on, that is done as it is; all of the range
 * have an outcome. */
uint64_t task_job_done_until(const struct task_job *job, struct range decided);

/* So many tasks of the job are in that state. */
uint64_t task_job_count(const struct task_job *job, enum task_state state);

/* Calls for the values that an entry names. */
void task_jobs_entry_values(const struct message *entry, machine_value *each, void *context);

/* A job is forgotten, and its tasks with it; their details are released. */
void task_jobs_forget(struct task_jobs *jobs, job_id_t id, struct released *released);

/* An exception, as messages have it; false: it is none. */
bool task_exception_read(struct task_exception *exception, const struct wire_task_exception *from);
void task_exception_write(struct message *message, const struct task_exception *exception,
                          struct wire_task_exception *to);
bool task_exceptions_alike(const struct task_exception *a, const struct task_exception *b);

struct task_options task_options_read(const struct wire_task_options *from);
struct wire_task_options task_options_write(const struct task_options *options);

#endif
