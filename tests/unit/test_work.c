/* The worker's operators against schoolbook arithmetic, and failures on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gmp.h>

#include "nodes/work/failure.h"
#include "nodes/work/integer.h"
#include "nodes/work/operation.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"
#include "shared/base/text.h"

static struct blob *value_of(uint64_t number)
{
    return blob_copy(&number, sizeof number);
}

static struct blob *random_value(uint64_t *random, size_t limbs)
{
    struct blob *value = blob_new(limbs * INTEGER_LIMB_BYTES);
    for (size_t i = 0; i < value->len; i++)
        value->at[i] = (uint8_t)random_u64(random);
    value->at[value->len - 1] |= 1;
    return value;
}

/* Multiplies bytes by bytes, as on paper. Caller frees. */
static uint8_t *on_paper(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    uint8_t *out = mem_new(a_len + b_len, 1);
    for (size_t i = 0; i < a_len; i++) {
        unsigned carry = 0;
        for (size_t j = 0; j < b_len; j++) {
            unsigned sum = out[i + j] + a[i] * b[j] + carry;
            out[i + j] = (uint8_t)sum;
            carry = sum >> 8;
        }
        out[i + b_len] = (uint8_t)carry;
    }
    return out;
}

static void assert_number(const struct blob *value, const uint8_t *bytes, size_t len)
{
    while (len > 1 && !bytes[len - 1])
        len--;
    assert_true(value->len >= len && value->len < len + INTEGER_LIMB_BYTES);
    assert_memory_equal(value->at, bytes, len);
    for (size_t i = len; i < value->len; i++)
        assert_int_equal(value->at[i], 0);
}

/* --- operations that bring their values along --- */

static struct blob *nothing_at(void *context, struct value_id id)
{
    (void)context, (void)id;
    return NULL;
}

/* Runs one; the value is the caller's to drop, NULL after an error. */
static struct blob *run(const struct compute_op *op, uint64_t *operations)
{
    struct computed computed;
    struct blob *value;
    operation_run(op, nothing_at, NULL, VALUE_INLINE_MAX_BYTES, &computed, &value);
    assert_true(!computed.error == !!value);
    if (operations)
        *operations = computed.operations;
    return value;
}

static struct blob *product_of_leaves(uint64_t first, uint64_t count, uint64_t *operations)
{
    return run(&(struct compute_op){.first = first, .count = count}, operations);
}

static struct blob *text_of(struct blob *value)
{
    return run(&(struct compute_op){.opcode = OPCODE_TEXT,
                                    .n_operands = 1,
                                    .operands = {{.kind = OPERAND_BLOB, .blob = value}}},
               NULL);
}

/* --- products of operands --- */

static void products_are_those_of_the_schoolbook(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 200; round++) {
        size_t n = 1 + random_below(&random, OPERANDS_MAX);
        struct blob *values[OPERANDS_MAX];
        struct compute_op op = {.n_operands = n};
        uint8_t *expected = mem_new(1, 1);
        size_t len = 1;
        expected[0] = 1;
        for (size_t i = 0; i < n; i++) {
            values[i] = random_value(&random, 1 + random_below(&random, 40));
            op.operands[i] = (struct compute_operand){.kind = OPERAND_BLOB, .blob = values[i]};
            uint8_t *next = on_paper(expected, len, values[i]->at, values[i]->len);
            free(expected);
            expected = next;
            len += values[i]->len;
        }
        struct blob *product = run(&op, NULL);
        assert_number(product, expected, len);
        blob_drop(&product);
        free(expected);
        for (size_t i = 0; i < n; i++)
            blob_drop(&values[i]);
    }
}

/* The value's own limbs, as a number of GMP: it is not cleared. */
static mpz_srcptr number_in(mpz_t number, const struct blob *value)
{
    const mp_limb_t *limbs = (const mp_limb_t *)(const void *)value->at;
    return mpz_roinit_n(number, limbs, (mp_size_t)(value->len / INTEGER_LIMB_BYTES));
}

/* FLINT's, with one thread or two as the machine has them idle, are GMP's; before and after its
 * threads were ended. */
