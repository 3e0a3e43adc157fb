/* With whom integers share factors: the factors that they share are split into a base of numbers of
 * which no two share anything; those that have a number of the base in common share it. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/integer_coprime.h"
#include "nodes/work/integer_gcd.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_rows.h"
#include "nodes/work/integer_tree.h"
#include "shared/base/bits.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define DUPLICATE "duplicate"

/* One more than are named: one of them may be the row itself. */
#define GROUP_MAX (REPORT_WITH_MAX + 1)

/* The lowest numbers of those that have a number of the base in common. */
struct group {
    uint64_t n, numbers[GROUP_MAX];
};

struct rows {
    uint64_t own;
    size_t n;
    uint64_t *numbers;                /* of each row, ascending */
    struct numbers integers, factors; /* of each row */
    struct numbers kinds;             /* the factors that are different, ascending */
    size_t *kind_of;                  /* of each row */
    struct numbers base;              /* of the kinds */
    struct incidences in;             /* of kinds in the base, by kind */
    size_t *first_in;                 /* of each kind, and one past the last */
    bool *duplicate;                  /* of each row */
    struct group *groups;             /* of each number of the base */
};

static void rows_clear(struct rows *rows)
{
    numbers_clear(&rows->integers);
    numbers_clear(&rows->factors);
    numbers_clear(&rows->kinds);
    numbers_clear(&rows->base);
    free(rows->numbers);
    free(rows->kind_of);
    free(rows->in.at);
    free(rows->first_in);
    free(rows->duplicate);
    free(rows->groups);
}

/* --- reading --- */

static unsigned digits_of(uint64_t number)
{
    unsigned digits = 1;
    while (number /= 10)
        digits++;
    return digits;
}

/* Rows and integers of all blocks, by their heads. */
static int survey(const struct blob *blob, uint64_t own, uint64_t known, uint64_t *n)
{
    struct slice rest = {blob->at, blob->len};
    struct rows_block block;
    uint64_t left;
    *n = 0;
    if (__builtin_add_overflow(own, known, &left) || left > (uint64_t)1 << 53)
        return ERR_RANGE;
    while (rest.len) {
        if (!rows_take_block(&rest, &block) || block.items > left || block.rows > block.items)
            return ERR_MALFORMED;
        left -= block.items;
        *n += block.rows;
    }
    return OK;
}

int integer_report_room(const struct blob *blob, uint64_t own, uint64_t known, size_t *room_bytes)
{
    uint64_t n;
    *room_bytes = 0;
    int error = blob->len > INTEGER_MAX_BYTES ? ERR_TOO_BIG : survey(blob, own, known, &n);
    if (error)
        return error;
    /* A number of digits, the same for each other one with a letter and a comma, tabs and the end
     * of the line; and two digits for each byte of the factor, with a byte for snprintf(). */
    uint64_t digits = digits_of(own + known) + 2;
    uint64_t row = digits * (1 + REPORT_WITH_MAX) + sizeof DUPLICATE + 4;
    uint64_t bytes = n * row + 2 * blob->len + 1;
    if (bytes > INTEGER_MAX_BYTES)
        return ERR_TOO_BIG;
    *room_bytes = bytes;
    return OK;
}

static bool read_block(struct rows *rows, struct rows_block *block, uint64_t before)
{
    uint64_t last = 0, number;
    for (uint64_t i = 0; i < block->rows; i++) {
        mpz_ptr integer = numbers_add(&rows->integers), factor = numbers_add(&rows->factors);
        if (!rows_take(block, &number, integer, factor) || number <= last || number > block->items)
            return false;
        rows->numbers[rows->n++] = before + number;
        last = number;
    }
    return !block->bytes.len;
}

static bool read_rows(struct rows *rows, const struct blob *blob, uint64_t n)
{
    struct slice rest = {blob->at, blob->len};
    struct rows_block block;
    uint64_t before = 0;
    rows->numbers = mem_new(n + 1, sizeof *rows->numbers);
    while (rest.len) {
        if (!rows_take_block(&rest, &block) || !read_block(rows, &block, before))
            return false;
        before += block.items;
    }
    return true;
}

