/* health.h - what is wrong with a cluster, as its status tells: for conclave check and status. */
#ifndef CONCLAVE_CLIENTS_HEALTH_H
#define CONCLAVE_CLIENTS_HEALTH_H

#include <jansson.h>

#include "shared/base/text.h"
#include "shared/wire/message.h"

/* Adds every node that is not alive, is refused, is behind or stalls, by name, each kind followed
 * by "; "; nothing when all is well. */
void health_add_faults(const struct wire_status *status, struct text *out);

/* Adds why a process of that node is refused, if one is. */
void health_add_refusal(const struct wire_node_row *row, struct text *out);

/* Adds how many more voters may stop, and which they are when not all nodes vote. */
void health_add_margin(const struct wire_status *status, struct text *out);

/* How many nodes vote. */
uint64_t health_voters(const struct wire_status *status);

/* One word for a row of the table of nodes: yes, no, full, behind or stalls. */
const char *health_word(const struct wire_node_row *row);

/* Puts "not_alive", "refused", "not_admitted", "behind", "stalled", "loop_stalled" (lists of node
 * ids) and "may_fail" into an object. */
void health_put_json(const struct wire_status *status, json_t *object);

#endif
