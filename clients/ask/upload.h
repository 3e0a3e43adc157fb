/* upload.h - brings content to the cluster as a stored value.
 *
 *   BEGINNING --row--> SENDING --all are durable--> ENDING --row, whole--> done
 *       ^                 |                            |
 *       +----- a chunk or the end is refused ----------+
 *
 * A new coordinator knows the segments that are durable and nothing of the others; so does the same
 * one for a command that is started again. Whatever is refused, the upload begins again, and goes
 * on behind these. */
#ifndef CONCLAVE_CLIENTS_UPLOAD_H
#define CONCLAVE_CLIENTS_UPLOAD_H

#include "clients/cli.h"
#include "clients/input/content.h"
#include "shared/base/limits.h"

#define UPLOAD_WINDOW VALUE_CHUNKS_CREDIT /* chunks without an answer */
/* Beginnings in a row without a segment more: then something is wrong that does not pass. With
 * pauses up to half a second, some 5 s: as long as a client is patient without a coordinator. */
#define UPLOAD_TRIES 16

/* Uploads it under a name for people (a file's; cut when it is long). `what` is what is said of it
 * on stderr before its size, such as "1000000 integers"; NULL: nothing is said. EXIT_OK with its
 * row (in *value, which the caller drops), or an exit code after one line on stderr. */
int upload(struct cli *cli, const struct content *content, const char *name, const char *what,
           struct message **value);

#endif
