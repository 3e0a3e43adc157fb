/* task_source.h - where rows and outputs of a job's tasks come from: a cluster, or a fake in tests.
 * What shows and writes them knows no more than this. */
#ifndef CONCLAVE_CLIENTS_TASK_SOURCE_H
#define CONCLAVE_CLIENTS_TASK_SOURCE_H

#include "clients/show/task_view.h"
#include "shared/base/limits.h"

struct task_source_file {
    char path[TASK_PATH_MAX + 1]; /* as the node says: not to be trusted */
    uint64_t len;
    uint8_t sha256[HASH_BYTES];
    bool executable;
};

/* Every function returns OK, or an error with one line in `why`; ERR_NOT_FOUND says nothing, and
 * means what stands here. What a view borrows lives until the next call. */
struct task_source {
    void *context;
    uint64_t total; /* tasks, with numbers from 1 */

    /* The task of that number, as it stands now. */
    int (*get)(void *context, uint64_t task, struct task_view *out, struct text *why);

    /* The next one that has ended, in the order in which they ended. ERR_NOT_FOUND: none now. */
    int (*ended)(void *context, struct task_view *out, struct text *why);

    /* Waits until more have ended. ERR_NOT_FOUND: nothing will come, the job is finished. */
    int (*wait)(void *context, struct text *why);

    /* Reads what was kept of a stream of a task that has ended, from an offset on: `len` bytes,
     * which are there. */
    int (*read)(void *context, uint64_t task, enum task_stream_kind kind, uint64_t offset,
                uint8_t *at, size_t len, struct text *why);

    /* Its collected file of that number, from 0, and bytes of it. */
    int (*file)(void *context, uint64_t task, uint64_t file, struct task_source_file *out,
                struct text *why);
    int (*read_file)(void *context, uint64_t task, uint64_t file, uint64_t offset, uint8_t *at,
                     size_t len, struct text *why);
};

#endif
