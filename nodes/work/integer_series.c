/* Ranges of terms, and what makes one range of two. */
#include "nodes/work/integer_series.h"

#include <assert.h>
#include <string.h>

#include "nodes/work/heap.h"
#include "nodes/work/integer_internal.h"
#include "shared/base/bits.h"
#include "shared/base/error.h"

#define PI_Q UINT64_C(10939058860032000) /* 640320^3 / 24 */
#define PI_A UINT64_C(13591409)
#define PI_B UINT64_C(545140134)

/* Terms that are added one by one: their numbers are short. */
#define TERMS_FEW 8

/* --- how many --- */

/* Each term of pi's series is less than the one before by 14.18 decimals: log10(151931373056000).
 */
#define PI_DECIMALS_100 1418

/* The two decimals that stand for a hundredth, and what the first terms are less accurate. */
#define DECIMALS_MORE 4

/* log2(10) and log2(e), rounded up, in 2^-20. */
#define LOG2_10 3483295
#define LOG2_E  1512776

/* A lower bound of log2(number), in 2^-20: the logarithm lies above its chords. */
static uint64_t log2_below(uint64_t number)
{
    unsigned whole = bits_of(number) - 1;
    uint64_t part = number - ((uint64_t)1 << whole);
    return ((uint64_t)whole << 20) + (whole > 20 ? part >> (whole - 20) : part << (20 - whole));
}

/* Likewise of number!, which is more than (number / e)^number. */
static uint64_t log2_factorial_below(uint64_t number)
{
    uint64_t log = log2_below(number);
    return log > LOG2_E ? number * (log - LOG2_E) : 0;
}

uint64_t series_terms(enum series_constant constant, uint64_t decimals)
{
    decimals += DECIMALS_MORE;
    if (constant == SERIES_PI)
        return decimals * 100 / PI_DECIMALS_100 + 1;
    uint64_t low = 1, high = 16 * decimals;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (log2_factorial_below(middle) < decimals * LOG2_10)
            low = middle + 1;
        else
            high = middle;
    }
    return low + 1; /* what is left out is less than twice its first term */
}

/* --- terms one by one --- */

static void times(mpz_ptr number, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t ab, abc;
    if (!__builtin_mul_overflow(a, b, &ab) && !__builtin_mul_overflow(ab, c, &abc)) {
        mpz_mul_ui(number, number, abc);
        return;
    }
    mpz_mul_ui(number, number, a);
    mpz_mul_ui(number, number, b);
    mpz_mul_ui(number, number, c);
}

static void times_q(enum series_constant constant, mpz_ptr number, uint64_t k)
{
    if (constant == SERIES_E) {
        mpz_mul_ui(number, number, k);
        return;
    }
    times(number, k, k, k);
    mpz_mul_ui(number, number, PI_Q);
}

static void add_term(enum series_constant constant, unsigned parts, uint64_t k,
                     struct series_sum *sum)
{
    if (parts & SERIES_BIT(SERIES_Q))
        times_q(constant, sum->q, k);
    if (constant == SERIES_PI && parts & (SERIES_BIT(SERIES_P) | SERIES_BIT(SERIES_T))) {
        times(sum->p, 6 * k - 5, 2 * k - 1, 6 * k - 1);
        mpz_neg(sum->p, sum->p);
    }
    if (!(parts & SERIES_BIT(SERIES_T)))
        return;
    times_q(constant, sum->t, k);
    if (constant == SERIES_PI)
        mpz_addmul_ui(sum->t, sum->p, PI_A + PI_B * k);
    else
        mpz_add_ui(sum->t, sum->t, 1);
}

/* --- ranges --- */

void series_begin(struct series_sum *sum)
{
    mpz_init_set_ui(sum->p, 1);
    mpz_init_set_ui(sum->q, 1);
    mpz_init(sum->t);
}

void series_clear(struct series_sum *sum)
{
    mpz_clear(sum->p);
    mpz_clear(sum->q);
    mpz_clear(sum->t);
}

/* number *= other, by way of `spare`, which it swaps with. */
static void multiply_by(mpz_ptr number, mpz_srcptr other, mpz_ptr spare)
{
    integer_multiply_numbers(spare, number, other);
    mpz_swap(number, spare);
}

/* Of the left range there are also P, and of the right one Q, when T is wanted. */
static void join(enum series_constant constant, unsigned parts, struct series_sum *left,
                 const struct series_sum *right)
{
    mpz_t spare;
    mpz_init(spare);
    if (parts & SERIES_BIT(SERIES_T)) {
        multiply_by(left->t, right->q, spare);
        if (constant == SERIES_PI) {
            integer_multiply_numbers(spare, left->p, right->t);
            mpz_add(left->t, left->t, spare);
        } else {
            mpz_add(left->t, left->t, right->t);
        }
    }
    if (parts & SERIES_BIT(SERIES_Q))
        multiply_by(left->q, right->q, spare);
    if (parts & SERIES_BIT(SERIES_P) && constant == SERIES_PI)
        multiply_by(left->p, right->p, spare);
    mpz_clear(spare);
}

