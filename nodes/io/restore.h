/* restore.h - a node's share of a snapshot becomes what its disk holds, before its first start. */
#ifndef CONCLAVE_IO_RESTORE_H
#define CONCLAVE_IO_RESTORE_H

#include "nodes/io/disk.h"

/* Takes in the file that `conclave snapshot restore` wrote for this node: term, full checkpoint and
 * ledger, in one transaction. A disk on which the node was started before keeps what it has: then
 * the file was taken in, and nothing happens. Behind disk_open(), before anything is read.
 * ERR_NOT_FOUND (the file cannot be read), ERR_MALFORMED or ERR_STALE (of another node, or of a
 * cluster of another size) with one line in `why`. */
int restore_take(struct disk *disk, const char *path, const struct node_config *config,
                 struct text *why);

#endif
