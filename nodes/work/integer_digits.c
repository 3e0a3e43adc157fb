/* The digits of pi and e, from the sums of their terms. */
#include <assert.h>
#include <string.h>

#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_series.h"
#include "shared/base/error.h"

#define ROOT_OF   10005
#define ROOT_MORE 426880
#define PI_FIRST  13591409 /* the term for k = 0 */
#define WORD_BITS 64

/* A quotient's error is at most so much: of its terms that are left out a hundredth, of the root
 * another, of both numbers, which are cut to two words more than it has, less. */
#define ERROR_MAX 2

/* --- powers of ten, and roots --- */

/* 10^decimals. */
static void power_of_ten(mpz_ptr out, uint64_t decimals)
{
    mpz_ui_pow_ui(out, 5, decimals);
    mpz_mul_2exp(out, out, decimals);
}

static bool root_of(uint64_t decimals, mpz_ptr root, stop_flag *stop)
{
    mpz_t square, power;
    if (stop_is_set(stop))
        return false;
    mpz_init(square);
    mpz_init(power);
    mpz_ui_pow_ui(power, 5, decimals);
    integer_multiply_numbers(square, power, power);
    mpz_clear(power);
    mpz_mul_ui(square, square, ROOT_OF);
    mpz_mul_2exp(square, square, 2 * decimals);
    bool whole = !stop_is_set(stop);
    if (whole)
        mpz_sqrt(root, square);
    mpz_clear(square);
    return whole;
}

/* Of 10^decimals, or one more. */
static uint64_t bits_of_power(uint64_t decimals)
{
    return (uint64_t)((double)decimals * 3.3219280948873627) + 2;
}

/* Of a number below 256 times 10^decimals. */
static size_t limbs_of_power(uint64_t decimals)
{
    return (bits_of_power(decimals) + 8) / WORD_BITS + 1;
}

int integer_pi_sqrt_room(uint64_t decimals, size_t *room_bytes)
{
    *room_bytes = 0;
    if (decimals > SERIES_DECIMALS_MAX)
        return ERR_RANGE;
    *room_bytes = integer_room(limbs_of_power(decimals + SERIES_GUARD));
    return OK;
}

int integer_pi_sqrt_into(uint64_t decimals, struct blob *out, stop_flag *stop)
{
    mpz_t root;
    mpz_init(root);
    bool whole = root_of(decimals + SERIES_GUARD, root, stop);
    bool fits = !whole || integer_put(out, root);
    assert(fits);
    mpz_clear(root);
    return whole ? OK : ERR_INTERRUPTED;
}

/* --- quotients --- */

/* scale * a / b, rounded down; a / b is less than 8. They are longer than the result, and what it
 * does not need of them is cut off. */
static bool quotient(mpz_ptr out, mpz_srcptr scale, mpz_srcptr long_a, mpz_srcptr long_b,
                     stop_flag *stop)
{
    uint64_t bits = mpz_sizeinbase(scale, 2) + 2 * WORD_BITS, has = mpz_sizeinbase(long_b, 2);
    uint64_t shift = has > bits ? has - bits : 0;
    mpz_t a, b;
    mpz_init(a);
    mpz_init(b);
    mpz_tdiv_q_2exp(a, long_a, shift);
    mpz_tdiv_q_2exp(b, long_b, shift);
    integer_multiply_numbers(out, scale, a);
    mpz_clear(a);
    bool whole = !stop_is_set(stop);
    if (whole)
        integer_divide_numbers(out, NULL, out, b);
    mpz_clear(b);
    return whole;
}

/* Pi times 10^decimals; `root` may be NULL. */
static bool divide_pi(mpz_srcptr root, mpz_srcptr q, mpz_srcptr t, uint64_t decimals, mpz_ptr out,
                      stop_flag *stop)
{
    mpz_t scale, sum;
    mpz_init(scale);
    mpz_init(sum);
    bool whole = root || root_of(decimals, scale, stop);
    mpz_mul_ui(scale, root ? root : scale, ROOT_MORE);
    mpz_mul_ui(sum, q, PI_FIRST);
    mpz_add(sum, sum, t);
    whole = whole && quotient(out, scale, q, sum, stop);
    mpz_clear(sum);
    mpz_clear(scale);
    return whole;
}

static bool divide_e(mpz_srcptr q, mpz_srcptr t, uint64_t decimals, mpz_ptr out, stop_flag *stop)
{
    mpz_t scale, sum;
    mpz_init(scale);
    mpz_init(sum);
    power_of_ten(scale, decimals);
    mpz_add(sum, q, t);
    bool whole = quotient(out, scale, sum, q, stop);
    mpz_clear(sum);
    mpz_clear(scale);
    return whole;
}

/* Takes the guard decimals off; false when they leave the last one of the others in doubt. */
static bool take_guard(mpz_ptr number, uint64_t guard)
{
    mpz_t power, rest;
    mpz_init(power);
    mpz_init(rest);
    power_of_ten(power, guard);
    mpz_tdiv_qr(number, rest, number, power);
    mpz_sub(power, power, rest);
    bool certain = mpz_cmp_ui(rest, ERROR_MAX) >= 0 && mpz_cmp_ui(power, ERROR_MAX) > 0;
    mpz_clear(rest);
    mpz_clear(power);
    return certain;
}

/* --- all in one operation: for a doubt --- */

