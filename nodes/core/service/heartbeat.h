/* heartbeat.h - the heartbeats that a node publishes: its numbers, for everybody. A feed is never
 * the truth. */
#ifndef CONCLAVE_CORE_HEARTBEAT_H
#define CONCLAVE_CORE_HEARTBEAT_H

#include "nodes/core/service/service_types.h"

/* Publishes a heartbeat when one is due, or when something changed. One that has nothing to tell
 * does so less often (heartbeat_idle_us()). */
void heartbeat_tick(struct service *service);

/* How long the node's disk took so far, as a message has it; empty: it has promised nothing yet. */
struct slice heartbeat_syncs(const struct service *service, struct message *message);

/* When the next one is due, unless something changes. */
uint64_t heartbeat_deadline(const struct service *service);

#endif
