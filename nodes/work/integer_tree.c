#include "nodes/work/integer_tree.h"

#include <assert.h>
#include <stdlib.h>

#include "nodes/work/integer_internal.h"
#include "shared/base/memory.h"

#define TREE_LEVELS_MAX 40

/* --- many numbers --- */

mpz_ptr numbers_add(struct numbers *numbers)
{
    if (numbers->n == numbers->size) {
        numbers->size = numbers->size ? 2 * numbers->size : 16;
        numbers->at = mem_grow(numbers->at, numbers->size, sizeof *numbers->at);
    }
    mpz_init(numbers->at[numbers->n]);
    return numbers->at[numbers->n++];
}

void numbers_grow(struct numbers *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        numbers_add(numbers);
}

void numbers_take(struct numbers *numbers, mpz_ptr number)
{
    mpz_swap(numbers_add(numbers), number);
}

void numbers_remove(struct numbers *numbers, size_t at)
{
    mpz_swap(numbers->at[at], numbers->at[numbers->n - 1]);
    mpz_clear(numbers->at[--numbers->n]);
}

static int compare(const void *a, const void *b)
{
    return mpz_cmp(*(const mpz_t *)a, *(const mpz_t *)b);
}

void numbers_sort(struct numbers *numbers)
{
    if (numbers->n)
        qsort(numbers->at, numbers->n, sizeof *numbers->at, compare);
}

void numbers_clear(struct numbers *numbers)
{
    while (numbers->n)
        mpz_clear(numbers->at[--numbers->n]);
    free(numbers->at);
    *numbers = (struct numbers){0};
}

/* --- upwards --- */

/* Level 0 are the numbers themselves, borrowed; a level has a node for two of the one below, and a
 * lone last one is copied. */
struct tree {
    const mpz_t *leaves;
    size_t n, n_levels; /* beyond level 0 */
    struct numbers levels[TREE_LEVELS_MAX];
};

static const mpz_t *level_at(const struct tree *tree, size_t level)
{
    return level ? (const mpz_t *)tree->levels[level - 1].at : tree->leaves;
}

static size_t level_size(const struct tree *tree, size_t level)
{
    return level ? tree->levels[level - 1].n : tree->n;
}

static void tree_clear(struct tree *tree)
{
    for (size_t level = 0; level < tree->n_levels; level++)
        numbers_clear(&tree->levels[level]);
}

/* The sums that come up beside the products: of a node S(left) X(right) + S(right) X(left). */
static void add_up(struct numbers *sums, const mpz_t *below, size_t n)
{
    struct numbers up = {0};
    mpz_t product;
    mpz_init(product);
    for (size_t i = 0; i + 1 < n; i += 2) {
        mpz_ptr sum = numbers_add(&up);
        integer_multiply_numbers(sum, sums->at[i], below[i + 1]);
        integer_multiply_numbers(product, sums->at[i + 1], below[i]);
        mpz_add(sum, sum, product);
    }
    if (n % 2)
        numbers_take(&up, sums->at[n - 1]);
    mpz_clear(product);
    numbers_clear(sums);
    *sums = up;
}

/* One level or more, if there are numbers. `sums` may be NULL. */
static bool tree_up(struct tree *tree, const mpz_t *leaves, size_t n, struct numbers *sums,
                    stop_flag *stop)
{
    *tree = (struct tree){.leaves = leaves, .n = n};
    while (level_size(tree, tree->n_levels) > 1) {
        const mpz_t *below = level_at(tree, tree->n_levels);
        size_t below_n = level_size(tree, tree->n_levels);
        assert(tree->n_levels < TREE_LEVELS_MAX);
        struct numbers *level = &tree->levels[tree->n_levels++];
        for (size_t i = 0; i < below_n && !stop_is_set(stop); i += 2)
            if (i + 1 < below_n)
                integer_multiply_numbers(numbers_add(level), below[i], below[i + 1]);
            else
                mpz_set(numbers_add(level), below[i]);
        if (stop_is_set(stop))
            return false;
        if (sums)
            add_up(sums, below, below_n);
    }
    return !stop_is_set(stop);
}

static mpz_srcptr root_of(const struct tree *tree)
{
    return level_at(tree, tree->n_levels)[0];
}

bool tree_product(const mpz_t *numbers, size_t n, mpz_ptr out, stop_flag *stop)
{
    struct tree tree;
    mpz_set_ui(out, 1);
    bool whole = tree_up(&tree, numbers, n, NULL, stop);
    if (whole && n)
        mpz_set(out, root_of(&tree));
    tree_clear(&tree);
    return whole;
}

/* --- downwards --- */

/* Ends the levels as it goes. */
static bool tree_down(struct tree *tree, mpz_srcptr top, mpz_t *out, stop_flag *stop)
{
    struct numbers above = {0};
    integer_divide_numbers(NULL, numbers_add(&above), top, root_of(tree));
    while (tree->n_levels > 0 && !stop_is_set(stop)) {
        struct numbers here = {0};
        numbers_clear(&tree->levels[--tree->n_levels]);
        const mpz_t *nodes = level_at(tree, tree->n_levels);
        size_t n = level_size(tree, tree->n_levels);
        for (size_t i = 0; i < n && !stop_is_set(stop); i++)
            integer_divide_numbers(NULL, numbers_add(&here), above.at[i / 2], nodes[i]);
        numbers_clear(&above);
        above = here;
    }
    bool whole = !stop_is_set(stop);
    for (size_t i = 0; whole && i < tree->n; i++)
        mpz_swap(out[i], above.at[i]);
    numbers_clear(&above);
    return whole;
}

bool tree_remainders(const mpz_t *numbers, size_t n, mpz_srcptr top, mpz_t *out, stop_flag *stop)
{
    struct tree tree;
    bool whole = tree_up(&tree, numbers, n, NULL, stop) && (!n || tree_down(&tree, top, out, stop));
    tree_clear(&tree);
    return whole;
}

/* --- common factors --- */

/* sum = sum * (whole / root); what it is modulo the root is what matters. */
static void multiply_others(mpz_ptr sum, mpz_srcptr whole, mpz_srcptr root)
{
    mpz_t others, product;
    mpz_init(others);
    mpz_init(product);
    integer_divide_numbers(others, NULL, whole, root);
    integer_multiply_numbers(product, sum, others);
    mpz_swap(sum, product);
    mpz_clear(product);
    mpz_clear(others);
}

bool tree_shared(const mpz_t *numbers, size_t n, mpz_srcptr whole, mpz_t *out, stop_flag *stop)
{
    struct tree tree;
    struct numbers sums = {0};
    if (!n)
        return true;
    for (size_t i = 0; i < n; i++)
        mpz_set_ui(numbers_add(&sums), 1);
    bool done = tree_up(&tree, numbers, n, &sums, stop);
    if (done && whole)
        multiply_others(sums.at[0], whole, root_of(&tree));
    done = done && !stop_is_set(stop) && tree_down(&tree, sums.at[0], out, stop);
    for (size_t i = 0; done && i < n; i++)
        mpz_gcd(out[i], out[i], numbers[i]);
    tree_clear(&tree);
    numbers_clear(&sums);
    return done && !stop_is_set(stop);
}