/* --- what is equal --- */

/* Places of numbers, in the numbers' order. Caller frees. */
struct place {
    mpz_srcptr number;
    size_t at;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = mpz_cmp(x->number, y->number);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static struct place *places_of(const struct numbers *numbers)
{
    struct place *places = mem_new(numbers->n + 1, sizeof *places);
    for (size_t i = 0; i < numbers->n; i++)
        places[i] = (struct place){numbers->at[i], i};
    qsort(places, numbers->n, sizeof *places, compare_places);
    return places;
}

static void find_duplicates(struct rows *rows)
{
    struct place *places = places_of(&rows->integers);
    rows->duplicate = mem_new(rows->n + 1, sizeof *rows->duplicate);
    for (size_t i = 1; i < rows->n; i++)
        if (!mpz_cmp(places[i - 1].number, places[i].number))
            rows->duplicate[places[i - 1].at] = rows->duplicate[places[i].at] = true;
    free(places);
}

static void find_kinds(struct rows *rows)
{
    struct place *places = places_of(&rows->factors);
    rows->kind_of = mem_new(rows->n + 1, sizeof *rows->kind_of);
    for (size_t i = 0; i < rows->n; i++) {
        if (!i || mpz_cmp(places[i - 1].number, places[i].number))
            mpz_set(numbers_add(&rows->kinds), places[i].number);
        rows->kind_of[places[i].at] = rows->kinds.n - 1;
    }
    free(places);
}

/* --- what is shared --- */

static bool fits_memory(const struct numbers *kinds)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < kinds->n; i++)
        bytes += (mpz_size(kinds->at[i]) + 4) * sizeof(mp_limb_t); /* and the number's own record */
    return bytes * (bits_of(kinds->n) + 4) <= REPORT_TREE_BYTES;
}

static int compare_numbers(const void *a, const void *b)
{
    return mpz_cmp(*(const mpz_t *)a, *(const mpz_t *)b);
}

