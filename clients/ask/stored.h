/* stored.h - stored values of the cluster: found by what people call them, and read. */
#ifndef CONCLAVE_CLIENTS_STORED_H
#define CONCLAVE_CLIENTS_STORED_H

#include <stdio.h>

#include "clients/ask/connection.h"
#include "clients/input/source.h"

#define STORED_PREFIX     "value:"
#define STORED_DIGITS_MIN 4  /* of a prefix: fewer are not chosen by anybody on purpose */
#define STORED_DIGITS     16 /* that are shown: 64 bits of a SHA-256 are one value's alone */
#define STORED_TEXT_MAX   (sizeof STORED_PREFIX + STORED_DIGITS)

/* What a person calls a value: "value:9c1f...", with 4 to 64 hexadecimal digits of its SHA-256, the
 * digits alone, or its id as `value list --wide` shows it, 4-17. */
struct stored_name {
    char prefix[2 * HASH_BYTES + 1]; /* lower case; empty: by its id */
    job_id_t id;
};

/* True for a word that begins as the name of a value does, right or wrong. */
bool stored_is_name(const char *word);

/* ERR_MALFORMED after one line in `why` (TEXT_MAX bytes). */
int stored_parse(const char *word, struct stored_name *out, char *why);

/* "value:9c1f0123456789ab". */
char *stored_text(struct slice sha256, char at[STORED_TEXT_MAX]);

/* Finds the one value of that name. EXIT_OK with an answer that holds it (caller drops) and its row
 * in it; else a code and the reason: EXIT_NOT_FOUND; EXIT_USAGE when several begin
 * so, with their names. */
int stored_find(struct conclave *cluster, const char *word, struct message **page,
                const struct wire_value_row **row);

/* Hands each row of all values that the key may see (or those with a prefix: not NULL) to a
 * function, until that returns false. A code, and the reason. */
int stored_each(struct conclave *cluster, const char *prefix, job_id_t after,
                bool (*take)(void *context, struct message *page, const struct wire_value_row *row),
                void *context);

/* EXIT_OK when all of it is there, else EXIT_FAILED and the reason. */
int stored_check_whole(struct conclave *cluster, const struct wire_value_row *row);

/* Removes it. EXIT_OK and its row as it was (caller drops), or a code and the reason. */
int stored_drop(struct conclave *cluster, job_id_t value, struct message **reply);

/* A value's bytes, one after another, as a source (which borrows this). Their SHA-256 is checked at
 * the end. */
struct stored_reader {
    struct conclave *cluster;
    job_id_t value;
    uint64_t offset, len;
    uint8_t sha256[HASH_BYTES];
    struct hash_stream hash;
    struct message *chunk; /* owned: what was fetched, borrowed by the last slice */
    int exit_code;         /* why reading failed; the connection has the reason */
};

/* Begins at `offset`; what is before it has been added to `hash` by hash_begin() and hash_add(). */
void stored_reader_begin(struct stored_reader *reader, struct conclave *cluster,
                         const struct wire_value_row *row);

/* Some bytes, borrowed until the next call; an empty slice at the end. A code and the
 * reason. */
int stored_reader_next(struct stored_reader *reader, struct slice *out);

/* A source_reader, whose context is the reader. */
source_reader stored_source;

void stored_reader_end(struct stored_reader *reader);

#endif