static void large_products_are_those_of_gmp(void **state)
{
    (void)state;
    static const size_t limbs[][2] = {{249999, 249999}, {250000, 250000}, {250001, 700000}};
    uint64_t random = 3;
    for (size_t i = 0; i < sizeof limbs / sizeof *limbs; i++) {
        struct blob *a = random_value(&random, limbs[i][0]);
        struct blob *b = random_value(&random, limbs[i][1]);
        struct blob *product = run(&(struct compute_op){.n_operands = 2,
                                                        .operands = {{OPERAND_BLOB, .blob = a},
                                                                     {OPERAND_BLOB, .blob = b}}},
                                   NULL);
        mpz_t x, y, expected;
        mpz_init(expected);
        mpz_mul(expected, number_in(x, a), number_in(y, b));
        assert_int_equal(product->len, mpz_size(expected) * INTEGER_LIMB_BYTES);
        assert_memory_equal(product->at, mpz_limbs_read(expected), product->len);
        mpz_clear(expected);
        blob_drop(&product);
        blob_drop(&a);
        blob_drop(&b);
        integer_give_back();
    }
}

static void small_and_big_operands_mix(void **state)
{
    (void)state;
    uint64_t zeros[4] = {UINT64_MAX, 0, 0, 0}; /* leading zero limbs are allowed */
    struct blob *padded = blob_copy(zeros, sizeof zeros);
    struct compute_op op = {.n_operands = 3,
                            .operands = {{.literal = 7},
                                         {.kind = OPERAND_BLOB, .blob = padded},
                                         {.literal = UINT64_MAX}}};
    struct blob *product = run(&op, NULL);
    /* 7 * (2^64 - 1)^2 = 7 * 2^128 - 14 * 2^64 + 7 */
    uint64_t expected[3] = {7, UINT64_MAX - 13, 6};
    assert_int_equal(product->len, sizeof expected);
    assert_memory_equal(product->at, expected, sizeof expected);
    blob_drop(&product);
    op.operands[0].literal = 0;
    product = run(&op, NULL);
    assert_int_equal(product->len, INTEGER_LIMB_BYTES);
    assert_int_equal(product->at[0], 0);
    blob_drop(&product);
    blob_drop(&padded);
}

/* Why an operation cannot be executed. */
static int refusal(const struct compute_op *op)
{
    size_t room_bytes;
    return operation_room(op, &room_bytes);
}

static int refusal_of_one(enum opcode opcode, struct blob *value)
{
    return refusal(&(struct compute_op){.opcode = opcode,
                                        .n_operands = 1,
                                        .operands = {{.kind = OPERAND_BLOB, .blob = value}}});
}

static void what_is_no_value_is_refused(void **state)
{
    (void)state;
    struct blob *empty = blob_new(0), *odd = blob_copy("1234567", 7);
    assert_int_equal(refusal_of_one(OPCODE_MULTIPLY, empty), ERR_MALFORMED);
    assert_int_equal(refusal_of_one(OPCODE_MULTIPLY, odd), ERR_MALFORMED);
    assert_int_equal(refusal_of_one(OPCODE_TEXT, empty), ERR_MALFORMED);
    assert_int_equal(refusal_of_one(OPCODE_TEXT, odd), ERR_MALFORMED);
    assert_int_equal(refusal(&(struct compute_op){.n_operands = OPERANDS_MAX + 1}),
                     ERR_UNSUPPORTED);
    assert_int_equal(refusal(&(struct compute_op){.n_operands = 0}), ERR_UNSUPPORTED);
    blob_drop(&empty);
    blob_drop(&odd);
}

/* --- subtrees --- */

/* Counts what the plan counts: groups of at most four, lone nodes promoted. */
static uint64_t count_operations(uint64_t nodes)
{
    uint64_t operations = nodes == 1;
    while (nodes > 1) {
        uint64_t groups = (nodes + 3) / 4;
        operations += nodes % 4 == 1 ? groups - 1 : groups;
        nodes = groups;
    }
    return operations;
}

