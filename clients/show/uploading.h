/* uploading.h - an upload (clients/ask/upload.h) that a person watches. */
#ifndef CONCLAVE_CLIENTS_UPLOADING_H
#define CONCLAVE_CLIENTS_UPLOADING_H

#include "clients/ask/upload.h"
#include "clients/cli.h"

/* Shows a bar while it goes on. `what` is what is said of the content on stderr before its size,
 * such as "1000000 integers"; NULL: nothing is said. EXIT_OK with the value's row (caller drops),
 * or an exit code after one line on stderr. */
int upload_shown(struct cli *cli, const struct content *content, const char *name, const char *what,
                 struct message **value);

#endif
