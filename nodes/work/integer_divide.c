/* Division by a reciprocal that Newton's iteration makes, with products by transforms.
 *
 * What is estimated is corrected at the end of each block, and quotient and remainder are checked
 * modulo a prime; a division that does not hold is made again by GMP.
 *
 * Source: R. Brent, P. Zimmermann, "Modern Computer Arithmetic", 1.4 and 3.4; products modulo
 * 2^(64 n) - 1 where the rest is known. */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "nodes/work/heap.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_transform.h"

/* A reciprocal of so few limbs is the quotient of a division by GMP. */
#define RECIPROCAL_LIMBS 400

/* An estimated quotient is off by a few; more means that something was rounded wrong. */
#define CORRECTIONS_MAX 16

/* Limbs that a reciprocal has more than a block of the quotient. */
#define RECIPROCAL_MORE 3

/* Limbs of a transform beyond a remainder's, so that its sign can be told. */
#define SIGN_LIMBS 2

static mp_limb_t *take(size_t limbs)
{
    return heap_alloc(limbs * sizeof(mp_limb_t));
}

static void give(mp_limb_t *at, size_t limbs)
{
    if (at)
        heap_free(at, limbs * sizeof *at);
}

/* --- modulo 2^(64 n) - 1 --- */

static void add_folded(mp_limb_t *out, size_t n, const mp_limb_t *at, size_t len)
{
    while (len) {
        size_t part = len < n ? len : n;
        if (mpn_add(out, out, (mp_size_t)n, at, (mp_size_t)part))
            while (mpn_add_1(out, out, (mp_size_t)n, 1))
                ;
        at += part;
        len -= part;
    }
}

/* out = a - out, of which is known that it is small or, when it is negative, minus that. True when
 * it is negative: then out is how much. */
static bool take_from(mp_limb_t *out, size_t n, const mp_limb_t *a)
{
    if (mpn_sub_n(out, a, out, (mp_size_t)n))
        while (mpn_sub_1(out, out, (mp_size_t)n, 1))
            ;
    if (!(out[n - 1] >> (GMP_NUMB_BITS - 1)))
        return false;
    mpn_com(out, out, (mp_size_t)n); /* 2^(64 n) - 1 - out */
    return true;
}

/* --- reciprocals --- */

/* About 2^(128 k) / the highest k limbs of `divisor`, whose highest bit is set: k + 1 limbs. */
struct reciprocal {
    mp_limb_t *at;
    size_t k;
};

static void first_reciprocal(struct reciprocal *it, struct number divisor)
{
    size_t k = it->k;
    mp_limb_t *one = take(2 * k + 1), *rest = take(k), *quotient = take(k + 2);
    memset(one, 0, 2 * k * sizeof *one);
    one[2 * k] = 1;
    mpn_tdiv_qr(quotient, rest, 0, one, (mp_size_t)(2 * k + 1), divisor.at + divisor.n - k,
                (mp_size_t)k);
    memcpy(it->at, quotient, (k + 1) * sizeof *quotient);
    give(quotient, k + 2);
    give(rest, k);
    give(one, 2 * k + 1);
}

/* From k limbs to `next`, which are fewer than 2 k. False: there is no transform of that length. */
static bool refine(struct reciprocal *it, struct number divisor, size_t next)
{
    size_t k = it->k, limbs = transform_fit(next + 4);
    if (!limbs)
        return false;
    struct number x = {it->at, k + 1, false}, d = {divisor.at + divisor.n - next, next, false};
    struct spectrum reciprocal, other;
    mp_limb_t *error = take(limbs), *one = take(limbs), *more = take(limbs);
    spectrum_begin(&reciprocal, limbs, x);
    spectrum_begin(&other, limbs, d);
    spectrum_multiply(error, limbs, &reciprocal, &other);
    /* 2^(64 (k + next)) - x d, which has no more than next + 1 limbs */
    memset(one, 0, limbs * sizeof *one);
    one[(k + next) % limbs] = 1;
    bool negative = take_from(error, limbs, one);
    /* x times the highest of that, over 2^(64 (k + 1)) */
    struct number high = {error + k - 1, next - k + 3, false};
    spectrum_again(&other, high);
    spectrum_multiply(more, limbs, &reciprocal, &other);
    size_t more_n = next - k + 3;
    mp_limb_t *wider = one;
    memset(wider, 0, (next - k) * sizeof *wider);
    memcpy(wider + next - k, it->at, (k + 1) * sizeof *wider);
    if (negative)
        mpn_sub(wider, wider, (mp_size_t)(next + 1), more + k + 1, (mp_size_t)more_n);
    else
        mpn_add(wider, wider, (mp_size_t)(next + 1), more + k + 1, (mp_size_t)more_n);
    memcpy(it->at, wider, (next + 1) * sizeof *wider);
    it->k = next;
    spectrum_end(&other);
    spectrum_end(&reciprocal);
    give(more, limbs);
    give(one, limbs);
    give(error, limbs);
    return true;
}

