/* snapshot_fetch.h - snapshots from the node that keeps them. */
#ifndef CONCLAVE_CLIENTS_SNAPSHOT_FETCH_H
#define CONCLAVE_CLIENTS_SNAPSHOT_FETCH_H

#include "clients/ask/connection.h"
#include "shared/snapshot/model.h"

/* Reads an id. EXIT_USAGE and the connection's reason when it is none. */
int snapshot_id_read(struct conclave *cluster, const char *text, struct snapshot_name *out);

/* Bytes that come one after another. Zero-initialize. */
struct snapshot_bytes {
    uint8_t *at; /* owned: free() */
    size_t len, size;
};

/* Where so many more may be written, behind those that are there. */
uint8_t *snapshot_bytes_room(struct snapshot_bytes *bytes, size_t len);

/* Asks the initiator that the id names for all bytes of the container (the caller's, also those of
 * a part). EXIT_NOT_FOUND when it has no such snapshot; a code, and the connection's reason. */
int snapshot_fetch_bytes(struct conclave *cluster, const struct snapshot_name *name,
                         struct snapshot_bytes *out);

/* Reads them (caller destroys). EXIT_FAILED and the reason: what that node keeps is malformed. */
int snapshot_load(struct conclave *cluster, const struct snapshot_name *name,
                  struct slice container, struct snapshot_model **out);

/* Both (caller destroys). */
int snapshot_fetch(struct conclave *cluster, const struct snapshot_name *name,
                   struct snapshot_model **out);

#endif