static void a_subtree_over_leaves_is_a_falling_product(void **state)
{
    (void)state;
    mpz_t expected;
    mpz_init(expected);
    for (uint64_t count = 1; count <= 1500; count += count < 70 ? 1 : 97) {
        static const uint64_t beyond[] = {0, 1, 1000000, UINT64_C(0xffffffffffff0000)};
        for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
            uint64_t first = count + beyond[i], operations;
            mpz_set_ui(expected, 1);
            for (uint64_t k = 0; k < count; k++)
                mpz_mul_ui(expected, expected, first - k);
            struct blob *product = product_of_leaves(first, count, &operations);
            assert_true(operations == count_operations(count));
            mpz_t view;
            mpz_roinit_n(view, (const mp_limb_t *)(const void *)product->at,
                         (mp_size_t)(product->len / INTEGER_LIMB_BYTES));
            assert_int_equal(mpz_cmp(view, expected), 0);
            blob_drop(&product);
        }
    }
    mpz_clear(expected);
}

/* The primes between two bounds, with their powers in n!, one after another. */
static void expect_primes(uint64_t n, uint64_t from, uint64_t to, mpz_t out)
{
    mpz_t power;
    mpz_init(power);
    mpz_set_ui(out, 1);
    for (uint64_t p = from + 1; p <= to; p++) {
        uint64_t exponent = 0;
        bool prime = p > 1;
        for (uint64_t d = 2; prime && d * d <= p; d++)
            prime = p % d != 0;
        for (uint64_t q = n / p; prime && q; q /= p)
            exponent += q;
        mpz_ui_pow_ui(power, p, exponent);
        mpz_mul(out, out, power);
    }
    mpz_clear(power);
}

static void check_primes(uint64_t n, uint64_t from, uint64_t to)
{
    size_t room;
    mpz_t expected, view;
    mpz_init(expected);
    expect_primes(n, from, to, expected);
    assert_int_equal(integer_primes_room(n, from, to, &room), OK);
    struct blob *product = blob_new(room);
    assert_true(integer_primes_into(n, from, to, product, NULL));
    assert_true(product->len <= room && product->len % INTEGER_LIMB_BYTES == 0);
    mpz_roinit_n(view, (const mp_limb_t *)(const void *)product->at,
                 (mp_size_t)(product->len / INTEGER_LIMB_BYTES));
    assert_int_equal(mpz_cmp(view, expected), 0);
    blob_drop(&product);
    mpz_clear(expected);
}

static void primes_have_the_powers_that_they_have_in_a_factorial(void **state)
{
    (void)state;
    uint64_t random = 11;
    for (uint64_t n = 1; n <= 60; n++)
        for (uint64_t from = 1; from <= n; from++)
            for (uint64_t to = from; to <= n; to++)
                check_primes(n, from, to);
    for (int i = 0; i < 200; i++) {
        uint64_t n = 1 + random_below(&random, 20000), from = 1 + random_below(&random, n);
        check_primes(n, from, from + random_below(&random, n - from + 1));
    }
    check_primes(300000, 1, 300000);      /* more than one segment */
    check_primes(600000, 262144, 524289); /* from one's end to the next one's beginning */
}

/* The room is told before anything is sieved: it has to do for all bounds. */
static void the_room_for_primes_is_never_too_small(void **state)
{
    (void)state;
    static const uint64_t bounds[] = {1,      2,      3,       4,       5,      6,     7,
                                      10,     11,     13,      30,      31,     97,    113,
                                      1000,   1327,   10000,   31397,   65536,  99991, 200000,
                                      370261, 492113, 1000000, 1349533, 2010733};
    size_t n_bounds = sizeof bounds / sizeof *bounds;
    const uint64_t n = 2010733;
    for (size_t i = 0; i < n_bounds; i++) {
        for (size_t k = i; k < n_bounds; k += 3) {
            size_t room;
            assert_int_equal(integer_primes_room(n, bounds[i], bounds[k], &room), OK);
            struct blob *product = blob_new(room);
            assert_true(integer_primes_into(n, bounds[i], bounds[k], product, NULL));
            assert_true(product->len <= room);
            blob_drop(&product);
        }
    }
}

