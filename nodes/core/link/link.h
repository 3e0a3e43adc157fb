/* link.h - the other nodes: whether they live, connections, and channels.
 *
 * The door of the room. */
#ifndef CONCLAVE_CORE_LINK_H
#define CONCLAVE_CORE_LINK_H

#include "nodes/core/link/channel.h"
#include "nodes/core/link/peers.h"

#endif
