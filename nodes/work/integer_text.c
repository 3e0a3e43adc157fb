/* A value as decimal digits: split by powers of ten until the pieces are short, as GMP does it
 * itself (mpn_get_str), one piece, and one division, after another, so that it can be stopped in
 * between. A level's divisions are by the same power, which is prepared for them: so transforms
 * take less than half of GMP's time. */
#include <assert.h>
#include <gmp.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/integer.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_transform.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define PIECE_DIGITS UINT64_C(30000) /* of which GMP's own way takes a millisecond */
#define LEVELS_MAX   32

#define LIMBS_OF_DIGIT 0.0519050512451 /* log(10) / log(2^64), rounded up */

/* Digits are split into 2^levels pieces. */
struct splitting {
    stop_flag *stop;
    uint64_t piece; /* digits of one */
    int levels;
    mpz_t powers[LEVELS_MAX]; /* 5^(piece * 2^level): powers of ten without their factors of two */
    struct divisor divisors[LEVELS_MAX]; /* the same, prepared */
    bool prepared[LEVELS_MAX];
};

/* --- pieces --- */

/* Writes the digits, at least `least` of them with zeros before them; returns their end. Without
 * zeros there is room for two characters more: GMP may write a sign, and terminates. */
static char *write_piece(mpz_srcptr number, char *at, size_t least)
{
    if (!least)
        return at + strlen(mpz_get_str(at, 10, number));
    size_t room = mpz_sizeinbase(number, 10) + 2;
    char *digits = mem_grow(NULL, room, 1);
    mpz_get_str(digits, 10, number);
    size_t len = strlen(digits), zeros = len < least ? least - len : 0;
    memset(at, '0', zeros);
    memcpy(at + zeros, digits, len);
    free(digits);
    return at + zeros + len;
}

/* *high and *low: the quotient by the power of ten of that level, and the rest. */
static void split(const struct splitting *it, int level, mpz_srcptr number, mpz_ptr high,
                  mpz_ptr low)
{
    uint64_t digits = it->piece << level;
    mpz_t bits;
    mpz_init(bits);
    mpz_tdiv_r_2exp(bits, number, digits);
    mpz_tdiv_q_2exp(high, number, digits);
    integer_divide_by(high, low, high, it->powers[level],
                      it->prepared[level] ? &it->divisors[level] : NULL);
    mpz_mul_2exp(low, low, digits);
    mpz_add(low, low, bits);
    mpz_clear(bits);
}

/* Writes a number of so many levels; `whole`: with all its zeros before it. NULL: it was stopped.
 */
static char *write_levels(const struct splitting *it, mpz_srcptr number, int level, char *at,
                          bool whole)
{
    if (stop_is_set(it->stop))
        return NULL;
    if (!level)
        return write_piece(number, at, whole ? it->piece : 0);
    mpz_t high, low;
    mpz_init(high);
    mpz_init(low);
    split(it, level - 1, number, high, low);
    if (whole || mpz_sgn(high)) {
        at = write_levels(it, high, level - 1, at, whole);
        whole = true;
    }
    mpz_clear(high);
    if (at)
        at = write_levels(it, low, level - 1, at, whole);
    mpz_clear(low);
    return at;
}

/* --- the whole --- */

/* All but the highest divide more than once, numbers of less than 10^(2 digits) / 2^digits. */
static void prepare(struct splitting *it, int level)
{
    struct number power = integer_limbs(it->powers[level]);
    size_t longest = power.n + (size_t)((double)(it->piece << level) * LIMBS_OF_DIGIT) + 2;
    if (level + 1 == it->levels || power.n < DIVIDE_LIMBS)
        return;
    it->prepared[level] = divisor_begin(&it->divisors[level], power, longest);
    if (!it->prepared[level])
        divisor_end(&it->divisors[level]);
}

static void make_powers(struct splitting *it)
{
    for (int level = 0; level < it->levels; level++) {
        mpz_init(it->powers[level]);
        if (stop_is_set(it->stop))
            continue;
        if (level)
            integer_multiply_numbers(it->powers[level], it->powers[level - 1],
                                     it->powers[level - 1]);
        else
            mpz_ui_pow_ui(it->powers[0], 5, it->piece);
        prepare(it, level);
    }
}

static void end_powers(struct splitting *it)
{
    for (int level = 0; level < it->levels; level++) {
        if (it->prepared[level])
            divisor_end(&it->divisors[level]);
        mpz_clear(it->powers[level]);
    }
}

bool integer_text_into(const struct blob *value, struct blob *out, stop_flag *stop)
{
    mpz_t integer;
    struct splitting it = {.stop = stop};
    int error = integer_read(value, integer);
    uint64_t digits = error ? 0 : mpz_sizeinbase(integer, 10); /* or one more than it has */
    assert(!error && out->len >= digits + 2 + (mpz_sgn(integer) < 0));
    while (PIECE_DIGITS << it.levels < digits)
        it.levels++;
    it.piece = (digits >> it.levels) + 1;
    make_powers(&it);
    char *at = (char *)out->at;
    if (mpz_sgn(integer) < 0) {
        *at++ = '-';
        integer->_mp_size = -integer->_mp_size; /* a view: mpz_neg() would copy */
    }
    const char *end = write_levels(&it, integer, it.levels, at, false);
    end_powers(&it);
    if (end)
        out->len = (size_t)(end - (const char *)out->at);
    return end != NULL;
}