/* `at` has room for k + 1 limbs. */
static bool begin_reciprocal(struct reciprocal *it, mp_limb_t *at, size_t k, struct number divisor)
{
    size_t steps[64], n = 0;
    for (size_t need = k; need > RECIPROCAL_LIMBS; need = need / 2 + 2)
        steps[n++] = need;
    *it = (struct reciprocal){at, n ? steps[n - 1] / 2 + 2 : k};
    first_reciprocal(it, divisor);
    while (n)
        if (!refine(it, divisor, steps[--n]))
            return false;
    return true;
}

/* --- blocks of a quotient --- */

static bool begin_division(struct divisor *it)
{
    size_t precise = it->k < it->n ? it->k + 1 : it->n;
    size_t high = transform_fit(it->k + precise + 2), low = transform_fit(it->n + SIGN_LIMBS);
    struct number divisor = {it->shifted, it->n, false};
    struct reciprocal reciprocal;
    if (!high || !low || !begin_reciprocal(&reciprocal, it->reciprocal, precise, divisor))
        return false;
    it->precise = precise;
    spectrum_begin(&it->estimate, high, (struct number){it->reciprocal, precise + 1, false});
    spectrum_begin(&it->divide, low, divisor);
    return true;
}

/* The k limbs of the quotient of `value`, which has divisor.n + k limbs and is less than the
 * divisor times 2^(64 k); the rest takes the place of its lowest limbs. */
static void estimate(const struct divisor *it, mp_limb_t *quotient, const mp_limb_t *value)
{
    size_t k = it->k, precise = it->precise, limbs = it->estimate.limbs;
    size_t n = k + 1 + precise + 1;
    struct spectrum high;
    mp_limb_t *product = take(limbs);
    spectrum_begin(&high, limbs, (struct number){value + it->n - 1, k + 1, false});
    spectrum_multiply(product, n, &it->estimate, &high);
    spectrum_end(&high);
    memcpy(quotient, product + precise + 1, k * sizeof *quotient);
    if (product[precise + 1 + k])
        memset(quotient, 0xff, k * sizeof *quotient);
    give(product, limbs);
}

/* Brings the rest between 0 and the divisor, and the quotient with it. */
static bool correct(const struct divisor *it, mp_limb_t *quotient, mp_limb_t *rest, size_t limbs,
                    bool negative)
{
    size_t n = it->n;
    for (int i = 0; i < CORRECTIONS_MAX; i++) {
        bool high = false;
        for (size_t at = n; at < limbs && !high; at++)
            high = rest[at] != 0;
        bool zero = mpn_zero_p(rest, (mp_size_t)limbs);
        if (negative && zero)
            negative = false;
        if (!negative && !high && mpn_cmp(rest, it->shifted, (mp_size_t)n) < 0)
            return true;
        if (!negative) {
            mpn_sub(rest, rest, (mp_size_t)limbs, it->shifted, (mp_size_t)n);
            mpn_add_1(quotient, quotient, (mp_size_t)it->k, 1);
            continue;
        }
        mpn_sub_1(quotient, quotient, (mp_size_t)it->k, 1);
        if (high || mpn_cmp(rest, it->shifted, (mp_size_t)n) > 0) {
            mpn_sub(rest, rest, (mp_size_t)limbs, it->shifted, (mp_size_t)n);
        } else {
            mpn_sub_n(rest, it->shifted, rest, (mp_size_t)n);
            negative = false;
        }
    }
    return false;
}

static bool divide_block(const struct divisor *it, mp_limb_t *quotient, mp_limb_t *value)
{
    size_t n = it->n, k = it->k, limbs = it->divide.limbs;
    mp_limb_t *rest = take(limbs), *folded = take(limbs);
    struct spectrum factor;
    estimate(it, quotient, value);
    spectrum_begin(&factor, limbs, (struct number){quotient, k, false});
    spectrum_multiply(rest, limbs, &it->divide, &factor);
    spectrum_end(&factor);
    memset(folded, 0, limbs * sizeof *folded);
    add_folded(folded, limbs, value, n + k);
    bool negative = take_from(rest, limbs, folded);
    bool right =
        correct(it, quotient, rest, limbs, negative) &&
        integer_is_product(value, n + k, (struct number){quotient, k, false},
                           (struct number){it->shifted, n, false}, (struct number){rest, n, false});
    if (right) {
        memcpy(value, rest, n * sizeof *value);
        memset(value + n, 0, k * sizeof *value);
    }
    give(folded, limbs);
    give(rest, limbs);
    return right;
}