static void absurd_ranges_of_primes_are_refused(void **state)
{
    (void)state;
    size_t room;
    assert_int_equal(integer_primes_room(10, 0, 5, &room), ERR_RANGE);
    assert_int_equal(integer_primes_room(10, 6, 5, &room), ERR_RANGE);
    assert_int_equal(integer_primes_room(10, 5, 11, &room), ERR_RANGE);
    assert_int_equal(integer_primes_room(0, 0, 0, &room), ERR_RANGE);
    assert_int_equal(integer_primes_room(UINT64_MAX, 1, UINT64_MAX, &room), ERR_RANGE);
    assert_int_equal(integer_primes_room(INTEGER_PRIMES_MAX, 1, INTEGER_PRIMES_MAX, &room),
                     ERR_TOO_BIG);
}

static void a_product_over_primes_stops_when_told(void **state)
{
    (void)state;
    size_t room;
    stop_flag stop = true;
    assert_int_equal(integer_primes_room(100000, 1, 100000, &room), OK);
    struct blob *product = blob_new(room);
    assert_false(integer_primes_into(100000, 1, 100000, product, &stop));
    assert_int_equal(product->len, room);
    blob_drop(&product);
}

static void the_seed_counts_four_operations_for_ten(void **state)
{
    (void)state;
    static const uint64_t cases[][2] = {{1, 1},  {2, 1},  {4, 1},   {5, 2},  {10, 4},
                                        {16, 5}, {17, 6}, {64, 21}, {65, 22}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t operations;
        struct blob *product = product_of_leaves(cases[i][0], cases[i][0], &operations);
        assert_true(operations == cases[i][1]);
        blob_drop(&product);
    }
}

static void absurd_subtrees_are_refused(void **state)
{
    (void)state;
    assert_int_equal(refusal(&(struct compute_op){.first = 10, .count = 11}), ERR_RANGE);
    assert_int_equal(refusal(&(struct compute_op){.first = UINT64_MAX, .count = UINT64_C(1) << 40}),
                     ERR_RANGE);
    assert_int_equal(refusal(&(struct compute_op){.first = 10, .count = 0}), ERR_UNSUPPORTED);
}

/* --- text --- */

static void text_has_all_digits_and_no_more(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        const char *text;
    } cases[] = {{0, "0"},
                 {7, "7"},
                 {9, "9"},
                 {10, "10"},
                 {99, "99"},
                 {100, "100"},
                 {3628800, "3628800"},
                 {UINT64_MAX, "18446744073709551615"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct blob *value = value_of(cases[i].number), *text = text_of(value);
        assert_int_equal(text->len, strlen(cases[i].text));
        assert_memory_equal(text->at, cases[i].text, text->len);
        blob_drop(&text);
        blob_drop(&value);
    }
    struct blob *product = product_of_leaves(25, 25, NULL), *text = text_of(product);
    assert_int_equal(text->len, 26);
    assert_memory_equal(text->at, "15511210043330985984000000", 26);
    blob_drop(&text);
    blob_drop(&product);
}

/* --- one operation --- */

static struct blob *value_4(void *context, struct value_id id)
{
    return id.op == 4 ? context : NULL;
}

/* Long texts are written piece by piece: none loses a zero, or gets one more. */
static void text_of_many_pieces_is_whole(void **state)
{
    (void)state;
    static const unsigned long digits[] = {99998,  99999,  100000, 100001, 199999,
                                           200000, 200001, 399998, 400002, 1000000};
    gmp_randstate_t random;
    gmp_randinit_default(random);
    for (size_t i = 0; i < 4 * sizeof digits / sizeof digits[0]; i++) {
        mpz_t number;
        mpz_init(number);
        mpz_ui_pow_ui(number, 10, digits[i / 4]); /* 1000...: all zeros in all pieces */
        if (i % 4 == 1)
            mpz_sub_ui(number, number, 1); /* 999... */
        if (i % 4 == 2)
            mpz_add_ui(number, number, 7); /* 1000...7 */
        if (i % 4 == 3)
            mpz_urandomm(number, random, number);
        size_t len = mpz_size(number) * INTEGER_LIMB_BYTES;
        struct blob *value = blob_copy(mpz_limbs_read(number), len), *text = text_of(value);
        char *expected = mpz_get_str(NULL, 10, number);
        assert_int_equal(text->len, strlen(expected));
        assert_memory_equal(text->at, expected, text->len);
        free(expected);
        blob_drop(&text);
        blob_drop(&value);
        mpz_clear(number);
    }
    gmp_randclear(random);
}

