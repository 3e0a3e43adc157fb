/* Integers with signs: products and texts of them, and bytes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gmp.h>

#include "nodes/work/integer_internal.h"
#include "nodes/work/integer.h"
#include "shared/base/error.h"
#include "shared/base/random.h"

static struct blob *value_of(const mpz_t number)
{
    struct blob *value = blob_new(integer_room(mpz_size(number) + 1));
    assert_true(integer_put(value, number));
    return value;
}

/* Any size from 0 to that of so many limbs, and often 0 or 1. */
static void random_number(uint64_t *random, size_t limbs, mpz_t out)
{
    size_t n = random_below(random, limbs + 1);
    mpz_set_ui(out, random_below(random, 3));
    for (size_t i = 0; i < n; i++) {
        mpz_mul_2exp(out, out, 64);
        mpz_add_ui(out, out, random_u64(random));
    }
    if (random_below(random, 2))
        mpz_neg(out, out);
}

static struct blob *multiply(const struct integer_operand *operands, size_t n)
{
    size_t room;
    assert_int_equal(integer_multiply_room(operands, n, &room), OK);
    struct blob *product = blob_new(room);
    assert_true(integer_multiply_into(operands, n, product, NULL));
    assert_true(product->len <= room);
    return product;
}

static void check_text(const struct blob *value, const mpz_t number)
{
    size_t room;
    assert_int_equal(integer_text_room(value, &room), OK);
    struct blob *text = blob_new(room);
    assert_true(integer_text_into(value, text, NULL));
    char *expected = mpz_get_str(NULL, 10, number);
    assert_int_equal(text->len, strlen(expected));
    assert_memory_equal(text->at, expected, text->len);
    free(expected);
    blob_drop(&text);
}

static void products_and_texts_have_the_signs_of_their_numbers(void **state)
{
    (void)state;
    uint64_t random = 41;
    mpz_t expected, number, view;
    mpz_inits(expected, number, NULL);
    for (int i = 0; i < 3000; i++) {
        size_t n = 1 + random_below(&random, OPERANDS_MAX);
        struct integer_operand operands[OPERANDS_MAX];
        struct blob *values[OPERANDS_MAX] = {0};
        mpz_set_ui(expected, 1);
        for (size_t at = 0; at < n; at++) {
            random_number(&random, 30, number);
            mpz_mul(expected, expected, number);
            operands[at] = (struct integer_operand){.value = values[at] = value_of(number)};
        }
        struct blob *product = multiply(operands, n);
        assert_int_equal(integer_read(product, view), OK);
        assert_int_equal(mpz_cmp(view, expected), 0);
        assert_int_equal(product->len % INTEGER_LIMB_BYTES, mpz_sgn(expected) < 0);
        check_text(product, expected);
        blob_drop(&product);
        for (size_t at = 0; at < n; at++)
            blob_drop(&values[at]);
    }
    mpz_clears(expected, number, NULL);
}

/* Long enough for a conversion in pieces. */
static void a_long_negative_number_has_its_text(void **state)
{
    (void)state;
    mpz_t number;
    mpz_init(number);
    mpz_ui_pow_ui(number, 3, 2000000);
    mpz_neg(number, number);
    struct blob *value = value_of(number);
    check_text(value, number);
    blob_drop(&value);
    mpz_clear(number);
}

/* Whatever the length, and whatever the byte after the magnitude. */
static void bytes_that_are_no_value_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[40] = {7};
    for (size_t len = 0; len <= sizeof bytes; len++)
        for (unsigned last = 0; last < 256; last++) {
            struct blob *value = blob_copy(bytes, len);
            if (len)
                value->at[len - 1] = (uint8_t)last;
            bool whole = len >= 8 && len % 8 == 0, negative = len >= 9 && len % 8 == 1 && last == 1;
            int expected = whole || negative ? OK : ERR_MALFORMED;
            size_t room;
            mpz_t view;
            struct integer_operand operand = {.value = value};
            assert_int_equal(integer_read(value, view), expected);
            assert_int_equal(integer_multiply_room(&operand, 1, &room), expected);
            assert_int_equal(integer_text_room(value, &room), expected);
            blob_drop(&value);
        }
    for (size_t len = 8; len <= 40; len += 8) { /* -0 */
        uint8_t zero[41] = {0};
        zero[len] = 1;
        struct blob *value = blob_copy(zero, len + 1);
        mpz_t view;
        assert_int_equal(integer_read(value, view), ERR_MALFORMED);
        blob_drop(&value);
    }
}

/* A product that is 0 has no sign, and leading zeros of operands are none of a result. */
static void there_is_one_zero(void **state)
{
    (void)state;
    uint8_t zero[24] = {0}, minus_one[17] = {1, [16] = 1};
    struct blob *a = blob_copy(zero, sizeof zero), *b = blob_copy(minus_one, sizeof minus_one);
    struct integer_operand operands[] = {{.value = a}, {.value = b}, {.literal = 5}};
    struct blob *product = multiply(operands, 3), *one = multiply(operands + 1, 1);
    assert_int_equal(product->len, 8);
    assert_memory_equal(product->at, zero, 8);
    assert_int_equal(one->len, 9);
    blob_drop(&a);
    blob_drop(&b);
    blob_drop(&product);
    blob_drop(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_and_texts_have_the_signs_of_their_numbers),
        cmocka_unit_test(a_long_negative_number_has_its_text),
        cmocka_unit_test(bytes_that_are_no_value_are_refused),
        cmocka_unit_test(there_is_one_zero),
    };
    return cmocka_run_group_tests_name("signed", tests, NULL, NULL);
}
