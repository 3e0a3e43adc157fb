/* Which of many integers share a factor, the whole way that a plan goes, against looking at all
 * pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <gmp.h>

#include "nodes/work/integer_gcd.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_rows.h"
#include "nodes/work/integer_tree.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"
#include "tests/harness/packing.h"
#include "tests/harness/operators.h"

#define SEGMENTS_MAX 16

/* --- the way down a tree of products, two at a time --- */

struct work {
    size_t segments;
    struct blob *lists[SEGMENTS_MAX], *rows[SEGMENTS_MAX];
};

static struct blob *product_up(struct work *work, size_t from, size_t to)
{
    if (to - from == 1)
        return RUN(OPCODE_PRODUCT_OF, operand_value(work->lists[from]));
    size_t middle = (from + to) / 2;
    struct blob *left = product_up(work, from, middle), *right = product_up(work, middle, to);
    struct blob *product = RUN(OPCODE_MULTIPLY, operand_value(left), operand_value(right));
    blob_drop(&left);
    blob_drop(&right);
    return product;
}

/* Takes what its parent has. */
static void go_down(struct work *work, size_t from, size_t to, struct blob *above)
{
    struct blob *product = product_up(work, from, to);
    struct blob *here = RUN(OPCODE_REMAINDER, operand_value(above), operand_value(product));
    assert_non_null(here);
    blob_drop(&above);
    blob_drop(&product);
    if (to - from == 1) {
        work->rows[from] = RUN(OPCODE_GCDS, operand_value(here), operand_value(work->lists[from]));
        assert_non_null(work->rows[from]);
    } else {
        size_t middle = (from + to) / 2;
        go_down(work, from, middle, blob_ref(here));
        go_down(work, middle, to, blob_ref(here));
    }
    blob_drop(&here);
}

/* Gathers blocks in fours until there is one value. */
static struct blob *gather(struct blob **rows, size_t n)
{
    while (n > 1) {
        size_t up = 0;
        for (size_t i = 0; i < n; i += OPERANDS_MAX, up++) {
            struct compute_operand operands[OPERANDS_MAX];
            size_t taken = 0;
            for (; taken < OPERANDS_MAX && i + taken < n; taken++)
                operands[taken] = operand_value(rows[i + taken]);
            struct blob *all = operator_run(OPCODE_GATHER, taken, operands);
            for (size_t at = 0; at < taken; at++)
                blob_drop(&rows[i + at]);
            rows[up] = all;
        }
        n = up;
    }
    return rows[0];
}

/* Segments of about one length; those of the known integers give no rows unless `name_known`. */
static struct blob *report_of(const mpz_t *own, size_t n_own, const mpz_t *known, size_t n_known,
                              size_t segments, bool name_known)
{
    struct work work = {0};
    for (size_t i = 0; i < segments; i++) {
        size_t from = n_own * i / segments, to = n_own * (i + 1) / segments;
        work.lists[work.segments++] = pack_numbers(own + from, to - from);
    }
    size_t reported = work.segments;
    if (n_known)
        work.lists[work.segments++] = pack_numbers(known, n_known);
    struct blob *all = product_up(&work, 0, work.segments);
    go_down(&work, 0, work.segments, all);
    if (name_known)
        reported = work.segments;
    for (size_t i = reported; i < work.segments; i++)
        blob_drop(&work.rows[i]);
    struct blob *rows = gather(work.rows, reported);
    struct blob *report =
        RUN(OPCODE_REPORT, operand_value(rows), operand_literal(n_own), operand_literal(n_known));
    assert_non_null(report);
    blob_drop(&rows);
    for (size_t i = 0; i < work.segments; i++)
        blob_drop(&work.lists[i]);
    return report;
}

/* --- all pairs --- */

struct expected {
    char *at;
    size_t len;
};

static void put_others(struct expected *text, const mpz_t *all, size_t i, size_t n_own, size_t n,
                       bool *duplicate)
{
    mpz_t common;
    size_t with = 0;
    mpz_init(common);
    *duplicate = false;
    for (size_t j = 0; j < n; j++) {
        mpz_gcd(common, all[i], all[j]);
        if (j == i || !mpz_cmp_ui(common, 1))
            continue;
        *duplicate |= !mpz_cmp(all[i], all[j]);
        if (with++ < REPORT_WITH_MAX)
            text->len += (size_t)sprintf(text->at + text->len, "%s%s%zu", with > 1 ? "," : "",
                                         j < n_own ? "" : "k", j < n_own ? j + 1 : j - n_own + 1);
    }
    mpz_clear(common);
}

