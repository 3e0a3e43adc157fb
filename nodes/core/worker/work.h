/* work.h - an operation that waits or is executed here, and how it is read from a task. */
#ifndef CONCLAVE_CORE_WORK_H
#define CONCLAVE_CORE_WORK_H

#include "nodes/core/worker/worker.h"

/* An operand on its way. */
struct wait {
    bool missing;
    bool follows;     /* an operation before this one, which is queued here, makes it */
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
    unsigned missing;     /* operands that are fetched */
    unsigned follows;     /* operands that operations before it make */
    bool follower;        /* it had such ones */
    op_id_t stranded;     /* not 0: that operation will not make its operand: it goes back */
    uint64_t deadline_us; /* while operands are missing: then it goes back */
    bool begun;           /* its operands are in memory, or being read from disk */
    bool computing;       /* and it is at the executor */
    uint64_t taken_bytes; /* begun: that its result may have */
};

/* Reads an operation of a task message into `work`, zeroed, whose blobs the caller drops in any
 * case. False: it is malformed. */
bool work_read(const struct worker *worker, const struct message *message,
               const struct wire_task_op *task, struct work *work);

/* How many operations may be at the executor. With one slot and no commands beside it more than is
 * executed: a turn of the loop between two of them takes longer than small ones. */
uint64_t work_room(const struct worker *worker);

/* Tells the other rooms how many slots operations have. */
void work_note_slots(struct worker *worker);

/* True when an operation of the queue takes the value. */
bool work_uses(const struct worker *worker, struct value_id id);

/* Returns an operation that could not be executed. `again`: another node, or another time, may do
 * better. `lacks`: for want of the value of that operation; 0: of none. */
void work_refuse(struct worker *worker, node_id_t to, const struct compute_op *op, const char *why,
                 bool again, op_id_t lacks);

/* Takes an operation out of the queue, unfinished; `previous`: the one before it, or NULL. What
 * follows it goes back in the next worker_pump(). */
void work_remove(struct worker *worker, struct work *previous, struct work *work);

#endif
