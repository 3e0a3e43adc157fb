/* Pi and e: ranges of terms against their definition, and digits against MPFR, which finds them by
 * other ways (an arithmetic-geometric mean, and an exponential function). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gmp.h>
#include <mpfr.h>

#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_series.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/random.h"
#include "tests/harness/operators.h"

#define DEFINED_TERMS 60

static mpz_srcptr number_in(mpz_t view, const struct blob *blob)
{
    assert_int_equal(integer_read(blob, view), OK);
    return view;
}

static void check(struct blob *blob, const mpz_t expected)
{
    mpz_t view;
    assert_non_null(blob);
    assert_int_equal(mpz_cmp(number_in(view, blob), expected), 0);
    blob_drop(&blob);
}

/* --- the definition --- */

static void multiply_p(mpz_t number, bool pi, uint64_t k)
{
    if (!pi)
        return;
    mpz_mul_ui(number, number, 6 * k - 5);
    mpz_mul_ui(number, number, 2 * k - 1);
    mpz_mul_ui(number, number, 6 * k - 1);
    mpz_neg(number, number);
}

static void multiply_q(mpz_t number, bool pi, uint64_t k)
{
    mpz_t q;
    mpz_init_set_ui(q, k);
    if (pi) {
        mpz_pow_ui(q, q, 3);
        mpz_mul_ui(q, q, UINT64_C(640320) * 640320);
        mpz_mul_ui(q, q, 640320 / 24);
    }
    mpz_mul(number, number, q);
    mpz_clear(q);
}

/* The sum's terms, one by one, over the common denominator. */
static void define(bool pi, uint64_t from, uint64_t to, mpz_t p, mpz_t q, mpz_t t)
{
    mpz_t term;
    mpz_init(term);
    mpz_set_ui(p, 1);
    mpz_set_ui(q, 1);
    mpz_set_ui(t, 0);
    for (uint64_t k = from + 1; k <= to; k++) {
        multiply_p(p, pi, k);
        multiply_q(q, pi, k);
        mpz_mul_ui(term, p, pi ? 13591409 + 545140134 * k : 1);
        for (uint64_t after = k + 1; after <= to; after++)
            multiply_q(term, pi, after);
        mpz_add(t, t, term);
    }
    mpz_clear(term);
}

static void check_range(uint64_t from, uint64_t to)
{
    mpz_t p, q, t;
    mpz_inits(p, q, t, NULL);
    define(true, from, to, p, q, t);
    check(RUN(OPCODE_PI_P, operand_literal(0), operand_literal(from), operand_literal(to)), p);
    check(RUN(OPCODE_PI_Q, operand_literal(0), operand_literal(from), operand_literal(to)), q);
    check(RUN(OPCODE_PI_T, operand_literal(0), operand_literal(from), operand_literal(to)), t);
    define(false, from, to, p, q, t);
    check(RUN(OPCODE_E_Q, operand_literal(0), operand_literal(from), operand_literal(to)), q);
    check(RUN(OPCODE_E_T, operand_literal(0), operand_literal(from), operand_literal(to)), t);
    mpz_clears(p, q, t, NULL);
}

static void ranges_of_terms_are_what_their_definition_says(void **state)
{
    (void)state;
    uint64_t random = 23;
    for (uint64_t from = 0; from < 20; from++)
        for (uint64_t to = from; to < 22; to++)
            check_range(from, to);
    for (int i = 0; i < 100; i++) {
        /* Where three factors have more than 64 bits, too. */
        uint64_t from = random_below(&random, i % 2 ? 21000000 : 4000);
        check_range(from, from + 1 + random_below(&random, DEFINED_TERMS));
    }
}

