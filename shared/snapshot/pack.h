/* snapshot_pack.h - a snapshot as a container again (snapshot_model.h), whole or a node's share. */
#ifndef CONCLAVE_CLIENTS_SNAPSHOT_PACK_H
#define CONCLAVE_CLIENTS_SNAPSHOT_PACK_H

#include "shared/snapshot/model.h"

/* Returns the container, which the caller drops; NULL when a row does not fit any message. With
 * `node`, what that node needs to be restored: its own state and ledger, and the checkpoint of the
 * jobs; the other nodes are missing from it. 0: everything. */
struct blob *snapshot_pack(const struct snapshot_model *model, uint64_t node);

#endif
