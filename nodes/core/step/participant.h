/* participant.h - how a room takes part in a snapshot: it writes its state at the cut as parts.
 *
 * The interface by which the snapshot room meets the rooms below it; node.c gives it the list. */
#ifndef CONCLAVE_CORE_PARTICIPANT_H
#define CONCLAVE_CORE_PARTICIPANT_H

#include "shared/wire/message.h"

/* Takes the parts (each message is taken). */
struct cut_writer {
    void (*add)(void *context, struct message *part);
    void *context;
};

/* A list of operations under construction, a part for every so many. Zero-initialize but for the
 * writer. */
struct cut_ops {
    const struct cut_writer *writer;
    bool coordinator;
    struct message *part;
};

void cut_add_op(struct cut_ops *ops, struct wire_cut_op op);
void cut_end_ops(struct cut_ops *ops);

#endif
