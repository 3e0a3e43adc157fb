#include "nodes/work/integer_pieces.h"

#include <assert.h>
#include <gmp.h>
#include <string.h>

#include "nodes/work/heap.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_transform.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"

/* 5^n has at most so many limbs, and two less at least: log2(5) / 64, in 2^-32, rounded up. */
#define FIVE_LIMBS UINT64_C(155821957)

static size_t limbs_of_power(uint64_t n)
{
    return (size_t)((n * FIVE_LIMBS >> 32) + 1); /* of PIECES_DIGITS_MAX at most */
}

/* --- powers of five --- */

bool integer_power_of_five(mpz_ptr out, uint64_t digits, stop_flag *stop)
{
    unsigned doublings = 0;
    mpz_t square;
    while (digits >> doublings > POWER_DIGITS)
        doublings++;
    mpz_ui_pow_ui(out, 5, digits >> doublings);
    mpz_init(square);
    while (doublings-- && !stop_is_set(stop)) {
        integer_multiply_numbers(square, out, out);
        mpz_swap(out, square);
        if (digits >> doublings & 1)
            mpz_mul_ui(out, out, 5);
    }
    mpz_clear(square);
    return !stop_is_set(stop);
}

/* --- operands --- */

/* All but the last one, which is a literal. */
static int read_numbers(const struct integer_operand *operands, size_t n, size_t wanted,
                        struct number *numbers)
{
    if (n != wanted)
        return ERR_RANGE;
    if (operands[n - 1].value)
        return ERR_MALFORMED; /* a value is none */
    for (size_t i = 0; i + 1 < n; i++) {
        int error = operands[i].value ? integer_number(operands[i].value, &numbers[i])
                                      : ERR_MALFORMED; /* a literal is none */
        if (error)
            return error;
        numbers[i].n = integer_trimmed(numbers[i].at, numbers[i].n);
        if (numbers[i].negative)
            return ERR_RANGE;
    }
    return operands[n - 1].literal > PIECES_DIGITS_MAX ? ERR_RANGE : OK;
}

/* Whether transforms divide such numbers. */
static bool is_long(size_t dividend, size_t divisor)
{
    return divisor >= DIVIDE_LIMBS && dividend >= divisor + DIVIDE_LIMBS;
}

/* --- two parts of a number --- */

/* The number without its lowest bits, in limbs that are the caller's to free; true if it has none.
 */
struct shifted {
    mp_limb_t *at;
    size_t n, room;
};

static bool begin_shifted(struct shifted *it, struct number number, uint64_t bits)
{
    size_t limbs = bits / GMP_NUMB_BITS;
    unsigned shift = bits % GMP_NUMB_BITS;
    *it = (struct shifted){0};
    if (limbs >= number.n)
        return false;
    it->room = number.n - limbs;
    it->at = heap_alloc(it->room * sizeof *it->at);
    if (shift)
        mpn_rshift(it->at, number.at + limbs, (mp_size_t)it->room, shift);
    else
        memcpy(it->at, number.at + limbs, it->room * sizeof *it->at);
    it->n = integer_trimmed(it->at, it->room);
    return true;
}

static void end_shifted(struct shifted *it)
{
    if (it->at)
        heap_free(it->at, it->room * sizeof *it->at);
}

int integer_quotient_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    struct number number;
    int error = read_numbers(operands, n, 2, &number);
    *room_bytes = 0;
    if (error)
        return error;
    /* The power of ten has three limbs less than that at the most. */
    size_t power = limbs_of_power(operands[1].literal) + operands[1].literal / GMP_NUMB_BITS;
    *room_bytes = integer_room(number.n + 4 > power ? number.n + 4 - power : 1);
    return OK;
}

int integer_quotient_into(const struct integer_operand *operands, size_t n, struct blob *out,
                          stop_flag *stop)
{
    struct number number;
    struct shifted dividend;
    uint64_t digits = operands[1].literal;
    mpz_t power, whole;
    int error = read_numbers(operands, n, 2, &number);
    assert(!error);
    mpz_init(power);
    mpz_t quotient;
    mpz_init(quotient);
    bool any = begin_shifted(&dividend, number, digits);
    bool going = !any || integer_power_of_five(power, digits, stop);
    if (any && going)
        integer_divide_numbers(quotient, NULL,
                               integer_view(whole, (struct number){dividend.at, dividend.n, false}),
                               power);
    end_shifted(&dividend);
    if (!going || stop_is_set(stop))
        error = ERR_INTERRUPTED;
    else if (!integer_put(out, quotient))
        error = ERR_RANGE;
    mpz_clear(quotient);
    mpz_clear(power);
    return error;
}

