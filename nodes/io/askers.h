/* askers.h - whose request it is: from the key that a broker states, and the signature of the
 * client. */
#ifndef CONCLAVE_IO_ASKERS_H
#define CONCLAVE_IO_ASKERS_H

#include "nodes/core/node.h"
#include "shared/bus/doors.h"

/* Fills in who asks with the request at hand, whose part number `stated` is the client's public
 * key; its frames come after that. A signature is looked at when the key's role may ask for what
 * needs one, and must be for this life of this node. false: the key is not in the list. */
bool askers_find(struct doors *doors, struct bus_parts *parts, size_t stated, node_id_t self,
                 incarnation_t incarnation, struct asker *out);

#endif
