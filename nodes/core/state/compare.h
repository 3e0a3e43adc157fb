/* compare.h - two replicated states, field by field; what differs, or a number for all of it.
 *
 * Beside each table stand lists of all its fields (fields.h): those that entries make, which are
 * compared, and those that are a node's own or follow from others. `make check` fails when a field
 * is in no list. So what is added to the state is compared, and the unit test that saves and loads
 * a state demands that the comparison has seen something else than zero in each of its fields. */
#ifndef CONCLAVE_CORE_COMPARE_H
#define CONCLAVE_CORE_COMPARE_H

#include "nodes/core/state/state_types.h"

/* `name`: as in "job.trace"; static. `same`: it is the same in both. */
typedef void state_field(void *context, const char *name, bool same);

/* Calls for each field of the two states and of their rows, in pairs; a row that one of them lacks
 * is compared with an empty one. */
void state_compare(const struct state *a, const struct state *b, state_field *field, void *context);

/* The first field that is not the same (static); NULL: the states are equal. */
const char *state_differs(const struct state *a, const struct state *b);

/* A hash of all that is compared: equal for equal states. */
uint64_t state_digest(const struct state *state);

/* The same for whoever remembers the digests of jobs that are finished: calls for each job, which
 * begins with the row; `at` is its place in the table, digest(row) computes what is not known. */
typedef uint64_t row_digest(const struct row *row);
typedef uint64_t state_row_digest(void *context, size_t at, const struct row *row,
                                  row_digest *digest);
uint64_t state_digest_with(const struct state *state, state_row_digest *of_row, void *context);

#endif
