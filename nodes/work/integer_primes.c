/* Products of the primes between two bounds: a factorial's part, a binomial coefficient's, or each
 * once. The primes whose exponents have the highest bit are
 * multiplied, the product squared, multiplied by the primes with the next bit, and so on: what is
 * multiplied again and again in a tree over all integers is squared here, once. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/heap.h"
#include "nodes/work/integer.h"
#include "nodes/work/integer_internal.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

/* --- primes --- */

#define SEGMENT 262144 /* integers that are sieved at a time: a byte each, within a cache */

/* A prime, and its exponent in N!. */
struct power {
    uint32_t prime, exponent;
};

struct primes {
    size_t n, size;
    struct power *at;
};

/* Of n! / (k! (n - k)!), k 0 for n! itself; n 0: every prime once. */
struct family {
    uint64_t n, k;
};

static uint64_t exponent_in(uint64_t n, uint64_t prime)
{
    uint64_t exponent = 0;
    while (n /= prime)
        exponent += n;
    return exponent;
}

static uint32_t exponent_of(const struct family *family, uint64_t prime)
{
    if (!family->n)
        return 1;
    uint64_t exponent = exponent_in(family->n, prime);
    if (family->k)
        exponent -= exponent_in(family->k, prime) + exponent_in(family->n - family->k, prime);
    return (uint32_t)exponent;
}

static void add(struct primes *primes, const struct family *family, uint64_t prime)
{
    uint32_t exponent = exponent_of(family, prime);
    if (!exponent)
        return;
    if (primes->n == primes->size) {
        primes->size = primes->size ? 2 * primes->size : 1024;
        primes->at = mem_grow(primes->at, primes->size, sizeof *primes->at);
    }
    primes->at[primes->n++] = (struct power){(uint32_t)prime, exponent};
}

static uint64_t root_of(uint64_t number)
{
    uint64_t root = (uint64_t)sqrt((double)number);
    while (root * root > number)
        root--;
    while ((root + 1) * (root + 1) <= number)
        root++;
    return root;
}

/* Adds the primes in first <= p < first + length. Of `small`, all primes up to the root of that are
 * marked 0. */
static void sieve(struct primes *primes, const struct family *family, const uint8_t *small,
                  uint64_t first, uint64_t length, uint8_t *segment)
{
    memset(segment, 0, length);
    for (uint64_t p = 2; p * p < first + length; p++) {
        if (small[p])
            continue;
        uint64_t at = (first + p - 1) / p * p;
        at = at < p * p ? p * p : at;
        for (; at < first + length; at += p)
            segment[at - first] = 1;
    }
    for (uint64_t i = 0; i < length; i++)
        if (!segment[i])
            add(primes, family, first + i);
}

/* All primes in from < p <= to. False: it was stopped. */
static bool find(struct primes *primes, const struct family *family, uint64_t from, uint64_t to,
                 stop_flag *stop)
{
    uint64_t root = root_of(to), first = from + 1;
    uint8_t *small = mem_new(root + 1, 1), *segment = mem_new(SEGMENT, 1);
    for (uint64_t p = 2; p * p <= root; p++)
        for (uint64_t at = p * p; !small[p] && at <= root; at += p)
            small[at] = 1;
    while (first <= to && !stop_is_set(stop)) {
        uint64_t length = to + 1 - first < SEGMENT ? to + 1 - first : SEGMENT;
        sieve(primes, family, small, first, length, segment);
        first += length;
    }
    free(small);
    free(segment);
    return first > to;
}

/* --- powers --- */

struct work {
    struct level level, above; /* of the tree over the primes of one bit */
    mp_limb_t *scratch;
    mp_limb_t *product, *next; /* so far, and where the next step writes */
    size_t len;                /* of the product */
    stop_flag *stop;
};

/* The primes whose exponents have the bit, as many to a word as fit. */
static void take_bit(struct level *level, const struct primes *primes, unsigned bit)
{
    mp_limb_t word = 1;
    level->n = 0;
    for (size_t i = 0; i < primes->n; i++) {
        const struct power *power = &primes->at[i];
        if (!(power->exponent >> bit & 1))
            continue;
        if (word > UINT64_MAX / power->prime) {
            level->limbs[level->n] = word;
            level->lengths[level->n++] = 1;
            word = 1;
        }
        word *= power->prime;
    }
    level->limbs[level->n] = word;
    level->lengths[level->n++] = 1;
}

static void multiply(struct work *work, struct number a, struct number b)
{
    work->len = integer_multiply_two(work->next, a, b);
    mp_limb_t *swap = work->product;
    work->product = work->next;
    work->next = swap;
}

/* The product becomes its square, times the primes of the bit. */
static bool take_in(struct work *work, const struct primes *primes, unsigned bit)
{
    struct number square = {work->product, work->len, false};
    take_bit(&work->level, primes, bit);
    if (!integer_multiply_up(&work->level, &work->above, work->scratch, work->stop))
        return false;
    multiply(work, square, square);
    if (stop_is_set(work->stop))
        return false;
    multiply(work, (struct number){work->product, work->len, false},
             (struct number){work->level.limbs, work->level.lengths[0], false});
    return !stop_is_set(work->stop);
}

static unsigned bits_of(const struct primes *primes)
{
    uint32_t most = 0;
    for (size_t i = 0; i < primes->n; i++)
        most |= primes->at[i].exponent;
    return most ? 32 - (unsigned)__builtin_clz(most) : 0;
}

/* How many limbs the steps need: a product may be written one limb longer than it is. */
static size_t limbs_of(size_t room_bytes)
{
    return room_bytes / INTEGER_LIMB_BYTES + 2;
}

