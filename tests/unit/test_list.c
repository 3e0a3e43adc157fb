/* The product of a list against a loop of GMP's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gmp.h>

#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_list.h"
#include "nodes/work/operation.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/packed.h"
#include "shared/base/random.h"
#include "tests/harness/packing.h"

static struct blob *nothing_at(void *context, struct value_id id)
{
    (void)context, (void)id;
    return NULL;
}

/* NULL: it cannot be executed. */
static struct blob *product_of(struct blob *list, uint64_t *operations)
{
    struct compute_op op = {.opcode = OPCODE_PRODUCT_OF,
                            .n_operands = 1,
                            .operands = {{.kind = OPERAND_BLOB, .blob = list}}};
    struct computed computed;
    struct blob *product;
    operation_run(&op, nothing_at, NULL, VALUE_INLINE_MAX_BYTES, &computed, &product);
    *operations = computed.operations;
    assert_true(!computed.error == !!product);
    return product;
}

/* Numbers of 1 to `bits` bits, with signs; one in `zeros` is 0. */
static mpz_t *random_numbers(uint64_t *random, size_t n, size_t bits, uint64_t zeros)
{
    mpz_t *numbers = mem_new(n + 1, sizeof *numbers);
    for (size_t i = 0; i < n; i++) {
        mpz_init(numbers[i]);
        size_t length = 1 + random_below(random, bits);
        for (size_t done = 0; done < length; done += 64) {
            mpz_mul_2exp(numbers[i], numbers[i], 64);
            mpz_add_ui(numbers[i], numbers[i], random_u64(random));
        }
        mpz_fdiv_r_2exp(numbers[i], numbers[i], length);
        mpz_setbit(numbers[i], length - 1);
        if (zeros && !random_below(random, zeros))
            mpz_set_ui(numbers[i], 0);
        if (random_below(random, 2))
            mpz_neg(numbers[i], numbers[i]);
    }
    return numbers;
}

static void free_numbers(mpz_t *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        mpz_clear(numbers[i]);
    free(numbers);
}

static void check_product(mpz_t *numbers, size_t n)
{
    uint64_t operations;
    mpz_t expected, view;
    mpz_init_set_ui(expected, 1);
    for (size_t i = 0; i < n; i++)
        mpz_mul(expected, expected, numbers[i]);
    struct blob *list = pack_numbers((const mpz_t *)numbers, n);
    struct blob *product = product_of(list, &operations);
    assert_non_null(product);
    assert_int_equal(integer_read(product, view), OK);
    assert_int_equal(mpz_cmp(view, expected), 0);
    assert_int_equal(operations, 1); /* of the plan, however long the list */
    blob_drop(&product);
    blob_drop(&list);
    mpz_clear(expected);
}

static void the_product_of_a_list_is_that_of_a_loop(void **state)
{
    (void)state;
    static const size_t bits[] = {1, 8, 31, 64, 65, 200, 3000};
    uint64_t random = 43;
    for (int i = 0; i < 700; i++) {
        size_t n = random_below(&random, i % 10 ? 40 : 1500);
        uint64_t zeros = i % 13 ? 0 : n + 1;
        mpz_t *numbers = random_numbers(&random, n, bits[i % 7], zeros);
        check_product(numbers, n);
        free_numbers(numbers, n);
    }
}

/* One of a million bits among thousands of a few. */
static void a_huge_item_may_stand_among_tiny_ones(void **state)
{
    (void)state;
    uint64_t random = 47;
    for (size_t at = 0; at < 3000; at += 1499) {
        mpz_t *numbers = random_numbers(&random, 3000, 5, 0);
        mpz_ui_pow_ui(numbers[at], 3, 600000);
        check_product(numbers, 3000);
        free_numbers(numbers, 3000);
    }
    mpz_t *one = random_numbers(&random, 1, 1, 0);
    mpz_ui_pow_ui(one[0], 7, 3000000);
    mpz_neg(one[0], one[0]);
    check_product(one, 1);
    free_numbers(one, 1);
}

/* Lists that are cut short, and bytes that are no form of an integer. */
static void what_is_no_list_is_refused(void **state)
{
    (void)state;
    uint64_t random = 53, operations;
    mpz_t *numbers = random_numbers(&random, 5, 100, 0);
    struct blob *list = pack_numbers((const mpz_t *)numbers, 5);
    size_t whole = list->len;
    unsigned taken = 0;
    for (size_t len = 0; len < whole; len++) {
        uint64_t count;
        list->len = len;
        bool good = packed_count((struct slice){list->at, len}, &count);
        struct blob *product = product_of(list, &operations);
        assert_true(good == !!product);
        taken += good;
        blob_drop(&product);
    }
    assert_int_equal(taken, 5);
    list->len = whole;
    list->at[4] = 2; /* a sign */
    assert_null(product_of(list, &operations));
    assert_int_equal(operations, 0);
    memset(list->at, 0xff, list->len);
    assert_null(product_of(list, &operations));
    assert_null(product_of(NULL, &operations));
    blob_drop(&list);
    free_numbers(numbers, 5);
}

static void a_product_that_nobody_wants_is_stopped(void **state)
{
    (void)state;
    uint64_t random = 59;
    mpz_t *numbers = random_numbers(&random, 100, 3000, 0);
    struct blob *list = pack_numbers((const mpz_t *)numbers, 100);
    size_t room;
    atomic_bool stop = true;
    assert_int_equal(integer_product_room(list, &room), OK);
    struct blob *out = blob_new(room);
    assert_int_equal(integer_product_into(list, out, &stop), ERR_INTERRUPTED);
    assert_int_equal(out->len, room);
    blob_drop(&out);
    blob_drop(&list);
    free_numbers(numbers, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_product_of_a_list_is_that_of_a_loop),
        cmocka_unit_test(a_huge_item_may_stand_among_tiny_ones),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(a_product_that_nobody_wants_is_stopped),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
