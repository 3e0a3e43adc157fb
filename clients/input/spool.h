/* spool.h - bytes that are written once, one after another, and then read at any place: in memory
 * while they are few, beyond that in a temporary file without a name; or those of a file that is
 * there. */
#ifndef CONCLAVE_CLIENTS_SPOOL_H
#define CONCLAVE_CLIENTS_SPOOL_H

#include "shared/base/hash.h"
#include "shared/base/text.h"

/* A segment of the largest size: what a command needs in memory anyway. */
#define SPOOL_MEMORY_BYTES ((size_t)8 * 1024 * 1024)

struct spool {
    uint64_t len;
    uint8_t *at; /* owned: the bytes from `flushed` on */
    size_t room;
    uint64_t flushed; /* bytes that are in the file */
    int fd;           /* -1: none */
    struct hash_stream hash;
};

/* Begins an empty one. */
void spool_begin(struct spool *spool);

/* Takes the descriptor of a regular file of so many bytes: nothing is copied, and nothing may be
 * added. */
void spool_of_file(struct spool *spool, int fd, uint64_t len);

/* Adds bytes. ERR_IO after one line in `why` (TEXT_MAX bytes). */
int spool_add(struct spool *spool, const void *at, size_t len, char *why);

/* Writes the SHA-256 of all that was added. Once, when nothing more comes. */
void spool_hash(struct spool *spool, uint8_t out[HASH_BYTES]);

/* Reads exactly so many bytes, which must be there. ERR_IO after one line in `why`: also when a
 * file that is not ours has become shorter. */
int spool_read(const struct spool *spool, uint64_t offset, void *at, size_t len, char *why);

void spool_clear(struct spool *spool);

#endif
