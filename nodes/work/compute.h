/* compute.h - the compute thread: an executor (executor.h) that executes operations one after
 * another, away from the event loop.
 *
 * Requests and results change hands through mailboxes; a result belongs to whoever took it. GMP
 * cannot be interrupted: an operation that is cancelled while it runs goes on to its end, and its
 * value is dropped then. */
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

/* Ends the thread. A delay ends at once; an operation that GMP is executing cannot be interrupted:
 * when it is not over within `patience_ms`, returns false and leaves everything as it is, and the
 * process has to exit. */
bool compute_destroy(struct compute **compute, unsigned patience_ms);

#endif
