/* snapshot_values.h - the bytes of the values that a snapshot names: beside an exported file, and
 * in the directories of a fresh cluster.
 *
 * FILE.values/SHA256 holds one value, under the hash of its bytes: two jobs' equal values are one
 * file, and an export that was ended goes on behind the files that are whole. */
#ifndef CONCLAVE_CLIENTS_SNAPSHOT_VALUES_H
#define CONCLAVE_CLIENTS_SNAPSHOT_VALUES_H

#include "clients/cli.h"
#include "shared/snapshot/values.h"

/* Copies what the model names into FILE.values, from whichever node has it. Says in a line how many
 * no node has any more: their jobs restart. Returns an exit code, after one line when it failed. */
int snapshot_values_export(struct cli *cli, const struct snapshot_model *model, const char *file);

/* Likewise, of these, and marks those that came; *lacking: how many no node has any more. */
int snapshot_values_fetch(struct cli *cli, const struct snapshot_model *model,
                          struct snapshot_values *values, const char *file, size_t *lacking);

/* Removes FILE.values and those of these values that are in it. */
void snapshot_values_remove(const struct snapshot_values *values, const char *file);

/* Marks those whose bytes are beside the file, as they were: reads and hashes each. Returns how
 * many. */
size_t snapshot_values_look(struct snapshot_values *values, const char *file);

/* Gives a node's directory what is here: DIR/nodeN/restore.values/JOB-OP, where its start finds it.
 * ERR_IO with one line in `why` (TEXT_MAX bytes). */
int snapshot_values_place(const struct snapshot_values *values, const char *file, const char *dir,
                          uint64_t node, char *why);

#endif
