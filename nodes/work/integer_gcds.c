/* Remainders down the tree, and the factors that a segment's integers share with all others. */
#include <assert.h>
#include <string.h>

#include "nodes/work/heap.h"
#include "nodes/work/integer_gcd.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_rows.h"
#include "nodes/work/integer_tree.h"
#include "shared/base/error.h"
#include "shared/base/packed.h"

/* --- remainders --- */

static int read_remainder(const struct integer_operand *operands, size_t n, struct number *a,
                          struct number *b)
{
    if (n != 2)
        return ERR_RANGE;
    int error = integer_operand_number(&operands[0], a);
    if (!error)
        error = integer_operand_number(&operands[1], b);
    if (error)
        return error;
    return a->negative || b->negative || (b->n == 1 && !b->at[0]) ? ERR_RANGE : OK;
}

int integer_remainder_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    struct number a, b;
    *room_bytes = 0;
    int error = read_remainder(operands, n, &a, &b);
    if (!error)
        *room_bytes = integer_room(a.n < 2 * b.n ? a.n : 2 * b.n);
    return error;
}

static void copy_number(struct blob *out, struct number a)
{
    memcpy(out->at, a.at, a.n * sizeof *a.at);
    integer_end(out, a.n, false);
}

/* The square is not longer than a. */
static void divide(struct blob *out, struct number a, struct number square)
{
    integer_divide(NULL, (mp_limb_t *)(void *)out->at, a, square);
    integer_end(out, square.n, false);
}

int integer_remainder_into(const struct integer_operand *operands, size_t n, struct blob *out,
                           stop_flag *stop)
{
    struct number a, b, square = {0};
    int error = read_remainder(operands, n, &a, &b);
    assert(!error);
    if (a.n < 2 * b.n - 1) {
        copy_number(out, a);
        return OK;
    }
    size_t square_bytes = 2 * b.n * sizeof(mp_limb_t);
    mp_limb_t *at = heap_alloc(square_bytes);
    square.at = at;
    square.n = integer_multiply_two(at, b, b);
    bool whole = !stop_is_set(stop);
    if (whole && square.n > a.n)
        copy_number(out, a);
    else if (whole)
        divide(out, a, square);
    heap_free(at, square_bytes);
    return whole ? OK : ERR_INTERRUPTED;
}

/* --- common factors --- */

int integer_gcds_room(const struct integer_operand *remainder, const struct blob *list,
                      size_t *room_bytes)
{
    struct number number;
    int error = integer_operand_number(remainder, &number);
    *room_bytes = 0;
    if (error)
        return error;
    if (number.negative)
        return ERR_RANGE;
    if (list->len > INTEGER_MAX_BYTES / 8)
        return ERR_TOO_BIG;
    /* The integer as it is, its number, and a factor that is not longer. */
    uint64_t items = list->len / packed_bytes(1);
    *room_bytes = ROWS_HEAD + 2 * list->len + items * ROWS_NUMBER;
    return OK;
}

/* All items of a list, 1 or greater. */
static int read_list(const struct blob *list, struct numbers *out)
{
    struct slice rest = {list->at, list->len};
    struct packed_integer item;
    while (packed_take(&rest, &item)) {
        if (item.negative || !item.magnitude.len)
            return ERR_RANGE;
        mpz_import(numbers_add(out), item.magnitude.len, -1, 1, -1, 0, item.magnitude.at);
    }
    return rest.len ? ERR_MALFORMED : OK;
}

static void write_rows(const struct numbers *list, const struct numbers *factors, struct blob *out)
{
    struct rows_writer writer;
    rows_begin(&writer, out, list->n);
    for (size_t i = 0; i < list->n; i++)
        if (mpz_cmp_ui(factors->at[i], 1) > 0)
            rows_put(&writer, i + 1, list->at[i], factors->at[i]);
    rows_end(&writer);
}

int integer_gcds_into(const struct integer_operand *remainder, const struct blob *list,
                      struct blob *out, stop_flag *stop)
{
    struct numbers integers = {0}, factors = {0};
    struct number number;
    mpz_t whole;
    int error = integer_operand_number(remainder, &number);
    assert(!error);
    integer_view(whole, number);
    error = read_list(list, &integers);
    if (!error) {
        numbers_grow(&factors, integers.n);
        if (!tree_shared((const mpz_t *)integers.at, integers.n, whole, factors.at, stop))
            error = ERR_INTERRUPTED;
    }
    if (!error)
        write_rows(&integers, &factors, out);
    numbers_clear(&factors);
    numbers_clear(&integers);
    return error;
}

/* --- blocks --- */

int integer_gather_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    uint64_t sum = 0;
    *room_bytes = 0;
    if (n < 1 || n > OPERANDS_MAX)
        return ERR_RANGE;
    for (size_t i = 0; i < n; i++) {
        if (!operands[i].value)
            return ERR_MALFORMED; /* a literal is none */
        sum += operands[i].value->len;
    }
    *room_bytes = sum;
    return sum > INTEGER_MAX_BYTES ? ERR_TOO_BIG : OK;
}

int integer_gather_into(const struct integer_operand *operands, size_t n, struct blob *out,
                        stop_flag *stop)
{
    uint8_t *at = out->at;
    for (size_t i = 0; i < n; i++) {
        const struct blob *value = operands[i].value;
        if (stop_is_set(stop))
            return ERR_INTERRUPTED;
        if (value->len)
            memcpy(at, value->at, value->len);
        at += value->len;
    }
    out->len = (size_t)(at - out->at);
    return OK;
}