int integer_rest_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    struct number numbers[2];
    int error = read_numbers(operands, n, 3, numbers);
    *room_bytes = 0;
    if (!error)
        *room_bytes = integer_room(limbs_of_power(operands[2].literal) +
                                   (size_t)(operands[2].literal / GMP_NUMB_BITS) + 1);
    return error;
}

/* What is left of the number without its lowest bits; false: the quotient is not its. */
static bool find_rest(mpz_ptr rest, struct number a, struct number q, mpz_srcptr power)
{
    struct number b = integer_limbs(power);
    mpz_t number, factor;
    mp_limb_t *at = mpz_limbs_write(rest, (mp_size_t)b.n);
    bool known = is_long(a.n, b.n) && divisor_rest(at, a, q, b);
    mpz_limbs_finish(rest, known ? (mp_size_t)b.n : 0);
    if (known)
        return mpz_cmp(rest, power) < 0;
    integer_view(factor, q);
    integer_multiply_numbers(rest, factor, power);
    mpz_sub(rest, integer_view(number, a), rest);
    return mpz_sgn(rest) >= 0 && mpz_cmp(rest, power) < 0;
}

int integer_rest_into(const struct integer_operand *operands, size_t n, struct blob *out,
                      stop_flag *stop)
{
    struct number numbers[2];
    struct shifted number;
    uint64_t digits = operands[2].literal;
    mpz_t power, rest, bits, whole;
    mp_limb_t zero = 0;
    int error = read_numbers(operands, n, 3, numbers);
    assert(!error);
    mpz_init(power);
    mpz_init(rest);
    mpz_init(bits);
    bool any = begin_shifted(&number, numbers[0], digits);
    struct number above = {any ? number.at : &zero, any ? number.n : 1, false};
    if (!integer_power_of_five(power, digits, stop))
        error = ERR_INTERRUPTED;
    else if (!find_rest(rest, above, numbers[1], power))
        error = ERR_RANGE;
    end_shifted(&number);
    mpz_tdiv_r_2exp(bits, integer_view(whole, numbers[0]), digits);
    mpz_mul_2exp(rest, rest, digits);
    mpz_add(rest, rest, bits);
    if (stop_is_set(stop))
        error = ERR_INTERRUPTED;
    else if (!error && !integer_put(out, rest))
        error = ERR_RANGE;
    mpz_clear(bits);
    mpz_clear(rest);
    mpz_clear(power);
    return error;
}

/* --- text --- */

int integer_piece_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    struct number number;
    int error = read_numbers(operands, n, 2, &number);
    *room_bytes = 0;
    if (!error)
        error = integer_text_room(operands[0].value, room_bytes);
    if (!error && *room_bytes < operands[1].literal)
        *room_bytes = operands[1].literal;
    return error;
}

int integer_piece_into(const struct integer_operand *operands, size_t n, struct blob *out,
                       stop_flag *stop)
{
    assert(n == 2);
    if (!integer_text_into(operands[0].value, out, stop))
        return ERR_INTERRUPTED;
    size_t digits = operands[1].literal, zeros = digits > out->len ? digits - out->len : 0;
    if (zeros && !MUTANT(piece_unpadded)) {
        memmove(out->at + zeros, out->at, out->len);
        memset(out->at, '0', zeros);
        out->len = digits;
    }
    return OK;
}

int integer_join_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    *room_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        if (!operands[i].value || !operands[i].value->len)
            return ERR_MALFORMED;
        *room_bytes += operands[i].value->len;
    }
    return OK;
}

static void join(const struct integer_operand *operands, size_t n, bool whole, struct blob *out)
{
    uint8_t *at = out->at;
    for (size_t i = 0; i < n; i++) {
        const struct blob *piece = operands[i].value;
        size_t zeros = 0;
        while (whole && at == out->at && zeros < piece->len && piece->at[zeros] == '0')
            zeros++;
        memcpy(at, piece->at + zeros, piece->len - zeros);
        at += piece->len - zeros;
    }
    if (at == out->at)
        *at++ = '0';
    out->len = (size_t)(at - out->at);
}

int integer_join_into(const struct integer_operand *operands, size_t n, struct blob *out,
                      stop_flag *stop)
{
    (void)stop; /* it copies */
    join(operands, n, false, out);
    return OK;
}

int integer_joined_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    return integer_join_room(operands, n, room_bytes);
}

int integer_joined_into(const struct integer_operand *operands, size_t n, struct blob *out,
                        stop_flag *stop)
{
    (void)stop;
    join(operands, n, true, out);
    return OK;
}
