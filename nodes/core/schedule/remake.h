/* remake.h - values that only their makers hold.
 *
 * A value that is too long to ride with its result stays with the worker that made it. Its
 * operation counts as done at once, and whoever uses the value gets it from there. It is copied to
 * our disk, logged, and so to all others' disks, when making it again would cost more than that
 * (remake_pays()); shorter values, which are with us, are logged by the same rule. When its maker
 * is gone before, it is made again from what is left: its operands, theirs, down to the leaves or
 * to values that are kept. What is made again counts once only. */
#ifndef CONCLAVE_CORE_REMAKE_H
#define CONCLAVE_CORE_REMAKE_H

#include "nodes/core/schedule/job_schedule.h"

/* True for a value that nobody but its maker holds. */
bool remake_is_held(const struct open_op *open);

/* What it would cost to make the value of an operation that is done again, from what is logged now:
 * microseconds of computing. Call before its operands are dropped. */
uint64_t remake_cost_us(const struct schedule *schedule, const struct open_op *open,
                        uint64_t elapsed_us);

/* True when a value should be logged and copied to the disks: that costs less than to make it
 * again, or too much is not logged. */
bool remake_pays(const struct schedule *schedule, const struct open_op *open);

/* Our disk has it now: so fast was that. */
void remake_note_kept(struct schedule *schedule, const struct open_op *open);

/* A worker is gone, and with it what it alone held; returns how many values that were. */
uint64_t remake_lose(struct schedule *schedule, node_id_t worker);

/* An operation that was done before is done again: its job's account says for whose loss. */
void remake_note_done(const struct open_op *open);

/* A worker that should have got the value found that its maker does not have it. */
void remake_missing(struct schedule *schedule, struct value_id id);

/* True when the value of an operand of it is lost: a copy of it would not get far. */
bool remake_is_crippled(const struct schedule *schedule, const struct open_op *open);

/* True when an operation that is ready must wait, because operands of it are lost: they are made
 * again now. */
bool remake_operands(struct schedule *schedule, struct open_op *open);

#endif
