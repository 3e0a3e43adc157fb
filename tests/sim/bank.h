/* bank.h - the third seed's bank in the simulated world: accounts on every node, tellers who
 * transfer money among all of them, takers who have snapshots taken by whomever.
 *
 * Every snapshot that any node keeps is read and verified as `conclave snapshot verify` would,
 * partial ones as far as they can be; and the money in it must be what was deposited. */
#ifndef CONCLAVE_SIM_BANK_H
#define CONCLAVE_SIM_BANK_H

#include "shared/snapshot/verify.h"
#include "tests/sim/world.h"

#define BANK_ACCOUNTS 3    /* on each node */
#define BANK_DEPOSIT  1000 /* into each */
#define BANK_TELLERS  5
#define BANK_TAKERS   8 /* so many snapshots at once */

/* Asker 0 is free for whoever opens the bank, then come the tellers, then the takers. */
_Static_assert(1 + BANK_TELLERS + BANK_TAKERS <= WORLD_ASKERS_MAX, "an asker for each");

/* Deposits first; then come so many transfers by the tellers, and so many snapshots by the first
 * `takers` takers, each of whom rests up to rest_us between two. */
void bank_open(struct world *world, uint64_t transfers, unsigned takers, uint64_t snapshots,
               uint64_t rest_us);

/* Begins no more transfers and snapshots. */
void bank_close(struct world *world);

/* True when everybody has an answer to what he began. */
bool bank_is_idle(const struct world *world);

/* True when all nodes are up, no outbox message is on its way and no snapshot under way. */
bool bank_is_quiet(const struct world *world);

/* All balances of the nodes that are up. */
uint64_t bank_money(const struct world *world);

/* When it is quiet: the balances are what was deposited. */
void bank_check(struct world *world);

/* A value has become durable on a node: should it be a snapshot, it must be right. */
void bank_value_kept(struct world *world, node_id_t id, struct value_id value,
                     const struct blob *blob);

/* Requests. `type`: a deposit or a withdrawal. Who asks with one takes it. */
struct message *bank_change(enum message_type type, const char *key, const char *account,
                            uint64_t amount);
struct message *bank_transfer(const char *key, const char *from, uint64_t amount, const char *to,
                              uint64_t to_node);
const char *bank_account(unsigned number);

#endif
