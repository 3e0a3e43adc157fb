/* Products and divisions of large integers beside GMP's: by transforms, by FLINT, and by GMP when
 * a transform's sums are rounded wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <gmp.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/integer.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_transform.h"
#include "shared/base/blob.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"

/* --- operands --- */

enum shape { RANDOM, ONES, LOW_HALVES, HIGH_HALVES, POWER, SPARSE, ALTERNATING, SHAPES };

static uint64_t seed = 1;

static struct number made(size_t n, enum shape shape)
{
    static const mp_limb_t limbs[SHAPES] = {[ONES] = ~(mp_limb_t)0,
                                            [LOW_HALVES] = 0x7fff7fff7fff7fff,
                                            [HIGH_HALVES] = 0x8000800080008000,
                                            [ALTERNATING] = 0x7fff80007fff8000};
    mp_limb_t *at = mem_new(n, sizeof *at);
    for (size_t i = 0; i < n; i++)
        at[i] = shape == RANDOM ? random_u64(&seed) : limbs[shape];
    if (shape == SPARSE)
        for (size_t i = 0; i < n; i += 1 + n / 7)
            at[i] = random_u64(&seed);
    if (shape == POWER || !at[n - 1])
        at[n - 1] = 1;
    return (struct number){at, n, false};
}

static void unmade(struct number number)
{
    free((void *)number.at);
}

static mp_limb_t *room(size_t n)
{
    mp_limb_t *at = mem_new(n + 1, sizeof *at);
    at[n] = 0x5a5a5a5a; /* which nobody overwrites */
    return at;
}

static void end_room(mp_limb_t *at, size_t n)
{
    assert_int_equal(at[n], 0x5a5a5a5a);
    free(at);
}

/* --- products --- */

static void multiply_both_ways(size_t a_n, size_t b_n, enum shape a_shape, enum shape b_shape)
{
    struct number a = made(a_n, a_shape), b = made(b_n, b_shape);
    size_t n = a_n + b_n;
    mp_limb_t *wanted = room(n), *found = room(n), *transformed = room(n);
    if (a_n >= b_n)
        mpn_mul(wanted, a.at, (mp_size_t)a_n, b.at, (mp_size_t)b_n);
    else
        mpn_mul(wanted, b.at, (mp_size_t)b_n, a.at, (mp_size_t)a_n);
    assert_int_equal(integer_multiply_two(found, a, b), integer_trimmed(wanted, n));
    assert_int_equal(mpn_cmp(found, wanted, (mp_size_t)n), 0);
    /* Right, or told from it. */
    if (transform_fit(n)) {
        bool right = transform_multiply(transformed, a, b);
        assert_true(right || a_shape != RANDOM || b_shape != RANDOM);
        assert_int_equal(right, !mpn_cmp(transformed, wanted, (mp_size_t)n));
    }
    end_room(transformed, n);
    end_room(found, n);
    end_room(wanted, n);
    unmade(b);
    unmade(a);
}

static void products_are_gmps(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 599, 600, 601, 1024, 2047, 2048, 3125, 4097, 8192};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t j = 0; j <= i; j++)
            multiply_both_ways(lengths[i], lengths[j], RANDOM, RANDOM);
    for (int i = 0; i < 100; i++)
        multiply_both_ways(1 + random_below(&seed, 5000), 1 + random_below(&seed, 5000), RANDOM,
                           RANDOM);
}

/* Sums as large as they can be, digits at the edge of their range, carries through the whole. */
static void products_of_any_shape_are_gmps(void **state)
{
    (void)state;
    static const size_t lengths[] = {700, 1024, 4096, 20000};
    for (int a = 0; a < SHAPES; a++)
        for (int b = 0; b < SHAPES; b++)
            for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
                multiply_both_ways(lengths[i], lengths[(i + (size_t)a) % 4], a, b);
}

static void products_are_gmps_whatever_multiplies(void **state)
{
    (void)state;
    static const size_t lengths[] = {62500, 131072, 262144, 262145, 300000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int shape = RANDOM; shape <= LOW_HALVES; shape++)
            multiply_both_ways(lengths[i], lengths[i], shape, shape);
    multiply_both_ways(400000, 700, RANDOM, RANDOM);
}

static void squares_are_products(void **state)
{
    (void)state;
    for (size_t n = 500; n < 100000; n = 3 * n / 2 + 1) {
        struct number a = made(n, RANDOM);
        mp_limb_t *wanted = room(2 * n), *found = room(2 * n);
        mpn_sqr(wanted, a.at, (mp_size_t)n);
        assert_int_equal(integer_multiply_two(found, a, a), 2 * n - !wanted[2 * n - 1]);
        assert_int_equal(mpn_cmp(found, wanted, (mp_size_t)(2 * n)), 0);
        end_room(found, 2 * n);
        end_room(wanted, 2 * n);
        unmade(a);
    }
}

