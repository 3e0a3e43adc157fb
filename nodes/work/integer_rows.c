#include "nodes/work/integer_rows.h"

#include "shared/base/packed.h"

/* --- writing --- */

void rows_begin(struct rows_writer *writer, struct blob *out, uint64_t items)
{
    *writer = (struct rows_writer){out, out->at + ROWS_HEAD, items, 0};
}

static void put_number(struct rows_writer *writer, mpz_srcptr number)
{
    struct slice magnitude = {(const uint8_t *)(const void *)mpz_limbs_read(number),
                              mpz_size(number) * sizeof(mp_limb_t)};
    writer->at += packed_put(writer->at, false, magnitude);
}

void rows_put(struct rows_writer *writer, uint64_t number, mpz_srcptr integer, mpz_srcptr factor)
{
    bytes_put_le64(writer->at, number);
    writer->at += ROWS_NUMBER;
    put_number(writer, integer);
    mpz_t none;
    mpz_roinit_n(none, NULL, 0);
    put_number(writer, mpz_cmp(integer, factor) ? factor : none);
    writer->rows++;
}

void rows_end(struct rows_writer *writer)
{
    struct blob *out = writer->out;
    out->len = (size_t)(writer->at - out->at);
    for (int byte = 0; byte < BYTES_LENGTH; byte++)
        out->at[byte] = (uint8_t)((out->len - BYTES_LENGTH) >> 8 * byte);
    bytes_put_le64(out->at + BYTES_LENGTH, writer->items);
    bytes_put_le64(out->at + BYTES_LENGTH + ROWS_NUMBER, writer->rows);
}

/* --- reading --- */

bool rows_take_block(struct slice *rest, struct rows_block *block)
{
    struct slice left = *rest, part;
    if (!bytes_take_part(&left, &part) || part.len < 2 * ROWS_NUMBER)
        return false;
    *block = (struct rows_block){bytes_get_le64(part.at),
                                 bytes_get_le64(part.at + ROWS_NUMBER),
                                 {part.at + 2 * ROWS_NUMBER, part.len - 2 * ROWS_NUMBER}};
    *rest = left;
    /* A row has a number, and two integers, one of which may be 0. */
    return block->rows <= block->bytes.len / (ROWS_NUMBER + packed_bytes(1) + packed_bytes(0));
}

static bool take_number(struct slice *rest, mpz_ptr out)
{
    struct packed_integer item;
    if (!packed_take(rest, &item) || item.negative)
        return false;
    mpz_import(out, item.magnitude.len, -1, 1, -1, 0, item.magnitude.at);
    return true;
}

bool rows_take(struct rows_block *block, uint64_t *number, mpz_ptr integer, mpz_ptr factor)
{
    struct slice *rest = &block->bytes;
    if (rest->len < ROWS_NUMBER)
        return false;
    *number = bytes_get_le64(rest->at);
    *rest = (struct slice){rest->at + ROWS_NUMBER, rest->len - ROWS_NUMBER};
    if (!take_number(rest, integer) || !take_number(rest, factor))
        return false;
    if (!mpz_sgn(factor))
        mpz_set(factor, integer);
    return mpz_cmp_ui(factor, 1) > 0 && mpz_cmp(factor, integer) <= 0;
}
