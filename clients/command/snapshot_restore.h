/* snapshot_restore.h - what a fresh cluster needs to go on from a snapshot: a share for each node,
 * which `conclave-node --restore` takes in when it starts for the first time. */
#ifndef CONCLAVE_CLIENTS_SNAPSHOT_RESTORE_H
#define CONCLAVE_CLIENTS_SNAPSHOT_RESTORE_H

#include "clients/cli.h"
#include "shared/snapshot/settle.h"

/* Where the values of a snapshot are: beside its file; or (file NULL) still in the cluster. */
struct restore_source {
    const char *file;
    struct cli *cli;
};

/* All of it: refuses a snapshot that is not consistent, and, unless `force`, one that is partial,
 * or of whose values some are in the cluster no more; settles it, says what becomes of the jobs,
 * writes the shares of a new cluster with so many voters (0: the default). Returns an exit code,
 * after one line or more. */
int snapshot_restore_into(struct snapshot_model *model, struct restore_source source,
                          const char *dir, uint64_t voters, bool force);

/* Makes DIR, if it is not there (*made). ERR_EXISTS when a node's directory in it has something in
 * it, ERR_IO, with one line in `why` (TEXT_MAX bytes). */
int snapshot_make_fresh(const char *dir, bool *made, char *why);

/* Writes DIR/nodeN/restore for every node of a settled model, and those of the values that are
 * beside the file; makes DIR. Fails as snapshot_make_fresh() does. */
int snapshot_write_shares(const struct snapshot_model *model, const struct snapshot_values *values,
                          const char *file, const char *dir, char *why);

/* Puts a node's accounts, values and transfers under way back into its ledger, which must be empty,
 * in the directory of a local cluster that does not run; says what is counted twice, missing or not
 * known. Changes the model. Returns an exit code, after one line when it failed. */
int snapshot_restore_node(struct cli *cli, struct snapshot_model *model, uint64_t id,
                          const char *dir, bool dry_run);

#endif
