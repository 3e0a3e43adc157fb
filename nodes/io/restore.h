/* restore.h - a node's share of a snapshot becomes what its disk holds, before its first start. */
#ifndef CONCLAVE_IO_RESTORE_H
#define CONCLAVE_IO_RESTORE_H

#include "nodes/io/disk.h"

/* Takes in the file that `conclave snapshot restore` wrote for this node: `given`, or without one
 * (NULL) DIR/restore when it is there. Term, checkpoint and ledger, under a name that no
 * ledger had before, become durable in one transaction, together with a note of the file; then the
 * file is removed, before the node speaks to anybody. So a share is taken once: a store that was in
 * use takes none, and one that is wiped later finds none and is filled by the other nodes. A file
 * that this store did not take is renamed to FILE.unused.
 *
 * After disk_open(), before anything is read; may be called again after any interruption.
 * ERR_NOT_FOUND (it cannot be read), ERR_IO (it cannot be removed), ERR_MALFORMED or ERR_STALE (of
 * another node, or of a cluster of another size) with one line in `why`. */
int restore_take(struct disk *disk, const char *dir, const char *given,
                 const struct node_config *config, struct text *why);

/* Takes accounts, values and transfers under way, and nothing else, out of a share that `conclave
 * snapshot restore --node` made for this node, into its empty ledger, under a new name: one
 * transaction. No node may run there. ERR_STALE: of another cluster or node, or the ledger is not
 * empty. Else as above. */
int restore_ledger(const char *dir, const char *path, struct text *why);

#endif
