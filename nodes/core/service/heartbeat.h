/* heartbeat.h - the heartbeats that a node publishes: its numbers, for everybody. A feed is never
 * the truth. */
#ifndef CONCLAVE_CORE_HEARTBEAT_H
#define CONCLAVE_CORE_HEARTBEAT_H

#include "nodes/core/service/service_types.h"

/* Publishes a heartbeat when one is due, or when something changed. */
void heartbeat_tick(struct service *service);

#endif
