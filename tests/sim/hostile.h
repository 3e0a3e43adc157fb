/* hostile.h - somebody has the key of a node, and forges messages of it beside those that the node
 * itself goes on sending: terms, indexes, sequences and roles that are out of range, stale, or just
 * what would do most harm.
 *
 * It does what a protocol that trusts a majority bears (docs/security.md), so that all other checks
 * of the world go on holding: it gives no second vote in a term, acknowledges nothing that its disk
 * does not have, and asks for no vote that it could win. */
#ifndef CONCLAVE_SIM_HOSTILE_H
#define CONCLAVE_SIM_HOSTILE_H

#include "tests/sim/world.h"

/* In some seeds: from now on, until the end. */
void hostile_open(struct world *world);
void hostile_free(struct hostile **hostile);

/* Something has happened: forges what is due. */
void hostile_look(struct world *world);

/* A node has published something: of its own heartbeats it keeps the last. */
void hostile_hear(struct world *world, node_id_t from, struct message *message);

/* All is healed and quiet, but for it: there are no elections without end. */
void hostile_check(struct world *world);

#endif
