/* operation.h - executes one operation: pure, from values to a value. The compute thread, the
 * simulator and the unit tests all run this code; each has its own way to the values. */
#ifndef CONCLAVE_WORK_OPERATION_H
#define CONCLAVE_WORK_OPERATION_H

#include "nodes/core/node.h"
#include "nodes/work/stop.h"

/* The value of that name (borrowed), or NULL: it is not at hand. */
typedef struct blob *operation_lookup(void *context, struct value_id id);

/* Executes an operation. Fills `out`, elapsed_us left at 0 and value at NULL; out->error says for
 * people why there is no value (a constant). *value is new, caller drops; NULL after an error. Only
 * a value longer than `inline_max` bytes, or a text, gets a hash: what travels inside a message
 * needs none to be recognized by.
 *
 * An operand that is not at hand makes the operation fail, everywhere alike: the end of a job, or
 * of its coordinator's term, may drop values whose operation still waits for its turn. */
void operation_run(const struct compute_op *op, operation_lookup *lookup, void *context,
                   uint64_t inline_max, struct computed *out, struct blob **value);

/* The same in three steps, for a thread that shares no memory allocator with the one that takes
 * the result. Errors are for operation_error_text().
 *
 * First: puts the values in the place of their names (borrowed). ERR_NOT_FOUND: one is
 * not at hand. */
int operation_bind(struct compute_op *op, operation_lookup *lookup, void *context);

/* Second: how much room the result takes at most. ERR_UNSUPPORTED, ERR_RANGE, ERR_MALFORMED,
 * ERR_TOO_BIG: it cannot be executed. */
int operation_room(const struct compute_op *op, size_t *room_bytes);

/* Third, with what the second found to be good: writes the result into a blob of that length, and
 * sets its length. False, and nothing of the operation was executed: `stop` (may be NULL) was set
 * before it was done, which is looked at between two products, and between two pieces of a
 * conversion; or, when out->error says so, an operand turned out to be malformed. */
bool operation_into(const struct compute_op *op, struct blob *value, uint64_t inline_max,
                    struct computed *out, stop_flag *stop);

const char *operation_error_text(int error);

#endif
