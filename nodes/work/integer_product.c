/* The product of a list: a balanced tree over nodes of about the same size. Neighbours that are
 * small are multiplied into one node first, limb by limb, which is faster than GMP's smallest
 * products. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/heap.h"
#include "nodes/work/integer_internal.h"
#include "nodes/work/integer_list.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/packed.h"
#include "shared/base/slice.h"

/* Limbs of a node that small integers are gathered in: from there on GMP's products are faster. */
#define NODE_LIMBS 24

/* What a look at the whole list shows. */
struct survey {
    uint64_t items;
    size_t limbs; /* of all of them, each rounded up */
    bool negative, zero;
};

/* A list within the memory's bounds. */
static struct slice list_of(const struct blob *list)
{
    return (struct slice){list->at, list->len};
}

static size_t limbs_of(const struct packed_integer *item)
{
    return (item->magnitude.len + sizeof(mp_limb_t) - 1) / sizeof(mp_limb_t);
}

static bool look(struct slice list, struct survey *out)
{
    struct packed_integer item;
    *out = (struct survey){0};
    while (packed_take(&list, &item)) {
        out->items++;
        out->limbs += limbs_of(&item);
        out->negative ^= item.negative;
        out->zero |= !item.magnitude.len;
    }
    return !list.len;
}

int integer_product_room(const struct blob *list, size_t *room_bytes)
{
    *room_bytes = 0;
    if (list->len > INTEGER_MAX_BYTES)
        return ERR_TOO_BIG;
    /* A product of k bytes has k bytes at most; the one item may begin a limb with each. */
    *room_bytes = integer_room(list->len / sizeof(mp_limb_t) + 1);
    return OK;
}

/* --- the nodes at the bottom --- */

/* Copies a magnitude to a place for all of its limbs. */
static size_t put_limbs(mp_limb_t *at, const struct packed_integer *item)
{
    size_t n = limbs_of(item);
    at[n - 1] = 0;
    slice_copy(at, item->magnitude);
    return n;
}

/* A word that waits to be multiplied into the node that is being gathered, of `n` limbs at `at`. */
struct gathering {
    struct level *level;
    mp_limb_t *at;
    size_t n;
    mp_limb_t word;
};

static void end_node(struct gathering *it)
{
    if (!it->n)
        return;
    it->level->lengths[it->level->n++] = (uint32_t)it->n;
    it->at += it->n;
    it->n = 0;
}

static void end_word(struct gathering *it)
{
    if (it->word == 1)
        return;
    if (!it->n) {
        it->at[it->n++] = it->word;
    } else {
        mp_limb_t carry = mpn_mul_1(it->at, it->at, (mp_size_t)it->n, it->word);
        if (carry)
            it->at[it->n++] = carry;
    }
    it->word = 1;
    if (it->n >= NODE_LIMBS)
        end_node(it);
}

static void gather(struct gathering *it, const struct packed_integer *item)
{
    mp_limb_t word = 0, product;
    if (limbs_of(item) > 1) {
        end_word(it);
        end_node(it);
        it->n = put_limbs(it->at, item);
        end_node(it);
        return;
    }
    slice_copy(&word, item->magnitude);
    if (__builtin_mul_overflow(it->word, word, &product)) {
        end_word(it);
        product = word;
    }
    it->word = product;
}

/* At least one node. */
static void gather_all(struct level *level, struct slice list)
{
    struct gathering it = {level, level->limbs, 0, 1};
    struct packed_integer item;
    level->n = 0;
    while (packed_take(&list, &item))
        gather(&it, &item);
    end_word(&it);
    end_node(&it);
    if (!level->n) {
        it.at[it.n++] = 1;
        end_node(&it);
    }
}

/* --- the tree --- */

static void put_word(struct blob *out, mp_limb_t word)
{
    memcpy(out->at, &word, sizeof word);
    integer_end(out, 1, false);
}

static bool multiply_tree(struct slice list, const struct survey *survey, struct blob *out,
                          stop_flag *stop)
{
    size_t room = survey->limbs + OPERANDS_MAX, nodes = survey->items + 1;
    size_t limbs_bytes = 4 * room * sizeof(mp_limb_t);
    mp_limb_t *limbs = heap_alloc(limbs_bytes);
    uint32_t *lengths = mem_grow(NULL, 2 * nodes, sizeof *lengths);
    struct level level = {0, lengths, limbs}, above = {0, lengths + nodes, limbs + room};
    gather_all(&level, list);
    bool whole = integer_multiply_up(&level, &above, limbs + 2 * room, stop);
    if (whole) {
        assert(out->len >= level.lengths[0] * sizeof *limbs + survey->negative);
        memcpy(out->at, level.limbs, level.lengths[0] * sizeof *limbs);
        integer_end(out, level.lengths[0], survey->negative);
    }
    free(lengths);
    heap_free(limbs, limbs_bytes);
    return whole;
}

/* One item of any size: a segment may hold a single large one. */
static void copy_one(struct slice list, struct blob *out)
{
    struct packed_integer item;
    bool taken = packed_take(&list, &item);
    assert(taken && item.magnitude.len);
    integer_end(out, put_limbs((mp_limb_t *)(void *)out->at, &item), item.negative);
}

int integer_product_into(const struct blob *list, struct blob *out, stop_flag *stop)
{
    struct survey survey;
    if (!look(list_of(list), &survey))
        return ERR_MALFORMED;
    if (survey.zero || !survey.items)
        put_word(out, survey.zero ? 0 : 1);
    else if (survey.items == 1)
        copy_one(list_of(list), out);
    else if (!multiply_tree(list_of(list), &survey, out, stop))
        return ERR_INTERRUPTED;
    return OK;
}
