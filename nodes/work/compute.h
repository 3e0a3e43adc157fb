/* compute.h - the compute threads: an executor (executor.h) that executes operations away from the
 * event loop, one after another, or as many at a time as it has threads. What is started goes to
 * the thread that has least to do.
 *
 * Requests and results change hands through mailboxes; a result belongs to whoever took it. An
 * operation that is cancelled while it runs ends with the product, or the piece of a conversion,
 * that it is at: one call of GMP cannot be interrupted. The longest are the last product of a large
 * job, and the first division of its conversion: a seventh of what that takes in all. */
#ifndef CONCLAVE_WORK_COMPUTE_H
#define CONCLAVE_WORK_COMPUTE_H

#include "nodes/work/executor.h"
#include "nodes/work/failure.h"

struct compute;

/* Starts so many threads (1 or more), at nice +5. Each holds every result back for `delay_us`
 * (simulated processing time), and executes nothing else meanwhile; it fails as `failure` says
 * (copies). Caller destroys. */
struct compute *compute_start(size_t threads, uint64_t delay_us, const struct failure *failure);

/* The same, as an executor (borrows). */
struct executor *compute_executor(struct compute *compute);

/* Ends the threads, and what they compute as if it was cancelled: when that is not over within
 * `patience_ms`, returns false and leaves everything as it is, and the process has to exit. */
bool compute_destroy(struct compute **compute, unsigned patience_ms);

#endif
