/* integer_rows.h - between the files of integer_gcd.h: its blocks of rows. */
#ifndef CONCLAVE_WORK_INTEGER_ROWS_H
#define CONCLAVE_WORK_INTEGER_ROWS_H

#include <gmp.h>

#include "shared/base/blob.h"
#include "shared/base/bytes.h"

#define ROWS_NUMBER 8
#define ROWS_HEAD   (BYTES_LENGTH + 2 * ROWS_NUMBER)

/* One block, into a blob with room for it. */
struct rows_writer {
    struct blob *out;
    uint8_t *at;
    uint64_t items, rows;
};

void rows_begin(struct rows_writer *writer, struct blob *out, uint64_t items);
void rows_put(struct rows_writer *writer, uint64_t number, mpz_srcptr integer, mpz_srcptr factor);
void rows_end(struct rows_writer *writer);

struct rows_block {
    uint64_t items, rows;
    struct slice bytes; /* of the rows */
};

/* Takes the next block off `rest` (borrows); false: what is there is none. */
bool rows_take_block(struct slice *rest, struct rows_block *block);

/* Takes the next row off a block; `factor` is the integer itself where a row leaves it out. False:
 * what is there is none; its number is not checked. */
bool rows_take(struct rows_block *block, uint64_t *number, mpz_ptr integer, mpz_ptr factor);

#endif
