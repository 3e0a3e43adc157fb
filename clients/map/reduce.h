/* reduce.h - a job that folds parts by an operator of the cluster. */
#ifndef CONCLAVE_CLIENTS_REDUCE_H
#define CONCLAVE_CLIENTS_REDUCE_H

#include "clients/ask/submission.h"
#include "clients/map/parts.h"
#include "shared/base/options.h"

/* Adds what the words and patterns name: FILE, @FILE, @- (stdin), job:ID (outputs of its tasks, or
 * its result). EXIT_OK, or an exit code after one line on stderr. */
int reduce_add(struct parts *parts, struct cli *cli, size_t n_words, char *const *words,
               const struct option_list *files);

/* Stores the parts, and makes the submission one of a job that folds them by the operator of that
 * name, as it is now: its spec, inputs and right. An exit code. */
int reduce_prepare(struct cli *cli, const char *name, struct parts *parts,
                   struct submission *submission);

#endif
