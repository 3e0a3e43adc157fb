/* running.h - the worker's room of tasks alone, with a job whose inputs are stored values. */
#ifndef CONCLAVE_HARNESS_RUNNING_H
#define CONCLAVE_HARNESS_RUNNING_H

#include "nodes/core/runner/runner.h"

enum { COORDINATOR = 1, SELF = 2, TERM = 3, SEGMENTS = 20, ITEMS = 5 };

/* A worker, and a job of 99 tasks whose records are in 20 segments of 5 items. */
struct running {
    struct step step;
    struct links links;
    struct raft raft;
    struct state state;
    struct runner runner;
    job_id_t value, job;
    job_id_t files; /* a value of long segments; JOB_NONE: the job has none */
    size_t seen;    /* outputs that were looked at */
};

/* A worker of three nodes that knows of no job. */
struct running *running_new(node_id_t self, node_id_t coordinator);

/* Setup and teardown for cmocka. */
int running_begin(void **context);
int running_end(void **context);

/* An entry of the log (takes it). */
void running_apply(struct running *it, struct message *entry);

/* A value of equal segments of that length. */
job_id_t running_store(struct running *it, const char *format, uint64_t len, uint64_t items);

/* The job. */
void running_submit(struct running *it);

/* The coordinator hands out so many tasks, from the first on. */
void running_give(struct running *it, job_id_t job, uint64_t first, uint64_t count);

void running_pump(struct running *it);

/* The next output of that kind that was not looked at; NULL: there is none. */
const struct output *running_next(struct running *it, enum output_kind kind);

/* An attempt ends. */
void running_ends(struct running *it, uint64_t hand, uint64_t task);

#endif
