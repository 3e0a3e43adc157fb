#include "nodes/core/state/key_window.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/core/records/record.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/wire/codec.h"

#define HASH_WIDTH  8
#define FILTER_BITS 16 /* for each hash: 1 % of the blocks are searched in vain */
#define LINE_BITS   512
#define LINE_SHIFT  9 /* bits of a hash that name a bit of a line */
#define DIGIT_BITS  8
#define DIGIT_MASK  ((1 << DIGIT_BITS) - 1)
/* Hashes are spread evenly: the place is guessed, then widened by this. */
#define SEARCH_STRIDE 64

static uint64_t hash_at(const struct key_block *block, size_t i)
{
    return bytes_get_le64(block->hashes + HASH_WIDTH * i);
}

/* Between low (the hash there is smaller, or 0) and high (greater or equal, or n). */
static bool search(const struct key_block *block, size_t n, uint64_t hash)
{
    size_t guess = (size_t)((hash >> 32) * n >> 32), low = guess, high = guess;
    for (size_t step = SEARCH_STRIDE; low > 0 && hash_at(block, low) >= hash; step *= 2)
        low = low > step ? low - step : 0;
    for (size_t step = SEARCH_STRIDE; high < n && hash_at(block, high) < hash; step *= 2)
        high = n - high > step ? high + step : n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hash_at(block, middle) < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && hash_at(block, low) == hash;
}

/* --- filters --- */

static size_t filter_lines(const struct key_window *window)
{
    return (window->block_hashes * FILTER_BITS + LINE_BITS - 1) / LINE_BITS;
}

/* Visits the line of a hash, and three bits in it: one miss of the cache for a block. */
static uint64_t *line_of(uint64_t *filter, size_t lines, uint64_t hash)
{
    return filter + (hash & UINT32_MAX) * lines / ((uint64_t)UINT32_MAX + 1) * (LINE_BITS / 64);
}

static void make_filter(const struct key_window *window, struct key_block *block)
{
    size_t lines = filter_lines(window);
    block->filter = mem_new(lines * (LINE_BITS / 64), sizeof *block->filter);
    for (size_t i = 0; i < window->block_hashes; i++) {
        uint64_t hash = hash_at(block, i), *line = line_of(block->filter, lines, hash);
        for (unsigned shift = 32; shift < 32 + 3 * LINE_SHIFT; shift += LINE_SHIFT) {
            uint64_t bit = hash >> shift & (LINE_BITS - 1);
            line[bit / 64] |= (uint64_t)1 << bit % 64;
        }
    }
}

static bool may_have(const struct key_block *block, size_t lines, uint64_t hash)
{
    if (!block->filter)
        return true;
    const uint64_t *line = line_of(block->filter, lines, hash);
    for (unsigned shift = 32; shift < 32 + 3 * LINE_SHIFT; shift += LINE_SHIFT) {
        uint64_t bit = hash >> shift & (LINE_BITS - 1);
        if (!(line[bit / 64] >> bit % 64 & 1))
            return false;
    }
    return true;
}

bool key_window_has(const struct key_window *window, uint64_t hash)
{
    size_t lines = filter_lines(window);
    if (map_get(&window->by_open, (struct map_key){hash, 0}))
        return true;
    for (size_t i = window->n; i-- > 0;)
        if (may_have(&window->blocks[i], lines, hash) &&
            search(&window->blocks[i], window->block_hashes, hash))
            return true;
    return false;
}

/* One at a time: after a checkpoint was loaded there are many to make. */
static void tend_filters(struct key_window *window)
{
    while (window->filtered < window->n && window->blocks[window->filtered].filter)
        window->filtered++;
    if (window->filtered < window->n)
        make_filter(window, &window->blocks[window->filtered++]);
}

/* --- sealing --- */

