#include "nodes/work/integer_transform.h"

#include <assert.h>
#include <fftw3.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/heap.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define DIGIT_BITS   16
#define LIMB_DIGITS  (GMP_NUMB_BITS / DIGIT_BITS)
#define LIMB_NUMBERS TRANSFORM_LIMB_NUMBERS
#define DIGIT_HALF   (1 << (DIGIT_BITS - 1))
#define EACH_HALF    0x8000800080008000u /* of each digit of a limb */

#define ALIGNMENT 64 /* of what FFTW's widest instructions like */

/* Added to a double of less than 2^51 it leaves its nearest integer in the lowest bits. */
#define ROUNDING      6755399441055744.0 /* 1.5 * 2^52 */
#define ROUNDING_BITS 0x4338000000000000 /* the same as bits */

/* Its residues tell a wrong digit, wherever it stands: the powers of 2^16 all differ for longer
 * than any number is. */
#define CHECK_PRIME (((mp_limb_t)1 << 63) - 25)

/* What was measured for all lengths (make transform-wisdom), as FFTW writes it. */
extern const char transform_wisdom[];
__asm__(".pushsection .rodata\n"
        ".global transform_wisdom\n"
        "transform_wisdom: .incbin \"nodes/work/transform.wisdom\"\n"
        ".byte 0\n"
        ".popsection\n");

/* --- what FFTW has prepared for each length ---
 *
 * Two digits are one complex number: FFTW plans complex transforms in a fraction of the time that
 * real ones take, which is longer than most of the products that a small job makes. Its planner is
 * one for all threads; plans that are there may be used by several at a time. */

/* Lengths in complex numbers are one of these times a power of two: an eighth is padding at most,
 * or a quarter of long ones, for which the others are slow: they fall on the same places of caches.
 */
static const struct {
    size_t by;
    bool when_long;
} multiples[] = {{8, false}, {9, false}, {10, true}, {12, true}, {14, false}, {15, true}};
#define MULTIPLES (sizeof multiples / sizeof *multiples)
#define SHIFT_MIN 7 /* 1,024 are 512 limbs */
#define SHIFT_MAX 18
#define N_LONG    (((size_t)1 << 18) + 1)

_Static_assert(15 << SHIFT_MAX == LIMB_NUMBERS * TRANSFORM_LIMBS_MAX, "the longest of them");

/* Roots of unity are products of one of each table: the high and the low bits of their number. */
#define ROOTS_BITS 8
#define ROOTS_LOW  ((size_t)1 << ROOTS_BITS)

struct plans {
    fftw_plan plan;      /* NULL: not prepared */
    struct parts *roots; /* owned: ROOTS_LOW, then the high ones, of half of the circle */
};

static struct plans prepared[SHIFT_MAX + 1][MULTIPLES];
static pthread_mutex_t planner = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t used = PTHREAD_RWLOCK_INITIALIZER; /* held to read while one is used */

static size_t fit(size_t wanted, size_t *shift, size_t *multiple)
{
    size_t best = 0;
    for (size_t i = 0; i < MULTIPLES; i++) {
        size_t s = SHIFT_MIN;
        while (s < SHIFT_MAX && multiples[i].by << s < wanted)
            s++;
        size_t n = multiples[i].by << s;
        bool fits = n >= wanted && (n < N_LONG || multiples[i].when_long);
        if (!fits || (best && n >= best))
            continue;
        best = n;
        *shift = s;
        *multiple = i;
    }
    return best;
}

size_t transform_fit(size_t limbs)
{
    size_t shift, multiple;
    return limbs > TRANSFORM_LIMBS_MAX
               ? 0
               : fit(limbs * LIMB_NUMBERS, &shift, &multiple) / LIMB_NUMBERS;
}

static struct parts root(double angle)
{
    return (struct parts){cos(angle), sin(angle)};
}

static struct parts *roots_of(size_t n)
{
    size_t high = n / 2 / ROOTS_LOW + 1;
    struct parts *roots = mem_new(ROOTS_LOW + high, sizeof *roots);
    double step = -2 * M_PI / (double)n;
    for (size_t i = 0; i < ROOTS_LOW; i++)
        roots[i] = root(step * (double)i);
    for (size_t i = 0; i < high; i++)
        roots[ROOTS_LOW + i] = root(step * (double)(i << ROOTS_BITS));
    return roots;
}

/* FFTW takes wisdom only from where the same of its parts are to be had; without it transforms take
 * up to twice as long. Wisdom of the system (fftw-wisdom) is asked, too. */
