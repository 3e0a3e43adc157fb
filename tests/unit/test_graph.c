/* Plans in which a result has several consumers: against plans that are really built, operation by
 * operation, and their digits against other formulas. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/kinds/kinds.h"
#include "nodes/core/kinds/splitting.h"
#include "nodes/work/integer_series.h"
#include "nodes/work/operation.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "tests/harness/plans.h"
#include "tests/sim/constants.h"

static struct plan plan_of(const char *kind, const char *spec)
{
    struct plan plan;
    struct text why = {0};
    if (plan_parse(&plan, slice_of(kind), slice_of(spec), &why))
        fail_msg("%s", why.at);
    return plan;
}

static struct plan plan_of_series(const char *kind, uint64_t decimals, uint64_t ranges)
{
    struct text spec = {0};
    text_add(&spec, "%" PRIu64, decimals);
    struct plan plan = plan_of(kind, spec.at);
    assert_int_equal(plan_set_ranges(&plan, ranges), OK);
    return plan;
}

static struct plan plan_of_batch(uint64_t own, uint64_t known)
{
    struct text spec = {0};
    text_add(&spec, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, own,
             10 * own, 100 * own, known, 10 * known, 100 * known);
    return plan_of("batch-gcd", spec.at);
}

static struct plan plan_of_product(uint64_t segments)
{
    struct text spec = {0};
    text_add(&spec, "%" PRIu64 " %" PRIu64 " %" PRIu64, segments, 10 * segments, 100 * segments);
    return plan_of("product", spec.at);
}

/* --- consumers are the inverse of operands --- */

static void consumers_are_the_inverse_of_operands(void **state)
{
    (void)state;
    for (uint64_t ranges = 4; ranges <= PLAN_RANGES_MAX; ranges *= 4) {
        struct plan pi = plan_of_series("pi", 1000, ranges), e = plan_of_series("e", 1000, ranges);
        plans_check_inverse(&pi);
        plans_check_inverse(&e);
    }
    for (uint64_t own = 1; own <= 70; own++)
        for (uint64_t known = 0; known <= 70; known++) {
            struct plan batch = plan_of_batch(own, known);
            plans_check_inverse(&batch);
        }
    for (uint64_t segments = 0; segments <= 300; segments++) {
        struct plan product = plan_of_product(segments);
        plans_check_inverse(&product);
    }
    struct plan most = plan_of_batch(PLAN_LEAVES_MAX, 0), half = plan_of_batch(5000, 11384);
    plans_check_inverse(&most);
    plans_check_inverse(&half);
    assert_true(most.total < 5 * PLAN_LEAVES_MAX);
}

/* --- the tree upwards and that downwards, built --- */

struct built {
    struct built *parent, *children[OPERANDS_MAX];
    size_t n;
    uint64_t first, end; /* segments below it, from 0 */
};

/* Up to four neighbours a node, level by level; a node of one child is that child. */
static struct built *build(uint64_t leaves)
{
    struct built **level = mem_new(leaves, sizeof *level);
    for (uint64_t i = 0; i < leaves; i++) {
        level[i] = mem_new(1, sizeof **level);
        *level[i] = (struct built){.first = i, .end = i + 1};
    }
    while (leaves > 1) {
        uint64_t above = 0;
        for (uint64_t i = 0; i < leaves; i += 4, above++) {
            uint64_t n = leaves - i < 4 ? leaves - i : 4;
            if (n == 1) {
                level[above] = level[i];
                continue;
            }
            struct built *node = mem_new(1, sizeof *node);
            for (uint64_t child = 0; child < n; child++) {
                node->children[node->n++] = level[i + child];
                level[i + child]->parent = node;
            }
            node->first = node->children[0]->first;
            node->end = node->children[n - 1]->end;
            level[above] = node;
        }
        leaves = above;
    }
    struct built *root = level[0];
    free(level);
    return root;
}

static void free_built(struct built *node)
{
    for (size_t i = 0; i < node->n; i++)
        free_built(node->children[i]);
    free(node);
}

/* Checks that the operation is the product of what is below the node. */
static void check_product(const struct plan *plan, op_id_t op, const struct built *node,
                          uint64_t own, uint64_t *seen)
{
    struct plan_operand operands[OPERANDS_MAX];
    size_t n = plan_operands(plan, op, operands);
    ++*seen;
    if (!node->n) {
        assert_int_equal(plan_opcode(plan, op), OPCODE_PRODUCT_OF);
        bool known = node->first >= own;
        assert_int_equal(operands[0].input, known ? 2 : 1);
        assert_true(operands[0].literal == node->first + 1 - (known ? own : 0));
        return;
    }
    assert_int_equal(plan_opcode(plan, op), OPCODE_MULTIPLY);
    assert_int_equal(n, node->n);
    for (size_t i = 0; i < n; i++)
        check_product(plan, operands[i].op, node->children[i], own, seen);
}

