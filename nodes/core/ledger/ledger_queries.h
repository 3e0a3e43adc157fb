/* ledger_queries.h - does the account exist that money is to be sent to? Asked of its node before
 * anything is changed, and remembered, because accounts never go away. Should one be gone all the
 * same, with a wiped disk, the money comes back. */
#ifndef CONCLAVE_CORE_LEDGER_QUERIES_H
#define CONCLAVE_CORE_LEDGER_QUERIES_H

#include "nodes/core/ledger/ledger_types.h"

/* True when the account of that node is known to exist. */
bool ledger_knows(const struct ledger *ledger, node_id_t node, struct slice account);

/* Asks the node that a bank_transfer names; the request is taken up again with the answer, or
 * refused. False when too many wait. */
bool ledger_ask(struct ledger *ledger, uint64_t client, struct message *request);

void ledger_query(struct ledger *ledger, node_id_t from, const struct wire_account_query *query);
void ledger_query_reply(struct ledger *ledger, node_id_t from,
                        const struct wire_account_reply *reply);

/* Asks again, and refuses what has waited too long. */
void ledger_tick(struct ledger *ledger);
uint64_t ledger_deadline(const struct ledger *ledger);

void ledger_clear_queries(struct ledger_queries *queries);

#endif
