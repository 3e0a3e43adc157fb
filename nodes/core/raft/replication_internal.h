/* replication_internal.h - shared by the files that implement replication.h, and by nobody else. */
#ifndef CONCLAVE_CORE_REPLICATION_INTERNAL_H
#define CONCLAVE_CORE_REPLICATION_INTERNAL_H

#include "nodes/core/raft/replication.h"

/* Nothing is known of where the logs meet: a probe, in a round of its own, will tell.
 * replication.c. */
void replication_doubt(struct raft *raft, struct replica *replica);

/* It gets a checkpoint, as soon as there is one. replication_send.c. */
void replication_begin_install(struct raft *raft, node_id_t peer);

#endif