static void learn(void)
{
    static bool learned;
    if (learned)
        return;
    learned = true;
    fftw_import_wisdom_from_string(transform_wisdom);
    fftw_import_system_wisdom();
}

/* In place; with FFTW_ESTIMATE the planner looks at the array's alignment, not into it. */
static struct plans plans_for(struct parts *parts, size_t n)
{
    fftw_complex *at = (fftw_complex *)parts;
    size_t shift = 0, multiple = 0, found = fit(n, &shift, &multiple);
    assert(found == n);
    pthread_mutex_lock(&planner);
    struct plans *it = &prepared[shift][multiple];
    if (!it->plan) {
        learn();
        it->plan = fftw_plan_dft_1d((int)n, at, at, FFTW_FORWARD, FFTW_ESTIMATE);
        it->roots = roots_of(n);
        if (!it->plan)
            panic("no transform of %zu numbers", n);
    }
    struct plans plans = *it;
    pthread_mutex_unlock(&planner);
    return plans;
}

/* --- digits --- */

/* The half of each digit is added to all of the number, carries and all, and taken off each: so
 * they are balanced. What is carried out of the last limb is a digit of its own, 0 or 1. */
static void split(double *out, size_t digits, struct number number)
{
    mp_limb_t carry = 0;
    for (size_t i = 0; i < number.n; i++) {
        mp_limb_t with, limb;
        bool first = __builtin_add_overflow(number.at[i], (mp_limb_t)EACH_HALF, &with);
        carry = first | __builtin_add_overflow(with, carry, &limb);
        for (size_t j = 0; j < LIMB_DIGITS; j++)
            out[LIMB_DIGITS * i + j] =
                (double)((int32_t)(limb >> (DIGIT_BITS * j) & 0xffff) - DIGIT_HALF);
    }
    size_t written = LIMB_DIGITS * number.n;
    memset(out + written, 0, (digits - written) * sizeof *out);
    if (carry)
        out[written < digits ? written : 0] += 1;
}

static int64_t rounded(double x)
{
    double sum = x + ROUNDING;
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return (int64_t)(bits - ROUNDING_BITS); /* of a sum that is too large anything, but defined */
}

/* Two sums, which stand the other way round, as one. Those of a hostile operand may not fit, and
 * are wrong, as others of it are. */
static int64_t joined(const double *at)
{
    return (int64_t)((uint64_t)rounded(at[1]) + ((uint64_t)rounded(at[0]) << DIGIT_BITS));
}

/* Returns what is carried out of the last limb. */
static int64_t join(mp_limb_t *out, size_t n, const double *digits)
{
    __int128 carry = 0;
    for (size_t i = 0; i < n; i++, digits += LIMB_DIGITS) {
        carry += joined(digits) + (__int128)joined(digits + 2) * ((__int128)1 << 2 * DIGIT_BITS);
        out[i] = (mp_limb_t)carry;
        carry >>= GMP_NUMB_BITS;
    }
    return (int64_t)carry;
}

/* --- products --- */

void spectrum_begin(struct spectrum *it, size_t limbs, struct number number)
{
    it->block_bytes = limbs * LIMB_NUMBERS * sizeof(struct parts) + ALIGNMENT;
    it->block = heap_alloc(it->block_bytes);
    uint8_t *at = it->block;
    it->at = (struct parts *)(void *)(at + (-(uintptr_t)at & (ALIGNMENT - 1)));
    it->limbs = limbs;
    spectrum_again(it, number);
}

void spectrum_again(struct spectrum *it, struct number number)
{
    assert(number.n <= it->limbs);
    split((double *)it->at, it->limbs * LIMB_DIGITS, number);
    pthread_rwlock_rdlock(&used);
    struct plans plans = plans_for(it->at, it->limbs * LIMB_NUMBERS);
    fftw_execute_dft(plans.plan, (fftw_complex *)it->at, (fftw_complex *)it->at);
    pthread_rwlock_unlock(&used);
}

void spectrum_end(struct spectrum *it)
{
    if (it->block)
        heap_free(it->block, it->block_bytes);
    *it = (struct spectrum){0};
}

/* As complex numbers of the language, whose products look for infinities, they take twice as long.
 */