static struct expected expect(const mpz_t *all, size_t n_own, size_t n)
{
    struct expected text = {mem_new(1000 * n + 100000, 1), 0};
    mpz_t product, common;
    mpz_init_set_ui(product, 1);
    mpz_init(common);
    for (size_t i = 0; i < n; i++)
        mpz_mul(product, product, all[i]);
    for (size_t i = 0; i < n_own; i++) {
        bool duplicate;
        mpz_divexact(common, product, all[i]);
        mpz_gcd(common, common, all[i]);
        if (!mpz_cmp_ui(common, 1))
            continue;
        text.len += (size_t)sprintf(text.at + text.len, "%zu\t", i + 1);
        put_others(&text, all, i, n_own, n, &duplicate);
        text.len += (size_t)gmp_sprintf(text.at + text.len, "\t%Zx%s\n", common,
                                        duplicate ? "\tduplicate" : "");
    }
    if (!text.len)
        text.at[text.len++] = '\n';
    mpz_clear(product);
    mpz_clear(common);
    return text;
}

static void check(const mpz_t *all, size_t n_own, size_t n, size_t segments)
{
    struct expected expected = expect(all, n_own, n);
    struct blob *report = report_of(all, n_own, all + n_own, n - n_own, segments, true);
    if (report->len != expected.len || memcmp(report->at, expected.at, expected.len))
        fail_msg("is\n%.*s\nand not\n%.*s", (int)report->len, (const char *)report->at,
                 (int)expected.len, expected.at);
    blob_drop(&report);
    free(expected.at);
}

/* --- numbers --- */

/* Products of a few powers of primes of one pool: the smaller it is, the more is shared. */
static void random_composite(uint64_t *random, const mpz_t *primes, size_t n, mpz_t out)
{
    mpz_t power;
    mpz_init(power);
    mpz_set_ui(out, 1);
    for (uint64_t factors = random_below(random, 4); factors > 0; factors--) {
        mpz_pow_ui(power, primes[random_below(random, n)], 1 + random_below(random, 5) / 4);
        mpz_mul(out, out, power);
    }
    mpz_clear(power);
}

static void make_primes(uint64_t *random, size_t bits, mpz_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mpz_init_set_ui(out[i], random_u64(random));
        while (mpz_sizeinbase(out[i], 2) < bits) {
            mpz_mul_2exp(out[i], out[i], 64);
            mpz_add_ui(out[i], out[i], random_u64(random));
        }
        mpz_fdiv_r_2exp(out[i], out[i], bits);
        mpz_nextprime(out[i], out[i]);
    }
}

#define POOL 600

static void reports_are_those_of_all_pairs(void **state)
{
    (void)state;
    static const size_t bits[] = {2, 5, 8, 40, 64, 300};
    uint64_t random = 61;
    for (int i = 0; i < 240; i++) {
        mpz_t primes[POOL], all[120];
        size_t pool = 1 + random_below(&random, i % 3 ? 30 : i % 20 ? 200 : POOL);
        size_t n_own = 1 + random_below(&random, 80), n = n_own + random_below(&random, 40);
        make_primes(&random, bits[i % 6], primes, pool);
        for (size_t at = 0; at < n; at++) {
            mpz_init(all[at]);
            random_composite(&random, (const mpz_t *)primes, pool, all[at]);
        }
        check((const mpz_t *)all, n_own, n, 1 + random_below(&random, SEGMENTS_MAX - 1));
        for (size_t at = 0; at < n; at++)
            mpz_clear(all[at]);
        for (size_t at = 0; at < pool; at++)
            mpz_clear(primes[at]);
    }
}

/* --- stories --- */

static void check_numbers(const uint64_t *numbers, size_t n_own, size_t n, const char *expected)
{
    mpz_t all[40];
    for (size_t i = 0; i < n; i++)
        mpz_init_set_ui(all[i], numbers[i]);
    for (size_t segments = 1; segments <= 4; segments++) {
        struct blob *report = report_of((const mpz_t *)all, n_own, (const mpz_t *)all + n_own,
                                        n - n_own, segments, true);
        assert_int_equal(report->len, strlen(expected));
        assert_memory_equal(report->at, expected, report->len);
        blob_drop(&report);
        check((const mpz_t *)all, n_own, n, segments);
    }
    for (size_t i = 0; i < n; i++)
        mpz_clear(all[i]);
}

