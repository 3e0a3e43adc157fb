/* Kinds of jobs and their plans. The tree of operations of N!: against a tree that is really built,
 * and against GMP. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gmp.h>

#include "nodes/core/kinds/kinds.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"

#define BUILT_MAX 2000 /* trees up to here are built whole */

static struct plan plan_of(uint64_t n)
{
    struct plan plan;
    struct text spec = {0};
    text_add(&spec, "%" PRIu64, n);
    assert_int_equal(plan_parse(&plan, slice_of("factorial"), slice_of(spec.at), NULL), OK);
    return plan;
}

static uint64_t cost_of(uint64_t n)
{
    struct plan plan = plan_of(n);
    return plan_cost(&plan);
}

/* --- the second seed's example --- */

static void the_plan_of_10_is_the_seeds_R1_to_R4(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        struct plan_operand operands[OPERANDS_MAX];
    } seed[] = {
        {4, {{0, 10, 0}, {0, 9, 0}, {0, 8, 0}, {0, 7, 0}}},
        {4, {{0, 6, 0}, {0, 5, 0}, {0, 4, 0}, {0, 3, 0}}},
        {2, {{0, 2, 0}, {0, 1, 0}}},
        {3, {{1, 0, 0}, {2, 0, 0}, {3, 0, 0}}},
    };
    struct plan plan = plan_of(10);
    assert_int_equal(plan.total, 4);
    for (op_id_t op = 1; op <= 4; op++) {
        struct plan_operand operands[OPERANDS_MAX];
        assert_int_equal(plan_operands(&plan, op, operands), seed[op - 1].n);
        assert_memory_equal(operands, seed[op - 1].operands, seed[op - 1].n * sizeof operands[0]);
        assert_int_equal(plan_consumer(&plan, op), op < 4 ? 4 : 5);
    }
}

static void one_leaf_is_one_operation(void **state)
{
    (void)state;
    for (uint64_t n = 0; n <= 1; n++) {
        struct plan plan = plan_of(n);
        struct plan_operand operands[OPERANDS_MAX];
        assert_int_equal(plan.total, 1);
        assert_int_equal(plan_operands(&plan, 1, operands), 1);
        assert_int_equal(operands[0].op, 0);
        assert_int_equal(operands[0].literal, 1);
        assert_int_equal(plan_consumer(&plan, 1), 2); /* its conversion */
    }
}

/* --- whole trees --- */

/* Walks all operations: every leaf once, every result once, consumers the inverse of operands. */
static void check_whole(uint64_t n)
{
    struct plan plan = plan_of(n);
    bool *leaf_used = mem_new(plan.leaves + 1, sizeof *leaf_used);
    bool *op_used = mem_new(plan.total + 1, sizeof *op_used);
    mpz_t *results = mem_new(plan.total + 1, sizeof *results), factorial;
    for (op_id_t op = 1; op <= plan.total; op++) {
        struct plan_operand operands[OPERANDS_MAX];
        size_t count = plan_operands(&plan, op, operands);
        assert_true(count >= (plan.leaves > 1 ? 2 : 1) && count <= OPERANDS_MAX);
        mpz_init_set_ui(results[op], 1);
        for (size_t i = 0; i < count; i++) {
            op_id_t below = operands[i].op;
            assert_true(below < op); /* numbers go up towards the root */
            if (below) {
                assert_false(op_used[below]);
                op_used[below] = true;
                assert_true(plan_consumer(&plan, below) == op);
                mpz_mul(results[op], results[op], results[below]);
            } else {
                uint64_t leaf = operands[i].literal;
                assert_true(leaf >= 1 && leaf <= plan.leaves && !leaf_used[leaf]);
                leaf_used[leaf] = true;
                mpz_mul_ui(results[op], results[op], leaf);
            }
        }
        struct plan_node node = plan_node_of(&plan, op);
        assert_true(plan_op_at(&plan, node) == op);
    }
    for (uint64_t leaf = 1; leaf <= plan.leaves; leaf++)
        assert_true(leaf_used[leaf]);
    for (op_id_t op = 1; op < plan.total; op++)
        assert_true(op_used[op]);
    assert_true(plan_consumer(&plan, plan.total) == plan_result(&plan));
    mpz_init(factorial);
    mpz_fac_ui(factorial, n);
    assert_int_equal(mpz_cmp(factorial, results[plan.total]), 0);
    mpz_clear(factorial);
    for (op_id_t op = 1; op <= plan.total; op++)
        mpz_clear(results[op]);
    free(results);
    free(op_used);
    free(leaf_used);
}