static void a_wrong_digit_anywhere_is_told(void **state)
{
    (void)state;
    size_t n = 2000;
    struct number a = made(n, RANDOM), b = made(n, RANDOM), c = made(n, RANDOM);
    mp_limb_t *out = room(2 * n);
    mpn_mul_n(out, a.at, b.at, (mp_size_t)n);
    assert_true(integer_is_product(out, 2 * n, a, b, (struct number){0}));
    assert_false(integer_is_product(out, 2 * n, a, b, c));
    for (size_t digit = 0; digit < 8 * n; digit += 61) {
        mp_limb_t one = (mp_limb_t)1 << (16 * digit % 64);
        mpn_add_1(out + digit / 4, out + digit / 4, (mp_size_t)(2 * n - digit / 4), one);
        assert_false(integer_is_product(out, 2 * n, a, b, (struct number){0}));
        /* Nor is it made good by one that is wrong the other way, elsewhere. */
        mpn_sub_1(out + digit / 8, out + digit / 8, (mp_size_t)(2 * n - digit / 8), one);
        assert_int_equal(integer_is_product(out, 2 * n, a, b, (struct number){0}), digit < 4);
        mpn_add_1(out + digit / 8, out + digit / 8, (mp_size_t)(2 * n - digit / 8), one);
        mpn_sub_1(out + digit / 4, out + digit / 4, (mp_size_t)(2 * n - digit / 4), one);
    }
    mpn_add(out, out, (mp_size_t)(2 * n), c.at, (mp_size_t)n);
    assert_true(integer_is_product(out, 2 * n, a, b, c));
    end_room(out, 2 * n);
    unmade(c);
    unmade(b);
    unmade(a);
}

/* --- divisions --- */

static void divide_a(struct number a, struct number b)
{
    size_t n = a.n - b.n + 1;
    mp_limb_t *wanted = room(n), *rest = room(b.n), *found = room(n), *left = room(b.n);
    mpn_tdiv_qr(wanted, rest, 0, a.at, (mp_size_t)a.n, b.at, (mp_size_t)b.n);
    integer_divide(found, left, a, b);
    assert_int_equal(mpn_cmp(found, wanted, (mp_size_t)n), 0);
    assert_int_equal(mpn_cmp(left, rest, (mp_size_t)b.n), 0);
    memset(left, 0, b.n * sizeof *left);
    integer_divide(NULL, left, a, b);
    assert_int_equal(mpn_cmp(left, rest, (mp_size_t)b.n), 0);
    end_room(left, b.n);
    end_room(found, n);
    end_room(rest, b.n);
    end_room(wanted, n);
}

static void divide_both_ways(size_t a_n, size_t b_n, enum shape a_shape, enum shape b_shape)
{
    struct number a = made(a_n, a_shape), b = made(b_n, b_shape);
    mp_limb_t *rest = room(b.n);
    divide_a(a, b);
    /* What comes is right the first time; GMP is asked for what somebody chose. */
    if (a_shape == RANDOM && b_shape == RANDOM && a_n > b_n + 500 && transform_fit(2 * b_n + 3))
        assert_true(transform_divide(NULL, rest, a, b));
    end_room(rest, b.n);
    unmade(b);
    unmade(a);
}

static void divisions_are_gmps(void **state)
{
    (void)state;
    static const size_t lengths[] = {1999, 2000, 2001, 3000, 4096, 5001, 9000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t more = 1; more < 5; more++) {
            divide_both_ways(lengths[i] + 1000 * more * more, lengths[i], RANDOM, RANDOM);
            divide_both_ways(lengths[i] * more, lengths[i], RANDOM, RANDOM);
            divide_both_ways(lengths[i] * more + more, lengths[i], RANDOM, RANDOM);
        }
    for (int i = 0; i < 60; i++) {
        size_t n = 2000 + random_below(&seed, 4000);
        divide_both_ways(n + random_below(&seed, 20000), n, RANDOM, RANDOM);
    }
    divide_both_ways(100000, 40000, RANDOM, RANDOM);
    divide_both_ways(700000, 300000, RANDOM, RANDOM); /* longer than transforms are */
}

static void divisions_of_any_shape_are_gmps(void **state)
{
    (void)state;
    for (int a = 0; a < SHAPES; a++)
        for (int b = 0; b < SHAPES; b++) {
            divide_both_ways(4200, 2100, a, b);
            divide_both_ways(9000, 2300, a, b);
            divide_both_ways(6000, 3999, a, b);
        }
}

