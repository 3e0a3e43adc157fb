/* share.h - a node's share of a snapshot, the file that `conclave snapshot restore` writes for it,
 * as what its disk is to hold. Pure: everything is read and checked before anything is written. */
#ifndef CONCLAVE_IO_SHARE_H
#define CONCLAVE_IO_SHARE_H

#include "nodes/core/node.h"
#include "shared/base/text.h"

struct share {
    const struct node_config *config; /* borrowed */
    struct text *why;                 /* while it is read: the caller's */
    struct slice rest;                /* likewise: bytes that are still to be read */
    uint8_t hash[HASH_BYTES];         /* of all bytes */
    bool headed, stated;              /* what has come so far */
    struct identity identity;
    uint64_t epoch; /* a new name for the ledger */
    term_t term;
    struct write *writes; /* records; their blobs are owned */
    size_t n_writes, writes_size;
    struct blob **parts; /* of the checkpoint; owned */
    size_t n_parts;
    log_index_t index;
    term_t index_term;
};

/* Reads the share of the node of that configuration: its id, and the size of its cluster. A node
 * can start on what comes out. ERR_MALFORMED, or ERR_STALE (of another node, or of a cluster of
 * another size), with one line in `why`. Caller clears, also after an error. */
int share_read(struct share *out, const struct node_config *config, struct slice bytes,
               struct text *why);

/* Calls for each thing to be written: term, checkpoint and records; or the records alone. */
typedef void share_writer(void *context, const struct write *write);
void share_write(const struct share *share, share_writer *write, void *context);
void share_write_records(const struct share *share, share_writer *write, void *context);

/* The term that the node begins with. */
term_t share_term(const struct share *share);

void share_clear(struct share *share);

#endif
