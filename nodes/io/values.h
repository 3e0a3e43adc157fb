/* values.h - the values that a node holds in memory, by the operation that made them. */
#ifndef CONCLAVE_IO_VALUES_H
#define CONCLAVE_IO_VALUES_H

#include "nodes/core/node.h"
#include "shared/base/map.h"

/* Zero-initialize before the first use. */
struct values {
    struct map map;
};

/* Holds a value (takes a new reference), in place of an older one of that name. */
void values_put(struct values *values, struct value_id id, struct blob *value);

/* Returns the value (borrows), or NULL. */
struct blob *values_get(const struct values *values, struct value_id id);

/* Forgets a value; op 0: all of the job; job 0: all. */
void values_drop(struct values *values, struct value_id id);

#endif
