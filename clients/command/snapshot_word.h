/* snapshot_word.h - snapshots as people name them: by their ids, or by files. Each explains what
 * fails in one line and returns the exit code. */
#ifndef CONCLAVE_COMMAND_SNAPSHOT_WORD_H
#define CONCLAVE_COMMAND_SNAPSHOT_WORD_H

#include "clients/cli.h"
#include "shared/snapshot/model.h"

/* The words' only one as an id: EXIT_USAGE when it is none. */
int snapshot_word(struct cli *cli, int n_words, char **words, struct snapshot_name *out);

/* Reads a file, a container or JSON; EXIT_USAGE when it is neither. "-" is stdin. Caller
 * destroys. */
int snapshot_read(const char *path, struct snapshot_model **out);

/* Whichever of the two the word is. */
int snapshot_find(struct cli *cli, const char *word, struct snapshot_model **out);

#endif
