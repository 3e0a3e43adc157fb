#include "nodes/core/step/output.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"

struct write write_copy(const struct write *write)
{
    struct write copy = *write;
    blob_ref(copy.entry);
    struct blob **parts = write->n_parts ? mem_new(write->n_parts, sizeof *parts) : NULL;
    for (size_t i = 0; i < write->n_parts; i++)
        parts[i] = blob_ref(write->parts[i]);
    copy.parts = parts;
    if (write->names) {
        struct part_name *names = mem_new(write->n_parts, sizeof *names);
        memcpy(names, write->names, write->n_parts * sizeof *names);
        copy.names = names;
    }
    if (write->identity) {
        struct identity *identity = mem_new(1, sizeof *identity);
        *identity = *write->identity;
        copy.identity = identity;
    }
    return copy;
}

void write_drop(struct write *write)
{
    blob_drop(&write->entry);
    for (size_t i = 0; i < write->n_parts; i++) {
        struct blob *part = write->parts[i];
        blob_drop(&part);
    }
    free((void *)write->parts);
    free((void *)write->names);
    free((void *)write->identity);
}
