#include "nodes/core/raft/stored.h"

#include <stdlib.h>

#include "shared/base/memory.h"
#include "shared/base/mutant.h"

static struct map_key key_of(const struct blob *part)
{
    return (struct map_key){(uintptr_t)part, 0};
}

void stored_forget(struct stored *stored)
{
    map_clear(&stored->by_part);
    free(stored->names);
    stored->names = NULL;
    checkpoint_drop(&stored->checkpoint);
}

static void remember(struct stored *stored, struct checkpoint *checkpoint, struct part_name *names,
                     size_t n)
{
    struct checkpoint *before = stored->checkpoint; /* its parts may be those of the new one */
    stored->checkpoint = checkpoint_ref(checkpoint);
    checkpoint_drop(&before);
    map_clear(&stored->by_part);
    free(stored->names);
    stored->names = names;
    for (size_t i = 0; i < n; i++)
        map_put(&stored->by_part, key_of(checkpoint->parts[i]), &names[i]);
}

uint64_t stored_write(struct stored *stored, struct outbox *out, struct checkpoint *checkpoint)
{
    size_t n = checkpoint->n - checkpoint->n_blocks;
    struct part_name *names = mem_new(n, sizeof *names);
    struct blob **fresh = mem_new(n, sizeof(struct blob *)); /* NULL: the disk has it */
    stored->parts = stored->bytes = stored->reused_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        struct blob *part = checkpoint->parts[i];
        const struct part_name *name = map_get(&stored->by_part, key_of(part));
        if (name) {
            names[i] = *name;
            stored->reused_bytes += part->len;
            continue;
        }
        names[i] = (struct part_name){checkpoint->index, i};
        if (MUTANT(part_not_written) && stored->checkpoint && i + 1 == n)
            continue;
        fresh[i] = part;
        stored->parts++;
        stored->bytes += part->len;
    }
    uint64_t seq =
        outbox_write_checkpoint(out, checkpoint->index, checkpoint->term, fresh, names, n, false);
    remember(stored, checkpoint, names, n);
    free(fresh);
    return seq;
}
