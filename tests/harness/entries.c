#include "tests/harness/entries.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"

void entries_add(struct entries *log, term_t term, struct blob *packed)
{
    if (log->n == log->size) {
        log->size = log->size ? 2 * log->size : 64;
        log->at = mem_grow(log->at, log->size, sizeof *log->at);
    }
    log->at[log->n++] = (struct entry){term, blob_ref(packed)};
}

void entries_cut(struct entries *log, log_index_t from)
{
    while (log->n && entries_last(log) >= from)
        blob_drop(&log->at[--log->n].packed);
}

void entries_cover(struct entries *log, log_index_t index, bool whole)
{
    size_t covered = index - log->base;
    if (whole || covered > log->n)
        covered = log->n;
    for (size_t i = 0; i < covered; i++)
        blob_drop(&log->at[i].packed);
    log->n -= covered;
    if (log->n)
        memmove(log->at, log->at + covered, log->n * sizeof *log->at);
    log->base = index;
}

void entries_checkpoint(struct entries *log, struct checkpoint **checkpoint,
                        const struct write *write)
{
    checkpoint_drop(checkpoint);
    *checkpoint = checkpoint_new(write->index, write->term);
    for (size_t i = 0; i < write->n_parts; i++)
        checkpoint_add(*checkpoint, write->parts[i]);
    entries_cover(log, write->index, write->whole);
}

void entries_clear(struct entries *log)
{
    entries_cut(log, 0);
    free(log->at);
    *log = (struct entries){0};
}
