/* compute.h - the compute thread: executes operations one after another, away from the event loop.
 *
 * All functions are for the event loop's thread. Requests and results change hands through
 * mailboxes; a result belongs to whoever took it. */
#ifndef CONCLAVE_WORK_COMPUTE_H
#define CONCLAVE_WORK_COMPUTE_H

#include "nodes/core/node.h"
#include "nodes/work/failure.h"
#include "nodes/work/mailbox.h"
#include "nodes/work/operation.h"

struct compute;

/* What became of one request. */
struct compute_result {
    struct mail mail;         /* first: results come as a list of these */
    struct computed computed; /* .value is `value`, whatever its length */
    struct blob *value;       /* owned; NULL after an error */
    bool exit; /* the process has to exit now, on purpose: nothing of this is to be told */
};

/* Starts the thread, at nice +10. It holds every result back for `delay_us` (simulated processing
 * time), and executes nothing else meanwhile; it fails as `failure` says (copies).
 * Caller destroys. */
struct compute *compute_start(uint64_t delay_us, const struct failure *failure);

/* Hands one operation over. Copies it; takes new references to its values, which `lookup` finds now
 * (operation_bind). One that cannot be executed comes back with an error, in its turn. */
void compute_submit(struct compute *compute, const struct compute_op *op, operation_lookup *lookup,
                    void *context);

/* Takes all finished results, oldest first; NULL when there is none. Each is the
 * caller's to free. */
struct compute_result *compute_take(struct compute *compute);
struct compute_result *compute_next(const struct compute_result *result);
void compute_result_free(struct compute_result *result);

/* Readable while compute_take() has something. */
int compute_fd(const struct compute *compute);

/* Ends the thread. A delay ends at once; an operation that GMP is executing cannot be interrupted:
 * when it is not over within `patience_ms`, returns false and leaves everything as it is, and the
 * process has to exit. */
bool compute_destroy(struct compute **compute, unsigned patience_ms);

#endif
