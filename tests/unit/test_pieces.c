/* Conversion to text in pieces: its plans, what its operators make, and what they refuse. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gmp.h>

#include "nodes/core/kinds/kinds.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_pieces.h"
#include "nodes/work/operation.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "tests/harness/plans.h"

static struct plan plan_of(const char *kind, const char *spec, uint64_t ranges, uint64_t pieces)
{
    struct plan plan;
    assert_int_equal(plan_parse(&plan, slice_of(kind), slice_of(spec), NULL), OK);
    assert_int_equal(plan_set_ranges(&plan, ranges), OK);
    assert_int_equal(plan_set_pieces(&plan, pieces), OK);
    assert_true(plan.pieces == pieces);
    return plan;
}

static const char *const numbers[] = {"4", "5", "10", "57", "1000", "4294967295"};

static void consumers_are_the_inverse_of_operands(void **state)
{
    (void)state;
    for (uint64_t ranges = 4; ranges <= PLAN_RANGES_MAX; ranges *= 4)
        for (uint64_t pieces = 2; pieces <= PLAN_PIECES_MAX; pieces *= 2) {
            for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
                struct plan plan = plan_of("factorial", numbers[i], ranges, pieces);
                plans_check_inverse(&plan);
            }
            struct plan primorial = plan_of("primorial", "3000000000", ranges, pieces);
            struct plan binomial = plan_of("binomial", "10000 3000", ranges, pieces);
            plans_check_inverse(&primorial);
            plans_check_inverse(&binomial);
        }
}

/* Two pieces: all that there is, as it is told in docs/jobs.md. */
static void two_pieces_are_one_division_and_two_texts(void **state)
{
    (void)state;
    static const enum opcode after[] = {OPCODE_QUOTIENT, OPCODE_REST, OPCODE_PIECE, OPCODE_PIECE,
                                        OPCODE_JOINED};
    struct plan plan = plan_of("factorial", "10000000", 16, 2);
    op_id_t root = plan_result(&plan) - sizeof after / sizeof *after;
    assert_int_equal(plan.total, 16 + 5 + 4);
    assert_int_equal(plan_opcode(&plan, root), OPCODE_MULTIPLY);
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        assert_int_equal(plan_opcode(&plan, root + 1 + i), after[i]);
}

#define FROM_DIGITS 1500000

static void only_large_results_of_several_workers_are_converted_in_pieces(void **state)
{
    (void)state;
    struct plan large = plan_of("factorial", "10000000", 16, 0);
    struct plan small = plan_of("factorial", "1000", 16, 0);
    struct plan tree = plan_of("factorial", "10000000", 0, 0);
    struct plan series;
    assert_int_equal(plan_parse(&series, slice_of("pi"), slice_of("10000000"), NULL), OK);
    assert_int_equal(plan_choose_pieces(&large, 1, FROM_DIGITS), 0);
    assert_int_equal(plan_choose_pieces(&large, 2, FROM_DIGITS), 2);
    assert_int_equal(plan_choose_pieces(&large, 5, FROM_DIGITS), 2);
    assert_int_equal(plan_choose_pieces(&large, 8, FROM_DIGITS), 4);
    assert_int_equal(plan_choose_pieces(&large, 99, FROM_DIGITS), PLAN_PIECES_MAX);
    assert_int_equal(plan_choose_pieces(&small, 5, FROM_DIGITS), 0);
    assert_int_equal(plan_choose_pieces(&small, 8, 1000), 4);
    assert_int_equal(plan_choose_pieces(&tree, 5, 1), 0);
    assert_int_equal(plan_choose_pieces(&series, 5, 1), 0);
}

static void other_numbers_of_pieces_are_refused(void **state)
{
    (void)state;
    static const uint64_t wrong[] = {1, 3, 16, UINT64_MAX};
    struct plan plan = plan_of("factorial", "1000", 4, 0), before = plan;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(plan_set_pieces(&plan, wrong[i]), ERR_RANGE);
    assert_memory_equal(&plan, &before, sizeof plan);
    struct plan tree = plan_of("factorial", "1000", 0, 0);
    assert_int_equal(plan_set_pieces(&tree, 2), ERR_UNSUPPORTED);
    struct plan huge = plan_of("factorial", "18446744073709551615", 4, 0);
    assert_int_equal(plan_set_pieces(&huge, 2), ERR_RANGE);
}

/* --- the digits --- */

static void check_text(const struct plan *plan, mpz_srcptr wanted)
{
    struct blob *text = plans_run(plan);
    char *digits = mpz_get_str(NULL, 10, wanted);
    assert_int_equal(text->len, strlen(digits));
    assert_memory_equal(text->at, digits, text->len);
    free(digits);
    blob_drop(&text);
}

