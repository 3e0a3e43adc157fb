#include "nodes/work/integer.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_transform.h"

#include <assert.h>
#include <flint/fft.h>
#include <flint/flint.h>
#include <gmp.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/heap.h"
#include "shared/base/bits.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

_Static_assert(sizeof(mp_limb_t) == INTEGER_LIMB_BYTES && GMP_NAIL_BITS == 0,
               "values are read as limbs in place");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are read as limbs in place");
_Static_assert(OPERANDS_MAX == 4, "a group of the tree has four nodes");

/* --- products ---
 *
 * GMP's are the best for short numbers, transforms up to some millions of digits. Beyond, FLINT's
 * take 0.7 to 0.9 of GMP's time, and can take a second processor, which otherwise has nothing to
 * do: the last operations of a tree are the largest, and wait for each other (docs/decisions.md).
 */

/* From here on two threads of FLINT's are worth it: 14.5 ms instead of a transform's 17, and 34
 * instead of 53 with twice as many limbs. */
#define PARALLEL_LIMBS 125000 /* of the smaller factor */

#define THREADS_MAX 2 /* a third is worth little: a transform's passes wait for memory */

/* Processors that have nothing to run at the moment; 0 when nobody tells. */
static int idle_processors(void)
{
    char line[128];
    int running = INT_MAX;
    cpu_set_t set;
    FILE *file = fopen("/proc/stat", "re");
    if (!file || sched_getaffinity(0, sizeof set, &set))
        CPU_ZERO(&set);
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "procs_running %d", &running) == 1)
            break;
    if (file)
        fclose(file);
    return CPU_COUNT(&set) > running ? CPU_COUNT(&set) - running : 0;
}

/* FLINT's other threads are the process's: who computes beside others has none of them. */
static bool several;

void integer_threads(size_t threads)
{
    several = threads > 1;
}

static int threads_for(size_t limbs)
{
    return several || limbs < PARALLEL_LIMBS ? 1 : 1 + idle_processors();
}

/* Two threads take a third more processor time than one: not while others have work. */
static void multiply_large(mp_limb_t *out, struct number a, struct number b, int threads)
{
    if (!several)
        flint_set_num_threads(threads < THREADS_MAX ? threads : THREADS_MAX);
    flint_mpn_mul_fft_main(out, a.at, (mp_size_t)a.n, b.at, (mp_size_t)b.n);
}

void integer_give_back(void)
{
    transform_give_back();
    if (several)
        flint_cleanup();
    else
        flint_cleanup_master();
}

size_t integer_multiply_two(mp_limb_t *out, struct number a, struct number b)
{
    if (a.n < b.n) {
        struct number swap = a;
        a = b;
        b = swap;
    }
    int threads = threads_for(b.n);
    bool square = a.at == b.at && a.n == b.n;
    size_t from = square ? TRANSFORM_SQUARE_LIMBS : TRANSFORM_LIMBS;
    bool transforms = threads == 1 && b.n >= from && a.n + b.n <= TRANSFORM_PRODUCT_MAX;
    if (transforms && transform_multiply(out, a, b))
        return integer_trimmed(out, a.n + b.n);
    if (b.n == 1)
        out[a.n] = mpn_mul_1(out, a.at, (mp_size_t)a.n, b.at[0]);
    else if (b.n >= FLINT_LIMBS || threads > 1)
        multiply_large(out, a, b, threads);
    else if (square)
        mpn_sqr(out, a.at, (mp_size_t)a.n);
    else
        mpn_mul(out, a.at, (mp_size_t)a.n, b.at, (mp_size_t)b.n);
    return integer_trimmed(out, a.n + b.n);
}

static void move_smallest_last(struct number *numbers, size_t n)
{
    size_t smallest = n - 1;
    for (size_t i = 0; i + 1 < n; i++)
        if (numbers[i].n < numbers[smallest].n)
            smallest = i;
    struct number swap = numbers[n - 1];
    numbers[n - 1] = numbers[smallest];
    numbers[smallest] = swap;
}

/* Multiplies 1..4 numbers, the two smallest first each time, so that the multiplications stay
 * balanced. The result goes to `out`, the partial products to `scratch`; both have room for the sum
 * of the lengths, scratch twice. Reorders `numbers`. Returns the result's length; 0: it was
 * stopped.
 */
static size_t multiply_group(mp_limb_t *out, mp_limb_t *scratch, struct number *numbers, size_t n,
                             stop_flag *stop)
{
    if (n == 1) {
        memcpy(out, numbers[0].at, numbers[0].n * sizeof *out);
        return numbers[0].n;
    }
    for (; n > 2; n--) {
        move_smallest_last(numbers, n);
        move_smallest_last(numbers, n - 1);
        if (stop_is_set(stop))
            return 0;
        struct number a = numbers[n - 1], b = numbers[n - 2];
        numbers[n - 2] = (struct number){scratch, integer_multiply_two(scratch, a, b), false};
        scratch += a.n + b.n;
    }
    return stop_is_set(stop) ? 0 : integer_multiply_two(out, numbers[0], numbers[1]);
}

/* Reads the operands; *total becomes the sum of their lengths, *negative the sign of a product that
 * is not 0. */
static int read_operands(const struct integer_operand *operands, size_t n, struct number *numbers,
                         size_t *total, bool *negative)
{
    *total = 0;
    *negative = false;
    if (n < 1 || n > OPERANDS_MAX)
        return ERR_RANGE;
    for (size_t i = 0; i < n; i++) {
        int error = integer_operand_number(&operands[i], &numbers[i]);
        if (error == ERR_MALFORMED)
            return error;
        if (numbers[i].n > INTEGER_MAX_BYTES / INTEGER_LIMB_BYTES - *total)
            return ERR_TOO_BIG;
        *total += numbers[i].n;
        *negative ^= numbers[i].negative;
    }
    return OK;
}

