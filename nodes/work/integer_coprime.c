#include "nodes/work/integer_coprime.h"

#include <stdlib.h>

#include "shared/base/memory.h"

/* So few are compared pair by pair. */
#define PAIRS_FEW 4

static bool is_one(mpz_srcptr number)
{
    return !mpz_cmp_ui(number, 1);
}

/* A part that is no factor is no number of a base. */
static void take_part(struct numbers *numbers, mpz_ptr part)
{
    if (!is_one(part))
        numbers_take(numbers, part);
}

static void take_all(struct numbers *numbers, struct numbers *from)
{
    for (size_t i = 0; i < from->n; i++)
        numbers_take(numbers, from->at[i]);
    numbers_clear(from);
}

/* --- pair by pair --- */

/* `number` shares `common` with the base's number `at`. What of both is to be looked at further
 * goes to `open`. One that divides the other is taken out of it with all its powers, so that of p^a
 * and p^b no more steps are needed than Euclid's algorithm has for a and b. */
static void split_pair(struct numbers *base, size_t at, mpz_ptr number, mpz_ptr common,
                       struct numbers *open)
{
    if (!mpz_cmp(common, base->at[at])) {
        mpz_remove(number, number, common);
        take_part(open, number);
        return;
    }
    mpz_t other;
    mpz_init(other);
    mpz_swap(other, base->at[at]);
    numbers_remove(base, at);
    if (!mpz_cmp(common, number)) {
        mpz_remove(other, other, number);
    } else {
        mpz_divexact(other, other, common);
        mpz_divexact(number, number, common);
        numbers_take(open, common);
    }
    take_part(open, other);
    take_part(open, number);
    mpz_clear(other);
}

/* Adds a number to a base, and makes it one again. */
static void insert(struct numbers *base, mpz_ptr first)
{
    struct numbers open = {0};
    mpz_t number, common;
    mpz_init(number);
    mpz_init(common);
    numbers_take(&open, first);
    while (open.n) {
        size_t at = 0;
        mpz_swap(number, open.at[open.n - 1]);
        numbers_remove(&open, open.n - 1);
        for (; at < base->n; at++) {
            mpz_gcd(common, number, base->at[at]);
            if (!is_one(common))
                break;
        }
        if (at < base->n)
            split_pair(base, at, number, common, &open);
        else
            numbers_take(base, number);
    }
    mpz_clear(common);
    mpz_clear(number);
    numbers_clear(&open);
}

/* --- two bases --- */

/* The part of each number that has the primes of `product` becomes that number's in `parts`, the
 * rest stays. */
static bool part_all(struct numbers *numbers, mpz_srcptr product, struct numbers *parts,
                     stop_flag *stop)
{
    mpz_t common;
    numbers_grow(parts, numbers->n);
    if (!tree_remainders((const mpz_t *)numbers->at, numbers->n, product, parts->at, stop))
        return false;
    mpz_init(common);
    for (size_t i = 0; i < numbers->n; i++) {
        mpz_ptr part = parts->at[i], rest = numbers->at[i];
        mpz_gcd(part, part, rest);
        mpz_divexact(rest, rest, part);
        for (;;) {
            mpz_gcd(common, part, rest);
            if (is_one(common))
                break;
            mpz_mul(part, part, common);
            mpz_divexact(rest, rest, common);
        }
    }
    mpz_clear(common);
    return true;
}

/* Moves what is not 1 of `from` to `to`. */
static void move_parts(struct numbers *to, struct numbers *from)
{
    for (size_t i = 0; i < from->n; i++)
        take_part(to, from->at[i]);
    numbers_clear(from);
}

static bool refine(struct numbers *a, struct numbers *b, struct numbers *out, stop_flag *stop);