static void every_leaf_and_every_result_is_used_once(void **state)
{
    (void)state;
    for (uint64_t n = 0; n <= BUILT_MAX; n++)
        check_whole(n);
}

/* --- trees too large to build: looked at in random places --- */

static uint64_t random_n(uint64_t *random)
{
    /* All magnitudes, and by preference the neighbourhood of powers of four. */
    uint64_t power = (uint64_t)1 << 2 * random_below(random, 20);
    if (random_below(random, 2))
        return power + random_below(random, 7) - (power > 3 ? 3 : 0);
    return random_u64(random) % UINT64_C(1000000000000) >> random_below(random, 40);
}

static void large_plans_hold_together_in_random_places(void **state)
{
    (void)state;
    uint64_t random = 2;
    for (int i = 0; i < 20000; i++) {
        struct plan plan = plan_of(random_n(&random));
        for (int j = 0; j < 10; j++) {
            struct plan_operand operands[OPERANDS_MAX];
            /* By preference the last of a level: there the promoted nodes are. */
            op_id_t op = 1 + random_below(&random, plan.total);
            if (j < 5) {
                unsigned level = (unsigned)random_below(&random, plan.levels);
                for (op = 0; level < plan.levels; level--)
                    op += plan.ops[level];
                op = op ? op : 1;
            }
            assert_true(op <= plan.total);
            size_t count = plan_operands(&plan, op, operands);
            assert_true(count >= (plan.leaves > 1 ? 2 : 1) && count <= OPERANDS_MAX);
            for (size_t k = 0; k < count; k++) {
                assert_true(operands[k].op < op);
                if (operands[k].op)
                    assert_true(plan_consumer(&plan, operands[k].op) == op);
                else
                    assert_true(operands[k].literal >= 1 && operands[k].literal <= plan.leaves);
            }
            op_id_t consumer = plan_consumer(&plan, op);
            assert_true(consumer > op && (consumer <= plan.total || op == plan.total));
            assert_true(plan_op_at(&plan, plan_node_of(&plan, op)) == op);
        }
    }
}

/* The number of operations over so many leaves, by the rule itself. */
static uint64_t count_ops(uint64_t leaves)
{
    if (leaves <= 1)
        return 1;
    uint64_t ops = 0;
    while (leaves > 1) {
        uint64_t groups = (leaves + 3) / 4;
        ops += groups - (leaves % 4 == 1);
        leaves = groups;
    }
    return ops;
}

static void the_total_is_that_of_the_rule(void **state)
{
    (void)state;
    uint64_t random = 3;
    for (uint64_t n = 0; n <= BUILT_MAX; n++)
        assert_true(plan_of(n).total == count_ops(n ? n : 1));
    for (int i = 0; i < 20000; i++) {
        uint64_t n = random_n(&random);
        assert_true(plan_of(n).total == count_ops(n ? n : 1));
        assert_true(plan_subtree_ops(n) == plan_of(n).total);
    }
}

/* --- subtrees that are handed out whole --- */

static void check_subtrees(const struct plan *plan, unsigned level)
{
    uint64_t next = plan->leaves, ops = 0;
    for (uint64_t at = 0; at < plan->nodes[level]; at++) {
        uint64_t first, count;
        plan_leaves(plan, (struct plan_node){level, at}, &first, &count);
        assert_true(first == next && count >= 1 && count <= first);
        next -= count;
        /* A single leaf under a level is a promoted node: no operation at all. */
        if (plan_op_at(plan, (struct plan_node){level, at}))
            ops += plan_subtree_ops(count);
    }
    assert_true(next == 0);
    for (unsigned above = level + 1; above < plan->levels; above++)
        ops += plan->ops[above];
    assert_true(ops == plan->total);
}

static void subtrees_of_any_level_add_up_to_the_total(void **state)
{
    (void)state;
    uint64_t random = 4;
    for (uint64_t n = 0; n <= BUILT_MAX + 1000; n++) {
        if (n > BUILT_MAX)
            n += random_below(&random, 50);
        struct plan plan = plan_of(n);
        for (unsigned level = 0; level < plan.levels; level++)
            check_subtrees(&plan, level);
    }
}