int integer_multiply_room(const struct integer_operand *operands, size_t n, size_t *room_bytes)
{
    struct number numbers[OPERANDS_MAX];
    size_t total;
    bool negative;
    int error = read_operands(operands, n, numbers, &total, &negative);
    *room_bytes = total * INTEGER_LIMB_BYTES + negative;
    return error;
}

bool integer_multiply_into(const struct integer_operand *operands, size_t n, struct blob *out,
                           stop_flag *stop)
{
    struct number numbers[OPERANDS_MAX];
    size_t total;
    bool negative;
    int error = read_operands(operands, n, numbers, &total, &negative);
    assert(!error && out->len >= total * INTEGER_LIMB_BYTES + negative);
    size_t scratch_bytes = n > 2 ? 2 * total * INTEGER_LIMB_BYTES : 0;
    mp_limb_t *scratch = scratch_bytes ? heap_alloc(scratch_bytes) : NULL;
    size_t len = multiply_group((mp_limb_t *)(void *)out->at, scratch, numbers, n, stop);
    if (len)
        integer_end(out, len, negative);
    if (scratch)
        heap_free(scratch, scratch_bytes);
    return len > 0;
}

/* --- a subtree over leaves --- */

/* The product of four leaves at most: in one word as long as it fits. Returns its length. */
static size_t multiply_leaf_group(mp_limb_t *out, uint64_t first, size_t n)
{
    out[0] = first;
    size_t len = 1;
    for (size_t i = 1; i < n; i++) {
        mp_limb_t carry = mpn_mul_1(out, out, (mp_size_t)len, first - i);
        if (carry)
            out[len++] = carry;
    }
    return len;
}

static void multiply_leaf_level(struct level *level, uint64_t first, uint64_t count)
{
    mp_limb_t *at = level->limbs;
    level->n = 0;
    for (uint64_t done = 0; done < count; done += OPERANDS_MAX) {
        size_t n = count - done < OPERANDS_MAX ? (size_t)(count - done) : OPERANDS_MAX;
        size_t len = multiply_leaf_group(at, first - done, n);
        level->lengths[level->n++] = (uint32_t)len;
        at += len;
    }
}

static void multiply_level(const struct level *from, struct level *to, mp_limb_t *scratch)
{
    const mp_limb_t *at = from->limbs;
    mp_limb_t *next = to->limbs;
    to->n = 0;
    for (size_t done = 0; done < from->n; done += OPERANDS_MAX) {
        struct number group[OPERANDS_MAX];
        size_t n = 0;
        for (; n < OPERANDS_MAX && done + n < from->n; n++) {
            group[n] = (struct number){at, from->lengths[done + n], false};
            at += group[n].n;
        }
        /* The last group of a level may be a lone node: multiply_group() copies it, which is its
         * promotion. */
        size_t len = multiply_group(next, scratch, group, n, NULL);
        to->lengths[to->n++] = (uint32_t)len;
        next += len;
    }
}

bool integer_multiply_up(struct level *level, struct level *above, mp_limb_t *scratch,
                         stop_flag *stop)
{
    while (level->n > 1 && !stop_is_set(stop)) {
        multiply_level(level, above, scratch);
        struct level swap = *level;
        *level = *above;
        *above = swap;
    }
    return level->n == 1;
}

static uint64_t operations_of(uint64_t count)
{
    if (count == 1)
        return 1;
    uint64_t operations = 0;
    for (uint64_t n = count; n > 1; n = (n + OPERANDS_MAX - 1) / OPERANDS_MAX)
        operations += n / OPERANDS_MAX + (n % OPERANDS_MAX > 1);
    return operations;
}

int integer_leaves_room(uint64_t first, uint64_t count, size_t *room_bytes)
{
    *room_bytes = 0;
    if (count < 1 || count > INTEGER_LEAVES_MAX || first < count)
        return ERR_RANGE;
    uint64_t bits = bits_of(first); /* of the largest leaf */
    *room_bytes = (size_t)(count * bits + 63) / 64 * INTEGER_LIMB_BYTES;
    return OK;
}

bool integer_leaves_into(uint64_t first, uint64_t count, struct blob *out, uint64_t *operations,
                         stop_flag *stop)
{
    size_t n = (size_t)(count + OPERANDS_MAX - 1) / OPERANDS_MAX;
    /* A product of k leaves has at most k limbs; multiplying writes one limb more than it needs. */
    size_t room = (size_t)count + OPERANDS_MAX;
    mp_limb_t *limbs = mem_grow(NULL, 4 * room, sizeof *limbs);
    uint32_t *lengths = mem_grow(NULL, 2 * n, sizeof *lengths);
    struct level level = {0, lengths, limbs}, above = {0, lengths + n, limbs + room};
    mp_limb_t *scratch = limbs + 2 * room;
    multiply_leaf_level(&level, first, count);
    bool whole = integer_multiply_up(&level, &above, scratch, stop);
    size_t len_bytes = level.lengths[0] * sizeof *limbs;
    assert(out->len >= len_bytes);
    if (whole) {
        memcpy(out->at, level.limbs, len_bytes);
        out->len = len_bytes;
        *operations = operations_of(count);
    }
    free(lengths);
    free(limbs);
    return whole;
}

/* --- text --- */

int integer_text_room(const struct blob *value, size_t *room_bytes)
{
    mpz_t integer;
    int error = integer_read(value, integer);
    /* Its digits, exact or one too many; GMP may write a sign and terminates. */
    *room_bytes = error ? 0 : mpz_sizeinbase(integer, 10) + 2 + (mpz_sgn(integer) < 0);
    return error;
}