/* The larger base in halves; the numbers of the other one in what they share with each. */
static bool refine_halves(struct numbers *large, struct numbers *small, struct numbers *out,
                          stop_flag *stop)
{
    struct numbers half = {0}, parts = {0}, near = {0};
    mpz_t product;
    mpz_init(product);
    for (size_t n = large->n / 2; half.n < n;) {
        numbers_take(&half, large->at[large->n - 1]);
        numbers_remove(large, large->n - 1);
    }
    bool whole = tree_product((const mpz_t *)half.at, half.n, product, stop) &&
                 part_all(small, product, &parts, stop);
    mpz_clear(product);
    if (whole) {
        struct numbers far = {0};
        move_parts(&near, &parts);
        move_parts(&far, small);
        whole = refine(&half, &near, out, stop) && refine(large, &far, out, stop);
        numbers_clear(&far);
    }
    numbers_clear(&near);
    numbers_clear(&parts);
    numbers_clear(&half);
    return whole;
}

/* Two bases become one, which is added to `out`; both are empty afterwards. What is added shares no
 * factor with what `out` has. */
static bool refine(struct numbers *a, struct numbers *b, struct numbers *out, stop_flag *stop)
{
    if (!a->n || !b->n) {
        take_all(out, a->n ? a : b);
        return !stop_is_set(stop);
    }
    if (a->n > PAIRS_FEW || b->n > PAIRS_FEW)
        return a->n > b->n ? refine_halves(a, b, out, stop) : refine_halves(b, a, out, stop);
    for (size_t i = 0; i < b->n; i++)
        insert(a, b->at[i]);
    numbers_clear(b);
    take_all(out, a);
    return !stop_is_set(stop);
}

/* Those of `numbers` that share no factor with `product` go to `out`. */
static bool take_coprime(struct numbers *numbers, mpz_srcptr product, struct numbers *out,
                         stop_flag *stop)
{
    struct numbers rests = {0}, kept = {0};
    numbers_grow(&rests, numbers->n);
    bool whole = tree_remainders((const mpz_t *)numbers->at, numbers->n, product, rests.at, stop);
    for (size_t i = 0; whole && i < numbers->n; i++) {
        mpz_gcd(rests.at[i], rests.at[i], numbers->at[i]);
        numbers_take(is_one(rests.at[i]) ? out : &kept, numbers->at[i]);
    }
    if (whole) {
        numbers_clear(numbers);
        *numbers = kept;
        kept = (struct numbers){0};
    }
    numbers_clear(&kept);
    numbers_clear(&rests);
    return whole;
}

/* Numbers of both go to `out` once, and leave them. Both are in ascending order. */
static void take_equal(struct numbers *a, struct numbers *b, struct numbers *out)
{
    struct numbers rest_a = {0}, rest_b = {0};
    size_t i = 0, j = 0;
    while (i < a->n || j < b->n) {
        int order = i == a->n ? 1 : j == b->n ? -1 : mpz_cmp(a->at[i], b->at[j]);
        if (order < 0)
            numbers_take(&rest_a, a->at[i++]);
        else if (order > 0)
            numbers_take(&rest_b, b->at[j++]);
        else {
            numbers_take(out, a->at[i++]);
            j++;
        }
    }
    numbers_clear(a);
    numbers_clear(b);
    *a = rest_a;
    *b = rest_b;
}

/* What two bases have in common is common already, and what shares nothing stays as it is: few
 * numbers are left to be refined. */
static bool merge(struct numbers *a, struct numbers *b, struct numbers *out, stop_flag *stop)
{
    mpz_t product_a, product_b;
    mpz_init(product_a);
    mpz_init(product_b);
    take_equal(a, b, out);
    bool whole = tree_product((const mpz_t *)a->at, a->n, product_a, stop) &&
                 tree_product((const mpz_t *)b->at, b->n, product_b, stop) &&
                 take_coprime(a, product_b, out, stop) && take_coprime(b, product_a, out, stop);
    mpz_clear(product_b);
    mpz_clear(product_a);
    whole = whole && refine(a, b, out, stop);
    numbers_sort(out);
    return whole;
}

/* --- all --- */

static bool base_of(const mpz_t *numbers, size_t n, struct numbers *base, stop_flag *stop)
{
    struct numbers left = {0}, right = {0};
    if (n <= 1) {
        if (n)
            mpz_set(numbers_add(base), numbers[0]);
        return !stop_is_set(stop);
    }
    bool whole = base_of(numbers, n / 2, &left, stop) &&
                 base_of(numbers + n / 2, n - n / 2, &right, stop) &&
                 merge(&left, &right, base, stop);
    numbers_clear(&left);
    numbers_clear(&right);
    return whole;
}