static void two_ranges_make_one(void **state)
{
    (void)state;
    uint64_t random = 29;
    for (int i = 0; i < 100; i++) {
        uint64_t a = random_below(&random, 500), b = a + 1 + random_below(&random, 50),
                 c = b + 1 + random_below(&random, 50);
        mpz_t view;
        struct blob
            *t1 = RUN(OPCODE_PI_T, operand_literal(0), operand_literal(a), operand_literal(b)),
            *q2 = RUN(OPCODE_PI_Q, operand_literal(0), operand_literal(b), operand_literal(c)),
            *p1 = RUN(OPCODE_PI_P, operand_literal(0), operand_literal(a), operand_literal(b)),
            *t2 = RUN(OPCODE_PI_T, operand_literal(0), operand_literal(b), operand_literal(c)),
            *whole = RUN(OPCODE_PI_T, operand_literal(0), operand_literal(a), operand_literal(c));
        check(RUN(OPCODE_CROSS, operand_value(t1), operand_value(q2), operand_value(p1),
                  operand_value(t2)),
              number_in(view, whole));
        blob_drop(&t1);
        blob_drop(&q2);
        blob_drop(&p1);
        blob_drop(&t2);
        blob_drop(&whole);
        t1 = RUN(OPCODE_E_T, operand_literal(0), operand_literal(a), operand_literal(b));
        q2 = RUN(OPCODE_E_Q, operand_literal(0), operand_literal(b), operand_literal(c));
        t2 = RUN(OPCODE_E_T, operand_literal(0), operand_literal(b), operand_literal(c));
        whole = RUN(OPCODE_E_T, operand_literal(0), operand_literal(a), operand_literal(c));
        check(RUN(OPCODE_CROSS, operand_value(t1), operand_value(q2), operand_literal(1),
                  operand_value(t2)),
              number_in(view, whole));
        blob_drop(&t1);
        blob_drop(&q2);
        blob_drop(&t2);
        blob_drop(&whole);
    }
}

/* --- the whole way, as a plan goes it --- */

struct sum {
    struct blob *p, *q, *t;
};

static void drop(struct sum *sum)
{
    blob_drop(&sum->p);
    blob_drop(&sum->q);
    blob_drop(&sum->t);
}

static struct sum sum_of(bool pi, uint64_t from, uint64_t to, uint64_t leaf)
{
    struct sum sum = {0}, left, right;
    if (to - from <= leaf) {
        sum.p =
            pi ? RUN(OPCODE_PI_P, operand_literal(0), operand_literal(from), operand_literal(to))
               : NULL;
        sum.q = RUN(pi ? OPCODE_PI_Q : OPCODE_E_Q, operand_literal(0), operand_literal(from),
                    operand_literal(to));
        sum.t = RUN(pi ? OPCODE_PI_T : OPCODE_E_T, operand_literal(0), operand_literal(from),
                    operand_literal(to));
        return sum;
    }
    uint64_t middle = from + (to - from) / 2;
    left = sum_of(pi, from, middle, leaf);
    right = sum_of(pi, middle, to, leaf);
    sum.p = pi ? RUN(OPCODE_MULTIPLY, operand_value(left.p), operand_value(right.p)) : NULL;
    sum.q = RUN(OPCODE_MULTIPLY, operand_value(left.q), operand_value(right.q));
    sum.t = RUN(OPCODE_CROSS, operand_value(left.t), operand_value(right.q),
                pi ? operand_value(left.p) : operand_literal(1), operand_value(right.t));
    drop(&left);
    drop(&right);
    return sum;
}

/* `rooted`: pi's root is an operation of its own. */
static struct blob *digits_of(bool pi, uint64_t decimals, bool rooted)
{
    uint64_t terms = series_terms(pi ? SERIES_PI : SERIES_E, decimals + SERIES_GUARD);
    struct sum sum = sum_of(pi, 0, terms, terms / 7 + 1);
    struct blob *root = rooted ? RUN(OPCODE_PI_SQRT, operand_literal(decimals)) : NULL, *digits;
    if (rooted)
        digits = RUN(OPCODE_PI_DIGITS, operand_value(sum.q), operand_value(sum.t),
                     operand_literal(decimals), operand_value(root));
    else
        digits = RUN(pi ? OPCODE_PI_DIGITS : OPCODE_E_DIGITS, operand_value(sum.q),
                     operand_value(sum.t), operand_literal(decimals));
    assert_non_null(digits);
    blob_drop(&root);
    drop(&sum);
    return digits;
}

/* By MPFR: 10^decimals times the constant, rounded down. */
static void define_digits(bool pi, uint64_t decimals, mpz_t out)
{
    mpfr_t number;
    mpz_t power;
    mpz_init(power);
    mpz_ui_pow_ui(power, 10, decimals);
    mpfr_init2(number, (mpfr_prec_t)(mpz_sizeinbase(power, 2) + 64));
    if (pi) {
        mpfr_const_pi(number, MPFR_RNDD);
    } else {
        mpfr_set_ui(number, 1, MPFR_RNDD);
        mpfr_exp(number, number, MPFR_RNDD);
    }
    mpfr_mul_z(number, number, power, MPFR_RNDD);
    mpfr_get_z(out, number, MPFR_RNDD);
    mpfr_clear(number);
    mpz_clear(power);
}