/* Quotients of which the estimate is off by one either way: multiples, and one more or less. */
static void divisions_at_the_edge_are_gmps(void **state)
{
    (void)state;
    for (int shape = 0; shape < SHAPES; shape++)
        for (int off = -1; off <= 1; off++) {
            struct number q = made(2500, shape), b = made(2200, RANDOM);
            mp_limb_t *at = room(q.n + b.n);
            mpn_mul(at, q.at, (mp_size_t)q.n, b.at, (mp_size_t)b.n);
            if (off < 0)
                mpn_sub_1(at, at, (mp_size_t)(q.n + b.n), 1);
            else
                mpn_add_1(at, at, (mp_size_t)(q.n + b.n), (mp_limb_t)off);
            divide_a((struct number){at, q.n + b.n, false}, b);
            end_room(at, q.n + b.n);
            unmade(b);
            unmade(q);
        }
}

static void signs_are_those_of_gmp(void **state)
{
    (void)state;
    gmp_randstate_t random;
    mpz_t a, b, q, r, wanted_q, wanted_r;
    gmp_randinit_default(random);
    mpz_inits(a, b, q, r, wanted_q, wanted_r, NULL);
    for (int i = 0; i < 8; i++) {
        mpz_urandomb(a, random, i < 4 ? 64 * 9000 : 640);
        mpz_urandomb(b, random, i < 4 ? 64 * 3000 : 640);
        mpz_setbit(b, 5);
        if (i & 1)
            mpz_neg(a, a);
        if (i & 2)
            mpz_neg(b, b);
        mpz_tdiv_qr(wanted_q, wanted_r, a, b);
        integer_divide_numbers(q, r, a, b);
        assert_int_equal(mpz_cmp(q, wanted_q), 0);
        assert_int_equal(mpz_cmp(r, wanted_r), 0);
        mpz_set(q, a);
        mpz_set(r, b);
        integer_divide_numbers(q, NULL, q, b); /* in place */
        integer_divide_numbers(NULL, r, a, r);
        assert_int_equal(mpz_cmp(q, wanted_q), 0);
        assert_int_equal(mpz_cmp(r, wanted_r), 0);
        integer_multiply_numbers(q, a, b);
        mpz_mul(wanted_q, a, b);
        assert_int_equal(mpz_cmp(q, wanted_q), 0);
    }
    mpz_clears(a, b, q, r, wanted_q, wanted_r, NULL);
    gmp_randclear(random);
}

/* --- digits --- */

static void write_both_ways(mpz_srcptr number)
{
    size_t room_bytes;
    stop_flag stop = false;
    struct blob *value = blob_new(mpz_size(number) * sizeof(mp_limb_t) + 1);
    assert_true(integer_put(value, number));
    assert_int_equal(integer_text_room(value, &room_bytes), OK);
    struct blob *out = blob_new(room_bytes);
    char *wanted = mpz_get_str(NULL, 10, number);
    assert_true(integer_text_into(value, out, &stop));
    assert_int_equal(out->len, strlen(wanted));
    assert_memory_equal(out->at, wanted, out->len);
    free(wanted);
    blob_drop(&out);
    blob_drop(&value);
}

/* Powers of ten and their neighbours: pieces of zeros and of nines, and a highest piece of one
 * digit; of so many digits that quotients are longer than powers, which are prepared. */
static void digits_are_those_of_gmp(void **state)
{
    (void)state;
    static const unsigned long digits[] = {29999, 30000, 30001, 120001, 500000, 999999};
    mpz_t number;
    mpz_init(number);
    for (size_t i = 0; i < sizeof digits / sizeof *digits; i++) {
        mpz_ui_pow_ui(number, 10, digits[i]);
        write_both_ways(number);
        mpz_sub_ui(number, number, 1);
        write_both_ways(number);
        mpz_add_ui(number, number, 2);
        mpz_neg(number, number);
        write_both_ways(number);
        struct number random = made(digits[i] / 19, RANDOM);
        mpz_t view;
        write_both_ways(integer_view(view, random));
        unmade(random);
    }
    mpz_clear(number);
}

static void what_was_prepared_is_given_back(void **state)
{
    (void)state;
    multiply_both_ways(5000, 5000, RANDOM, RANDOM);
    integer_give_back();
    multiply_both_ways(5000, 5000, RANDOM, RANDOM);
    integer_give_back();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_gmps),
        cmocka_unit_test(products_of_any_shape_are_gmps),
        cmocka_unit_test(products_are_gmps_whatever_multiplies),
        cmocka_unit_test(squares_are_products),
        cmocka_unit_test(a_wrong_digit_anywhere_is_told),
        cmocka_unit_test(divisions_are_gmps),
        cmocka_unit_test(divisions_of_any_shape_are_gmps),
        cmocka_unit_test(divisions_at_the_edge_are_gmps),
        cmocka_unit_test(signs_are_those_of_gmp),
        cmocka_unit_test(digits_are_those_of_gmp),
        cmocka_unit_test(what_was_prepared_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
