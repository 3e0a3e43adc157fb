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

/* NULL: it has none of that name. The names are in no order. */
static struct blob *find_part(const struct entries *log, const struct checkpoint *checkpoint,
                              struct part_name name)
{
    for (size_t i = 0; checkpoint && i < checkpoint->n; i++)
        if (part_name_same(log->names[i], name))
            return checkpoint->parts[i];
    return NULL;
}

bool entries_checkpoint(struct entries *log, struct checkpoint **checkpoint,
                        const struct write *write)
{
    struct checkpoint *written = checkpoint_new(write->index, write->term);
    struct part_name *names = mem_new(write->n_parts + 1, sizeof *names);
    bool whole = true;
    for (size_t i = 0; i < write->n_parts && whole; i++) {
        names[i] = write->names ? write->names[i] : (struct part_name){write->index, i};
        struct blob *part =
            write->parts[i] ? write->parts[i] : find_part(log, *checkpoint, names[i]);
        /* A new part has the name of no other one. */
        bool sound = !write->parts[i] || names[i].index == write->index;
        whole = part && sound;
        if (whole)
            checkpoint_add(written, part);
    }
    if (!whole) {
        checkpoint_drop(&written);
        free(names);
        return false;
    }
    checkpoint_drop(checkpoint);
    free(log->names);
    *checkpoint = written;
    log->names = names;
    entries_cover(log, write->index, write->whole);
    return true;
}

void entries_clear(struct entries *log)
{
    entries_cut(log, 0);
    free(log->at);
    free(log->names);
    *log = (struct entries){0};
}
