/* service.h - what clients ask of a node, and what it publishes of itself.
 *
 * The door of the room: what others may use of it. */
#ifndef CONCLAVE_CORE_SERVICE_H
#define CONCLAVE_CORE_SERVICE_H

#include "nodes/core/service/heartbeat.h"
#include "nodes/core/service/reports.h"
#include "nodes/core/service/requests.h"
#include "nodes/core/service/service_types.h"

#endif
