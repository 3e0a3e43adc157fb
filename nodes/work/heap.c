#include "nodes/work/heap.h"

#include <flint/flint.h>
#include <gmp.h>
#include <mimalloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/work/pool.h"
#include "shared/base/large.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#pragma weak mi_collect
#pragma weak mi_option_set_default
#pragma weak mi_thread_done

/* Giving back what is free, and getting it again, takes a lock of the kernel that all threads of
 * the process share. In the middle of a large job nothing is given back: much of it would be needed
 * again at once, and the loop would wait for a compute thread without a processor. */
#define GIVE_BACK_MS (HEAP_IDLE_US / 2 / MS_US)

/* --- large blocks of numbers ---
 *
 * What an allocator does not keep it maps and unmaps. That takes the lock of the address space: a
 * compute thread that holds it and loses its processor stops the event loop at its next page. */

static _Thread_local struct pool *own; /* NULL: it has had no large block */
static _Thread_local bool keeps;
static size_t kept_most = HEAP_KEPT_BYTES;

/* A thread may free what another one took: all pools are known. The lock is held for a few
 * instructions, by threads that compute. */
static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pool *pools;

/* As GMP wants it: never NULL, and not cleared. */
static void *fresh_block(size_t size)
{
    void *block = size < LARGE_BYTES ? malloc(size) : large_take(size);
    if (!block)
        panic("out of memory: %zu bytes for a number", size);
    return block;
}

static void free_block(void *block, size_t size)
{
    if (size < LARGE_BYTES)
        free(block);
    else
        large_give(block, size);
}

void heap_keep_at_most(size_t bytes)
{
    kept_most = bytes < HEAP_KEPT_BYTES ? bytes : HEAP_KEPT_BYTES;
}

void heap_keep(void)
{
    keeps = true;
}

static void begin_own(void)
{
    size_t class;
    struct pool *begun = pool_new(large_round(kept_most, &class));
    if (!begun)
        return;
    pthread_mutex_lock(&pools_lock);
    begun->next = pools;
    pools = begun;
    pthread_mutex_unlock(&pools_lock);
    own = begun;
}

static struct pool *pool_of(const void *block)
{
    struct pool *it = pools;
    while (it && !pool_has(it, block))
        it = it->next;
    return it;
}

void *heap_alloc(size_t size)
{
    if (size < HEAP_LARGE_BYTES)
        return fresh_block(size);
    void *block = NULL;
    if (keeps && !own && kept_most >= size)
        begin_own();
    if (own) {
        pthread_mutex_lock(&pools_lock);
        block = pool_take(own, size);
        pthread_mutex_unlock(&pools_lock);
    }
    size_t class;
    return block ? block : fresh_block(large_round(size, &class));
}

void heap_free(void *block, size_t size)
{
    if (size < HEAP_LARGE_BYTES) {
        free_block(block, size);
        return;
    }
    pthread_mutex_lock(&pools_lock);
    struct pool *pool = pool_of(block);
    if (pool)
        pool_give(pool, block);
    pthread_mutex_unlock(&pools_lock);
    size_t class;
    if (!pool)
        free_block(block, large_round(size, &class));
}

static bool resized_in_place(void *block, size_t old_size, size_t new_size)
{
    size_t class;
    if (old_size < HEAP_LARGE_BYTES || new_size < HEAP_LARGE_BYTES)
        return false;
    pthread_mutex_lock(&pools_lock);
    struct pool *pool = pool_of(block);
    bool done = pool && pool_resize(pool, block, new_size);
    pthread_mutex_unlock(&pools_lock);
    return pool ? done : large_round(old_size, &class) == large_round(new_size, &class);
}

void *heap_resize(void *block, size_t old_size, size_t new_size)
{
    if (old_size < HEAP_LARGE_BYTES && new_size < HEAP_LARGE_BYTES)
        return mem_grow(block, 1, new_size);
    if (resized_in_place(block, old_size, new_size))
        return block;
    void *fresh = heap_alloc(new_size);
    memcpy(fresh, block, old_size < new_size ? old_size : new_size);
    heap_free(block, old_size);
    return fresh;
}

/* --- FLINT tells no sizes: they stand before the block --- */

#define SIZE_ROOM 64 /* keeps the alignment that vector instructions like */

static void *flint_block(size_t size)
{
    if (size > SIZE_MAX - SIZE_ROOM)
        panic("out of memory: %zu bytes for a number", size);
    uint8_t *block = heap_alloc(size + SIZE_ROOM);
    *(size_t *)(void *)block = size + SIZE_ROOM;
    return block + SIZE_ROOM;
}

static void *flint_zeroed(size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        panic("out of memory: %zu times %zu bytes for a number", n, size);
    return memset(flint_block(n * size), 0, n * size);
}

static void flint_unblock(void *at)
{
    if (!at)
        return;
    uint8_t *block = (uint8_t *)at - SIZE_ROOM;
    heap_free(block, *(size_t *)(void *)block);
}

static void *flint_resized(void *at, size_t size)
{
    if (!at)
        return flint_block(size);
    uint8_t *block = (uint8_t *)at - SIZE_ROOM;
    block = heap_resize(block, *(size_t *)(void *)block, size + SIZE_ROOM);
    *(size_t *)(void *)block = size + SIZE_ROOM;
    return block + SIZE_ROOM;
}

size_t heap_kept_bytes(void)
{
    return own ? own->touched - own->taken : 0;
}

static void give_back_kept(void)
{
    if (!own)
        return;
    pthread_mutex_lock(&pools_lock);
    struct pool **at = &pools, *ended = NULL;
    while (*at != own)
        at = &(*at)->next;
    if (own->n) {
        pool_clear(own);
    } else {
        ended = own;
        *at = own->next;
        own = NULL;
    }
    pthread_mutex_unlock(&pools_lock);
    pool_end(ended);
}

/* --- the allocator --- */

void heap_init(void)
{
    mp_set_memory_functions(heap_alloc, heap_resize, heap_free);
    __flint_set_memory_functions(flint_block, flint_zeroed, flint_resized, flint_unblock);
    if (!mi_option_set_default)
        return;
    mi_option_set_default(mi_option_decommit_delay, GIVE_BACK_MS);
    mi_option_set_default(mi_option_segment_decommit_delay, GIVE_BACK_MS);
    mi_option_set_default(mi_option_abandoned_page_decommit, 1);
}

void heap_give_back(void)
{
    give_back_kept();
    /* What a thread has freed goes back only with a later free nearby, which a thread with nothing
     * to do never makes: 20 MB stayed with whoever had multiplied last. So its heap is ended; the
     * next block begins another, which can let go of what nobody has now. */
    if (keeps && mi_thread_done) {
        mi_thread_done();
        volatile size_t *any = fresh_block(sizeof *any);
        *any = 0;
        free((void *)any);
    }
    if (mi_collect)
        mi_collect(true);
}

void heap_worked(struct heap_idle *idle, uint64_t now_us)
{
    *idle = (struct heap_idle){now_us + HEAP_IDLE_US, 0};
}

bool heap_is_idle(struct heap_idle *idle, uint64_t now_us)
{
    if (now_us < idle->at_us)
        return false;
    idle->pause_us = idle->pause_us ? 2 * idle->pause_us : HEAP_AGAIN_US;
    if (idle->pause_us > HEAP_AGAIN_MAX_US)
        idle->pause_us = HEAP_AGAIN_MAX_US;
    idle->at_us = now_us + idle->pause_us;
    return true;
}
