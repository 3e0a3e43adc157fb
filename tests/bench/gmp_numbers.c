/* gmp_numbers.c - what jobs on numbers take in one process by GMP alone: what a cluster is measured
 * against.
 *
 *     gmp_numbers factorial N    seconds until N! is known
 *     gmp_numbers product N      N integers of 64 bits: seconds until the product is known
 *     gmp_numbers batch-gcd N    N moduli of 2,048 bits: seconds until it is known which share
 *     gmp_numbers pi DECIMALS    seconds until the digits are known as a number
 *     gmp_numbers flint-factorial N, flint-product N    the same by FLINT
 *     gmp_numbers integers N     prints the integers of `product`, a line each
 *     gmp_numbers moduli N       prints the moduli of `batch-gcd`, in hexadecimal
 *     gmp_numbers rows N         prints what is to be found in them, as `conclave` does into a pipe
 *
 * A modulus has two halves of 1,024 bits, where RSA has primes. A half is a product of primes from
 * 2^40 on, which a sieve finds in order, each used once: so no two halves share a factor, it is
 * known what is to be found, and a million moduli are made in half a minute, where primes of 1,024
 * bits would take a day. Planted are 200 pairs that share a half, 20 that are equal, and one
 * modulus that has one half of each of two others; fewer of them in less than 2,210 moduli. */
#include <flint/flint.h>
#include <flint/fmpz.h>
#include <gmp.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/random.h"

#define PRIMES_FROM (UINT64_C(1) << 40)
#define HALF_BITS   1024
#define PAIRS       200
#define DUPLICATES  20
#define STRIDE_MIN  10         /* moduli of a planted group */
#define SIEVED      (1u << 20) /* integers at a time, and more than the root of the last */

/* --- primes in order --- */

struct sieve {
    uint64_t first; /* of what is sieved */
    size_t at;
    uint8_t *composite, *small;
};

static void sieve_next(struct sieve *sieve)
{
    memset(sieve->composite, 0, SIEVED);
    for (uint64_t p = 2; p < 2 * SIEVED; p++)
        for (uint64_t at = (sieve->first + p - 1) / p * p - sieve->first;
             !sieve->small[p] && at < SIEVED; at += p)
            sieve->composite[at] = 1;
    sieve->at = 0;
}

static void sieve_begin(struct sieve *sieve)
{
    *sieve = (struct sieve){PRIMES_FROM, 0, mem_new(SIEVED, 1), mem_new(2 * SIEVED, 1)};
    for (uint64_t p = 2; p * p < 2 * SIEVED; p++)
        for (uint64_t at = p * p; !sieve->small[p] && at < 2 * SIEVED; at += p)
            sieve->small[at] = 1;
    sieve_next(sieve);
}

static uint64_t take_prime(struct sieve *sieve)
{
    for (;; sieve->first += SIEVED, sieve_next(sieve))
        while (sieve->at < SIEVED)
            if (!sieve->composite[sieve->at++])
                return sieve->first + sieve->at - 1;
}

/* --- numbers --- */

static mpz_t *make_integers(size_t n)
{
    mpz_t *numbers = mem_new(n, sizeof *numbers);
    uint64_t random = 1;
    for (size_t i = 0; i < n; i++)
        mpz_init_set_ui(numbers[i], random_u64(&random) | UINT64_C(1) << 63);
    return numbers;
}

static void make_half(struct sieve *sieve, mpz_t out)
{
    mpz_set_ui(out, 1);
    while (mpz_sizeinbase(out, 2) + 41 <= HALF_BITS)
        mpz_mul_ui(out, out, take_prime(sieve));
}

/* Groups stand at equal distances: first the one with both halves, then duplicates, then pairs. */
struct layout {
    size_t groups, duplicates, stride;
};

static struct layout layout_of(size_t n)
{
    size_t all = 1 + DUPLICATES + PAIRS, groups = n / STRIDE_MIN < all ? n / STRIDE_MIN : all;
    return (struct layout){groups, (groups + 9) / 11, groups ? n / groups : 0};
}

/* The first of its group, and the last one that shares with it. */
static size_t last_of(struct layout layout, size_t group)
{
    return group * layout.stride + layout.stride / 2;
}

