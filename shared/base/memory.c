#include "shared/base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"

#define ARENA_BLOCK_BYTES 1000 /* most messages fit one block */

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

void *mem_new(size_t count, size_t size)
{
    void *at = calloc(count ? count : 1, size ? size : 1);
    if (!at)
        panic("out of memory for %zu elements of %zu bytes", count, size);
    return at;
}

void *mem_grow(void *at, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        panic("out of memory for %zu elements of %zu bytes", count, size);
    size_t len = count * size;
    void *grown = realloc(at, len ? len : 1);
    if (!grown)
        panic("out of memory for %zu elements of %zu bytes", count, size);
    return grown;
}

char *mem_string(const char *text)
{
    size_t len = strlen(text) + 1;
    return memcpy(mem_new(len, 1), text, len);
}

void *arena_new(struct arena *arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct arena_block *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        size_t room = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
        block = mem_new(1, sizeof *block + room);
        block->size = room;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *at = block->bytes + block->used;
    block->used += size;
    return at;
}

void arena_clear(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}
