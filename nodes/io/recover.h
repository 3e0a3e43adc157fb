/* recover.h - what `conclave recover` does to the directories of nodes, one at a time, while no
 * node uses them. Every step is one transaction, and may be repeated after any interruption. */
#ifndef CONCLAVE_IO_RECOVER_H
#define CONCLAVE_IO_RECOVER_H

#include "nodes/io/disk.h"

/* The store begins a cluster of its own, with all that its log says: a new cluster id, so that no
 * disk of the old cluster counts in it, and this term. ERR_NOT_FOUND, ERR_STALE (no store of a
 * founded cluster), or as disk_open(), with one line in `why`. */
int recover_refound(const char *dir, term_t term, struct text *why);

/* The directory of node `id`, which may be empty, becomes a member of the cluster of the store in
 * `from`: log, checkpoint, values, term, identity. Its ledger stays. What it held before is in
 * DIR.replaced-ID afterwards, ID being the beginning of the cluster id. With `damaged` the whole
 * store is moved there, unread, and its ledger with it. Errors as above. */
int recover_adopt(const char *from, const char *dir, node_id_t id, bool damaged, struct text *why);

#endif