static bool multiply_all(const struct primes *primes, struct blob *out, stop_flag *stop)
{
    size_t limbs = limbs_of(out->len), words = primes->n + 1, room = words + OPERANDS_MAX;
    size_t product_bytes = 2 * limbs * sizeof(mp_limb_t);
    mp_limb_t *tree = mem_grow(NULL, 4 * room, sizeof *tree), *products = heap_alloc(product_bytes);
    uint32_t *lengths = mem_grow(NULL, 2 * words, sizeof *lengths);
    struct work work = {
        .level = {0, lengths, tree},
        .above = {0, lengths + words, tree + room},
        .scratch = tree + 2 * room,
        .product = products,
        .next = products + limbs,
        .len = 1,
        .stop = stop,
    };
    work.product[0] = 1;
    bool whole = true;
    for (unsigned bit = bits_of(primes); whole && bit-- > 0;)
        whole = take_in(&work, primes, bit);
    if (whole) {
        assert(work.len * sizeof(mp_limb_t) <= out->len);
        out->len = work.len * sizeof(mp_limb_t);
        memcpy(out->at, work.product, out->len);
    }
    free(lengths);
    heap_free(products, product_bytes);
    free(tree);
    return whole;
}

/* The sum of log p / (p - 1) over the primes up to x is log x - 0.577 + e, where e is between -0.12
 * and 0.73, and small for large x (Rosser and Schoenfeld); between two bounds the sum is log(to /
 * from) + 0.85 at most. No exponent in n! is greater than n / (p - 1). */
int integer_primes_room(uint64_t n, uint64_t from, uint64_t to, size_t *room_bytes)
{
    *room_bytes = 0;
    if (from < 1 || from > to || to > n || n > INTEGER_PRIMES_MAX)
        return ERR_RANGE;
    double bits = (double)n * (log2((double)to / (double)from) + 0.85 / M_LN2);
    *room_bytes = ((size_t)bits / 64 + 1) * INTEGER_LIMB_BYTES;
    return *room_bytes > INTEGER_MAX_BYTES ? ERR_TOO_BIG : OK;
}

static bool product_into(struct family family, uint64_t from, uint64_t to, struct blob *out,
                         stop_flag *stop)
{
    struct primes primes = {0};
    bool whole = find(&primes, &family, from, to, stop) && multiply_all(&primes, out, stop);
    free(primes.at);
    return whole;
}

bool integer_primes_into(uint64_t n, uint64_t from, uint64_t to, struct blob *out, stop_flag *stop)
{
    return product_into((struct family){n, 0}, from, to, out, stop);
}

/* --- each once --- */

/* Bits of the product of the primes in from < p <= to. The sum of log p up to x is below 1.017 x
 * (Rosser and Schoenfeld), and there are at most 2 y / log y primes in any y integers (Montgomery
 * and Vaughan). */
static double primorial_bits(uint64_t from, uint64_t to)
{
    double width = (double)(to - from), all = 1.017 * (double)to / M_LN2;
    if (width < 3)
        return 32 * width;
    double some = 2 * width / log(width) * log2((double)to);
    return some < all ? some : all;
}

static int room_of(double bits, size_t *room_bytes)
{
    *room_bytes = ((size_t)bits / 64 + 1) * INTEGER_LIMB_BYTES;
    return *room_bytes > INTEGER_MAX_BYTES ? ERR_TOO_BIG : OK;
}

int integer_primorial_room(uint64_t from, uint64_t to, size_t *room_bytes)
{
    *room_bytes = 0;
    if (from < 1 || from > to || to > SIEVE_MAX)
        return ERR_RANGE;
    return room_of(primorial_bits(from, to), room_bytes);
}

bool integer_primorial_into(uint64_t from, uint64_t to, struct blob *out, stop_flag *stop)
{
    return product_into((struct family){0, 0}, from, to, out, stop);
}

/* --- binomial coefficients --- */

/* Above the line. */
static uint64_t factors_of(uint64_t n, uint64_t k)
{
    return k < n - k ? k : n - k;
}

static bool is_direct(uint64_t n, uint64_t k, uint64_t from, uint64_t to)
{
    return from == 1 && to == n && factors_of(n, k) <= BINOMIAL_DIRECT_MAX;
}

/* No p^e of C(n,k) is greater than n; above the root of n no e is greater than 1, and up to x there
 * are fewer than 1.256 x / log x primes (Rosser and Schoenfeld). */
int integer_binomial_room(uint64_t n, uint64_t k, uint64_t from, uint64_t to, size_t *room_bytes)
{
    *room_bytes = INTEGER_LIMB_BYTES;
    if (from < 1 || from > to || to > (n ? n : 1))
        return ERR_RANGE;
    if (k > n)
        return OK;
    if (is_direct(n, k, from, to))
        return room_of((double)factors_of(n, k) * log2((double)n + 1), room_bytes);
    if (n > SIEVE_MAX)
        return from == to ? OK : ERR_RANGE;
    double root = sqrt((double)n) + 2;
    return room_of(primorial_bits(from, to) + 1.256 * root / log(root) * log2((double)n + 1),
                   room_bytes);
}

bool integer_binomial_into(uint64_t n, uint64_t k, uint64_t from, uint64_t to, struct blob *out,
                           stop_flag *stop)
{
    bool whole = k > n || is_direct(n, k, from, to);
    if (!whole && from < to)
        return product_into((struct family){n, k ? k : n}, from, to, out, stop); /* the same */
    mpz_t number;
    mpz_init_set_ui(number, 1);
    if (whole)
        mpz_bin_uiui(number, n, k);
    bool fits = integer_put(out, number);
    assert(fits);
    mpz_clear(number);
    return true;
}
