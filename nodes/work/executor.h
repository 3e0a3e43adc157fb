/* executor.h - who executes operations: started, polled, cancelled.
 *
 * The compute thread is one (compute.h), the simulator's model of it another (tests/sim); an
 * executor of commands, which run as processes, has its place beside them. The event loop knows
 * them by these functions only.
 *
 * What is started ends exactly once, as one result: done, failed, or cancelled. */
#ifndef CONCLAVE_WORK_EXECUTOR_H
#define CONCLAVE_WORK_EXECUTOR_H

#include <stdlib.h>

#include "nodes/core/node.h"
#include "nodes/work/mailbox.h"
#include "nodes/work/operation.h"

/* What became of one operation. */
struct executor_result {
    struct mail mail;         /* first: results come as a list of these */
    struct computed computed; /* .value is `value`, whatever its length */
    struct blob *value;       /* owned; NULL after an error, or when it was cancelled */
    bool cancelled;           /* .operations and .elapsed_us say what it cost until then */
    bool exit; /* the process has to exit now, on purpose: nothing of this is to be told */
};

/* The first member of an executor. */
struct executor {
    const struct executor_kind *kind;
};

/* All functions are for the event loop's thread, and none waits. */
struct executor_kind {
    /* Begins one operation, now or when those before it are done. Copies it; takes references to
     * its values, which `lookup` finds now. One that cannot be executed ends with an error. */
    void (*start)(struct executor *executor, const struct compute_op *op, operation_lookup *lookup,
                  void *context);

    /* Takes finished results, oldest first; NULL: none. Each is the caller's to free. */
    struct executor_result *(*poll)(struct executor *executor);

    /* Nobody wants that attempt any more: what has not begun does not begin, and what runs ends as
     * soon as it can. Its result comes all the same. Nothing when there is no such operation. */
    void (*cancel)(struct executor *executor, struct value_id id, uint64_t attempt);

    void (*free)(struct executor_result *result);

    /* Readable while poll() has something; -1: whoever drives the executor knows (a model). */
    int (*fd)(const struct executor *executor);

    /* For so long has what it executes now waited for a processor, which others had. */
    uint64_t (*starved_us)(const struct executor *executor);
};

/* What computed.error says of an operation that was cancelled before it began. */
#define EXECUTOR_CANCELLED "it was cancelled"

static inline struct executor_result *executor_next(const struct executor_result *result)
{
    return (struct executor_result *)(void *)result->mail.next;
}

/* .free of an executor whose results are allocated each by itself. */
static inline void executor_result_free(struct executor_result *result)
{
    blob_drop(&result->value);
    free(result);
}

/* .fd of one that is driven by whoever knows. */
static inline int executor_no_fd(const struct executor *executor)
{
    (void)executor;
    return -1;
}

#endif
