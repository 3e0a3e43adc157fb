/* snapshot_fetch.h - snapshots from the node that keeps them, or from files. Each explains what
 * fails in one line and returns the exit code. */
#ifndef CONCLAVE_CLIENTS_SNAPSHOT_FETCH_H
#define CONCLAVE_CLIENTS_SNAPSHOT_FETCH_H

#include "clients/cli.h"
#include "shared/snapshot/model.h"

/* The words' only one as an id: EXIT_USAGE when it is none. */
int snapshot_word(int n_words, char **words, struct snapshot_name *out);

/* Asks the initiator that the id names; EXIT_NOT_FOUND when it has no such snapshot. Caller
 * destroys. */
int snapshot_fetch(struct cli *cli, const struct snapshot_name *name, struct snapshot_model **out);

/* Reads a file, a container or JSON; EXIT_USAGE when it is neither. "-" is stdin. Caller
 * destroys. */
int snapshot_read(const char *path, struct snapshot_model **out);

/* Whichever of the two the word is. */
int snapshot_find(struct cli *cli, const char *word, struct snapshot_model **out);

#endif