static void units_are_small_enough_and_many_enough(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (int i = 0; i < 20000; i++) {
        struct plan plan = plan_of(random_n(&random));
        uint64_t workers = random_below(&random, 100);
        uint64_t most = i % 2 ? SUBTREE_LEAVES_MAX : SUBTREE_LEAVES_OLD;
        unsigned level = plan_subtree_level(&plan, workers, most);
        assert_true(level < plan.levels);
        assert_true(level == 0 || (uint64_t)1 << 2 * (level + 1) <= most);
        assert_true(level == 0 ||
                    plan.nodes[level] >= (workers ? workers : 1) * SUBTREES_PER_WORKER);
        /* And no higher level would do. */
        bool higher = level + 1 < plan.levels &&
                      plan.nodes[level + 1] >= (workers ? workers : 1) * SUBTREES_PER_WORKER &&
                      (uint64_t)1 << 2 * (level + 2) <= most;
        assert_false(higher);
    }
}

/* --- cost --- */

static void the_cost_never_underestimates_X7(void **state)
{
    (void)state;
    mpz_t factorial;
    mpz_init_set_ui(factorial, 1);
    for (uint64_t n = 1; n <= 5000; n++) {
        mpz_mul_ui(factorial, factorial, n);
        assert_true(cost_of(n) >= (mpz_sizeinbase(factorial, 2) + 7) / 8);
    }
    static const uint64_t large[] = {10000, 65535, 65536, 100000, 1000000};
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        mpz_fac_ui(factorial, large[i]);
        uint64_t size = (mpz_sizeinbase(factorial, 2) + 7) / 8;
        assert_true(cost_of(large[i]) >= size);
        assert_true(cost_of(large[i]) <= 2 * size); /* nor is it a wild guess */
    }
    mpz_clear(factorial);
    assert_true(cost_of(0) >= 1);
}

static void the_cost_of_the_absurd_does_not_overflow_X7(void **state)
{
    (void)state;
    static const uint64_t absurd[] = {UINT64_C(1000000000000),
                                      UINT64_C(1000000000000000000),
                                      UINT64_C(9999999999999999999),
                                      UINT64_MAX / 64,
                                      UINT64_MAX / 64 + 1,
                                      UINT64_MAX - 1,
                                      UINT64_MAX};
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++)
        assert_true(cost_of(absurd[i]) > 1024 * MIB_BYTES);
    uint64_t before = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t bytes = cost_of((uint64_t)1 << bit);
        assert_true(bytes >= before);
        before = bytes;
    }
}

/* --- stages, operators, kinds --- */

static void the_last_stage_is_the_conversion_of_the_root(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, 4, 5, 10, 1000, UINT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct plan plan = plan_of(sizes[i]);
        struct plan_operand operands[OPERANDS_MAX];
        assert_true(plan_result(&plan) == plan.total + 1);
        assert_int_equal(plan_opcode(&plan, 1), OPCODE_MULTIPLY);
        assert_int_equal(plan_opcode(&plan, plan.total), OPCODE_MULTIPLY);
        assert_int_equal(plan_opcode(&plan, plan_result(&plan)), OPCODE_TEXT);
        assert_int_equal(plan_operands(&plan, plan_result(&plan), operands), 1);
        assert_true(operands[0].op == plan.total);
        assert_int_equal(plan_consumer(&plan, plan_result(&plan)), 0);
    }
}

static void each_operator_is_found_by_its_name(void **state)
{
    (void)state;
    enum opcode found;
    for (enum opcode opcode = 0; opcode < OPCODES; opcode++) {
        const struct operator_traits *traits = operator_traits(opcode);
        assert_true(operator_find(slice_of(traits->name), &found));
        assert_int_equal(found, opcode);
        assert_in_range(strlen(traits->name), 1, JOB_KIND_MAX);
        assert_in_range(traits->operands_max, 1, OPERANDS_MAX);
        assert_true(operator_cost(opcode, 0) > 0);
        assert_true(operator_cost(opcode, MIB_BYTES) > operator_cost(opcode, 0));
    }
    assert_false(operator_find(slice_of("divide"), &found));
    assert_false(operator_find(slice_of(""), &found));
    assert_true(operator_traits(OPCODE_TEXT)->conversion);
    assert_false(operator_traits(OPCODE_MULTIPLY)->conversion);
}

/* What a client makes of a job's inputs; of other kinds the argument is what people type. */
static struct slice argument_of(const struct job_kind *kind)
{
    bool known = kind->numbers > 3;
    return slice_of(!kind->input || kind->tasks ? kind->example
                    : known                     ? "2 10 100 1 5 50"
                                                : "2 10 100");
}