static int compare_incidences(const void *a, const void *b)
{
    const struct incidence *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* Kinds that are numbers of the base themselves share factors with no other one. The rest, by their
 * numbers, is `composed`. */
static bool find_incidences(struct rows *rows, stop_flag *stop)
{
    struct numbers composed = {0};
    size_t *kinds = mem_new(rows->kinds.n + 1, sizeof *kinds);
    for (size_t i = 0; i < rows->kinds.n; i++)
        if (!bsearch(rows->kinds.at[i], rows->base.at, rows->base.n, sizeof *rows->base.at,
                     compare_numbers)) {
            kinds[composed.n] = i;
            mpz_set(numbers_add(&composed), rows->kinds.at[i]);
        }
    bool whole = coprime_incidences((const mpz_t *)composed.at, composed.n,
                                    (const mpz_t *)rows->base.at, rows->base.n, &rows->in, stop);
    for (size_t i = 0; i < rows->in.n; i++)
        rows->in.at[i].number = kinds[rows->in.at[i].number];
    for (size_t i = 0; i < rows->kinds.n; i++) {
        const mpz_t *found = bsearch(rows->kinds.at[i], rows->base.at, rows->base.n,
                                     sizeof *rows->base.at, compare_numbers);
        if (found)
            incidences_add(&rows->in, i, (size_t)(found - (const mpz_t *)rows->base.at));
    }
    if (rows->in.n)
        qsort(rows->in.at, rows->in.n, sizeof *rows->in.at, compare_incidences);
    numbers_clear(&composed);
    free(kinds);
    return whole;
}

static void index_incidences(struct rows *rows)
{
    size_t at = 0;
    rows->first_in = mem_new(rows->kinds.n + 1, sizeof *rows->first_in);
    for (size_t kind = 0; kind <= rows->kinds.n; kind++) {
        while (at < rows->in.n && rows->in.at[at].number < kind)
            at++;
        rows->first_in[kind] = at;
    }
}

/* Rows come in ascending order. */
static void fill_groups(struct rows *rows)
{
    rows->groups = mem_new(rows->base.n + 1, sizeof *rows->groups);
    for (size_t row = 0; row < rows->n; row++) {
        size_t kind = rows->kind_of[row];
        for (size_t at = rows->first_in[kind]; at < rows->first_in[kind + 1]; at++) {
            struct group *group = &rows->groups[rows->in.at[at].element];
            if (group->n < GROUP_MAX)
                group->numbers[group->n++] = rows->numbers[row];
        }
    }
}

static int analyse(struct rows *rows, stop_flag *stop)
{
    find_duplicates(rows);
    find_kinds(rows);
    if (!fits_memory(&rows->kinds))
        return ERR_TOO_BIG;
    if (!coprime_base((const mpz_t *)rows->kinds.at, rows->kinds.n, &rows->base, stop) ||
        !find_incidences(rows, stop))
        return ERR_INTERRUPTED;
    index_incidences(rows);
    fill_groups(rows);
    return OK;
}

/* --- the text --- */

/* Adds a number to the lowest ones, in their order. */
static void keep_lowest(struct group *with, uint64_t number)
{
    size_t at = with->n;
    while (at > 0 && with->numbers[at - 1] > number)
        at--;
    if ((at > 0 && with->numbers[at - 1] == number) || at == REPORT_WITH_MAX)
        return;
    if (with->n < REPORT_WITH_MAX)
        with->n++;
    memmove(with->numbers + at + 1, with->numbers + at, (with->n - at - 1) * sizeof *with->numbers);
    with->numbers[at] = number;
}

static struct group with_of(const struct rows *rows, size_t row)
{
    struct group with = {0};
    size_t kind = rows->kind_of[row];
    for (size_t at = rows->first_in[kind]; at < rows->first_in[kind + 1]; at++) {
        const struct group *group = &rows->groups[rows->in.at[at].element];
        for (size_t i = 0; i < group->n; i++)
            if (group->numbers[i] != rows->numbers[row])
                keep_lowest(&with, group->numbers[i]);
    }
    return with;
}

static char *put_number(char *at, uint64_t number)
{
    return at + snprintf(at, 21, "%" PRIu64, number);
}

static char *put_line(const struct rows *rows, size_t row, char *at)
{
    struct group with = with_of(rows, row);
    at = put_number(at, rows->numbers[row]);
    *at++ = '\t';
    for (size_t i = 0; i < with.n; i++) {
        bool known = with.numbers[i] > rows->own;
        if (i)
            *at++ = ',';
        if (known)
            *at++ = 'k';
        at = put_number(at, with.numbers[i] - (known ? rows->own : 0));
    }
    *at++ = '\t';
    mpz_get_str(at, 16, rows->factors.at[row]);
    at += strlen(at);
    if (rows->duplicate[row]) {
        memcpy(at, "\t" DUPLICATE, sizeof DUPLICATE);
        at += sizeof DUPLICATE;
    }
    *at++ = '\n';
    return at;
}

int integer_report_into(const struct blob *blob, uint64_t own, uint64_t known, struct blob *out,
                        stop_flag *stop)
{
    struct rows rows = {.own = own};
    uint64_t n;
    int error = survey(blob, own, known, &n);
    assert(!error);
    error = read_rows(&rows, blob, n) ? analyse(&rows, stop) : ERR_MALFORMED;
    if (!error) {
        char *at = (char *)out->at;
        for (size_t row = 0; row < rows.n && rows.numbers[row] <= own; row++)
            at = put_line(&rows, row, at);
        if (at == (char *)out->at)
            *at++ = '\n'; /* a result has a byte at least */
        out->len = (size_t)(at - (char *)out->at);
    }
    rows_clear(&rows);
    return error;
}
