/* ledger_requests.h - what clients ask of a node's ledger. */
#ifndef CONCLAVE_CORE_LEDGER_REQUESTS_H
#define CONCLAVE_CORE_LEDGER_REQUESTS_H

#include "nodes/core/state.h"

/* Answers a request about the ledger, now or when another node has answered; false when it is about
 * something else. Nothing is acknowledged before it is durable. */
bool ledger_requests_handle(struct node *node, uint64_t client, struct message *message);

/* Refuses, because an account does not exist on a node. */
void ledger_refuse_unknown(struct node *node, uint64_t client, uint64_t request, node_id_t where,
                           struct slice account);

#endif