static void stories(void **state)
{
    (void)state;
    /* Nothing is shared; by one number, and by 1s, neither. */
    check_numbers((uint64_t[]){15, 77, 1, 13 * 17, 1}, 5, 5, "\n");
    check_numbers((uint64_t[]){15}, 1, 1, "\n");
    /* 3 is equal to 1; 4 shares both its primes with two others, and is equal to none. */
    check_numbers((uint64_t[]){15, 22, 15, 7 * 13, 7 * 17, 13 * 19}, 6, 6,
                  "1\t3\tf\tduplicate\n3\t1\tf\tduplicate\n4\t5,6\t5b\n5\t4\t7\n6\t4\td\n");
    /* Three with one prime; even ones. */
    check_numbers((uint64_t[]){2 * 3, 2 * 5, 2 * 7}, 3, 3, "1\t2,3\t2\n2\t1,3\t2\n3\t1,2\t2\n");
    /* Powers, and one that divides another one. */
    check_numbers((uint64_t[]){8, 4, 9, 27 * 25, 5}, 5, 5,
                  "1\t2\t4\n2\t1\t4\n3\t4\t9\n4\t3,5\t2d\n5\t4\t5\n");
    /* Known ones are named by their own numbers, and have no lines. */
    check_numbers((uint64_t[]){15, 77, 33, 15, 13 * 7}, 2, 5,
                  "1\tk1,k2\tf\tduplicate\n2\tk1,k3\t4d\n");
}

/* What is shared with known integers only that have no rows is told, without their numbers. */
static void known_integers_may_have_no_rows(void **state)
{
    (void)state;
    mpz_t all[3];
    const uint64_t numbers[] = {15, 77, 33};
    for (size_t i = 0; i < 3; i++)
        mpz_init_set_ui(all[i], numbers[i]);
    struct blob *report = report_of((const mpz_t *)all, 2, (const mpz_t *)all + 2, 1, 1, false);
    const char *expected = "1\t\t3\n2\t\tb\n";
    assert_int_equal(report->len, strlen(expected));
    assert_memory_equal(report->at, expected, report->len);
    blob_drop(&report);
    for (size_t i = 0; i < 3; i++)
        mpz_clear(all[i]);
}

/* One of 200,000 bits among tiny ones. */
static void a_huge_integer_may_share_with_tiny_ones(void **state)
{
    (void)state;
    mpz_t all[300];
    for (size_t i = 0; i < 300; i++)
        mpz_init_set_ui(all[i], 2 * i + 3);
    mpz_primorial_ui(all[150], 100);
    mpz_ui_pow_ui(all[7], 17, 49000);
    check((const mpz_t *)all, 300, 300, 3);
    for (size_t i = 0; i < 300; i++)
        mpz_clear(all[i]);
}

/* --- as many as an adversary brings --- */

/* The rows of n integers, whose factors are known without a tree. */
static struct blob *rows_of(const mpz_t *integers, const mpz_t *factors, size_t n)
{
    size_t room = ROWS_HEAD;
    for (size_t i = 0; i < n; i++)
        room += 3 * ROWS_NUMBER + (mpz_size(integers[i]) + mpz_size(factors[i])) * 8 + 10;
    struct blob *blob = blob_new(room);
    struct rows_writer writer;
    rows_begin(&writer, blob, n);
    for (size_t i = 0; i < n; i++)
        rows_put(&writer, i + 1, integers[i], factors[i]);
    rows_end(&writer);
    return blob;
}

static void a_prime_that_all_share_takes_no_time(void **state)
{
    (void)state;
    const size_t n = 100000;
    mpz_t *all = mem_new(n, sizeof *all), *factors = mem_new(n, sizeof *factors);
    mpz_t prime, first;
    mpz_init_set_str(prime, "170141183460469231731687303715884105727", 10);
    mpz_init_set_ui(first, UINT64_C(1) << 40);
    for (size_t i = 0; i < n; i++) {
        mpz_nextprime(first, first);
        mpz_init(all[i]);
        mpz_mul(all[i], prime, first);
        mpz_init_set(factors[i], prime);
    }
    struct blob *rows = rows_of((const mpz_t *)all, (const mpz_t *)factors, n);
    uint64_t before_us = clock_now_us();
    struct blob *report =
        RUN(OPCODE_REPORT, operand_value(rows), operand_literal(n), operand_literal(0));
    assert_non_null(report);
    assert_true(clock_now_us() - before_us < 20 * SECOND_US); /* 0.2 s on an idle machine */
    const char *start = "1\t2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\t7fffffff";
    assert_memory_equal(report->at, start, strlen(start));
    blob_drop(&report);
    blob_drop(&rows);
    for (size_t i = 0; i < n; i++) {
        mpz_clear(all[i]);
        mpz_clear(factors[i]);
    }
    mpz_clear(prime);
    mpz_clear(first);
    free(all);
    free(factors);
}

/* Integer i is p(i) p(i + 1), in a random order: each factor is the integer itself, and no split of
 * the row keeps neighbours together. */
