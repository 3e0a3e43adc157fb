/* work.h - an operation that waits or is executed here, and how it is read from a task. */
#ifndef CONCLAVE_CORE_WORK_H
#define CONCLAVE_CORE_WORK_H

#include "nodes/core/worker/worker.h"

/* An operand on its way. */
struct wait {
    bool missing;
    bool stays;       /* made here, and others use it: it is dropped when the coordinator says so */
    node_id_t source; /* where it is being fetched */
    uint64_t len;
    uint8_t hash[HASH_BYTES];
};

struct work {
    struct work *next;
    struct compute_op op;
    struct wait waits[COMPUTE_OPERANDS_MAX];
    node_id_t coordinator;
    unsigned missing;
    uint64_t deadline_us; /* while operands are missing: then it goes back */
    bool computing;
};

/* Where a value stands in worker->held. */
static inline struct map_key work_value_key(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

/* Reads an operation of a task message into `work`, zeroed, whose blobs the caller drops in any
 * case. False: it is malformed. */
bool work_read(const struct worker *worker, const struct message *message,
               const struct wire_task_op *task, struct work *work);

/* How many operations may be at the executor. With one slot and no commands beside it more than is
 * executed: a turn of the loop between two of them takes longer than small ones. */
uint64_t work_room(const struct worker *worker);

/* Tells the other rooms how many slots operations have. */
void work_note_slots(struct worker *worker);

#endif
