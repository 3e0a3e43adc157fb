/* task_kept.h - what has been told of tasks that have ended (shared/base/task_row.h), kept for
 * reading at any task: in memory while it is little, beyond that in a temporary file, with eight
 * bytes in memory for each row of one task. Rows are kept in the order in which they come. */
#ifndef CONCLAVE_CLIENTS_TASK_KEPT_H
#define CONCLAVE_CLIENTS_TASK_KEPT_H

#include "clients/input/spool.h"
#include "clients/show/task_view.h"
#include "shared/base/task_row.h"

struct task_kept_range; /* a row about several tasks */

/* Begin with task_kept_begin(). */
struct task_kept {
    uint64_t total;             /* tasks, with numbers from 1 */
    bool streams[TASK_STREAMS]; /* whose bytes are kept; else only the last line of stderr is */
    struct spool spool;
    uint64_t **places; /* blocks of places in the spool, from 1, by task; 0: none. Owned */
    struct task_kept_range *ranges; /* by their first task; owned */
    size_t n_ranges, size_ranges;
    uint64_t rows, ended;      /* rows that were kept, tasks that these are about */
    uint64_t told, told_place; /* tasks and rows that task_kept_next() has told */
    uint8_t *bytes;            /* owned: of the row that was read last */
    size_t size;
    uint64_t place; /* of that row, from 1; 0: none */
    struct task_row row;
    uint64_t kept[TASK_STREAMS]; /* of it: bytes that the cluster keeps */
};

void task_kept_begin(struct task_kept *kept, uint64_t total, const bool streams[TASK_STREAMS]);

/* Takes in the rows of a segment. What was told of a task stays: a second row about it is passed
 * over. OK, or an error with one line in `why`: these are no rows of this job. */
int task_kept_add(struct task_kept *kept, struct slice segment, struct text *why);

/* Whether something was told of the task. */
bool task_kept_has(const struct task_kept *kept, uint64_t task);

/* Fills in what was told of the task: all but input, command and files. Borrows until the next
 * call. ERR_NOT_FOUND without a line: nothing yet. */
int task_kept_view(struct task_kept *kept, uint64_t task, struct task_view *out, struct text *why);

/* The same for the next task in the order in which rows came. ERR_NOT_FOUND: no more for now. */
int task_kept_next(struct task_kept *kept, struct task_view *out, struct text *why);

/* What there is of the task beside its row; borrows until the next call. */
int task_kept_bundle(struct task_kept *kept, uint64_t task, struct task_bundle *out,
                     struct text *why);

/* Reads bytes of a stream that is kept, of a task of which something was told. */
int task_kept_read(struct task_kept *kept, uint64_t task, enum task_stream_kind kind,
                   uint64_t offset, uint8_t *at, size_t len, struct text *why);

void task_kept_clear(struct task_kept *kept);

#endif
