/* What jobs for pi and e are made of, by GMP's own functions: ranges of terms, two neighbours
 * combined, the digits, and their text. */
#include <gmp.h>
#include <string.h>

#include "nodes/work/operator_work.h"
#include "shared/base/bits.h"
#include "shared/base/error.h"

#define CHUDNOVSKY_A   13591409
#define CHUDNOVSKY_B   545140134
#define CHUDNOVSKY_C24 UINT64_C(10939058860032000) /* 640320^3 / 24 */
#define PI_TERM_BITS   54                          /* of that number, rounded up */
#define TERMS_MAX      (UINT64_C(1) << 40)

/* --- signed integers as values --- */

static bool is_integer(const struct compute_operand *operand)
{
    return !operand->blob || (operand->blob->len >= INTEGER_LIMB_BYTES &&
                              operand->blob->len % INTEGER_LIMB_BYTES <= 1);
}

static void read_integer(const struct compute_operand *operand, mpz_t out)
{
    if (!operand->blob) {
        mpz_set_ui(out, operand->literal);
        return;
    }
    size_t limbs = operand->blob->len / INTEGER_LIMB_BYTES;
    mpz_import(out, limbs, -1, INTEGER_LIMB_BYTES, -1, 0, operand->blob->at);
    if (operand->blob->len % INTEGER_LIMB_BYTES)
        mpz_neg(out, out);
}

static void write_integer(const mpz_t value, struct blob *out)
{
    size_t limbs = mpz_size(value), bytes = limbs * INTEGER_LIMB_BYTES;
    memset(out->at, 0, INTEGER_LIMB_BYTES);
    mpz_export(out->at, NULL, -1, INTEGER_LIMB_BYTES, -1, 0, value);
    out->len = bytes ? bytes : INTEGER_LIMB_BYTES;
    if (mpz_sgn(value) < 0)
        out->at[out->len++] = 1;
}

static uint64_t bytes_of(const struct compute_operand *operand)
{
    return operand->blob ? operand->blob->len : INTEGER_LIMB_BYTES;
}

static int take_room(uint64_t bytes, size_t *room_bytes)
{
    if (bytes > INTEGER_MAX_BYTES)
        return ERR_TOO_BIG;
    *room_bytes = (size_t)bytes;
    return OK;
}

/* --- ranges of terms: P, Q and T of from < k <= to --- */

struct sums {
    mpz_t p, q, t;
};

typedef void term_of(uint64_t k, struct sums *out);

static void pi_term(uint64_t k, struct sums *out)
{
    mpz_set_ui(out->p, 6 * k - 5);
    mpz_mul_ui(out->p, out->p, 2 * k - 1);
    mpz_mul_ui(out->p, out->p, 6 * k - 1);
    mpz_neg(out->p, out->p);
    mpz_ui_pow_ui(out->q, k, 3);
    mpz_mul_ui(out->q, out->q, CHUDNOVSKY_C24);
    mpz_set_ui(out->t, CHUDNOVSKY_B);
    mpz_mul_ui(out->t, out->t, k);
    mpz_add_ui(out->t, out->t, CHUDNOVSKY_A);
    mpz_mul(out->t, out->t, out->p);
}

static void e_term(uint64_t k, struct sums *out)
{
    mpz_set_ui(out->p, 1);
    mpz_set_ui(out->q, k);
    mpz_set_ui(out->t, 1);
}

static void sums_init(struct sums *sums)
{
    mpz_inits(sums->p, sums->q, sums->t, NULL);
}

static void sums_clear(struct sums *sums)
{
    mpz_clears(sums->p, sums->q, sums->t, NULL);
}

/* The depth of recursion is that of the range's logarithm. False: it was stopped. */
static bool split(uint64_t from, uint64_t to, term_of *term, struct sums *out, stop_flag *stop)
{
    if (from == to) {
        mpz_set_ui(out->p, 1);
        mpz_set_ui(out->q, 1);
        mpz_set_ui(out->t, 0);
        return true;
    }
    if (from + 1 == to) {
        term(to, out);
        return !stop_is_set(stop);
    }
    struct sums right;
    sums_init(&right);
    uint64_t middle = from + (to - from) / 2;
    bool whole = split(from, middle, term, out, stop) && split(middle, to, term, &right, stop);
    if (whole) {
        mpz_mul(out->t, out->t, right.q);
        mpz_addmul(out->t, out->p, right.t);
        mpz_mul(out->p, out->p, right.p);
        mpz_mul(out->q, out->q, right.q);
    }
    sums_clear(&right);
    return whole;
}

static int terms_room(const struct compute_op *op, size_t *room_bytes)
{
    const struct compute_operand *operands = op->operands;
    if (op->n_operands != 3)
        return ERR_RANGE;
    for (size_t i = 0; i < op->n_operands; i++)
        if (operands[i].blob)
            return ERR_MALFORMED; /* a value is none */
    if (operands[1].literal > operands[2].literal || operands[2].literal > TERMS_MAX)
        return ERR_RANGE;
    uint64_t bits = PI_TERM_BITS + 3 * bits_of(operands[2].literal | 1);
    uint64_t terms = operands[2].literal - operands[1].literal;
    return take_room((terms + 2) * bits / 8 + 4 * INTEGER_LIMB_BYTES, room_bytes);
}

static bool terms_into(const struct compute_op *op, struct blob *out, term_of *term, char which,
                       stop_flag *stop)
{
    struct sums sums;
    sums_init(&sums);
    bool whole = split(op->operands[1].literal, op->operands[2].literal, term, &sums, stop);
    if (whole)
        write_integer(which == 'p' ? sums.p : which == 'q' ? sums.q : sums.t, out);
    sums_clear(&sums);
    return whole;
}

