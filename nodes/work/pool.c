#include "nodes/work/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/large.h"
#include "shared/base/memory.h"

static size_t in_steps(size_t size)
{
    return (size + POOL_STEP - 1) / POOL_STEP * POOL_STEP;
}

struct pool *pool_new(size_t size)
{
    void *at = large_try(size);
    if (!at)
        return NULL;
    struct pool *it = mem_new(1, sizeof *it);
    *it = (struct pool){.at = at, .size = size};
    return it;
}

void pool_end(struct pool *it)
{
    if (!it)
        return;
    large_give(it->at, it->size);
    free(it);
}

/* Where the gap before the i-th block, or after the last one, begins and ends. */
static struct pool_block gap(const struct pool *it, size_t i)
{
    size_t from = i ? it->blocks[i - 1].end : 0;
    size_t end = i < it->n ? it->blocks[i].from : it->size;
    return (struct pool_block){from, end};
}

static void note_touched(struct pool *it, size_t end)
{
    if (it->touched < end)
        it->touched = end;
}

void *pool_take(struct pool *it, size_t size)
{
    if (it->n == POOL_BLOCKS || size > it->size)
        return NULL;
    size_t wanted = in_steps(size), i = 0;
    struct pool_block found = gap(it, 0);
    while (found.end - found.from < wanted) {
        if (i == it->n)
            return NULL;
        found = gap(it, ++i);
    }
    found.end = found.from + wanted;
    memmove(it->blocks + i + 1, it->blocks + i, (it->n - i) * sizeof *it->blocks);
    it->blocks[i] = found;
    it->n++;
    it->taken += wanted;
    note_touched(it, found.end);
    return it->at + found.from;
}

bool pool_has(const struct pool *it, const void *block)
{
    const char *at = block;
    return at >= it->at && at < it->at + it->size;
}

static size_t find(const struct pool *it, const void *block)
{
    size_t from = (size_t)((const char *)block - it->at), i = 0;
    while (i < it->n && it->blocks[i].from != from)
        i++;
    assert(i < it->n);
    return i;
}

void pool_give(struct pool *it, void *block)
{
    size_t i = find(it, block);
    it->taken -= it->blocks[i].end - it->blocks[i].from;
    it->n--;
    memmove(it->blocks + i, it->blocks + i + 1, (it->n - i) * sizeof *it->blocks);
}

bool pool_resize(struct pool *it, void *block, size_t size)
{
    size_t i = find(it, block);
    struct pool_block *found = &it->blocks[i];
    if (size > it->size || in_steps(size) > gap(it, i + 1).end - found->from)
        return false;
    size_t end = found->from + in_steps(size);
    it->taken += end - found->end;
    found->end = end;
    note_touched(it, end);
    return true;
}

void pool_clear(struct pool *it)
{
    for (size_t i = 0; i <= it->n; i++)
        large_clear(it->at + gap(it, i).from, gap(it, i).end - gap(it, i).from);
    it->touched = it->n ? it->blocks[it->n - 1].end : 0;
}
