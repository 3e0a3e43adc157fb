#include "nodes/core/raft/checkpoint.h"

#include <stdlib.h>

#include "shared/base/memory.h"

struct checkpoint *checkpoint_new(log_index_t index, term_t term)
{
    struct checkpoint *checkpoint = mem_new(1, sizeof *checkpoint);
    checkpoint->refs = 1;
    checkpoint->index = index;
    checkpoint->term = term;
    return checkpoint;
}

void checkpoint_add(struct checkpoint *checkpoint, struct blob *part)
{
    if (checkpoint->n == checkpoint->size) {
        checkpoint->size = checkpoint->size ? 2 * checkpoint->size : 16;
        checkpoint->parts = mem_grow(checkpoint->parts, checkpoint->size, sizeof(struct blob *));
    }
    checkpoint->parts[checkpoint->n++] = blob_ref(part);
}

uint64_t checkpoint_bytes(const struct checkpoint *checkpoint)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < checkpoint->n; i++)
        bytes += checkpoint->parts[i]->len;
    return bytes;
}

struct checkpoint *checkpoint_ref(struct checkpoint *checkpoint)
{
    checkpoint->refs++;
    return checkpoint;
}

void checkpoint_drop(struct checkpoint **checkpoint)
{
    struct checkpoint *it = *checkpoint;
    *checkpoint = NULL;
    if (!it || --it->refs)
        return;
    for (size_t i = 0; i < it->n; i++)
        blob_drop(&it->parts[i]);
    free(it->parts);
    free(it);
}