static void one_operation_is_run_alike_by_everybody(void **state)
{
    (void)state;
    struct blob *ten = value_of(10), *value;
    struct computed computed;
    struct compute_op op = {.id = {7, 9},
                            .attempt = 2,
                            .n_operands = 3,
                            .operands = {{.literal = 3},
                                         {.kind = OPERAND_VALUE, .id = {7, 4}},
                                         {.kind = OPERAND_BLOB, .blob = ten}}};
    operation_run(&op, value_4, ten, VALUE_INLINE_MAX_BYTES, &computed, &value);
    assert_null(computed.error);
    assert_true(*(const uint64_t *)(const void *)value->at == 300);
    assert_true(computed.id.job == 7 && computed.id.op == 9 && computed.attempt == 2);
    assert_true(computed.operations == 1 && computed.len == sizeof(uint64_t));
    assert_false(computed.head[0]);
    blob_drop(&value);

    struct compute_op text = {.opcode = OPCODE_TEXT,
                              .n_operands = 1,
                              .operands = {{.kind = OPERAND_VALUE, .id = {7, 4}}}};
    uint8_t hash[HASH_BYTES];
    operation_run(&text, value_4, ten, VALUE_INLINE_MAX_BYTES, &computed, &value);
    assert_null(computed.error);
    assert_int_equal(computed.opcode, OPCODE_TEXT);
    assert_string_equal(computed.head, "10");
    hash_bytes("10", 2, hash);
    assert_memory_equal(computed.hash, hash, HASH_BYTES);
    blob_drop(&value);

    struct compute_op subtree = {.first = 10, .count = 10};
    operation_run(&subtree, value_4, ten, 0, &computed, &value);
    assert_true(computed.operations == 4);
    hash_bytes(value->at, value->len, hash); /* it does not travel inside a message */
    assert_memory_equal(computed.hash, hash, HASH_BYTES);
    blob_drop(&value);
    blob_drop(&ten);
}

