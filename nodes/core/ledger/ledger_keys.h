/* ledger_keys.h - the keys of clients' requests that changed the ledger: a repeated request changes
 * nothing and gets the same answer, or is refused because that is forgotten.
 *
 *   key_add --> ring of the last LEDGER_KEYS_MAX outcomes
 *                 --a batch at a time--> sessions and blocks
 *
 * A batch of the oldest outcomes is forgotten before the first of them is overwritten, in the same
 * transaction: what a key may cost on disk is shared by all of the batch. */
#ifndef CONCLAVE_CORE_LEDGER_KEYS_H
#define CONCLAVE_CORE_LEDGER_KEYS_H

#include "nodes/core/ledger/ledger_types.h"

const struct ledger_key *ledger_key_find(const struct ledger_keys *keys, struct slice key);

/* Remembers a key that is not known, in the step that did what was asked for, or refused it. */
const struct ledger_key *ledger_key_add(struct ledger *ledger, struct slice key, uint64_t request,
                                        enum ledger_outcome outcome, uint64_t balance);

/* Opens a session for keys of this ledger, and writes it. */
const struct key_session *ledger_open_session(struct ledger *ledger);

/* Take records back from disk, in the order of their tables. ERR_CORRUPT when one does not fit. */
int ledger_restore_key(struct ledger_keys *keys, struct slice key, struct slice value);
int ledger_restore_block(struct ledger_keys *keys, struct slice key, struct slice value);
int ledger_restore_session(struct ledger_keys *keys, struct slice key, struct slice value);
int ledger_restore_floor(struct ledger_keys *keys, struct slice key, struct slice value);

void ledger_clear_keys(struct ledger_keys *keys);

#endif