bool series_add(enum series_constant constant, unsigned parts, uint64_t from, uint64_t to,
                struct series_sum *sum, stop_flag *stop)
{
    if (stop_is_set(stop))
        return false;
    if (to - from <= TERMS_FEW) {
        for (uint64_t k = from + 1; k <= to; k++)
            add_term(constant, parts, k, sum);
        return true;
    }
    const unsigned p = SERIES_BIT(SERIES_P), q = SERIES_BIT(SERIES_Q), t = SERIES_BIT(SERIES_T);
    uint64_t middle = from + (to - from) / 2;
    struct series_sum right;
    series_begin(&right);
    bool whole = series_add(constant, parts | (parts & t ? p : 0), from, middle, sum, stop) &&
                 series_add(constant, parts | (parts & t ? q : 0), middle, to, &right, stop);
    if (whole && !stop_is_set(stop))
        join(constant, parts, sum, &right);
    series_clear(&right);
    return whole && !stop_is_set(stop);
}

/* --- the operators --- */

/* p(k) is less than 72 k^3, and q(k) than 2^54 k^3; |T| is less than Q times 1.01 a(k). */
int integer_terms_room(enum series_constant constant, uint64_t from, uint64_t to,
                       size_t *room_bytes)
{
    *room_bytes = 0;
    if (from > to || to > 2 * series_terms(constant, SERIES_DECIMALS_MAX))
        return ERR_RANGE;
    uint64_t bits = bits_of(to), term = constant == SERIES_PI ? 54 + 3 * bits : bits;
    uint64_t limbs = ((to - from) * term + bits + 32) / 64 + 1;
    if (limbs > INTEGER_MAX_BYTES / INTEGER_LIMB_BYTES)
        return ERR_TOO_BIG;
    *room_bytes = integer_room(limbs);
    return OK;
}

int integer_terms_into(enum series_constant constant, enum series_part part, uint64_t from,
                       uint64_t to, struct blob *out, stop_flag *stop)
{
    struct series_sum sum;
    series_begin(&sum);
    bool whole = series_add(constant, SERIES_BIT(part), from, to, &sum, stop);
    bool fits = !whole || integer_put(out, part == SERIES_P   ? sum.p
                                           : part == SERIES_Q ? sum.q
                                                              : sum.t);
    assert(fits);
    series_clear(&sum);
    return whole ? OK : ERR_INTERRUPTED;
}

/* --- two ranges --- */

static int read_cross(const struct integer_operand *operands, size_t n,
                      struct number numbers[OPERANDS_MAX], size_t *limbs)
{
    *limbs = 0;
    if (n != 4)
        return ERR_RANGE;
    for (size_t i = 0; i < n; i++) {
        int error = integer_operand_number(&operands[i], &numbers[i]);
        if (error)
            return error;
    }
    size_t left = numbers[0].n + numbers[1].n, right = numbers[2].n + numbers[3].n;
    *limbs = (left > right ? left : right) + 1;
    return *limbs > INTEGER_MAX_BYTES / INTEGER_LIMB_BYTES ? ERR_TOO_BIG : OK;
}

int integer_cross_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    struct number numbers[OPERANDS_MAX];
    size_t limbs;
    int error = read_cross(operands, n, numbers, &limbs);
    *room_bytes = error ? 0 : integer_room(limbs);
    return error;
}

/* out = a + b, or out = a - b when their signs differ; `out` may be a's place, and has room for one
 * limb more than the longer one. */
static void add_numbers(struct blob *out, struct number a, struct number b)
{
    mp_limb_t *at = (mp_limb_t *)(void *)out->at;
    bool swap = a.n < b.n || (a.n == b.n && mpn_cmp(a.at, b.at, (mp_size_t)a.n) < 0);
    struct number large = swap ? b : a, small = swap ? a : b;
    size_t n = large.n;
    if (a.negative == b.negative) {
        at[n] = mpn_add(at, large.at, (mp_size_t)n, small.at, (mp_size_t)small.n);
        n++;
    } else {
        mpn_sub(at, large.at, (mp_size_t)n, small.at, (mp_size_t)small.n);
    }
    integer_end(out, n, large.negative);
}

int integer_cross_into(const struct integer_operand *operands, size_t n, struct blob *out,
                       stop_flag *stop)
{
    struct number x[OPERANDS_MAX];
    size_t limbs;
    int error = read_cross(operands, n, x, &limbs);
    assert(!error && out->len >= integer_room(limbs));
    if (stop_is_set(stop))
        return ERR_INTERRUPTED;
    mp_limb_t *at = (mp_limb_t *)(void *)out->at;
    size_t scratch_bytes = (x[2].n + x[3].n) * sizeof *at;
    mp_limb_t *scratch = heap_alloc(scratch_bytes);
    struct number left = {at, integer_multiply_two(at, x[0], x[1]), x[0].negative ^ x[1].negative};
    bool whole = !stop_is_set(stop);
    if (whole) {
        struct number right = {scratch, integer_multiply_two(scratch, x[2], x[3]),
                               x[2].negative ^ x[3].negative};
        add_numbers(out, left, right);
    }
    heap_free(scratch, scratch_bytes);
    return whole ? OK : ERR_INTERRUPTED;
}
