/* memory.h - allocation that cannot fail, and an arena for what lives and dies together.
 *
 * All queues and counts are bounded (limits.h), so running out of memory is not a condition that a
 * peer can bring about; when it happens all the same the process panics, as GMP does, and its peers
 * take over. */
#ifndef CONCLAVE_BASE_MEMORY_H
#define CONCLAVE_BASE_MEMORY_H

#include <stddef.h>

/* Returns zeroed memory for `count` elements of `size` bytes; never NULL. Caller
 * frees with free(). */
void *mem_new(size_t count, size_t size);

/* Resizes `at` (may be NULL) to `count` elements of `size` bytes; takes `at`, caller frees the
 * result. */
void *mem_grow(void *at, size_t count, size_t size);

/* Returns a copy of the terminated string; caller frees. */
char *mem_string(const char *text);

/* Grows only; freed as a whole. Zero-initialize before the first use. */
struct arena {
    struct arena_block *blocks;
};

/* Returns zeroed, 16-byte aligned memory that lives until arena_clear(); borrows from the arena. */
void *arena_new(struct arena *arena, size_t size);

/* Frees everything that the arena gave out. */
void arena_clear(struct arena *arena);

#endif