static inline struct parts times(struct parts a, struct parts b)
{
    return (struct parts){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/* a - the conjugate of b. */
static inline struct parts less_mirror(struct parts a, struct parts b)
{
    return (struct parts){a.re - b.re, a.im + b.im};
}

/* The product of two spectra, whose numbers have a polynomial's even digits as their real parts,
 * and its odd ones as imaginary parts. The product of such numbers is that of a(x) = e(y) + x o(y)
 * and its like with x^2 = -1, where it has to be y, an n-th root of unity: (1 + y) times the
 * product of the odd ones, which a number and its mirror tell, is what lacks. With the scale, as
 * FFTW's way back multiplies by the length; and with real and imaginary parts exchanged, before and
 * after which the way back is the way there. */
static void multiply_each(struct parts *b, const struct parts *a, size_t n,
                          const struct parts *roots)
{
    double scale = 1.0 / (double)n;
    for (size_t i = 0, mirror = 0; i <= n / 2; i++, mirror = n - i) {
        struct parts y = times(roots[i % ROOTS_LOW], roots[ROOTS_LOW + (i >> ROOTS_BITS)]);
        struct parts factor = {-0.25 - 0.25 * y.re, -0.25 * y.im};
        struct parts odd = times(less_mirror(a[i], a[mirror]), less_mirror(b[i], b[mirror]));
        struct parts more = times(factor, odd);
        struct parts here = times(a[i], b[i]), there = times(a[mirror], b[mirror]);
        b[mirror] = (struct parts){(there.im - more.im) * scale, (there.re + more.re) * scale};
        b[i] = (struct parts){(here.im + more.im) * scale, (here.re + more.re) * scale};
    }
}

/* Modulo 2^(64 n) - 1 what is carried out comes in again. */
static void carry_around(mp_limb_t *out, size_t n, int64_t carry)
{
    while (carry > 0)
        carry = (int64_t)mpn_add_1(out, out, (mp_size_t)n, (mp_limb_t)carry);
    while (carry < 0)
        carry = -(int64_t)mpn_sub_1(out, out, (mp_size_t)n, (mp_limb_t)-carry);
}

void spectrum_multiply(mp_limb_t *out, size_t n, const struct spectrum *a, struct spectrum *b)
{
    assert(a->limbs == b->limbs && n <= a->limbs);
    pthread_rwlock_rdlock(&used);
    struct plans plans = plans_for(b->at, b->limbs * LIMB_NUMBERS);
    multiply_each(b->at, a->at, b->limbs * LIMB_NUMBERS, plans.roots);
    fftw_execute_dft(plans.plan, (fftw_complex *)b->at, (fftw_complex *)b->at);
    pthread_rwlock_unlock(&used);
    int64_t carry = join(out, n, (const double *)b->at);
    if (n == a->limbs)
        carry_around(out, n, carry); /* of a shorter product all the rest is that, taken off */
}

bool integer_is_product(const mp_limb_t *out, size_t n, struct number a, struct number b,
                        struct number c)
{
    mp_limb_t left = mpn_mod_1(a.at, (mp_size_t)a.n, CHECK_PRIME);
    mp_limb_t right = mpn_mod_1(b.at, (mp_size_t)b.n, CHECK_PRIME);
    mp_limb_t more = c.n ? mpn_mod_1(c.at, (mp_size_t)c.n, CHECK_PRIME) : 0;
    unsigned __int128 wanted = (unsigned __int128)left * right + more;
    return mpn_mod_1(out, (mp_size_t)n, CHECK_PRIME) == (mp_limb_t)(wanted % CHECK_PRIME);
}

bool transform_multiply(mp_limb_t *out, struct number a, struct number b)
{
    size_t n = a.n + b.n, limbs = transform_fit(n);
    bool square = a.at == b.at && a.n == b.n;
    struct spectrum left, right = {0};
    spectrum_begin(&left, limbs, a);
    if (!square)
        spectrum_begin(&right, limbs, b);
    spectrum_multiply(out, n, square ? &left : &right, &left);
    spectrum_end(&right);
    spectrum_end(&left);
    return integer_is_product(out, n, a, b, (struct number){0});
}

/* --- memory --- */

void transform_give_back(void)
{
    if (pthread_rwlock_trywrlock(&used))
        return; /* who uses them gives them back later */
    for (size_t shift = 0; shift <= SHIFT_MAX; shift++)
        for (size_t i = 0; i < MULTIPLES; i++) {
            struct plans *it = &prepared[shift][i];
            if (!it->plan)
                continue;
            fftw_destroy_plan(it->plan);
            free(it->roots);
            *it = (struct plans){0};
        }
    pthread_rwlock_unlock(&used);
}
