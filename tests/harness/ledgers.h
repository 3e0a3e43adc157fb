/* ledgers.h - ledgers of whole nodes in the deterministic world, for tests: requests, answers, and
 * the money that there is. */
#ifndef CONCLAVE_HARNESS_LEDGERS_H
#define CONCLAVE_HARNESS_LEDGERS_H

#include "tests/harness/worlds.h"
#include "tests/sim/bank.h"

#define LEDGERS_PATIENCE_US (60 * SECOND_US)

/* The usual world, with other limits of keys. Caller frees it. */
struct world *ledgers_begin(uint64_t seed, uint32_t n_nodes, struct key_limits keys);

/* Requests, beside bank_change() and bank_transfer(). Who asks with one takes it. */
struct message *ledgers_put(const char *key, const char *name, const char *value, uint64_t to);
struct message *ledgers_get(const char *name);
struct message *ledgers_delete(const char *key, const char *name);
struct message *ledgers_list(const char *prefix, const char *after);

/* Asks a node and waits for the answer, which lasts until the next request. */
const struct message *ledgers_ask(struct world *world, node_id_t node, struct message *request);

/* Asks, and expects this error, with this word in its reason; or an account with this balance. */
void ledgers_assert_refused(struct world *world, node_id_t node, struct message *request,
                            const char *code, const char *word);
void ledgers_assert_done(struct world *world, node_id_t node, struct message *request,
                         uint64_t balance);

/* In the memory of a node; UINT64_MAX: there is no such account. */
uint64_t ledgers_balance(struct world *world, node_id_t node, const char *account);

/* All money there is, were all nodes to lose their power now. */
uint64_t ledgers_durable_money(const struct world *world);

/* Runs until nothing waits in any outbox, and all is durable. */
void ledgers_settle(struct world *world);

#endif