static void check_digits(bool pi, uint64_t decimals)
{
    mpz_t expected;
    mpz_init(expected);
    define_digits(pi, decimals, expected);
    check(digits_of(pi, decimals, pi && decimals % 2), expected);
    mpz_clear(expected);
}

static void every_decimal_is_right_at_every_number_of_decimals(void **state)
{
    (void)state;
    uint64_t random = 31;
    for (uint64_t decimals = 0; decimals < 1000; decimals++) {
        check_digits(true, decimals);
        check_digits(false, decimals);
    }
    for (int i = 0; i < 40; i++) {
        uint64_t decimals = random_below(&random, 20000);
        check_digits(true, decimals);
        check_digits(false, decimals);
    }
    check_digits(true, 100000);
    check_digits(false, 100000);
}

/* SHA-256 of the text: of mpmath 1.2.1, which has series and roots of its own, by
 *     /usr/bin/python3 -c 'from mpmath import mp, libmp; import hashlib; n = 1000000
 *     for f in (libmp.pi_fixed, libmp.e_fixed): b = int((n + 20) * 3.33);
 *         s = str(f(b) * 10**n >> b); print(hashlib.sha256((s[0] + "." + s[1:]).encode()))' */
static void check_hash(bool pi, const char *expected)
{
    char text[HASH_TEXT_MAX];
    uint8_t hash[HASH_BYTES];
    struct blob *digits = digits_of(pi, 1000000, pi);
    struct blob *decimals =
        RUN(OPCODE_DECIMALS_TEXT, operand_value(digits), operand_literal(1000000));
    assert_int_equal(decimals->len, 1000002);
    blob_hash(decimals, hash);
    assert_string_equal(hash_text(hash, text), expected);
    blob_drop(&digits);
    blob_drop(&decimals);
}

static void a_million_decimals_are_those_of_others(void **state)
{
    (void)state;
    check_hash(true, "dd382ef6a0c1e8d920fb72f482d74826251ab97709520bc24f913cd8eb5fc839");
    check_hash(false, "3fe3a17684179b014635fa1454f2f956b91b9c3bb2a926bbf7510a5e17ff3baf");
}

/* Decimals 762 to 767 of pi are 999999: with few guard decimals, numbers of decimals before them
 * are in doubt, and more are computed. */
static void decimals_in_doubt_are_computed_with_more(void **state)
{
    (void)state;
    mpz_t digits, expected;
    mpz_init(digits);
    mpz_init(expected);
    for (uint64_t decimals = 0; decimals < 800; decimals++)
        for (uint64_t guard = 1; guard <= 6; guard += decimals < 750 ? 3 : 1) {
            assert_true(series_digits(SERIES_PI, decimals, guard, digits, NULL));
            define_digits(true, decimals, expected);
            assert_int_equal(mpz_cmp(digits, expected), 0);
            assert_true(series_digits(SERIES_E, decimals, guard, digits, NULL));
            define_digits(false, decimals, expected);
            assert_int_equal(mpz_cmp(digits, expected), 0);
        }
    mpz_clear(digits);
    mpz_clear(expected);
}

/* --- text --- */

static void check_text(int64_t number, uint64_t decimals, const char *expected)
{
    uint64_t magnitude = number < 0 ? (uint64_t)-number : (uint64_t)number;
    struct blob *blob = blob_new(sizeof magnitude + (number < 0));
    memcpy(blob->at, &magnitude, sizeof magnitude);
    if (number < 0)
        blob->at[sizeof magnitude] = 1;
    struct blob *text = RUN(OPCODE_DECIMALS_TEXT, operand_value(blob), operand_literal(decimals));
    assert_non_null(text);
    assert_int_equal(text->len, strlen(expected));
    assert_memory_equal(text->at, expected, text->len);
    blob_drop(&text);
    blob_drop(&blob);
}

