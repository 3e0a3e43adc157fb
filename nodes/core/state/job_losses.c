#include "nodes/core/state/job_losses.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"

struct job_loss *job_losses_of(struct job_losses *losses, node_id_t node)
{
    size_t at = 0;
    while (at < losses->n && losses->at[at].node < node)
        at++;
    if (at < losses->n && losses->at[at].node == node)
        return &losses->at[at];
    losses->at = mem_grow(losses->at, losses->n + 1, sizeof *losses->at);
    memmove(losses->at + at + 1, losses->at + at, (losses->n - at) * sizeof *losses->at);
    losses->n++;
    losses->at[at] = (struct job_loss){.node = node};
    return &losses->at[at];
}

void job_losses_copy(struct job_losses *losses, const struct job_losses *from)
{
    job_losses_clear(losses);
    for (size_t i = 0; i < from->n; i++)
        *job_losses_of(losses, from->at[i].node) = from->at[i];
}

size_t job_losses_write(const struct job_losses *losses, struct message *message,
                        struct wire_loss **out)
{
    if (!losses->n)
        return 0;
    *out = message_room(message, losses->n, sizeof **out);
    for (size_t i = 0; i < losses->n; i++)
        (*out)[i] = (struct wire_loss){.node = losses->at[i].node,
                                       .values = losses->at[i].values,
                                       .operations = losses->at[i].operations,
                                       .us = losses->at[i].us};
    return losses->n;
}

void job_losses_read(struct job_losses *losses, const struct wire_loss *rows, size_t n)
{
    if (n)
        job_losses_clear(losses);
    for (size_t i = 0; i < n; i++) {
        node_id_t node = (node_id_t)rows[i].node;
        *job_losses_of(losses, node) =
            (struct job_loss){node, rows[i].values, rows[i].operations, rows[i].us};
    }
}

bool job_losses_are_valid(const struct wire_loss *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!rows[i].node)
            return false;
    return true;
}

void job_losses_clear(struct job_losses *losses)
{
    free(losses->at);
    *losses = (struct job_losses){0};
}