/* --- all of it --- */

/* The quotient's blocks are of the same length; `longest` is of a dividend. */
bool divisor_begin(struct divisor *it, struct number b, size_t longest)
{
    size_t n = longest + 1 - b.n, blocks = (n + b.n - 1) / b.n;
    *it = (struct divisor){.shift = (unsigned)__builtin_clzll(b.at[b.n - 1]),
                           .n = b.n,
                           .k = (n + blocks - 1) / blocks};
    it->shifted = take(b.n);
    it->reciprocal = take(it->k + RECIPROCAL_MORE);
    if (it->shift)
        mpn_lshift(it->shifted, b.at, (mp_size_t)b.n, it->shift);
    else
        memcpy(it->shifted, b.at, b.n * sizeof *it->shifted);
    return begin_division(it);
}

void divisor_end(struct divisor *it)
{
    spectrum_end(&it->divide);
    spectrum_end(&it->estimate);
    give(it->reciprocal, it->k + RECIPROCAL_MORE);
    give(it->shifted, it->n);
    *it = (struct divisor){0};
}

/* From the highest block down, which may begin with zeros above the dividend. */
bool divisor_divide(const struct divisor *it, mp_limb_t *quotient, mp_limb_t *rest, struct number a)
{
    size_t n = a.n + 1 - it->n, blocks = (n + it->k - 1) / it->k;
    size_t value_n = blocks * it->k + it->n, parts_n = blocks * it->k;
    mp_limb_t *value = take(value_n), *parts = take(parts_n);
    memset(value + a.n, 0, (value_n - a.n) * sizeof *value);
    if (it->shift)
        value[a.n] = mpn_lshift(value, a.at, (mp_size_t)a.n, it->shift);
    else
        memcpy(value, a.at, a.n * sizeof *value);
    bool right = true;
    for (size_t i = blocks; right && i-- > 0;)
        right = divide_block(it, parts + i * it->k, value + i * it->k);
    if (right && it->shift)
        mpn_rshift(rest, value, (mp_size_t)it->n, it->shift);
    else if (right)
        memcpy(rest, value, it->n * sizeof *rest);
    if (right && quotient)
        memcpy(quotient, parts, n * sizeof *quotient);
    give(parts, parts_n);
    give(value, value_n);
    return right;
}

/* a - q b modulo 2^(64 limbs) - 1, in which it is known whole. */
bool divisor_rest(mp_limb_t *rest, struct number a, struct number q, struct number b)
{
    size_t limbs = transform_fit(b.n + SIGN_LIMBS);
    struct spectrum left, right;
    if (!limbs)
        return false;
    mp_limb_t *folded = take(limbs), *product = take(limbs);
    memset(folded, 0, limbs * sizeof *folded);
    add_folded(folded, limbs, q.at, q.n);
    spectrum_begin(&left, limbs, (struct number){folded, limbs, false});
    spectrum_begin(&right, limbs, b);
    spectrum_multiply(product, limbs, &left, &right);
    spectrum_end(&right);
    spectrum_end(&left);
    memset(folded, 0, limbs * sizeof *folded);
    add_folded(folded, limbs, a.at, a.n);
    bool negative = take_from(product, limbs, folded);
    struct number found = {product, b.n, false};
    bool right_one = (!negative || mpn_zero_p(product, (mp_size_t)limbs)) &&
                     mpn_zero_p(product + b.n, (mp_size_t)(limbs - b.n)) &&
                     integer_is_product(a.at, a.n, q, b, found);
    if (right_one)
        memcpy(rest, product, b.n * sizeof *rest);
    give(product, limbs);
    give(folded, limbs);
    return right_one;
}

bool transform_divide(mp_limb_t *quotient, mp_limb_t *rest, struct number a, struct number b)
{
    struct divisor divisor;
    bool right = divisor_begin(&divisor, b, a.n) && divisor_divide(&divisor, quotient, rest, a);
    divisor_end(&divisor);
    return right;
}

void integer_divide(mp_limb_t *quotient, mp_limb_t *rest, struct number a, struct number b)
{
    size_t n = a.n + 1 - b.n;
    if (b.n >= DIVIDE_LIMBS && n >= DIVIDE_LIMBS && transform_divide(quotient, rest, a, b))
        return;
    mp_limb_t *parts = quotient ? quotient : take(n);
    mpn_tdiv_qr(parts, rest, 0, a.at, (mp_size_t)a.n, b.at, (mp_size_t)b.n);
    if (!quotient)
        give(parts, n);
}