/* Checks that the operation is what comes down to the node; only leaves' ways up are walked, so
 * nodes are seen more than once. */
static void check_remainder(const struct plan *plan, op_id_t op, const struct built *node,
                            uint64_t own)
{
    uint64_t unused = 0;
    if (!node->parent) {
        check_product(plan, op, node, own, &unused);
        return;
    }
    struct plan_operand operands[OPERANDS_MAX];
    assert_int_equal(plan_opcode(plan, op), OPCODE_REMAINDER);
    assert_int_equal(plan_operands(plan, op, operands), 2);
    check_remainder(plan, operands[0].op, node->parent, own);
    check_product(plan, operands[1].op, node, own, &unused);
}

static const struct built *leaf_of(const struct built *node, uint64_t at)
{
    while (node->n) {
        size_t i = 0;
        while (node->children[i]->end <= at)
            i++;
        node = node->children[i];
    }
    return node;
}

/* Rows in the order of the segments. */
static void check_rows(const struct plan *plan, op_id_t op, const struct built *tree, uint64_t own,
                       uint64_t *next)
{
    struct plan_operand operands[OPERANDS_MAX];
    size_t n = plan_operands(plan, op, operands);
    if (plan_opcode(plan, op) == OPCODE_GATHER) {
        assert_true(n >= 2);
        for (size_t i = 0; i < n; i++)
            check_rows(plan, operands[i].op, tree, own, next);
        return;
    }
    assert_int_equal(plan_opcode(plan, op), OPCODE_GCDS);
    assert_int_equal(n, 2);
    bool known = *next >= own;
    assert_int_equal(operands[1].input, known ? 2 : 1);
    assert_true(operands[1].literal == *next + 1 - (known ? own : 0));
    check_remainder(plan, operands[0].op, leaf_of(tree, *next), own);
    ++*next;
}

static void remainders_come_down_to_each_segment(void **state)
{
    (void)state;
    for (uint64_t own = 1; own <= 40; own++)
        for (uint64_t known = 0; known <= 22; known++) {
            struct plan plan = plan_of_batch(own, known);
            struct plan_operand operands[OPERANDS_MAX];
            struct built *tree = build(own + known);
            uint64_t next = 0;
            assert_int_equal(plan_opcode(&plan, plan_result(&plan)), OPCODE_REPORT);
            assert_int_equal(plan_operands(&plan, plan_result(&plan), operands), 3);
            assert_true(operands[1].literal == 10 * own && operands[2].literal == 10 * known);
            check_rows(&plan, operands[0].op, tree, own, &next);
            assert_true(next == own + known);
            free_built(tree);
        }
}

static void a_product_takes_each_segment_once(void **state)
{
    (void)state;
    for (uint64_t segments = 1; segments <= 300; segments++) {
        struct plan plan = plan_of_product(segments);
        struct plan_operand operands[OPERANDS_MAX];
        struct built *tree = build(segments);
        uint64_t seen = 0;
        assert_int_equal(plan_opcode(&plan, plan_result(&plan)), OPCODE_TEXT);
        assert_int_equal(plan_operands(&plan, plan_result(&plan), operands), 1);
        check_product(&plan, operands[0].op, tree, segments, &seen);
        assert_true(seen == plan.total);
        assert_int_equal(plan_inputs(&plan), 1);
        assert_true(plan_input(&plan, 1).segments == segments);
        free_built(tree);
    }
}

static void no_integers_have_the_product_1(void **state)
{
    (void)state;
    struct plan plan = plan_of_product(0);
    struct plan_operand operands[OPERANDS_MAX];
    assert_int_equal(plan.total, 1);
    assert_int_equal(plan_inputs(&plan), 0);
    assert_int_equal(plan_opcode(&plan, 1), OPCODE_MULTIPLY);
    assert_int_equal(plan_operands(&plan, 1, operands), 1);
    assert_true(operands[0].literal == 1 && !operands[0].op && !operands[0].input);
}

/* --- what comes of it --- */

static void check_digits(const char *kind, uint64_t decimals, uint64_t ranges)
{
    struct plan plan = plan_of_series(kind, decimals, ranges);
    char *wanted = constant_text(!strcmp(kind, "pi"), decimals);
    struct blob *text = plans_run(&plan);
    assert_int_equal(text->len, strlen(wanted));
    assert_memory_equal(text->at, wanted, text->len);
    free(wanted);
    blob_drop(&text);
}

static void pi_and_e_have_their_digits(void **state)
{
    (void)state;
    for (uint64_t decimals = 0; decimals <= 300; decimals++) {
        check_digits("pi", decimals, 4);
        check_digits("e", decimals, 16);
    }
    for (uint64_t ranges = 4; ranges <= PLAN_RANGES_MAX; ranges *= 4) {
        check_digits("pi", 460, ranges);
        check_digits("e", 460, ranges);
    }
}

