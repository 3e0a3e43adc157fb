/* compute.h - the compute thread: an executor (executor.h) that executes operations one after
 * another, away from the event loop.
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

/* Starts the thread, at nice +10. It holds every result back for `delay_us` (simulated processing
 * time), and executes nothing else meanwhile; it fails as `failure` says (copies).
 * Caller destroys. */
struct compute *compute_start(uint64_t delay_us, const struct failure *failure);

/* The same, as an executor (borrows). */
struct executor *compute_executor(struct compute *compute);

/* Ends the thread, and what it computes as if it was cancelled: when that is not over within
 * `patience_ms`, returns false and leaves everything as it is, and the process has to exit. */
bool compute_destroy(struct compute **compute, unsigned patience_ms);

#endif