bool coprime_base(const mpz_t *numbers, size_t n, struct numbers *base, stop_flag *stop)
{
    struct numbers shared = {0}, rest = {0}, tangled = {0};
    numbers_grow(&shared, n);
    bool whole = tree_shared(numbers, n, NULL, shared.at, stop);
    /* Most share nothing with any other one, and are of the base as they are. */
    for (size_t i = 0; whole && i < n; i++)
        mpz_set(numbers_add(is_one(shared.at[i]) ? base : &tangled), numbers[i]);
    whole = whole && base_of((const mpz_t *)tangled.at, tangled.n, &rest, stop);
    take_all(base, &rest);
    numbers_sort(base);
    numbers_clear(&tangled);
    numbers_clear(&shared);
    return whole;
}

/* --- who has what --- */

void incidences_add(struct incidences *out, size_t number, size_t element)
{
    if (out->n == out->size) {
        out->size = out->size ? 2 * out->size : 64;
        out->at = mem_grow(out->at, out->size, sizeof *out->at);
    }
    out->at[out->n++] = (struct incidence){number, element};
}

/* Parts of numbers, and whose they are. */
struct bunch {
    struct numbers parts;
    size_t *owners;
};

static void bunch_clear(struct bunch *bunch)
{
    numbers_clear(&bunch->parts);
    free(bunch->owners);
    bunch->owners = NULL;
}

/* What the bunch has in common with the product of these numbers of the base. */
static bool common_with(const struct bunch *bunch, const mpz_t *base, size_t n_base,
                        struct bunch *out, stop_flag *stop)
{
    struct numbers rests = {0};
    mpz_t product;
    size_t n = bunch->parts.n;
    mpz_init(product);
    numbers_grow(&rests, n);
    *out = (struct bunch){.owners = mem_new(n + 1, sizeof *out->owners)};
    bool whole = tree_product(base, n_base, product, stop) &&
                 tree_remainders((const mpz_t *)bunch->parts.at, n, product, rests.at, stop);
    for (size_t i = 0; whole && i < n; i++) {
        mpz_gcd(rests.at[i], rests.at[i], bunch->parts.at[i]);
        if (is_one(rests.at[i]))
            continue;
        out->owners[out->parts.n] = bunch->owners[i];
        numbers_take(&out->parts, rests.at[i]);
    }
    mpz_clear(product);
    numbers_clear(&rests);
    return whole;
}

/* The bunch shares factors with these numbers of the base, of which the first is number `first`. */
static bool descend(const struct bunch *bunch, const mpz_t *base, size_t first, size_t n_base,
                    struct incidences *out, stop_flag *stop)
{
    if (!bunch->parts.n || !n_base)
        return !stop_is_set(stop);
    if (n_base == 1) {
        for (size_t i = 0; i < bunch->parts.n; i++)
            incidences_add(out, bunch->owners[i], first);
        return true;
    }
    size_t half = n_base / 2;
    struct bunch left = {0}, right = {0};
    bool whole =
        common_with(bunch, base, half, &left, stop) && descend(&left, base, first, half, out, stop);
    bunch_clear(&left);
    whole = whole && common_with(bunch, base + half, n_base - half, &right, stop) &&
            descend(&right, base + half, first + half, n_base - half, out, stop);
    bunch_clear(&right);
    return whole;
}

bool coprime_incidences(const mpz_t *numbers, size_t n, const mpz_t *base, size_t n_base,
                        struct incidences *out, stop_flag *stop)
{
    struct bunch all = {.owners = mem_new(n + 1, sizeof *all.owners)}, shared = {0};
    for (size_t i = 0; i < n; i++) {
        all.owners[i] = i;
        mpz_set(numbers_add(&all.parts), numbers[i]);
    }
    *out = (struct incidences){0};
    bool whole = common_with(&all, base, n_base, &shared, stop) &&
                 descend(&shared, base, 0, n_base, out, stop);
    bunch_clear(&shared);
    bunch_clear(&all);
    return whole;
}
