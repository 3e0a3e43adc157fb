/* Operators over segments of stored values: until a node holds such values, it executes none. */
#include "nodes/work/operator_work.h"
#include "shared/base/error.h"

static int no_room(const struct compute_op *op, size_t *room_bytes)
{
    (void)op;
    *room_bytes = 0;
    return ERR_UNSUPPORTED;
}

const struct operator_work operator_remainder_work = {no_room, NULL};
const struct operator_work operator_gcds_work = {no_room, NULL};
const struct operator_work operator_gather_work = {no_room, NULL};
const struct operator_work operator_report_work = {no_room, NULL};
