/* snapshots.h - snapshots as libconclave tells them, for the commands that show more of them. */
#ifndef CONCLAVE_CLIENTS_LIBRARY_SNAPSHOTS_H
#define CONCLAVE_CLIENTS_LIBRARY_SNAPSHOTS_H

#include "clients/library/library.h"
#include "shared/snapshot/model.h"

/* Where the rows of several nodes go. */
struct snapshot_listing {
    int (*take)(void *context, const struct conclave_snapshot *row); /* not 0: enough */
    void (*skipped)(void *context, uint64_t node, int code); /* may be NULL; a node that is not
                                     alive (EXIT_OK), or that did not answer: the connection has
                                     the reason */
    void *context;
};

/* conclave_snapshots_each(), which also tells whom it left out. */
int library_snapshots(struct conclave *cluster, unsigned node,
                      const struct snapshot_listing *listing);

/* A node, from 1 on, of a snapshot. */
void library_snapshot_node(const struct snapshot_model *model, uint64_t node,
                           struct conclave_snapshot_node *out);

#endif