/* Plans cut the terms; operators count them again when the guard decimals are in doubt. */
static void plans_and_operators_count_the_same_terms(void **state)
{
    (void)state;
    assert_int_equal(SPLITTING_GUARD, SERIES_GUARD);
    assert_true(DECIMALS_MAX == SERIES_DECIMALS_MAX);
    for (uint64_t decimals = 0; decimals <= DECIMALS_MAX; decimals += 1 + decimals / 7) {
        uint64_t all = decimals + SERIES_GUARD;
        assert_true(splitting_pi_terms(decimals) >= series_terms(SERIES_PI, all));
        assert_true(splitting_e_terms(decimals) >= series_terms(SERIES_E, all));
    }
}

/* --- cost --- */

static void the_cost_of_a_series_is_above_each_of_its_integers_X7(void **state)
{
    (void)state;
    static const char *const kinds[] = {"pi", "e"};
    static const uint64_t sizes[] = {0, 1, 10, 100, 1000, 10000, 100000};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        struct plan plan = plan_of_series(kinds[i % 2], sizes[i / 2], 4);
        op_id_t result = plan_result(&plan);
        struct blob **values = mem_new(result + 1, sizeof *values);
        for (op_id_t op = 1; op <= result; op++) {
            struct plan_operand operands[OPERANDS_MAX];
            struct compute_op compute = {.opcode = plan_opcode(&plan, op)};
            struct computed computed;
            compute.n_operands = plan_operands(&plan, op, operands);
            for (size_t k = 0; k < compute.n_operands; k++) {
                compute.operands[k].kind = operands[k].op ? OPERAND_BLOB : OPERAND_LITERAL;
                compute.operands[k].literal = operands[k].literal;
                compute.operands[k].blob = operands[k].op ? values[operands[k].op] : NULL;
            }
            operation_run(&compute, NULL, NULL, UINT64_MAX, &computed, &values[op]);
            assert_null(computed.error);
            if (op < result)
                assert_true(values[op]->len <= plan_cost(&plan) + 16);
        }
        for (op_id_t op = 1; op <= result; op++)
            blob_drop(&values[op]);
        free(values);
    }
}

static void what_is_too_large_is_refused_before_any_work_X7(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *spec, *why;
    } cases[] = {
        {"pi", "300000001", "at most 300000000"},
        {"e", "18446744073709551615", "at most 300000000"},
        {"product", "2 1 99", "cannot be in 2 segments"},
        {"product", "0 1 99", "cannot be in 0 segments"},
        {"product", "16385 1000000 99000000", "16384 segments at most"},
        {"product", "1 10 49", "10 integers cannot have 49 bytes"},
        {"product", "1 10 18446744073709551615", "cannot have"},
        {"batch-gcd", "0 0 0 0 0 0", "no integer"},
        {"batch-gcd", "16000 100000 900000 16000 100000 900000", "16384 segments at most"},
        {"batch-gcd", "18446744073709551615 18446744073709551615 1 1 1 9", "segments"},
        {"batch-gcd", "1 2 3", "six whole numbers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan plan;
        struct text why = {0};
        assert_int_not_equal(plan_parse(&plan, slice_of(cases[i].kind), slice_of(cases[i].spec),
                                        &why),
                             OK);
        assert_non_null(strstr(why.at, cases[i].why));
    }
    struct plan large = plan_of_product(1000), most = plan_of_series("pi", DECIMALS_MAX, 256);
    assert_true(plan_cost(&large) == 100001);
    assert_true(plan_cost(&most) < 512 * MIB_BYTES);
}

static void labels_name_what_people_asked_for(void **state)
{
    (void)state;
    struct text label = {0};
    struct plan product = plan_of_product(3), pi = plan_of_series("pi", 50, 4),
                binomial = plan_of("binomial", "10 3");
    plan_label(&product, &label);
    text_add(&label, " ");
    plan_label(&pi, &label);
    text_add(&label, " ");
    plan_label(&binomial, &label);
    assert_string_equal(label.at, "product(30 integers) pi C(10,3)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(consumers_are_the_inverse_of_operands),
        cmocka_unit_test(remainders_come_down_to_each_segment),
        cmocka_unit_test(a_product_takes_each_segment_once),
        cmocka_unit_test(no_integers_have_the_product_1),
        cmocka_unit_test(pi_and_e_have_their_digits),
        cmocka_unit_test(plans_and_operators_count_the_same_terms),
        cmocka_unit_test(the_cost_of_a_series_is_above_each_of_its_integers_X7),
        cmocka_unit_test(what_is_too_large_is_refused_before_any_work_X7),
        cmocka_unit_test(labels_name_what_people_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