static void each_kind_reads_what_it_writes(void **state)
{
    (void)state;
    size_t n = 0;
    for (const struct job_kind *kind; (kind = kind_at(n)); n++) {
        struct plan plan, again;
        struct text spec = {0}, name = {0};
        assert_ptr_equal(kind_find(slice_of(kind->name)), kind);
        assert_in_range(strlen(kind->name), 1, JOB_KIND_MAX);
        assert_int_equal(plan_parse(&plan, slice_of(kind->name), argument_of(kind), NULL), OK);
        plan_spec(&plan, &spec);
        assert_int_equal(plan_parse(&again, slice_of(kind->name), slice_of(spec.at), NULL), OK);
        assert_memory_equal(&plan, &again, sizeof plan);
        plan_name(&plan, &name);
        assert_true(!strncmp(name.at, kind->name, strlen(kind->name)));
        for (op_id_t op = 1; op < plan_result(&plan); op++) {
            op_id_t consumers[CONSUMERS_MAX];
            size_t users = plan_consumers(&plan, op, consumers);
            assert_true(users && consumers[0] > op && (users == 1 || plan_shares(&plan)));
        }
    }
    assert_true(n >= 3);
}

static void what_is_no_job_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *spec, *why;
        int error;
    } cases[] = {
        {"fibonacci", "3", "'fibonacci'; known: factorial", ERR_UNSUPPORTED},
        {"", "3", "known: factorial", ERR_UNSUPPORTED},
        {"factorial", "", "one whole number", ERR_MALFORMED},
        {"factorial", "1 2", "2 words", ERR_MALFORMED},
        {"factorial", "-1", "'-1'", ERR_MALFORMED},
        {"factorial", " 1", "' 1'", ERR_MALFORMED},
        {"factorial", "18446744073709551616", "too large", ERR_RANGE},
        {"factorial", "1.5", "'1.5'", ERR_MALFORMED},
        {"factorial", "1 ", "'1 '", ERR_MALFORMED},
        {"primorial", "4294967296", "at most 4294967295", ERR_RANGE},
        {"primorial", "", "one whole number, such as `primorial 30`", ERR_MALFORMED},
        {"binomial", "10", "two whole numbers, such as `binomial 10 3`; got 1 word", ERR_MALFORMED},
        {"binomial", "10  3", "'10  3'", ERR_MALFORMED},
        {"binomial", "10 -3", "'10 -3'", ERR_MALFORMED},
        {"binomial", "1 2 3", "got 3 words", ERR_MALFORMED},
        {"binomial", "4294967296 2000000", "at most 4294967295", ERR_RANGE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan plan;
        struct text why = {0};
        assert_int_equal(plan_parse(&plan, slice_of(cases[i].kind), slice_of(cases[i].spec), &why),
                         cases[i].error);
        assert_non_null(strstr(why.at, cases[i].why));
        assert_int_equal(plan_parse(&plan, slice_of(cases[i].kind), slice_of(cases[i].spec), NULL),
                         cases[i].error);
    }
}

static void the_tables_hold_together(void **state)
{
    (void)state;
    kinds_check_invariants();
}

static void a_result_is_shown_after_its_label(void **state)
{
    (void)state;
    struct plan plan = plan_of(10);
    struct text label = {0}, name = {0};
    plan_label(&plan, &label);
    plan_name(&plan, &name);
    assert_string_equal(label.at, "10!");
    assert_string_equal(name.at, "factorial 10");
}

/* --- plans by primes --- */

/* Walks all operations: the ranges lie one after another from 1 to N, each result is used once, and
 * consumers are the inverse of operands. */
