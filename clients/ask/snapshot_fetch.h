/* snapshot_fetch.h - snapshots from the node that keeps them, or, for commands, from files: these
 * explain what fails in one line and return the exit code. */
#ifndef CONCLAVE_CLIENTS_SNAPSHOT_FETCH_H
#define CONCLAVE_CLIENTS_SNAPSHOT_FETCH_H

#include "clients/cli.h"
#include "shared/snapshot/model.h"

/* Reads an id. EXIT_USAGE and the connection's reason when it is none. */
int snapshot_id_read(struct conclave *cluster, const char *text, struct snapshot_name *out);

/* Asks the initiator that the id names for all bytes of the container (caller frees, also those of
 * a part). EXIT_NOT_FOUND when it has no such snapshot; a code, and the connection's reason. */
int snapshot_fetch_bytes(struct conclave *cluster, const struct snapshot_name *name, uint8_t **at,
                         size_t *len);

/* Reads them (caller destroys). EXIT_FAILED and the reason: what that node keeps is malformed. */
int snapshot_load(struct conclave *cluster, const struct snapshot_name *name,
                  struct slice container, struct snapshot_model **out);

/* Both (caller destroys). */
int snapshot_fetch(struct conclave *cluster, const struct snapshot_name *name,
                   struct snapshot_model **out);

/* The words' only one as an id: EXIT_USAGE when it is none. */
int snapshot_word(struct cli *cli, int n_words, char **words, struct snapshot_name *out);

/* Reads a file, a container or JSON; EXIT_USAGE when it is neither. "-" is stdin. Caller
 * destroys. */
int snapshot_read(const char *path, struct snapshot_model **out);

/* Whichever of the two the word is. */
int snapshot_find(struct cli *cli, const char *word, struct snapshot_model **out);

#endif