static void what_cannot_be_executed_fails_with_a_reason(void **state)
{
    (void)state;
    struct blob *ten = value_of(10), *odd = blob_copy("x", 1);
    const struct compute_op cases[] = {
        {.n_operands = 1, .operands = {{.kind = OPERAND_VALUE, .id = {7, 5}}}},
        {.n_operands = 1, .operands = {{.kind = OPERAND_BLOB}}},
        {.n_operands = 1, .operands = {{.kind = OPERAND_BLOB, .blob = odd}}},
        {.n_operands = 0},
        {.n_operands = 1, .count = 2, .first = 2, .operands = {{.literal = 1}}},
        {.first = 3, .count = 9},
        {.opcode = OPCODES, .n_operands = 1, .operands = {{.literal = 1}}},
        {.opcode = OPCODE_PRIMES, .n_operands = 2, .operands = {{.literal = 9}, {.literal = 2}}},
        {.opcode = OPCODE_PRIMES,
         .n_operands = 3,
         .operands = {{.literal = 9}, {.literal = 2}, {.kind = OPERAND_BLOB, .blob = ten}}},
        {.opcode = OPCODE_PRIMES, .first = 9, .count = 9},
        {.opcode = OPCODE_PRIMORIAL, .n_operands = 1, .operands = {{.literal = 9}}},
        {.opcode = OPCODE_PRIMORIAL,
         .n_operands = 2,
         .operands = {{.literal = 2}, {.kind = OPERAND_BLOB, .blob = ten}}},
        {.opcode = OPCODE_BINOMIAL, .n_operands = 3, .operands = {{.literal = 9}, {.literal = 2}}},
        {.opcode = OPCODE_BINOMIAL,
         .n_operands = 4,
         .operands = {{.literal = 9}, {.literal = 2}, {.literal = 1}, {.literal = 10}}},
        {.opcode = OPCODE_TEXT, .first = 2, .count = 2},
        {.opcode = OPCODE_TEXT, .n_operands = 1, .operands = {{.literal = 1}}},
        {.opcode = OPCODE_TEXT,
         .n_operands = 2,
         .operands = {{.kind = OPERAND_BLOB, .blob = ten}, {.kind = OPERAND_BLOB, .blob = ten}}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct computed computed;
        struct blob *value;
        operation_run(&cases[i], value_4, ten, 0, &computed, &value);
        assert_non_null(computed.error);
        assert_null(value);
        assert_true(computed.operations == 0);
    }
    blob_drop(&odd);
    blob_drop(&ten);
}

/* --- failures on purpose --- */

static void a_seed_gives_each_life_a_sequence_of_its_own(void **state)
{
    (void)state;
    struct failure_config config = {.exit_ppm = 20000, .stall_ppm = 500000, .seed = 7};
    struct failure a, b, next_life, other_node, coordinator;
    failure_begin(&a, &config, 2, 5, FAILURE_WORKER);
    failure_begin(&b, &config, 2, 5, FAILURE_WORKER);
    failure_begin(&next_life, &config, 2, 6, FAILURE_WORKER);
    failure_begin(&other_node, &config, 3, 5, FAILURE_WORKER);
    failure_begin(&coordinator, &config, 2, 5, FAILURE_COORDINATOR);
    unsigned differ[3] = {0};
    for (int i = 0; i < 1000; i++) {
        enum failure_kind kind = failure_draw(&a);
        assert_int_equal(failure_draw(&b), kind);
        differ[0] += failure_draw(&next_life) != kind;
        differ[1] += failure_draw(&other_node) != kind;
        differ[2] += failure_draw(&coordinator) != kind;
    }
    for (size_t i = 0; i < 3; i++)
        assert_in_range(differ[i], 400, 600);
}

static void failures_come_as_often_as_they_are_asked_for(void **state)
{
    (void)state;
    const uint64_t chances[] = {0, 20000, 500000, 1000000};
    for (size_t i = 0; i < 4; i++) {
        struct failure_config config = {.exit_ppm = chances[i], .seed = i + 1};
        struct failure failure;
        unsigned exits = 0;
        failure_begin(&failure, &config, 1, 1, FAILURE_WORKER);
        for (int n = 0; n < 100000; n++)
            exits += failure_draw(&failure) == FAILURE_EXIT;
        uint64_t expected = chances[i] / 10;
        assert_in_range(exits, expected - expected / 20, expected + expected / 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_each_life_a_sequence_of_its_own),
        cmocka_unit_test(failures_come_as_often_as_they_are_asked_for),
        cmocka_unit_test(products_are_those_of_the_schoolbook),
        cmocka_unit_test(large_products_are_those_of_gmp),
        cmocka_unit_test(small_and_big_operands_mix),
        cmocka_unit_test(what_is_no_value_is_refused),
        cmocka_unit_test(a_subtree_over_leaves_is_a_falling_product),
        cmocka_unit_test(primes_have_the_powers_that_they_have_in_a_factorial),
        cmocka_unit_test(the_room_for_primes_is_never_too_small),
        cmocka_unit_test(absurd_ranges_of_primes_are_refused),
        cmocka_unit_test(a_product_over_primes_stops_when_told),
        cmocka_unit_test(the_seed_counts_four_operations_for_ten),
        cmocka_unit_test(absurd_subtrees_are_refused),
        cmocka_unit_test(text_has_all_digits_and_no_more),
        cmocka_unit_test(text_of_many_pieces_is_whole),
        cmocka_unit_test(one_operation_is_run_alike_by_everybody),
        cmocka_unit_test(what_cannot_be_executed_fails_with_a_reason),
    };
    return cmocka_run_group_tests_name("work", tests, NULL, NULL);
}
