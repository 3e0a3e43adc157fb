/* losses.h - the exact account of the money that wiped disks take along.
 *
 * Only what is durable counts. The money of the world is the balances on all disks and every outbox
 * message in an outbox on disk that the mark on its destination's disk does not cover. No
 * transaction of a sound ledger changes it, but a deposit. A wipe changes it by what it takes
 * (balances, outbox messages that nobody has applied) less what comes back (outbox messages that it
 * had applied, and that are still in the outboxes of others). Three things are settled only after
 * it, when they become durable:
 *
 * - an outbox message that had left the wiped disk is applied all the same: it is not lost;
 * - an outbox message that seemed to come back is forgotten, because the acknowledgement was there
 * already;
 * - or it is skipped, because its source sends what comes behind it. */
#ifndef CONCLAVE_SIM_LOSSES_H
#define CONCLAVE_SIM_LOSSES_H

#include "tests/sim/world.h"

/* The node's disk is about to be wiped; checks that all money is accounted for until now. */
void losses_wipe(struct world *world, node_id_t id);

/* The record is about to be written to the disk. */
void losses_write(struct world *world, node_id_t id, const struct write *write);

/* What all the money must come to: deposited, and not lost. */
uint64_t losses_expected(const struct world *world);

#endif
