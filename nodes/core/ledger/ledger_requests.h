/* ledger_requests.h - what clients ask of a node's ledger. */
#ifndef CONCLAVE_CORE_LEDGER_REQUESTS_H
#define CONCLAVE_CORE_LEDGER_REQUESTS_H

#include "nodes/core/ledger/ledger_types.h"

/* Each answers a request about this node's ledger, now or when another node has answered. Nothing
 * is acknowledged before it is durable. */
typedef void ledger_request_fn(struct ledger *ledger, uint64_t client, struct message *message);

ledger_request_fn ledger_request_deposit, ledger_request_withdraw, ledger_request_transfer,
    ledger_request_balance, ledger_request_list, ledger_request_put, ledger_request_get,
    ledger_request_del, ledger_request_list_values, ledger_request_session;

/* The account that a bank_transfer names does not exist on its node. */
void ledger_requests_missing(struct ledger *ledger, uint64_t client, struct message *message);

#endif
