/* peers_internal.h - shared by the files that implement peers.h, and by nobody else. */
#ifndef CONCLAVE_CORE_PEERS_INTERNAL_H
#define CONCLAVE_CORE_PEERS_INTERNAL_H

#include "nodes/core/link/peers.h"

/* Reports a fact: peers.c. */
void peers_report(struct links *links, enum link_fact_kind kind, node_id_t id, bool flag);

/* `died`: its process is gone, as far as we can tell; else it may only be out of reach. peers.c. */
void peers_declare_dead(struct links *links, node_id_t id, const char *why, bool died);

/* Connections that nobody has welcomed in time are made again; and when the next one is.
 * peers_connections.c. */
void peers_check_greetings(struct links *links, node_id_t id);
uint64_t peers_greetings_deadline(const struct links *links, node_id_t id);

#endif
