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

#include "clients/ask/connection.h"
#include "clients/input/content.h"
#include "shared/base/limits.h"

#define UPLOAD_WINDOW VALUE_CHUNKS_CREDIT /* chunks without an answer */
/* Beginnings in a row without a segment more: then something is wrong that does not pass. With
 * pauses up to half a second, some 5 s: as long as a client is patient without a coordinator. */
#define UPLOAD_TRIES 16

/* Who follows an upload. */
struct upload_watch {
    /* Told a few times a second while bytes are under way; NULL: nobody. */
    void (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
    bool was_there; /* set: the cluster had it already */
};

/* Uploads it under a name for people (a file's; cut when it is long; NULL: none). `watch` may be
 * NULL. EXIT_OK with its row (in *value, which the caller drops), or a code and the connection's
 * reason. */
int upload(struct conclave *cluster, const struct content *content, const char *name,
           struct upload_watch *watch, struct message **value);

/* How a content is brought there: by upload(), or by what shows it, too. `what` is what it is
 * called before its size; NULL: nothing is said of it. EXIT_OK with the value's row, or a code and
 * the connection's reason. */
struct uploader {
    int (*put)(void *context, const struct content *content, const char *name, const char *what,
               struct message **value);
    void *context;
};

/* By upload(), which shows nothing. */
struct uploader uploader_of(struct conclave *cluster);

#endif