static void digits_are_those_of_gmp(void **state)
{
    (void)state;
    mpz_t wanted;
    mpz_init(wanted);
    for (uint64_t pieces = 2; pieces <= PLAN_PIECES_MAX; pieces *= 2) {
        for (unsigned n = 4; n < 20000; n += n < 40 ? 1 : n / 2 + 1) {
            struct text spec = {0};
            text_add(&spec, "%u", n);
            struct plan factorial = plan_of("factorial", spec.at, 16, pieces);
            mpz_fac_ui(wanted, n);
            check_text(&factorial, wanted);
            struct plan primorial = plan_of("primorial", spec.at, 4, pieces);
            mpz_primorial_ui(wanted, n);
            check_text(&primorial, wanted);
            text_add(&spec, " %u", n / 3);
            struct plan binomial = plan_of("binomial", spec.at, 4, pieces);
            mpz_bin_uiui(wanted, n, n / 3);
            check_text(&binomial, wanted);
        }
        struct plan large = plan_of("factorial", "200000", 16, pieces); /* by transforms */
        mpz_fac_ui(wanted, 200000);
        check_text(&large, wanted);
    }
    mpz_clear(wanted);
}

/* --- operators --- */

static struct blob *value_of(mpz_srcptr number)
{
    struct blob *value = blob_new(integer_room(mpz_size(number) + 1));
    assert_true(integer_put(value, number));
    return value;
}

static int execute(enum opcode opcode, const struct integer_operand *operands, size_t n,
                   struct blob **value)
{
    struct compute_op op = {.opcode = opcode, .n_operands = n};
    struct computed computed;
    for (size_t i = 0; i < n; i++) {
        op.operands[i].kind = operands[i].value ? OPERAND_BLOB : OPERAND_LITERAL;
        op.operands[i].literal = operands[i].literal;
        op.operands[i].blob = (struct blob *)(uintptr_t)operands[i].value;
    }
    operation_run(&op, NULL, NULL, UINT64_MAX, &computed, value);
    return computed.error ? ERR_RANGE : OK;
}

static void check_value(struct blob *value, mpz_srcptr wanted)
{
    mpz_t number;
    assert_int_equal(integer_read(value, number), OK);
    assert_int_equal(mpz_cmp(number, wanted), 0);
    blob_drop(&value);
}

static void check_split(mpz_srcptr x, uint64_t digits)
{
    mpz_t ten, q, r;
    mpz_inits(ten, q, r, NULL);
    mpz_ui_pow_ui(ten, 10, digits);
    mpz_tdiv_qr(q, r, x, ten);
    struct blob *value = value_of(x), *out, *quotient = value_of(q);
    struct integer_operand high[] = {{0, value}, {digits, NULL}};
    assert_int_equal(execute(OPCODE_QUOTIENT, high, 2, &out), OK);
    check_value(out, q);
    struct integer_operand low[] = {{0, value}, {0, quotient}, {digits, NULL}};
    assert_int_equal(execute(OPCODE_REST, low, 3, &out), OK);
    check_value(out, r);
    blob_drop(&quotient);
    mpz_add_ui(q, q, 1); /* what is no quotient has no rest */
    low[1].value = quotient = value_of(q);
    assert_int_equal(execute(OPCODE_REST, low, 3, &out), ERR_RANGE);
    blob_drop(&quotient);
    blob_drop(&value);
    mpz_clears(ten, q, r, NULL);
}

/* x = q 10^d + r for what is around a multiple of 10^d. */
static void parts_are_right_around_multiples_of_the_power(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {1, 20, 64, 1000, 30000, 50000};
    mpz_t x, ten;
    mpz_inits(x, ten, NULL);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        uint64_t digits = lengths[i];
        mpz_ui_pow_ui(ten, 10, digits);
        for (unsigned power = 0; power < 4; power++)
            for (int step = -1; step <= 1; step++) {
                mpz_ui_pow_ui(x, 7, power * digits);
                mpz_mul(x, x, ten);
                step < 0 ? mpz_sub_ui(x, x, 1) : mpz_add_ui(x, x, (unsigned)step);
                check_split(x, digits);
            }
        mpz_set_ui(x, 0);
        check_split(x, digits);
    }
    mpz_clears(x, ten, NULL);
}