bool series_digits(enum series_constant constant, uint64_t decimals, uint64_t guard, mpz_ptr out,
                   stop_flag *stop)
{
    const unsigned parts = SERIES_BIT(SERIES_Q) | SERIES_BIT(SERIES_T);
    bool whole, certain = false;
    do {
        uint64_t all = decimals + guard;
        struct series_sum sum;
        series_begin(&sum);
        whole = series_add(constant, parts, 0, series_terms(constant, all), &sum, stop);
        if (whole && constant == SERIES_PI)
            whole = divide_pi(NULL, sum.q, sum.t, all, out, stop);
        else if (whole)
            whole = divide_e(sum.q, sum.t, all, out, stop);
        series_clear(&sum);
        certain = whole && take_guard(out, guard);
        guard *= 2;
    } while (whole && !certain);
    return whole;
}

/* --- digits --- */

struct sums {
    mpz_t q, t, root;
    bool rooted; /* pi's root is among them */
    uint64_t decimals;
};

/* Numbers that are something else could have a quotient of any size. Of pi's sum, T is a small
 * part, and of e's it is 1.72 Q. */
static bool sums_fit(enum series_constant constant, const struct sums *sums)
{
    size_t q = mpz_sizeinbase(sums->q, 2), t = mpz_sizeinbase(sums->t, 2);
    if (mpz_sgn(sums->q) <= 0 || t > q + 1 || (constant == SERIES_E && mpz_sgn(sums->t) < 0))
        return false;
    if (!sums->rooted)
        return true;
    uint64_t bits = bits_of_power(sums->decimals + SERIES_GUARD);
    size_t root = mpz_sgn(sums->root) > 0 ? mpz_sizeinbase(sums->root, 2) : 0;
    return root >= bits + 4 && root <= bits + 8;
}

/* Q, T, decimals, and pi's root. */
static int read_sums(enum series_constant constant, const struct integer_operand *operands,
                     size_t n, struct sums *out)
{
    out->rooted = n == 4;
    if (n < 3 || n > (constant == SERIES_PI ? 4u : 3u))
        return ERR_RANGE;
    if (operands[2].value)
        return ERR_MALFORMED; /* a value is none */
    if (operands[2].literal > SERIES_DECIMALS_MAX)
        return ERR_RANGE;
    out->decimals = operands[2].literal;
    mpz_ptr views[] = {out->q, out->t, NULL, out->root};
    for (size_t i = 0; i < n; i++) {
        struct number number;
        int error = views[i] ? integer_operand_number(&operands[i], &number) : OK;
        if (error)
            return error;
        if (views[i])
            integer_view(views[i], number);
    }
    return sums_fit(constant, out) ? OK : ERR_RANGE;
}

static int digits_room(enum series_constant constant, const struct integer_operand *operands,
                       size_t n, size_t *room_bytes)
{
    struct sums sums;
    int error = read_sums(constant, operands, n, &sums);
    *room_bytes = error ? 0 : integer_room(limbs_of_power(sums.decimals));
    return error;
}

static int digits_into(enum series_constant constant, const struct integer_operand *operands,
                       size_t n, struct blob *out, stop_flag *stop)
{
    struct sums sums;
    int error = read_sums(constant, operands, n, &sums);
    uint64_t all = sums.decimals + SERIES_GUARD;
    assert(!error);
    mpz_t digits;
    mpz_init(digits);
    bool whole = constant == SERIES_PI
                     ? divide_pi(sums.rooted ? sums.root : NULL, sums.q, sums.t, all, digits, stop)
                     : divide_e(sums.q, sums.t, all, digits, stop);
    if (whole && !take_guard(digits, SERIES_GUARD))
        whole = series_digits(constant, sums.decimals, 2 * SERIES_GUARD, digits, stop);
    if (!whole)
        error = ERR_INTERRUPTED;
    else if (!integer_put(out, digits))
        error = ERR_RANGE;
    mpz_clear(digits);
    return error;
}

/* --- text --- */

int integer_decimals_text_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    uint64_t decimals = n == 2 ? operands[1].literal : 0;
    *room_bytes = 0;
    if (n < 1 || n > 2 || decimals > SERIES_DECIMALS_MAX)
        return ERR_RANGE;
    if (!operands[0].value || (n == 2 && operands[1].value))
        return ERR_MALFORMED;
    size_t digits;
    int error = integer_text_room(operands[0].value, &digits);
    /* Its digits, the zeros before them, and the point. */
    if (!error)
        *room_bytes = digits + decimals + 2;
    return error;
}

int integer_decimals_text_into(const struct integer_operand *operands, size_t n, struct blob *out,
                               stop_flag *stop)
{
    if (!integer_text_into(operands[0].value, out, stop))
        return ERR_INTERRUPTED;
    uint8_t *at = out->at + (out->at[0] == '-');
    size_t digits = out->len - (size_t)(at - out->at);
    size_t decimals = n == 2 ? operands[1].literal : digits - 1;
    if (!decimals)
        return OK;
    if (digits <= decimals) {
        size_t zeros = decimals + 1 - digits;
        memmove(at + zeros, at, digits);
        memset(at, '0', zeros);
        digits += zeros;
    }
    memmove(at + digits - decimals + 1, at + digits - decimals, decimals);
    at[digits - decimals] = '.';
    out->len = (size_t)(at - out->at) + digits + 1;
    return OK;
}

int integer_pi_digits_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    return digits_room(SERIES_PI, operands, n, room_bytes);
}

int integer_pi_digits_into(const struct integer_operand *operands, size_t n, struct blob *out,
                           stop_flag *stop)
{
    return digits_into(SERIES_PI, operands, n, out, stop);
}

int integer_e_digits_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    return digits_room(SERIES_E, operands, n, room_bytes);
}

int integer_e_digits_into(const struct integer_operand *operands, size_t n, struct blob *out,
                          stop_flag *stop)
{
    return digits_into(SERIES_E, operands, n, out, stop);
}
