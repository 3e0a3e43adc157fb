/* rows.h - the rows of several answers, which stay as long as somebody reads them: for lists that
 * are sorted, or cut at their begin. */
#ifndef CONCLAVE_CLIENTS_ROWS_H
#define CONCLAVE_CLIENTS_ROWS_H

#include "shared/wire/message.h"

/* Zero-initialize. */
struct rows {
    struct message **pages; /* owned, one reference a row */
    const void **at;        /* in them */
    size_t n, room;
};

/* Adds a row of the answer, which is kept. */
void rows_add(struct rows *rows, struct message *page, const void *row);

/* Where the last `limit` of `n` rows begin; 0: all. */
size_t rows_first(size_t n, uint64_t limit);

void rows_clear(struct rows *rows);

#endif
