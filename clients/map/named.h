/* named.h - operators of a cluster: programs that fold, stored under a name (shared/tasks/
 * operator.h). The newest stored value of a name is what the name means. */
#ifndef CONCLAVE_CLIENTS_NAMED_H
#define CONCLAVE_CLIENTS_NAMED_H

#include "clients/cli.h"

#define NAMED_FORMAT "operator"

/* Hands each operator that the key may see to a function, until that returns false; the newest of
 * each name and owner only. A code, and the connection's reason. */
int named_each(struct conclave *cluster,
               bool (*take)(void *context, const struct wire_value_row *row), void *context);

/* The newest of that name that the key itself has added, and its row in the answer (caller drops);
 * *page NULL: there is none. An exit code. */
int named_own(struct cli *cli, const char *name, struct message **page,
              const struct wire_value_row **row);

/* Finds the operator that a word names: NAME, of one's own or else of others that one may see; or
 * value:HASH for one that a newer one has replaced. EXIT_OK with an answer that holds it (caller
 * drops) and its row in it; else an exit code after one line on stderr. */
int named_find(struct cli *cli, const char *word, struct message **page,
               const struct wire_value_row **row);

/* Reads it: EXIT_OK with the message operator_spec, whose frame 1 is the program (caller drops);
 * else an exit code after one line on stderr. */
int named_read(struct cli *cli, const struct wire_value_row *row, struct message **spec);

/* Stores one, with its program in frame 1 of `spec`, and its row (caller drops). An exit code. */
int named_put(struct cli *cli, const struct message *spec, struct message **value);

/* Takes the name from all operators of one's own that have it, but for one (JOB_NONE: from all). A
 * job that names such a value keeps it. `removed` counts them. An exit code. */
int named_remove(struct cli *cli, const char *name, job_id_t except, size_t *removed);

#endif