static void check_ranges(uint64_t n, uint64_t ranges)
{
    struct plan plan = plan_of(n);
    uint64_t next = 1;
    assert_int_equal(plan_set_ranges(&plan, ranges), OK);
    bool *used = mem_new(plan.total + 1, sizeof *used);
    for (op_id_t op = 1; op <= plan.total; op++) {
        struct plan_operand operands[OPERANDS_MAX];
        size_t count = plan_operands(&plan, op, operands);
        assert_true(plan_is_flat(&plan, op) == (op <= ranges));
        assert_int_equal(plan_opcode(&plan, op), op <= ranges ? OPCODE_PRIMES : OPCODE_MULTIPLY);
        assert_true(plan_op_at(&plan, plan_node_of(&plan, op)) == op);
        if (op <= ranges) {
            assert_int_equal(count, 3);
            assert_true(!operands[0].op && !operands[1].op && !operands[2].op);
            assert_true(operands[0].literal == n && operands[1].literal == next);
            assert_true(operands[2].literal >= next && operands[2].literal <= n);
            next = operands[2].literal;
            assert_true(plan.kind->range_bytes(&plan, op - 1) > 0);
            continue;
        }
        assert_int_equal(count, OPERANDS_MAX);
        for (size_t i = 0; i < count; i++) {
            assert_true(operands[i].op && operands[i].op < op && !used[operands[i].op]);
            used[operands[i].op] = true;
            assert_true(plan_consumer(&plan, operands[i].op) == op);
        }
    }
    assert_true(next == n);
    for (op_id_t op = 1; op < plan.total; op++)
        assert_true(used[op]);
    assert_true(plan_consumer(&plan, plan.total) == plan_result(&plan));
    assert_int_equal(plan_opcode(&plan, plan_result(&plan)), OPCODE_TEXT);
    free(used);
}

static void ranges_of_primes_lie_one_after_another(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (uint64_t ranges = 4; ranges <= PLAN_RANGES_MAX; ranges *= 4) {
        for (uint64_t n = 4; n <= BUILT_MAX; n++)
            check_ranges(n, ranges);
        for (int i = 0; i < 200; i++) {
            uint64_t n = random_n(&random);
            check_ranges(n < 4 ? 4 : n, ranges);
        }
        check_ranges(UINT64_MAX, ranges);
    }
}

static void a_plan_by_primes_is_chosen_for_large_numbers(void **state)
{
    (void)state;
    struct plan small = plan_of(1000000), large = plan_of(10000000), least = plan_of(3);
    assert_int_equal(plan_choose_ranges(&small, PLAN_FASTER, 5), 0);
    assert_int_equal(plan_choose_ranges(&small, PLAN_PRIMES, 5), 16);
    assert_int_equal(plan_choose_ranges(&least, PLAN_PRIMES, 5), 0);
    assert_int_equal(plan_choose_ranges(&large, PLAN_FASTER, 5), 16);
    assert_int_equal(plan_choose_ranges(&large, PLAN_FASTER, 24), 64);
    assert_int_equal(plan_choose_ranges(&large, PLAN_FASTER, NODES_MAX), PLAN_RANGES_MAX);
    assert_int_equal(plan_choose_ranges(&large, PLAN_TREE, 5), 0);
}

static void ranges_that_cannot_be_change_nothing(void **state)
{
    (void)state;
    static const uint64_t wrong[] = {1, 2, 3, 5, 8, 32, 1024, UINT64_MAX};
    struct plan plan = plan_of(100), least = plan_of(3), before = plan;
    enum plan_choice choice;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(plan_set_ranges(&plan, wrong[i]), ERR_RANGE);
    assert_int_equal(plan_set_ranges(&least, 4), ERR_UNSUPPORTED);
    assert_memory_equal(&plan, &before, sizeof plan);
    assert_int_equal(plan_choice_parse(slice_of("trees"), &choice), ERR_MALFORMED);
    assert_int_equal(plan_choice_parse(slice_of(""), &choice), OK);
    assert_int_equal(choice, PLAN_FASTER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_stage_is_the_conversion_of_the_root),
        cmocka_unit_test(the_tables_hold_together),
        cmocka_unit_test(each_operator_is_found_by_its_name),
        cmocka_unit_test(each_kind_reads_what_it_writes),
        cmocka_unit_test(what_is_no_job_is_refused_with_the_reason),
        cmocka_unit_test(a_result_is_shown_after_its_label),
        cmocka_unit_test(the_plan_of_10_is_the_seeds_R1_to_R4),
        cmocka_unit_test(ranges_of_primes_lie_one_after_another),
        cmocka_unit_test(a_plan_by_primes_is_chosen_for_large_numbers),
        cmocka_unit_test(ranges_that_cannot_be_change_nothing),
        cmocka_unit_test(one_leaf_is_one_operation),
        cmocka_unit_test(every_leaf_and_every_result_is_used_once),
        cmocka_unit_test(large_plans_hold_together_in_random_places),
        cmocka_unit_test(the_total_is_that_of_the_rule),
        cmocka_unit_test(subtrees_of_any_level_add_up_to_the_total),
        cmocka_unit_test(units_are_small_enough_and_many_enough),
        cmocka_unit_test(the_cost_never_underestimates_X7),
        cmocka_unit_test(the_cost_of_the_absurd_does_not_overflow_X7),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
