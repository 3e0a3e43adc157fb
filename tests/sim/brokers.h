/* brokers.h - brokers between the clients of the simulated world and its nodes.
 *
 * What a broker knows, and whom it passes a request on to, is the real one's (broker/tracker.h);
 * its sockets are modelled. Heartbeats come late or never, so it may pass on to a node that was
 * replaced. A request that waits in its connection to a node that has died goes to the next life of
 * that node, or was already given to TCP and is lost. What is inside a broker that dies is lost,
 * and the next life knows nobody. */
#ifndef CONCLAVE_SIM_BROKERS_H
#define CONCLAVE_SIM_BROKERS_H

#include "tests/sim/world.h"

#define WORLD_BROKERS_MAX 2

/* Before any node starts: from now on all clients and askers go through so many brokers. */
void brokers_open(struct world *world, unsigned n);
void brokers_free(struct world_brokers **brokers);

/* The next one, for whoever got no answer. */
unsigned brokers_next(const struct world *world, unsigned broker);

/* Sends a request through a broker (borrows the message). */
void brokers_ask(struct world *world, unsigned broker, unsigned client, uint64_t number,
                 const struct message *message);

/* Who asks, as a node names it; and back. */
uint64_t brokers_caller(const struct pending *request);
void brokers_answer(struct world *world, node_id_t from, uint64_t caller, struct message *message);

/* A node publishes; what is under way arrives. */
void brokers_publish(struct world *world, node_id_t from, struct message *message);
void brokers_pending(struct world *world, struct pending *pending);

/* One of them dies, and comes back after a while; hears nothing for a while, or late. */
void brokers_kill(struct world *world, uint64_t for_us);
void brokers_deafen(struct world *world, uint64_t for_us);

/* All are there, and hear. */
void brokers_heal(struct world *world);

#endif
