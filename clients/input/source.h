/* source.h - bytes from a file, from stdin, from memory or from the cluster, one after another;
 * gzip (RFC 1952) is recognised by its first bytes and comes out unpacked. */
#ifndef CONCLAVE_CLIENTS_SOURCE_H
#define CONCLAVE_CLIENTS_SOURCE_H

#include "shared/base/text.h"

struct source;

/* Reads up to `len` bytes, 1 at least; *got is 0 at the end. OK, or an error after one line in
 * source->why. */
typedef int source_reader(struct source *source, void *at, size_t len, size_t *got);

struct source {
    source_reader *read; /* the bytes as they are */
    void *context;       /* the reader's */
    int fd;
    struct slice memory;
    char name[TEXT_MAX / 4];    /* for people; what is not printable is escaped */
    struct source_gzip *gunzip; /* owned; NULL until the first bytes came */
    struct text why;            /* of an error */
};

/* A file, or stdin for "-". ERR_IO after one line in `why` (TEXT_MAX bytes). Caller closes. */
int source_open(struct source *source, const char *path, char *why);

/* A descriptor that is open already (takes it). */
void source_of_descriptor(struct source *source, const char *name, int fd);

/* Bytes in memory (borrows). */
void source_of_memory(struct source *source, const char *name, struct slice bytes);

/* Whatever a reader brings. */
void source_of_reader(struct source *source, const char *name, source_reader *read, void *context);

/* Reads unpacked bytes: some, *got 0 at the end. OK; ERR_IO, ERR_CORRUPT (broken gzip) or what the
 * reader returned, after one line in source->why; ERR_INTERRUPTED. */
int source_read(struct source *source, void *at, size_t len, size_t *got);

void source_close(struct source *source);

#endif
