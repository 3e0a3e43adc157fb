/* schedule.h - the coordinator's work: splits jobs into operations, assigns them to workers, takes
 * results in, and hands out again what a lost worker had. It computes nothing.
 *
 *   item: pending (operands missing) --> ready --> assigned --> [fetching its value] --> done -->
 * gone (consumed)
 *                                          ^__________|______________|  worker lost, or taken back
 *
 * Only the frontier exists: an item is made when its unit is cut or its first operand is done, and
 * goes when its consumer is done. */
#ifndef CONCLAVE_CORE_SCHEDULE_H
#define CONCLAVE_CORE_SCHEDULE_H

#include "nodes/core/state.h"
#include "shared/base/text.h"

/* This node begins or stops to coordinate. */
void schedule_start(struct node *node);
void schedule_stop(struct node *node);

/* A committed entry made or finished a job. */
void schedule_job_accepted(struct node *node, struct job *job);
void schedule_job_finished(struct node *node, struct job *job);

/* A worker returned results. */
void schedule_results(struct node *node, node_id_t from, const struct message *message);

/* A value that the coordinator wanted from a worker is there, or cannot be had; a text is durable.
 */
void schedule_value_ready(struct node *node, struct value_id id);
void schedule_value_failed(struct node *node, struct value_id id);

/* What has waited for a value beyond its deadline asks again. */
void schedule_watch_values(struct node *node);
void schedule_value_kept(struct node *node, struct value_id id);

/* True when an entry that finishes the job waits to be applied. */
bool schedule_end_is_pending(const struct node *node, job_id_t job);

/* True when operations can be assigned to it. */
bool schedule_is_worker(const struct node *node, node_id_t worker);

/* A worker is gone: its operations go to others at once. `died`: its process has, so that what it
 * executed is suspected. */
void schedule_worker_lost(struct node *node, node_id_t worker, bool died);

/* A worker is there: a new life, or `again` the one that was thought to have died. */
void schedule_worker_lives(struct node *node, node_id_t worker, bool again);

/* Assigns what is ready to workers that have credit. */
void schedule_pump(struct node *node);
uint64_t schedule_deadline(const struct node *node);

/* The level of the plan whose subtrees are handed out whole, for a job that is being submitted. */
unsigned schedule_unit_level(const struct node *node, struct slice spec);

/* For the files of the schedule: takes an item out of a worker's hands, and hands it out again when
 * nobody else has it. `cancel`: the worker is told to drop it. */
struct hold;
void schedule_take_back(struct node *node, struct hold *hold, bool cancel);

/* Tells a worker to drop an operation, or the whole job when it is 0. */
void schedule_cancel(struct node *node, node_id_t worker, job_id_t job, op_id_t op);

/* An item's value is there: its consumer has one operand more. For checkpoint.c. */
struct item;
void schedule_supply(struct node *node, const struct item *item);

/* Adds what is known about a job's progress, for people. */
void schedule_explain(const struct node *node, const struct job *job, struct text *out);

void schedule_clear(struct node *node);
void schedule_check_invariants(const struct node *node);

#endif