#define TERMS(name, term, which)                                                                 \
    static bool name##_into(const struct compute_op *op, struct blob *out, uint64_t *operations, \
                            stop_flag *stop)                                                     \
    {                                                                                            \
        *operations = 1;                                                                         \
        return terms_into(op, out, term, which, stop);                                           \
    }                                                                                            \
    const struct operator_work operator_##name##_work = {terms_room, name##_into};

TERMS(pi_p, pi_term, 'p')
TERMS(pi_q, pi_term, 'q')
TERMS(pi_t, pi_term, 't')
TERMS(e_q, e_term, 'q')
TERMS(e_t, e_term, 't')

/* --- T1*Q2 + P1*T2 --- */

static int cross_room(const struct compute_op *op, size_t *room_bytes)
{
    if (op->n_operands != 4)
        return ERR_RANGE;
    uint64_t bytes[4];
    for (size_t i = 0; i < 4; i++) {
        if (!is_integer(&op->operands[i]))
            return ERR_MALFORMED;
        bytes[i] = bytes_of(&op->operands[i]);
    }
    uint64_t left = bytes[0] + bytes[1], right = bytes[2] + bytes[3];
    return take_room((left > right ? left : right) + 2 * INTEGER_LIMB_BYTES, room_bytes);
}

static bool cross_into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                       stop_flag *stop)
{
    mpz_t left, right, factor;
    *operations = 1;
    mpz_inits(left, right, factor, NULL);
    read_integer(&op->operands[0], left);
    read_integer(&op->operands[1], factor);
    mpz_mul(left, left, factor);
    bool whole = !stop_is_set(stop);
    if (whole) {
        read_integer(&op->operands[2], right);
        read_integer(&op->operands[3], factor);
        mpz_addmul(left, right, factor);
        write_integer(left, out);
    }
    mpz_clears(left, right, factor, NULL);
    return whole;
}

const struct operator_work operator_cross_work = {cross_room, cross_into};

/* --- the constant times 10^decimals, rounded down --- */

/* With so many digits more than asked for, the error of the series and of the root does not reach
 * the last one. */
#define GUARD_DIGITS 20

static int digits_room(const struct compute_op *op, size_t *room_bytes)
{
    if (op->n_operands != 3)
        return ERR_RANGE;
    if (!op->operands[0].blob || !op->operands[1].blob || op->operands[2].blob ||
        !is_integer(&op->operands[0]) || !is_integer(&op->operands[1]))
        return ERR_MALFORMED;
    if (op->operands[2].literal > INTEGER_MAX_BYTES * 2)
        return ERR_TOO_BIG;
    return take_room(op->operands[2].literal * 27 / 64 + 4 * INTEGER_LIMB_BYTES, room_bytes);
}

static void pi_quotient(mpz_t q, mpz_t t, uint64_t decimals, mpz_t out)
{
    mpz_ui_pow_ui(out, 10, 2 * decimals);
    mpz_mul_ui(out, out, 10005);
    mpz_sqrt(out, out);
    mpz_addmul_ui(t, q, CHUDNOVSKY_A);
    mpz_mul_ui(q, q, 426880);
    mpz_mul(out, out, q);
    mpz_tdiv_q(out, out, t);
}

static void e_quotient(mpz_t q, mpz_t t, uint64_t decimals, mpz_t out)
{
    mpz_ui_pow_ui(out, 10, decimals);
    mpz_add(t, t, q);
    mpz_mul(out, out, t);
    mpz_tdiv_q(out, out, q);
}

static bool digits_into(const struct compute_op *op, struct blob *out, stop_flag *stop,
                        void (*quotient)(mpz_t q, mpz_t t, uint64_t decimals, mpz_t out))
{
    mpz_t q, t, digits;
    mpz_inits(q, t, digits, NULL);
    read_integer(&op->operands[0], q);
    read_integer(&op->operands[1], t);
    quotient(q, t, op->operands[2].literal + GUARD_DIGITS, digits);
    mpz_ui_pow_ui(t, 10, GUARD_DIGITS);
    mpz_tdiv_q(digits, digits, t);
    write_integer(digits, out);
    mpz_clears(q, t, digits, NULL);
    return !stop_is_set(stop);
}

static bool pi_digits_into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                           stop_flag *stop)
{
    *operations = 1;
    return digits_into(op, out, stop, pi_quotient);
}

static bool e_digits_into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                          stop_flag *stop)
{
    *operations = 1;
    return digits_into(op, out, stop, e_quotient);
}

const struct operator_work operator_pi_digits_work = {digits_room, pi_digits_into};
const struct operator_work operator_e_digits_work = {digits_room, e_digits_into};

/* --- the text --- */

static int decimals_text_room(const struct compute_op *op, size_t *room_bytes)
{
    const struct blob *value = op->operands[0].blob;
    int error = value ? integer_text_room(value, room_bytes) : ERR_MALFORMED;
    *room_bytes += !error;
    return error;
}

static bool decimals_text_into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                               stop_flag *stop)
{
    *operations = 1;
    if (!integer_text_into(op->operands[0].blob, out, stop))
        return false;
    if (out->len > 1) {
        memmove(out->at + 2, out->at + 1, out->len - 1);
        out->at[1] = '.';
        out->len++;
    }
    return true;
}

const struct operator_work operator_decimals_text_work = {decimals_text_room, decimals_text_into};
