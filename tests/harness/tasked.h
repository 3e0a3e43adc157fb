/* tasked.h - the coordinator's room of tasks through its door, without a node: a coordinator (node
 * 1) and two workers. The log is played by a loop that applies at once what is proposed, disks by
 * one that keeps whatever they are given, workers by the outcomes that a test makes up. */
#ifndef CONCLAVE_HARNESS_TASKED_H
#define CONCLAVE_HARNESS_TASKED_H

#include "nodes/core/tasks/tasks.h"

enum { TASKED_NODES = 3, TASKED_INTERVAL_US = 100000 };

struct tasked {
    struct step step;
    struct links links;
    struct raft raft;
    struct state state;
    struct schedule schedule;
    struct tasks tasks;
    bool holds; /* what is proposed is not committed yet */
    bool far;   /* what workers have made is not on this disk: the test says what becomes of it */
    struct value_id fetched; /* the last that was fetched */
};

/* The fixture of a test, for cmocka. */
int tasked_begin(void **context);
int tasked_end(void **context);

/* A job of n tasks is accepted, and handed out. `options` may be NULL. */
struct task_job *tasked_submit(struct tasked *it, const char *key, uint64_t n,
                               const struct wire_task_options *options);

/* The end of a step, and what disks and the log make of it. */
void tasked_pump(struct tasked *it);

/* Time passes, and outcomes are logged. */
void tasked_log(struct tasked *it);

/* A worker answers that it has nothing, or (not NULL) that it executes this. */
void tasked_tell(struct tasked *it, node_id_t from, const struct wire_task_hand *running);

/* Both answer that they have nothing. */
void tasked_tell_both(struct tasked *it);

/* Takes the next range of tasks that a worker is given; false: there is none. */
bool tasked_given(struct tasked *it, node_id_t id, struct wire_task_hand *hand);

/* A worker tells how these tasks ended; `like` may be NULL: they are done. */
void tasked_ended(struct tasked *it, node_id_t from, const struct wire_task_hand *hand,
                  const struct wire_task_outcome *like);

/* Whoever has something does it; returns how many tasks that were. */
uint64_t tasked_work(struct tasked *it, const struct wire_task_outcome *like);

/* The worker dies, and comes back as a new incarnation that has nothing. */
void tasked_die(struct tasked *it, node_id_t id);

/* How the tasks of a job stand. */
struct wire_task_counts tasked_counts(const struct tasked *it, const struct task_job *job);

/* This node stops to coordinate, and coordinates in the next term. */
void tasked_next_term(struct tasked *it);

#endif