static void a_point_stands_before_the_decimals(void **state)
{
    (void)state;
    check_text(3, 0, "3");
    check_text(31, 1, "3.1");
    check_text(314159, 5, "3.14159");
    check_text(314159, 6, "0.314159");
    check_text(314159, 9, "0.000314159");
    check_text(0, 0, "0");
    check_text(0, 3, "0.000");
    check_text(-5, 2, "-0.05");
    check_text(-12345, 2, "-123.45");
    struct blob *e = digits_of(false, 0, false),
                *text = RUN(OPCODE_DECIMALS_TEXT, operand_value(e), operand_literal(0));
    assert_true(text->len == 1 && text->at[0] == '2');
    blob_drop(&text);
    blob_drop(&e);
}

/* --- what cannot be --- */

static void hostile_operands_are_refused(void **state)
{
    (void)state;
    uint64_t one = 1, huge = UINT64_MAX;
    struct blob *small = blob_copy(&one, sizeof one), *odd = blob_copy("123456789", 9),
                *large = blob_new(1000);
    memset(large->at, 0xff, large->len);
    assert_null(RUN(OPCODE_PI_T, operand_literal(0), operand_literal(6), operand_literal(5)));
    assert_null(RUN(OPCODE_PI_T, operand_literal(0), operand_literal(0), operand_literal(huge)));
    assert_null(RUN(OPCODE_E_Q, operand_literal(0), operand_literal(0), operand_literal(huge)));
    assert_null(RUN(OPCODE_E_Q, operand_literal(0), operand_literal(0)));
    assert_null(RUN(OPCODE_E_Q, operand_value(small), operand_literal(3)));
    assert_null(RUN(OPCODE_PI_SQRT, operand_literal(SERIES_DECIMALS_MAX + 1)));
    assert_null(RUN(OPCODE_PI_SQRT, operand_literal(huge)));
    assert_null(
        RUN(OPCODE_CROSS, operand_value(small), operand_value(small), operand_value(small)));
    assert_null(RUN(OPCODE_CROSS, operand_value(small), operand_value(odd), operand_value(small),
                    operand_value(small)));
    assert_null(RUN(OPCODE_PI_DIGITS, operand_value(small), operand_value(small),
                    operand_literal(10), operand_value(small)));
    assert_null(RUN(OPCODE_PI_DIGITS, operand_value(large), operand_value(small),
                    operand_literal(10), operand_value(large)));
    assert_null(
        RUN(OPCODE_PI_DIGITS, operand_literal(0), operand_value(small), operand_literal(10)));
    assert_null(
        RUN(OPCODE_PI_DIGITS, operand_value(small), operand_value(small), operand_value(small)));
    assert_null(
        RUN(OPCODE_E_DIGITS, operand_value(small), operand_value(large), operand_literal(huge)));
    assert_null(
        RUN(OPCODE_E_DIGITS, operand_value(small), operand_value(large), operand_literal(10)));
    assert_null(
        RUN(OPCODE_E_DIGITS, operand_literal(0), operand_value(small), operand_literal(10)));
    assert_null(RUN(OPCODE_DECIMALS_TEXT, operand_value(odd), operand_literal(10)));
    assert_null(RUN(OPCODE_DECIMALS_TEXT, operand_value(small), operand_literal(huge)));
    assert_null(RUN(OPCODE_DECIMALS_TEXT, operand_literal(3), operand_literal(0)));
    atomic_bool stop = true;
    struct blob *out = blob_new(10000);
    assert_int_equal(integer_terms_into(SERIES_PI, SERIES_T, 0, 100, out, &stop), ERR_INTERRUPTED);
    assert_int_equal(integer_pi_sqrt_into(100, out, &stop), ERR_INTERRUPTED);
    blob_drop(&out);
    blob_drop(&small);
    blob_drop(&odd);
    blob_drop(&large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_terms_are_what_their_definition_says),
        cmocka_unit_test(two_ranges_make_one),
        cmocka_unit_test(every_decimal_is_right_at_every_number_of_decimals),
        cmocka_unit_test(a_million_decimals_are_those_of_others),
        cmocka_unit_test(decimals_in_doubt_are_computed_with_more),
        cmocka_unit_test(a_point_stands_before_the_decimals),
        cmocka_unit_test(hostile_operands_are_refused),
    };
    return cmocka_run_group_tests_name("series", tests, NULL, NULL);
}
