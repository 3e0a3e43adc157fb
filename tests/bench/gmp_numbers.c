/* gmp_numbers.c - what jobs on numbers take in one process by GMP alone: what a cluster is measured
 * against.
 *
 *     gmp_numbers product N      N integers of 64 bits: seconds until the product is known
 *     gmp_numbers batch-gcd N    N moduli of 2,048 bits: seconds until it is known which share
 *     gmp_numbers pi DECIMALS    seconds until the digits are known as a number
 *     gmp_numbers integers N     prints the integers of `product`, a line each
 *     gmp_numbers moduli N       prints the moduli of `batch-gcd`, in hexadecimal
 *
 * Moduli are products of primes from 2^40 on, which a sieve finds in order, each used once; so no
 * two share a factor, but those that are planted: of every 1,000, the first two share a prime of 64
 * bits. So what is to be found is known, and a million are made in half a minute, where primes of
 * 1,024 bits would take a day. */
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

#define PRIMES_FROM  (UINT64_C(1) << 40)
#define MODULUS_BITS 2048
#define PLANTED_EACH 1000
#define SIEVED       (1u << 20) /* integers at a time, and more than the root of the last */

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

static mpz_t *make_moduli(size_t n)
{
    mpz_t *numbers = mem_new(n, sizeof *numbers), planted;
    struct sieve sieve;
    sieve_begin(&sieve);
    mpz_init_set_ui(planted, UINT64_C(1) << 63);
    for (size_t i = 0; i < n; i++) {
        if (i % PLANTED_EACH == 0)
            mpz_nextprime(planted, planted);
        mpz_init_set_ui(numbers[i], 1);
        if (i % PLANTED_EACH < 2)
            mpz_set(numbers[i], planted);
        while (mpz_sizeinbase(numbers[i], 2) + 41 <= MODULUS_BITS)
            mpz_mul_ui(numbers[i], numbers[i], take_prime(&sieve));
    }
    free(sieve.composite);
    free(sieve.small);
    mpz_clear(planted);
    return numbers;
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

/* A tree of remainders as in the article by Bernstein, whose products are made again at each node,
 * so that no more than some times all moduli are held. Returns how many share a factor. */
static size_t count_shared(const mpz_t *numbers, size_t n, const mpz_t above)
{
    mpz_t node, rest;
    size_t shared = 0;
    mpz_init(node);
    mpz_init(rest);
    product(numbers, n, node);
    mpz_mul(rest, node, node);
    mpz_tdiv_r(rest, above, rest);
    if (n > 1) {
        shared =
            count_shared(numbers, n / 2, rest) + count_shared(numbers + n / 2, n - n / 2, rest);
    } else {
        mpz_divexact(rest, rest, node);
        mpz_gcd(rest, rest, node);
        shared = mpz_cmp_ui(rest, 1) > 0;
    }
    mpz_clear(rest);
    mpz_clear(node);
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
    bool gcd = !strcmp(job, "batch-gcd"), is_pi = !strcmp(job, "pi");
    mpz_t *numbers = gcd ? make_moduli(n) : is_pi ? NULL : make_integers(n), out;
    size_t shared = 0, planted = 2 * (n / PLANTED_EACH) + (n % PLANTED_EACH > 1 ? 2 : 0);
    mpz_init(out);
    uint64_t start_us = clock_now_us();
    if (is_pi)
        pi(n, out);
    else
        product((const mpz_t *)numbers, n, out);
    if (gcd)
        shared = count_shared((const mpz_t *)numbers, n, out);
    printf("%.3f\n", (double)(clock_now_us() - start_us) / SECOND_US);
    if (!gcd || shared == planted)
        return 0;
    fprintf(stderr, "%zu share a factor, and %zu should\n", shared, planted);
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
    if (n && (!strcmp(job, "product") || !strcmp(job, "batch-gcd") || !strcmp(job, "pi")))
        return measure(job, n);
    fprintf(stderr, "usage: gmp_numbers product|batch-gcd|pi|integers|moduli N\n");
    return 2;
}
