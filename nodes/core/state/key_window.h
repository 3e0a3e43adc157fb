/* key_window.h - the hashes of the last N keys that were used and whose outcomes are forgotten.
 *
 * They are kept in blocks. The open block takes new ones; a full one is sorted, sealed, and never
 * changes: its packed bytes are what is searched, what goes to disk once, and what is sent to a
 * node that is installed. When there are more than enough blocks, the oldest goes as a whole. So a
 * checkpoint costs what is new; a key costs 8 bytes of memory and disk, and 2 more of memory
 * for the filter that keeps a search away from blocks that have nothing.
 *
 * A key is there when its 64-bit hash is: among N = 10,000,000 a fresh key is taken for a forgotten
 * one with probability N / 2^64 = 5.4e-13, and its client gets an error. */
#ifndef CONCLAVE_CORE_KEY_WINDOW_H
#define CONCLAVE_CORE_KEY_WINDOW_H

#include "shared/base/map.h"
#include "shared/wire/message.h"

struct key_block {
    uint64_t number;
    struct blob *packed;   /* an image_key_block; owned */
    const uint8_t *hashes; /* inside it: 64-bit little-endian, ascending */
    uint64_t *filter; /* Bloom's, in lines of a cache; NULL: not made yet, the block is searched */
};

/* Zero-initialize, then set the two limits. */
struct key_window {
    size_t block_hashes; /* in a sealed block */
    size_t blocks_max;
    struct key_block *blocks; /* sealed, oldest first, numbers without gaps; owned */
    size_t n, size;
    size_t filtered; /* blocks up to here have their filter */
    size_t missing;  /* sealed ones, the last of them, that are still to be loaded */
    uint64_t next;   /* number of the open block */
    uint64_t *open;  /* its hashes, in the order in which they came; owned */
    size_t n_open;
    struct map by_open; /* hash -> a mark */
};

bool key_window_has(const struct key_window *window, uint64_t hash);

/* True when that sealed a block. */
bool key_window_add(struct key_window *window, uint64_t hash);

/* Loads: first the number of the open block and how many are sealed before it; then the sealed
 * ones, in order (each as it is packed, to which a reference is added), and the hashes of the open
 * one with key_window_add(). ERR_MALFORMED when a block is not the one that is missing next, or not
 * sealed. */
int key_window_begin(struct key_window *window, uint64_t next, uint64_t sealed);
int key_window_load(struct key_window *window, const struct message *message, struct blob *packed);

/* Adds hashes as they are packed, 64-bit little-endian. ERR_MALFORMED when they are cut. */
int key_window_add_packed(struct key_window *window, struct slice hashes);

/* A block from its record, under its number: the message (caller drops) holds parts of `packed`.
 * ERR_CORRUPT when it is none, or another one. */
int key_window_unpack(struct slice key, struct blob *packed, struct message **block);

/* The open block as it would be sealed now, except that it keeps its order (caller drops). */
struct blob *key_window_pack_open(const struct key_window *window);

/* The number of the oldest block. */
uint64_t key_window_first(const struct key_window *window);

/* Calls for each hash of the sealed blocks from `first_block` (an index) on, and of
 * the open one. */
void key_window_each(const struct key_window *window, size_t first_block,
                     void (*each)(void *context, uint64_t hash), void *context);

/* How many are remembered. */
size_t key_window_count(const struct key_window *window);

void key_window_clear(struct key_window *window);

#endif
