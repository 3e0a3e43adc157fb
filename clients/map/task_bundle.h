/* task_bundle.h - reads what a task has left beside the row of its details (shared/tasks/bundle.h):
 * long outputs, and collected files.
 *
 * Any of it is read by ranges: what is in memory is one chunk, and the list of one task's files. */
#ifndef CONCLAVE_CLIENTS_TASK_BUNDLE_H
#define CONCLAVE_CLIENTS_TASK_BUNDLE_H

#include "clients/map/task_source.h"
#include "shared/base/blob.h"
#include "shared/base/task_row.h"

/* Fetches bytes of a value of the job from an offset on: at least one, as many as come at once
 * (caller drops). An error has one line in `why`. */
struct bundle_fetch {
    int (*fetch)(void *context, uint64_t op, uint64_t offset, struct blob **out, struct text *why);
    void *context;
};

/* Zero-initialize. */
struct bundle_reader {
    uint64_t task;             /* whose list of files is here; 0: none is */
    uint8_t *head;             /* owned */
    uint64_t *starts;          /* where its files begin in the bundle; owned */
    struct bundle_file *files; /* owned */
    size_t n_files;
    struct blob *chunk;  /* owned: what came last ... */
    uint64_t op, offset; /* ... of which value, from where on */
};

/* Reads `len` bytes of a stream that is in the bundle. OK, or an error with one line in `why`. */
int bundle_read_stream(struct bundle_reader *reader, const struct bundle_fetch *from,
                       const struct task_bundle *bundle, enum task_stream_kind kind,
                       uint64_t offset, uint8_t *at, size_t len, struct text *why);

/* The task's file of that number, from 0; and bytes of it. */
int bundle_file(struct bundle_reader *reader, const struct bundle_fetch *from, uint64_t task,
                const struct task_bundle *bundle, uint64_t file, struct task_source_file *out,
                struct text *why);
int bundle_read_file(struct bundle_reader *reader, const struct bundle_fetch *from, uint64_t task,
                     const struct task_bundle *bundle, uint64_t file, uint64_t offset, uint8_t *at,
                     size_t len, struct text *why);

void bundle_reader_clear(struct bundle_reader *reader);

#endif
