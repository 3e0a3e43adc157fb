/* What jobs for pi and e are made of, by GMP's own functions: ranges of terms, two neighbours
 * combined, the digits, and their text. */
#include <gmp.h>
#include <string.h>

#include "nodes/core/kinds/series.h"
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

/* --- ranges of terms: P, Q and T of from <= k < to --- */

struct sums {
    mpz_t p, q, t;
};

typedef void term_of(uint64_t k, struct sums *out);

static void pi_term(uint64_t k, struct sums *out)
{
    if (!k) {
        mpz_set_ui(out->p, 1);
        mpz_set_ui(out->q, 1);
        mpz_set_ui(out->t, CHUDNOVSKY_A);
        return;
    }
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
    mpz_set_ui(out->q, k ? k : 1);
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
    if (from + 1 == to) {
        term(from, out);
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
    if (op->n_operands != 2)
        return ERR_RANGE;
    for (size_t i = 0; i < op->n_operands; i++)
        if (operands[i].blob)
            return ERR_MALFORMED; /* a value is none */
    if (operands[0].literal >= operands[1].literal || operands[1].literal > TERMS_MAX)
        return ERR_RANGE;
    uint64_t bits = PI_TERM_BITS + 3 * bits_of(operands[1].literal);
    uint64_t terms = operands[1].literal - operands[0].literal;
    return take_room((terms + 2) * bits / 8 + 4 * INTEGER_LIMB_BYTES, room_bytes);
}

static bool terms_into(const struct compute_op *op, struct blob *out, term_of *term, char which,
                       stop_flag *stop)
{
    struct sums sums;
    sums_init(&sums);
    bool whole = split(op->operands[0].literal, op->operands[1].literal, term, &sums, stop);
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

/* --- a product with signs --- */

bool operator_is_signed(const struct compute_op *op)
{
    for (size_t i = 0; i < op->n_operands; i++)
        if (op->operands[i].blob && op->operands[i].blob->len % INTEGER_LIMB_BYTES)
            return true;
    return false;
}

int operator_signed_room(const struct compute_op *op, size_t *room_bytes)
{
    uint64_t bytes = 1;
    for (size_t i = 0; i < op->n_operands; i++) {
        if (!is_integer(&op->operands[i]))
            return ERR_MALFORMED;
        bytes += bytes_of(&op->operands[i]);
    }
    return take_room(bytes, room_bytes);
}

bool operator_signed_into(const struct compute_op *op, struct blob *out, stop_flag *stop)
{
    mpz_t product, factor;
    mpz_init_set_ui(product, 1);
    mpz_init(factor);
    for (size_t i = 0; i < op->n_operands; i++) {
        read_integer(&op->operands[i], factor);
        mpz_mul(product, product, factor);
    }
    write_integer(product, out);
    mpz_clears(product, factor, NULL);
    return !stop_is_set(stop);
}

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

static int decimals_room(uint64_t decimals, size_t *room_bytes)
{
    if (decimals > DECIMALS_MAX)
        return ERR_RANGE;
    return take_room((decimals + SERIES_GUARD) * 27 / 64 + 4 * INTEGER_LIMB_BYTES, room_bytes);
}

static int root_room(const struct compute_op *op, size_t *room_bytes)
{
    return op->operands[0].blob ? ERR_MALFORMED
                                : decimals_room(op->operands[0].literal, room_bytes);
}

static bool root_into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                      stop_flag *stop)
{
    mpz_t root;
    *operations = 1;
    mpz_init(root);
    mpz_ui_pow_ui(root, 10, 2 * (op->operands[0].literal + SERIES_GUARD));
    mpz_mul_ui(root, root, 10005);
    mpz_sqrt(root, root);
    write_integer(root, out);
    mpz_clear(root);
    return !stop_is_set(stop);
}

const struct operator_work operator_pi_sqrt_work = {root_room, root_into};

static int digits_room(const struct compute_op *op, size_t values, size_t *room_bytes)
{
    if (op->n_operands != values + 1 || op->operands[values].blob)
        return ERR_RANGE;
    for (size_t i = 0; i < values; i++)
        if (!op->operands[i].blob || !is_integer(&op->operands[i]))
            return ERR_MALFORMED;
    return decimals_room(op->operands[values].literal, room_bytes);
}

static int pi_digits_room(const struct compute_op *op, size_t *room_bytes)
{
    return digits_room(op, 3, room_bytes);
}

static int e_digits_room(const struct compute_op *op, size_t *room_bytes)
{
    return digits_room(op, 2, room_bytes);
}

/* factor * a / b without the guard digits. */
static bool quotient(mpz_t factor, const struct compute_operand *a, const struct compute_operand *b,
                     struct blob *out, stop_flag *stop)
{
    mpz_t number;
    mpz_init(number);
    read_integer(a, number);
    mpz_mul(factor, factor, number);
    read_integer(b, number);
    mpz_tdiv_q(factor, factor, number);
    mpz_ui_pow_ui(number, 10, SERIES_GUARD);
    mpz_tdiv_q(factor, factor, number);
    write_integer(factor, out);
    mpz_clear(number);
    mpz_clear(factor);
    return !stop_is_set(stop);
}

static bool pi_digits_into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                           stop_flag *stop)
{
    mpz_t factor;
    *operations = 1;
    mpz_init(factor);
    read_integer(&op->operands[0], factor);
    mpz_mul_ui(factor, factor, 426880);
    return quotient(factor, &op->operands[1], &op->operands[2], out, stop);
}

static bool e_digits_into(const struct compute_op *op, struct blob *out, uint64_t *operations,
                          stop_flag *stop)
{
    mpz_t factor;
    *operations = 1;
    mpz_init(factor);
    mpz_ui_pow_ui(factor, 10, op->operands[2].literal + SERIES_GUARD);
    return quotient(factor, &op->operands[1], &op->operands[0], out, stop);
}

const struct operator_work operator_pi_digits_work = {pi_digits_room, pi_digits_into};
const struct operator_work operator_e_digits_work = {e_digits_room, e_digits_into};

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
