/* ledger_outbox.h - what goes between ledgers: numbered outbox messages, kept until they
 * are acknowledged, applied once. */
#ifndef CONCLAVE_CORE_LEDGER_OUTBOX_H
#define CONCLAVE_CORE_LEDGER_OUTBOX_H

#include "nodes/core/ledger/ledger_types.h"

/* True when the destination leaves too much unacknowledged: then nothing new should be sent. */
bool ledger_outbox_is_full(const struct ledger *ledger, node_id_t to);

/* Numbers a TRANSFER or APP message (takes it), writes it to the outbox and puts it into the
 * channel, which it leaves once that is durable. `amount`: what was debited for it in this step. */
void ledger_send(struct ledger *ledger, node_id_t to, struct message *message, uint64_t amount);

/* A TRANSFER, APP or LEDGER_ACK came in on the channel. */
void ledger_message(struct ledger *ledger, node_id_t from, const struct message *message);

/* A new incarnation of a peer: it gets again what it has not acknowledged. */
void ledger_peer_met(struct ledger *ledger, node_id_t id);

/* What was applied may be durable now, and is acknowledged then. */
void ledger_persisted(struct ledger *ledger, uint64_t seq);

/* Puts into the channels what waits for room in them. */
void ledger_pump(struct ledger *ledger);

/* For ledger.c: records from disk, after their table's letter. */
int ledger_restore_mark(struct ledger *ledger, struct slice key, struct slice value);
int ledger_restore_last(struct ledger *ledger, struct slice key, struct slice value);
int ledger_restore_outbox(struct ledger *ledger, struct slice key, struct slice value);
void ledger_clear_outbox(struct ledger *ledger);
void ledger_check_outbox(const struct ledger *ledger);

#endif