static mpz_t *make_moduli(size_t n)
{
    mpz_t *numbers = mem_new(n, sizeof *numbers), first[2], half[2];
    struct layout layout = layout_of(n);
    struct sieve sieve;
    sieve_begin(&sieve);
    mpz_inits(first[0], first[1], half[0], half[1], NULL);
    for (size_t i = 0; i < n; i++) {
        size_t group = layout.stride ? i / layout.stride : 0;
        bool planted = group < layout.groups, last = planted && i == last_of(layout, group);
        make_half(&sieve, half[0]);
        make_half(&sieve, half[1]);
        if (planted && i == group * layout.stride) {
            mpz_set(first[0], half[0]);
            mpz_set(first[1], half[1]);
        }
        if (last || (planted && i == 1))
            mpz_set(half[0], first[i == 1]);
        if (last && group && group <= layout.duplicates)
            mpz_set(half[1], first[1]);
        mpz_init(numbers[i]);
        mpz_mul(numbers[i], half[0], half[1]);
    }
    free(sieve.composite);
    free(sieve.small);
    mpz_clears(first[0], first[1], half[0], half[1], NULL);
    return numbers;
}

/* As the command prints a line that shares with one other, or with two. */
static void print_row(mpz_t *numbers, size_t i, size_t with, size_t also)
{
    mpz_t factor, other;
    mpz_inits(factor, other, NULL);
    mpz_gcd(factor, numbers[i], numbers[with]);
    mpz_gcd(other, numbers[i], numbers[also]);
    if (also != with)
        mpz_mul(factor, factor, other);
    printf(also == with ? "%zu\t%zu\t" : "%zu\t%zu,%zu\t", i + 1, with + 1, also + 1);
    mpz_out_str(stdout, 16, factor);
    puts(mpz_cmp(numbers[i], numbers[with]) ? "" : "\tduplicate");
    mpz_clears(factor, other, NULL);
}

static int print_rows(mpz_t *numbers, size_t n)
{
    struct layout layout = layout_of(n);
    for (size_t group = 0; group < layout.groups; group++) {
        size_t first = group * layout.stride, last = last_of(layout, group);
        print_row(numbers, first, group ? last : 1, last);
        if (!group)
            print_row(numbers, 1, first, first);
        print_row(numbers, last, first, first);
    }
    return fflush(stdout) != 0;
}

/* --- jobs --- */

static void product(const mpz_t *numbers, size_t n, mpz_t out)
{
    if (n == 1) {
        mpz_set(out, numbers[0]);
        return;
    }
    mpz_t right;
    mpz_init(right);
    product(numbers, n / 2, out);
    product(numbers + n / 2, n - n / 2, right);
    mpz_mul(out, out, right);
    mpz_clear(right);
}

static void flint_product(const fmpz *numbers, size_t n, fmpz_t out)
{
    if (n == 1) {
        fmpz_set(out, numbers);
        return;
    }
    fmpz_t right;
    fmpz_init(right);
    flint_product(numbers, n / 2, out);
    flint_product(numbers + n / 2, n - n / 2, right);
    fmpz_mul(out, out, right);
    fmpz_clear(right);
}

/* As measure(): FLINT's own numbers are made before the clock starts. */
static int measure_flint(bool factorial, uint64_t n)
{
    mpz_t *given = factorial ? NULL : make_integers(n);
    fmpz *numbers = mem_new(factorial ? 1 : n, sizeof *numbers); /* zeros, as fmpz_init() makes */
    for (uint64_t i = 0; given && i < n; i++)
        fmpz_set_mpz(numbers + i, given[i]);
    fmpz_t out;
    fmpz_init(out);
    uint64_t start_us = clock_now_us();
    if (factorial)
        fmpz_fac_ui(out, n);
    else
        flint_product(numbers, n, out);
    printf("%.6f\n", (double)(clock_now_us() - start_us) / SECOND_US);
    return 0;
}

/* The tree of products, whose levels all stay in memory: node i of a level has the nodes 2i and
 * 2i + 1 of the one below. */
struct tree {
    mpz_t *at[64];
    size_t n[64], levels;
};

static void tree_up(struct tree *tree, mpz_t *numbers, size_t n)
{
    *tree = (struct tree){.at = {numbers}, .n = {n}, .levels = 1};
    for (; n > 1; tree->levels++) {
        mpz_t *below = tree->at[tree->levels - 1], *level = mem_new(n / 2 + 1, sizeof *level);
        for (size_t i = 0; i < n; i += 2) {
            mpz_init(level[i / 2]);
            if (i + 1 < n)
                mpz_mul(level[i / 2], below[i], below[i + 1]);
            else
                mpz_set(level[i / 2], below[i]);
        }
        n = (n + 1) / 2;
        tree->at[tree->levels] = level;
        tree->n[tree->levels] = n;
    }
}

/* How many share a factor, by a tree of remainders modulo squares (Bernstein 2004). What is used is
 * freed as it goes. */
