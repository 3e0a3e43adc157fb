/* oracle.h - what must hold after every step of every node, checked against a ghost history that no
 * crash and no wiped disk forgets.
 *
 * Sources: Ongaro's thesis (figure 3.2) and the statements of the checks that are named in the .c.
 * All of it is incremental: a step costs what changed in it. */
#ifndef CONCLAVE_SIM_ORACLE_H
#define CONCLAVE_SIM_ORACLE_H

#include "tests/sim/world.h"

struct oracle *oracle_new(void);
void oracle_free(struct oracle **oracle);

/* Around a step of a node; its outputs have not been carried out yet. */
void oracle_before(struct world *world, node_id_t id, const struct event *event);
void oracle_after(struct world *world, node_id_t id, const struct event *event,
                  const struct node_outputs *outputs);

/* A write has become durable. */
void oracle_wrote(struct world *world, node_id_t id, const struct write *write);

/* Everything up to the node's last persist is durable: disk and memory must agree. */
void oracle_synced(struct world *world, node_id_t id);

/* A value is durable; a message leaves for a peer, or for a client. */
void oracle_kept(struct world *world, node_id_t id, struct value_id value);
void oracle_sent(struct world *world, node_id_t id, node_id_t to, const struct message *message);
void oracle_replied(struct world *world, node_id_t id, const struct message *message);

/* A node says of a value that what is committed does not name it any more. */
void oracle_used(struct world *world, node_id_t id, struct value_id value);

void oracle_started(struct world *world, node_id_t id);
void oracle_wiped(struct world *world, node_id_t id);

/* When all is healed and quiet: what the log says was done adds up, and each disk has the values
 * that its node's state names. */
void oracle_end(struct world *world);

/* True when the committed log admits another disk of the node. */
bool oracle_is_replaced(const struct world *world, node_id_t id, incarnation_t birth);

/* Whether some other voter has a disk that was replaced and does not know it. */
bool oracle_has_returned(const struct world *world, node_id_t but);

/* True when the rule of R22 can bear that this node, which is down, loses its disk. */
bool oracle_may_wipe(const struct world *world, node_id_t id);

/* Of jobs and snaps: so many keys were forgotten so far, as any node has it; of these, so many from
 * the first one on are out of the window, and may be executed again. */
uint64_t oracle_keys_forgotten(const struct world *world);
uint64_t oracle_keys_gone(const struct world *world);

/* What a coordinator must notice within so many election timeouts it has noticed by then. */
uint64_t oracle_late_us(const struct world *world, uint64_t timeouts);

#endif
