/* integer_list.h - operators on lists of integers in their packed form (shared/base/packed.h), such
 * as a segment of a stored value.
 *
 * In two steps, as in integer.h. The first looks at no item, because the event loop calls it: what
 * is wrong with the list the second one finds. ..._into(): OK; ERR_INTERRUPTED: `stop` was set;
 * ERR_MALFORMED: the list has something that is no integer. */
#ifndef CONCLAVE_WORK_INTEGER_LIST_H
#define CONCLAVE_WORK_INTEGER_LIST_H

#include "nodes/work/integer.h"

/* The product of all items; of none 1. ERR_TOO_BIG: the list is longer than INTEGER_MAX_BYTES.
 * Memory: at most seven times the list, 56 MiB for a segment of 8 MiB; and what GMP or FLINT takes
 * for the last product. */
int integer_product_room(const struct blob *list, size_t *room_bytes);
int integer_product_into(const struct blob *list, struct blob *out, stop_flag *stop);

#endif
