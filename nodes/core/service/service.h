/* service.h - what clients ask of a node, and what it publishes of itself.
 *
 * The door of the room: what others may use of it. */
#ifndef CONCLAVE_CORE_SERVICE_H
#define CONCLAVE_CORE_SERVICE_H

#include "nodes/core/service/heartbeat.h"
#include "nodes/core/service/reports.h"
#include "nodes/core/service/requests.h"
#include "nodes/core/service/service_types.h"

/* Time has passed; who waited for what other rooms have done is answered. */
void service_tick(struct service *service);
void service_pump(struct service *service);

/* The heartbeat, when it is due: at the end of a step, for it says what has become of all. */
void service_publish(struct service *service);
uint64_t service_deadline(const struct service *service);

void service_clear(struct service *service);
void service_check_invariants(const struct service *service);

#endif