static size_t count_shared(mpz_t *numbers, size_t n)
{
    struct tree tree;
    size_t shared = 0;
    tree_up(&tree, numbers, n);
    mpz_t *above = tree.at[tree.levels - 1], square;
    mpz_init(square);
    for (size_t level = tree.levels - 1; level--;) {
        mpz_t *here = mem_new(tree.n[level], sizeof *here);
        for (size_t i = 0; i < tree.n[level]; i++) {
            mpz_init(here[i]);
            mpz_mul(square, tree.at[level][i], tree.at[level][i]);
            mpz_tdiv_r(here[i], above[i / 2], square);
            if (level)
                mpz_clear(tree.at[level][i]);
            if (i % 2 || i + 1 == tree.n[level])
                mpz_clear(above[i / 2]);
        }
        above = here;
    }
    for (size_t i = 0; n > 1 && i < n; i++) {
        mpz_divexact(square, above[i], numbers[i]);
        mpz_gcd(square, square, numbers[i]);
        shared += mpz_cmp_ui(square, 1) > 0;
    }
    mpz_clear(square);
    return shared;
}

static void split_pi(uint64_t from, uint64_t to, mpz_t p, mpz_t q, mpz_t t)
{
    if (to - from == 1) {
        mpz_set_ui(p, 6 * to - 5);
        mpz_mul_ui(p, p, 2 * to - 1);
        mpz_mul_ui(p, p, 6 * to - 1);
        mpz_neg(p, p);
        mpz_ui_pow_ui(q, to, 3);
        mpz_mul_ui(q, q, UINT64_C(10939058860032000));
        mpz_mul_ui(t, p, 545140134 * to + 13591409);
        return;
    }
    mpz_t p2, q2, t2;
    mpz_inits(p2, q2, t2, NULL);
    split_pi(from, from + (to - from) / 2, p, q, t);
    split_pi(from + (to - from) / 2, to, p2, q2, t2);
    mpz_mul(t, t, q2);
    mpz_mul(t2, t2, p);
    mpz_add(t, t, t2);
    mpz_mul(p, p, p2);
    mpz_mul(q, q, q2);
    mpz_clears(p2, q2, t2, NULL);
}

static void pi(uint64_t decimals, mpz_t out)
{
    mpz_t p, q, t;
    mpz_inits(p, q, t, NULL);
    split_pi(0, decimals / 14 + 3, p, q, t);
    mpz_addmul_ui(t, q, 13591409);
    mpz_ui_pow_ui(out, 10, 2 * decimals);
    mpz_mul_ui(out, out, 10005);
    mpz_sqrt(out, out);
    mpz_mul_ui(out, out, 426880);
    mpz_mul(out, out, q);
    mpz_tdiv_q(out, out, t);
    mpz_clears(p, q, t, NULL);
}

static int print_numbers(mpz_t *numbers, size_t n, int base)
{
    for (size_t i = 0; i < n; i++)
        if (!mpz_out_str(stdout, base, numbers[i]) || putchar('\n') == EOF)
            return 1;
    return 0;
}

static int measure(const char *job, uint64_t n)
{
    bool gcd = !strcmp(job, "batch-gcd"), is_pi = !strcmp(job, "pi"),
         factorial = !strcmp(job, "factorial");
    mpz_t *numbers = gcd ? make_moduli(n) : is_pi || factorial ? NULL : make_integers(n), out;
    size_t shared = 0, groups = layout_of(n).groups;
    mpz_init(out);
    uint64_t start_us = clock_now_us();
    if (gcd)
        shared = count_shared(numbers, n);
    else if (is_pi)
        pi(n, out);
    else if (factorial)
        mpz_fac_ui(out, n);
    else
        product((const mpz_t *)numbers, n, out);
    printf("%.6f\n", (double)(clock_now_us() - start_us) / SECOND_US);
    if (!gcd || shared == 2 * groups + (groups > 0))
        return 0;
    fprintf(stderr, "%zu share a factor, and %zu should\n", shared, 2 * groups + 1);
    return 1;
}

int main(int n_arguments, char **arguments)
{
    const char *job = n_arguments == 3 ? arguments[1] : "";
    uint64_t n = n_arguments == 3 ? strtoull(arguments[2], NULL, 10) : 0;
    if (n && !strcmp(job, "integers"))
        return print_numbers(make_integers(n), n, 10);
    if (n && !strcmp(job, "moduli"))
        return print_numbers(make_moduli(n), n, 16);
    if (n && !strcmp(job, "rows"))
        return print_rows(make_moduli(n), n);
    if (n && !strncmp(job, "flint-", 6) &&
        (!strcmp(job + 6, "product") || !strcmp(job + 6, "factorial")))
        return measure_flint(!strcmp(job + 6, "factorial"), n);
    if (n && (!strcmp(job, "factorial") || !strcmp(job, "product") || !strcmp(job, "batch-gcd") ||
              !strcmp(job, "pi")))
        return measure(job, n);
    fprintf(stderr, "usage: gmp_numbers "
                    "[flint-]factorial|[flint-]product|batch-gcd|pi|integers|moduli|rows N\n");
    return 2;
}
