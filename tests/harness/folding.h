/* folding.h - programs that fold, as a model: each appends its files, in order, as cat(1) does.
 * What it makes of values in another order is another value. */
#ifndef CONCLAVE_TESTS_FOLDING_H
#define CONCLAVE_TESTS_FOLDING_H

#include "nodes/work/operation.h"

/* As operation_run(), for operations that a program executes as well. */
void folding_run(const struct compute_op *op, operation_lookup *lookup, void *context,
                 uint64_t inline_max, struct computed *out, struct blob **value);

#endif