static void chains_come_apart(void **state)
{
    (void)state;
    const size_t n = 3000;
    uint64_t random = 67;
    mpz_t *all = mem_new(n, sizeof *all), *primes = mem_new(n, sizeof *primes), prime;
    mpz_init_set_ui(prime, UINT64_C(1) << 50);
    for (size_t i = 0; i < n; i++) {
        mpz_nextprime(prime, prime);
        mpz_init_set(primes[i], prime);
        mpz_init(all[i]);
    }
    for (size_t i = 0; i < n; i++)
        mpz_mul(all[i], primes[i], primes[(i + 1) % n]);
    for (size_t i = n - 1; i > 0; i--)
        mpz_swap(all[i], all[random_below(&random, i + 1)]);
    struct blob *rows = rows_of((const mpz_t *)all, (const mpz_t *)all, n);
    struct blob *report =
        RUN(OPCODE_REPORT, operand_value(rows), operand_literal(n), operand_literal(0));
    assert_non_null(report);
    struct expected expected = expect((const mpz_t *)all, n, n);
    assert_int_equal(report->len, expected.len);
    assert_memory_equal(report->at, expected.at, expected.len);
    free(expected.at);
    blob_drop(&report);
    blob_drop(&rows);
    for (size_t i = 0; i < n; i++) {
        mpz_clear(all[i]);
        mpz_clear(primes[i]);
    }
    mpz_clear(prime);
    free(all);
    free(primes);
}

/* --- what cannot be --- */

static void hostile_operands_are_refused(void **state)
{
    (void)state;
    uint64_t number = 5, zero = 0;
    uint8_t negative[9] = {5, [8] = 1}, item[] = {2, 0, 0, 0, 0, 7}, minus[] = {2, 0, 0, 0, 1, 7},
            nought[] = {1, 0, 0, 0, 0};
    struct blob *five = blob_copy(&number, 8), *none = blob_copy(&zero, 8),
                *minus_five = blob_copy(negative, 9), *list = blob_copy(item, sizeof item),
                *minus_list = blob_copy(minus, sizeof minus), *odd = blob_copy("12345", 5),
                *zero_list = blob_copy(nought, sizeof nought);
    assert_null(RUN(OPCODE_REMAINDER, operand_value(five), operand_value(none)));
    assert_null(RUN(OPCODE_REMAINDER, operand_value(five), operand_value(minus_five)));
    assert_null(RUN(OPCODE_REMAINDER, operand_value(minus_five), operand_value(five)));
    assert_null(RUN(OPCODE_REMAINDER, operand_value(five), operand_value(odd)));
    assert_null(RUN(OPCODE_REMAINDER, operand_value(five)));
    assert_null(RUN(OPCODE_GCDS, operand_value(five), operand_value(minus_list)));
    assert_null(RUN(OPCODE_GCDS, operand_value(five), operand_value(zero_list)));
    assert_null(RUN(OPCODE_GCDS, operand_value(five), operand_value(odd)));
    assert_null(RUN(OPCODE_GCDS, operand_value(odd), operand_value(list)));
    assert_null(RUN(OPCODE_GCDS, operand_value(five), operand_literal(3)));
    assert_null(RUN(OPCODE_GATHER, operand_value(five), operand_literal(3)));
    struct blob *rows = RUN(OPCODE_GCDS, operand_value(five), operand_value(list));
    assert_non_null(rows);
    assert_null(RUN(OPCODE_REPORT, operand_value(odd), operand_literal(1), operand_literal(0)));
    assert_null(RUN(OPCODE_REPORT, operand_value(rows), operand_literal(0), operand_literal(0)));
    assert_null(
        RUN(OPCODE_REPORT, operand_value(rows), operand_literal(UINT64_MAX), operand_literal(1)));
    assert_null(RUN(OPCODE_REPORT, operand_value(rows), operand_literal(1)));
    blob_drop(&rows);
    blob_drop(&five);
    blob_drop(&none);
    blob_drop(&minus_five);
    blob_drop(&list);
    blob_drop(&minus_list);
    blob_drop(&odd);
    blob_drop(&zero_list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories),
        cmocka_unit_test(reports_are_those_of_all_pairs),
        cmocka_unit_test(known_integers_may_have_no_rows),
        cmocka_unit_test(a_huge_integer_may_share_with_tiny_ones),
        cmocka_unit_test(a_prime_that_all_share_takes_no_time),
        cmocka_unit_test(chains_come_apart),
        cmocka_unit_test(hostile_operands_are_refused),
    };
    return cmocka_run_group_tests_name("gcd", tests, NULL, NULL);
}