static void operands_that_are_none_are_refused(void **state)
{
    (void)state;
    mpz_t number;
    mpz_init_set_si(number, -7);
    struct blob *negative = value_of(number), *out;
    mpz_set_ui(number, 0);
    struct blob *zero = value_of(number), *empty = blob_new(0), *odd = blob_new(3);
    memset(odd->at, 1, odd->len);
    static const enum opcode opcodes[] = {OPCODE_QUOTIENT, OPCODE_REST, OPCODE_PIECE};
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++) {
        size_t n = opcodes[i] == OPCODE_REST ? 3 : 2;
        struct blob *const bad[] = {negative, odd, NULL};
        for (size_t wrong = 0; wrong + 1 < n; wrong++)
            for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
                struct integer_operand operands[] = {{0, zero}, {0, zero}, {0, NULL}};
                operands[n - 1] = (struct integer_operand){5, NULL};
                operands[wrong].value = bad[k];
                assert_int_equal(execute(opcodes[i], operands, n, &out), ERR_RANGE);
            }
        struct integer_operand far[] = {{0, zero}, {0, zero}, {0, NULL}};
        far[n - 1] = (struct integer_operand){UINT64_MAX, NULL};
        assert_int_equal(execute(opcodes[i], far, n, &out), ERR_RANGE);
        far[n - 1] = (struct integer_operand){5, NULL};
        assert_int_equal(execute(opcodes[i], far, n, &out), OK);
        blob_drop(&out);
        assert_int_equal(execute(opcodes[i], far, n - 1, &out), ERR_RANGE);
    }
    struct integer_operand texts[] = {{0, empty}}, literal[] = {{7, NULL}};
    assert_int_equal(execute(OPCODE_JOIN, texts, 1, &out), ERR_RANGE);
    assert_int_equal(execute(OPCODE_JOIN, literal, 1, &out), ERR_RANGE);
    blob_drop(&negative);
    blob_drop(&zero);
    blob_drop(&empty);
    blob_drop(&odd);
    mpz_clear(number);
}

/* With as many digits as a large job has, where an estimate that is a little off is many limbs off:
 * 10^d - 1 has d digits, and no more than one limb too much of room. */
static void there_is_room_for_each_part(void **state)
{
    (void)state;
    mpz_t x;
    mpz_init(x);
    for (uint64_t digits = 1; digits < 40000000; digits = 4 * digits + 1) {
        size_t room;
        mpz_ui_pow_ui(x, 10, digits);
        struct blob *value = value_of(x);
        struct compute_op op = {.opcode = OPCODE_QUOTIENT, .n_operands = 2};
        op.operands[0] = (struct compute_operand){.kind = OPERAND_BLOB, .blob = value};
        op.operands[1] = (struct compute_operand){.kind = OPERAND_LITERAL, .literal = digits};
        assert_int_equal(operation_room(&op, &room), OK);
        assert_in_range(room, 8, 48); /* of 1 */
        op.opcode = OPCODE_REST;
        op.n_operands = 3;
        op.operands[2] = op.operands[1];
        op.operands[1] = op.operands[0];
        assert_int_equal(operation_room(&op, &room), OK);
        assert_in_range(room, value->len, value->len + 32); /* of 10^digits - 1 */
        blob_drop(&value);
    }
    mpz_clear(x);
}

static struct blob *text_of(const char *text)
{
    struct blob *blob = blob_new(strlen(text));
    memcpy(blob->at, text, blob->len);
    return blob;
}

static void zeros_before_a_text_are_left_out_and_those_within_are_not(void **state)
{
    (void)state;
    static const struct {
        const char *pieces[3], *joined, *whole;
    } cases[] = {{{"12", "00", "30"}, "120030", "120030"},
                 {{"00", "01", "20"}, "000120", "120"},
                 {{"0", "00", "00"}, "00000", "0"},
                 {{"7", "00", "00"}, "70000", "70000"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct integer_operand operands[OPERANDS_MAX] = {{0}};
        struct blob *out;
        for (size_t k = 0; k < 3; k++)
            operands[k].value = text_of(cases[i].pieces[k]);
        assert_int_equal(execute(OPCODE_JOIN, operands, 3, &out), OK);
        assert_int_equal(out->len, strlen(cases[i].joined));
        assert_memory_equal(out->at, cases[i].joined, out->len);
        blob_drop(&out);
        assert_int_equal(execute(OPCODE_JOINED, operands, 3, &out), OK);
        assert_int_equal(out->len, strlen(cases[i].whole));
        assert_memory_equal(out->at, cases[i].whole, out->len);
        blob_drop(&out);
        for (size_t k = 0; k < 3; k++) {
            struct blob *piece = (struct blob *)(uintptr_t)operands[k].value;
            blob_drop(&piece);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consumers_are_the_inverse_of_operands),
        cmocka_unit_test(two_pieces_are_one_division_and_two_texts),
        cmocka_unit_test(only_large_results_of_several_workers_are_converted_in_pieces),
        cmocka_unit_test(other_numbers_of_pieces_are_refused),
        cmocka_unit_test(digits_are_those_of_gmp),
        cmocka_unit_test(parts_are_right_around_multiples_of_the_power),
        cmocka_unit_test(operands_that_are_none_are_refused),
        cmocka_unit_test(there_is_room_for_each_part),
        cmocka_unit_test(zeros_before_a_text_are_left_out_and_those_within_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
