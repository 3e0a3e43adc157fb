/* ledger_requests.h - what clients ask of a node's ledger. */
#ifndef CONCLAVE_CORE_LEDGER_REQUESTS_H
#define CONCLAVE_CORE_LEDGER_REQUESTS_H

#include "nodes/core/ledger/ledger_types.h"

/* Answers a request about the ledger, now or when another node has answered; false when it is about
 * something else. Nothing is acknowledged before it is durable. */
bool ledger_requests_handle(struct ledger *ledger, uint64_t client, struct message *message);

/* The account that a bank_transfer names does not exist on its node. */
void ledger_requests_missing(struct ledger *ledger, uint64_t client, struct message *message);

#endif
