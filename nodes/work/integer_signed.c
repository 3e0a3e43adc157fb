/* Values with their signs: how they are read and written. */
#include <assert.h>
#include <string.h>

#include "nodes/work/integer.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_transform.h"
#include "shared/base/error.h"

#define NEGATIVE 1 /* the byte after a negative value's magnitude */

size_t integer_trimmed(const mp_limb_t *at, size_t n)
{
    while (n > 1 && !at[n - 1])
        n--;
    return n;
}

int integer_number(const struct blob *value, struct number *out)
{
    size_t sign = value->len % INTEGER_LIMB_BYTES;
    if (value->len < INTEGER_LIMB_BYTES || sign > 1 ||
        (sign && value->at[value->len - 1] != NEGATIVE))
        return ERR_MALFORMED;
    const mp_limb_t *at = (const mp_limb_t *)(const void *)value->at;
    *out = (struct number){at, integer_trimmed(at, value->len / INTEGER_LIMB_BYTES), sign};
    if (sign && out->n == 1 && !at[0])
        return ERR_MALFORMED;
    return value->len > INTEGER_MAX_BYTES + 1 ? ERR_TOO_BIG : OK;
}

int integer_operand_number(const struct integer_operand *operand, struct number *out)
{
    *out = (struct number){&operand->literal, 1, false};
    return operand->value ? integer_number(operand->value, out) : OK;
}

mpz_srcptr integer_view(mpz_t view, struct number number)
{
    mp_size_t n = (mp_size_t)number.n;
    return mpz_roinit_n(view, number.at, number.negative ? -n : n);
}

int integer_read(const struct blob *value, mpz_t out)
{
    struct number number;
    int error = integer_number(value, &number);
    if (!error)
        integer_view(out, number);
    return error;
}

void integer_end(struct blob *out, size_t limbs, bool negative)
{
    const mp_limb_t *at = (const mp_limb_t *)(const void *)out->at;
    limbs = integer_trimmed(at, limbs);
    bool sign = negative && (limbs > 1 || at[0]);
    assert(limbs * sizeof *at + sign <= out->len);
    out->len = limbs * sizeof *at;
    if (sign)
        out->at[out->len++] = NEGATIVE;
}

bool integer_put(struct blob *out, mpz_srcptr number)
{
    size_t limbs = mpz_size(number), bytes = limbs * sizeof(mp_limb_t);
    if (out->len < bytes + (mpz_sgn(number) < 0) || out->len < sizeof(mp_limb_t))
        return false;
    memset(out->at, 0, sizeof(mp_limb_t));
    memcpy(out->at, mpz_limbs_read(number), bytes);
    integer_end(out, limbs ? limbs : 1, mpz_sgn(number) < 0);
    return true;
}

struct number integer_limbs(mpz_srcptr number)
{
    return (struct number){mpz_limbs_read(number), mpz_size(number), mpz_sgn(number) < 0};
}

void integer_multiply_numbers(mpz_ptr out, mpz_srcptr a, mpz_srcptr b)
{
    struct number x = integer_limbs(a), y = integer_limbs(b);
    if (x.n < TRANSFORM_LIMBS || y.n < TRANSFORM_LIMBS) {
        mpz_mul(out, a, b);
        return;
    }
    mp_limb_t *at = mpz_limbs_write(out, (mp_size_t)(x.n + y.n));
    mp_size_t n = (mp_size_t)integer_multiply_two(at, x, y);
    mpz_limbs_finish(out, x.negative != y.negative ? -n : n);
}

static void divide_short(mpz_ptr quotient, mpz_ptr rest, mpz_srcptr a, mpz_srcptr b)
{
    if (quotient && rest)
        mpz_tdiv_qr(quotient, rest, a, b);
    else if (quotient)
        mpz_tdiv_q(quotient, a, b);
    else
        mpz_tdiv_r(rest, a, b);
}

void integer_divide_by(mpz_ptr quotient, mpz_ptr rest, mpz_srcptr a, mpz_srcptr b,
                       const struct divisor *divisor)
{
    struct number x = integer_limbs(a), y = integer_limbs(b);
    if (x.n < y.n || y.n < DIVIDE_LIMBS || x.n - y.n < DIVIDE_LIMBS) {
        divide_short(quotient, rest, a, b);
        return;
    }
    mpz_t q, r;
    mp_size_t q_n = (mp_size_t)(x.n - y.n + 1), r_n = (mp_size_t)y.n;
    mpz_init2(q, (mp_bitcnt_t)q_n * GMP_NUMB_BITS);
    mpz_init2(r, (mp_bitcnt_t)r_n * GMP_NUMB_BITS);
    mp_limb_t *q_at = mpz_limbs_write(q, q_n), *r_at = mpz_limbs_write(r, r_n);
    if (!divisor || !divisor_divide(divisor, q_at, r_at, x))
        integer_divide(q_at, r_at, x, y);
    mpz_limbs_finish(q, x.negative != y.negative ? -q_n : q_n);
    mpz_limbs_finish(r, x.negative ? -r_n : r_n);
    if (quotient)
        mpz_swap(quotient, q);
    if (rest)
        mpz_swap(rest, r);
    mpz_clear(r);
    mpz_clear(q);
}

void integer_divide_numbers(mpz_ptr quotient, mpz_ptr rest, mpz_srcptr a, mpz_srcptr b)
{
    integer_divide_by(quotient, rest, a, b, NULL);
}
