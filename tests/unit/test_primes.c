/* Products of primes between two bounds: each once, and as in binomial coefficients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <gmp.h>

#include "nodes/work/integer.h"
#include "shared/base/blob.h"
#include "shared/base/error.h"
#include "shared/base/random.h"

/* The value of a blob is that number; drops the blob. */
static void check_number(struct blob *value, size_t room, const mpz_t expected)
{
    mpz_t view;
    assert_true(value->len <= room && value->len % INTEGER_LIMB_BYTES == 0);
    mpz_roinit_n(view, (const mp_limb_t *)(const void *)value->at,
                 (mp_size_t)(value->len / INTEGER_LIMB_BYTES));
    assert_int_equal(mpz_cmp(view, expected), 0);
    blob_drop(&value);
}

static void check_primorial(uint64_t from, uint64_t to)
{
    size_t room;
    mpz_t expected, below;
    mpz_init(expected);
    mpz_init(below);
    mpz_primorial_ui(expected, to);
    mpz_primorial_ui(below, from);
    mpz_divexact(expected, expected, below);
    assert_int_equal(integer_primorial_room(from, to, &room), OK);
    struct blob *product = blob_new(room);
    assert_true(integer_primorial_into(from, to, product, NULL));
    check_number(product, room, expected);
    mpz_clear(below);
    mpz_clear(expected);
}

static void primes_are_multiplied_once_each(void **state)
{
    (void)state;
    uint64_t random = 13;
    for (uint64_t from = 1; from <= 100; from++)
        for (uint64_t to = from; to <= 100; to++)
            check_primorial(from, to);
    for (int i = 0; i < 300; i++) {
        uint64_t to = 1 + random_below(&random, 400000);
        check_primorial(1 + random_below(&random, to), to);
    }
    check_primorial(1, 3000000);
    check_primorial(2999000, 3000000);
}

/* All ranges of C(n,k), multiplied. */
static void check_binomial(uint64_t n, uint64_t k, uint64_t parts)
{
    mpz_t expected, product, view;
    mpz_init(expected);
    mpz_init_set_ui(product, 1);
    mpz_bin_uiui(expected, n, k);
    uint64_t end = n ? n : 1;
    for (uint64_t at = 0; at < parts; at++) {
        uint64_t from = 1 + (end - 1) * at / parts, to = 1 + (end - 1) * (at + 1) / parts;
        size_t room;
        assert_int_equal(integer_binomial_room(n, k, from, to, &room), OK);
        struct blob *part = blob_new(room);
        assert_true(integer_binomial_into(n, k, from, to, part, NULL));
        assert_true(part->len <= room);
        mpz_roinit_n(view, (const mp_limb_t *)(const void *)part->at,
                     (mp_size_t)(part->len / INTEGER_LIMB_BYTES));
        mpz_mul(product, product, view);
        blob_drop(&part);
    }
    assert_int_equal(mpz_cmp(product, expected), 0);
    mpz_clear(product);
    mpz_clear(expected);
}

static void primes_have_the_powers_that_they_have_in_a_binomial_coefficient(void **state)
{
    (void)state;
    uint64_t random = 17;
    for (uint64_t n = 0; n <= 40; n++)
        for (uint64_t k = 0; k <= n + 2; k++)
            for (uint64_t parts = 1; parts <= 5; parts++)
                check_binomial(n, k, parts);
    for (int i = 0; i < 200; i++) {
        uint64_t n = random_below(&random, 100000);
        check_binomial(n, random_below(&random, n + 1), 1 + random_below(&random, 16));
    }
    check_binomial(1000000, 500000, 4);
    check_binomial(UINT64_C(1000000000000), 2, 1);
    check_binomial(UINT64_MAX, 3, 1);
    size_t room;
    assert_int_equal(integer_binomial_room(10, 3, 0, 5, &room), ERR_RANGE);
    assert_int_equal(integer_binomial_room(10, 3, 6, 5, &room), ERR_RANGE);
    assert_int_equal(integer_binomial_room(10, 3, 5, 11, &room), ERR_RANGE);
    assert_int_equal(integer_binomial_room(UINT64_MAX, 3000000, 1, UINT64_MAX, &room), ERR_RANGE);
    assert_int_equal(integer_binomial_room(UINT64_MAX, 3, 2, UINT64_MAX, &room), ERR_RANGE);
    assert_int_equal(integer_primorial_room(0, 5, &room), ERR_RANGE);
    assert_int_equal(integer_primorial_room(6, 5, &room), ERR_RANGE);
    assert_int_equal(integer_primorial_room(1, UINT64_C(1) << 32, &room), ERR_RANGE);
    assert_int_equal(integer_primorial_room(1, UINT32_MAX, &room), ERR_TOO_BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(primes_are_multiplied_once_each),
        cmocka_unit_test(primes_have_the_powers_that_they_have_in_a_binomial_coefficient),
    };
    return cmocka_run_group_tests_name("primes", tests, NULL, NULL);
}
