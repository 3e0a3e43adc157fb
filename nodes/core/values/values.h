/* values.h - the values that a node holds in memory, by the operation that made them.
 *
 * Each part of a core that wants one has its own hold on it (enum value_user): a value goes when
 * the last of them has let go. */
#ifndef CONCLAVE_CORE_VALUES_H
#define CONCLAVE_CORE_VALUES_H

#include "nodes/core/node.h"
#include "shared/base/map.h"

/* A set of users: bits. */
typedef unsigned value_users;

static inline value_users value_user_bit(enum value_user user)
{
    return 1u << user;
}

/* Zero-initialize before the first use. */
struct values {
    struct map map;
};

/* Holds a value for these users (takes a new reference), in place of an older one of that name. */
void values_put(struct values *values, struct value_id id, struct blob *value, value_users users);

/* Holds it for one user more; false: it is not here. */
bool values_hold(struct values *values, struct value_id id, enum value_user user);

/* True when that user holds it. */
bool values_holds(const struct values *values, struct value_id id, enum value_user user);

/* Returns the value (borrows), whoever holds it, or NULL. */
struct blob *values_get(const struct values *values, struct value_id id);

/* The user lets go of a value; op 0: of all of the job; job 0: of all. */
void values_drop(struct values *values, enum value_user user, struct value_id id);

void values_clear(struct values *values);

#endif