/* By digits, the last one first: a tenth of qsort()'s time. */
static void sort(uint64_t *at, size_t n)
{
    uint64_t *from = at, *to = mem_new(n, sizeof *to), *spare = to;
    for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
        size_t ends[1 << DIGIT_BITS] = {0}, sum = 0;
        for (size_t i = 0; i < n; i++)
            ends[from[i] >> shift & DIGIT_MASK]++;
        for (size_t digit = 0; digit <= DIGIT_MASK; digit++) {
            size_t count = ends[digit];
            ends[digit] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++)
            to[ends[from[i] >> shift & DIGIT_MASK]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    free(spare); /* an even number of digits: the last one was put where the first came from */
}

static void drop_block(struct key_block *block)
{
    blob_drop(&block->packed);
    free(block->filter);
}

/* Takes the packed bytes. */
static void put_block(struct key_window *window, uint64_t number, struct blob *packed)
{
    if (window->n == window->size) {
        window->size = window->size ? 2 * window->size : 4;
        window->blocks = mem_grow(window->blocks, window->size, sizeof *window->blocks);
    }
    window->blocks[window->n++] = (struct key_block){
        .number = number,
        .packed = packed,
        .hashes = packed->at + packed->len - HASH_WIDTH * window->block_hashes,
    };
    if (window->n <= window->blocks_max / (MUTANT(window_short) ? 2 : 1))
        return;
    drop_block(&window->blocks[0]);
    window->filtered -= window->filtered > 0;
    memmove(window->blocks, window->blocks + 1, --window->n * sizeof *window->blocks);
}

/* The frame is the last thing in the packed bytes. */
struct blob *key_window_pack_open(const struct key_window *window)
{
    struct blob *hashes = blob_new(HASH_WIDTH * window->n_open);
    for (size_t i = 0; i < window->n_open; i++)
        bytes_put_le64(hashes->at + HASH_WIDTH * i, window->open[i]);
    struct message *message = message_new(MESSAGE_IMAGE_KEY_BLOCK);
    message->as.image_key_block.number = window->next;
    message_add_frame(message, hashes);
    struct blob *packed = codec_pack(message);
    if (!packed)
        panic("a block of keys cannot be encoded");
    message_drop(&message);
    blob_drop(&hashes);
    return packed;
}

static void seal(struct key_window *window)
{
    sort(window->open, window->n_open);
    put_block(window, window->next, key_window_pack_open(window));
    window->next++;
    window->n_open = 0;
    map_clear(&window->by_open);
}

bool key_window_add(struct key_window *window, uint64_t hash)
{
    tend_filters(window);
    if (map_put(&window->by_open, (struct map_key){hash, 0}, window))
        return false;
    if (!window->open)
        window->open = mem_new(window->block_hashes, sizeof *window->open);
    window->open[window->n_open++] = hash;
    if (window->n_open < window->block_hashes)
        return false;
    seal(window);
    return true;
}

/* --- loading --- */

int key_window_begin(struct key_window *window, uint64_t next, uint64_t sealed)
{
    if (sealed > next || sealed > window->blocks_max || window->next)
        return ERR_MALFORMED;
    window->next = next;
    window->missing = (size_t)sealed;
    return OK;
}

int key_window_load(struct key_window *window, const struct message *message, struct blob *packed)
{
    const struct blob *frame = message_frame(message, 1);
    if (!frame || message->n_frames != 1 || frame->len != HASH_WIDTH * window->block_hashes ||
        !window->missing || message->as.image_key_block.number != window->next - window->missing)
        return ERR_MALFORMED;
    struct key_block block = {.hashes = frame->at};
    for (size_t i = 1; i < window->block_hashes; i++)
        if (hash_at(&block, i - 1) >= hash_at(&block, i))
            return ERR_MALFORMED;
    put_block(window, window->next - window->missing--, blob_ref(packed));
    return OK;
}

int key_window_add_packed(struct key_window *window, struct slice hashes)
{
    if (hashes.len % HASH_WIDTH)
        return ERR_MALFORMED;
    for (size_t i = 0; i < hashes.len; i += HASH_WIDTH)
        key_window_add(window, bytes_get_le64(hashes.at + i));
    return OK;
}

int key_window_unpack(struct slice key, struct blob *packed, struct message **block)
{
    struct text why = {0};
    uint64_t number;
    *block = NULL;
    if (key.len != 8 || !record_u64(key, 0, &number) || codec_unpack_shared(packed, block, &why))
        return ERR_CORRUPT;
    if ((*block)->type == MESSAGE_IMAGE_KEY_BLOCK && (*block)->as.image_key_block.number == number)
        return OK;
    message_drop(block);
    return ERR_CORRUPT;
}

void key_window_each(const struct key_window *window, size_t first_block,
                     void (*each)(void *context, uint64_t hash), void *context)
{
    for (size_t i = first_block; i < window->n; i++)
        for (size_t at = 0; at < window->block_hashes; at++)
            each(context, hash_at(&window->blocks[i], at));
    for (size_t i = 0; i < window->n_open; i++)
        each(context, window->open[i]);
}

uint64_t key_window_first(const struct key_window *window)
{
    return window->n ? window->blocks[0].number : window->next;
}

size_t key_window_count(const struct key_window *window)
{
    return window->n * window->block_hashes + window->n_open;
}

void key_window_clear(struct key_window *window)
{
    for (size_t i = 0; i < window->n; i++)
        drop_block(&window->blocks[i]);
    free(window->blocks);
    free(window->open);
    map_clear(&window->by_open);
    *window =
        (struct key_window){.block_hashes = window->block_hashes, .blocks_max = window->blocks_max};
}
