/* ledger_keys.h - the keys of clients' requests that changed the ledger: a repeated request changes
 * nothing and gets the same answer. The last LEDGER_KEYS_MAX are remembered. */
#ifndef CONCLAVE_CORE_LEDGER_KEYS_H
#define CONCLAVE_CORE_LEDGER_KEYS_H

#include "nodes/core/state.h"

const struct ledger_key *ledger_key_find(const struct ledger_keys *keys, struct slice key);

/* Remembers a key that is not known, in the step that did what was asked for, or refused it. */
const struct ledger_key *ledger_key_add(struct node *node, struct slice key, uint64_t request,
                                        enum ledger_outcome outcome, uint64_t balance);

/* For ledger.c: a record from disk, behind its table's letter. */
int ledger_restore_key(struct ledger_keys *keys, struct slice key, struct slice value);
void ledger_clear_keys(struct ledger_keys *keys);

#endif
