#include "shared/base/large.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/base/bits.h"
#include "shared/base/error.h"

#define PIECE_BYTES ((size_t)8 * MIB_BYTES) /* some 50 us; without large pages a millisecond */

/* --- sizes --- */

size_t large_round(size_t size, size_t *class)
{
    *class = LARGE_CLASSES - 1;
    if (size > SIZE_MAX / 2)
        return size;                   /* which nobody has */
    unsigned bits = bits_of(size) - 1; /* 2^bits <= size */
    size_t step = (((size_t)1 << bits) + LARGE_STEPS - 1) / LARGE_STEPS;
    size_t rounded = (size + step - 1) / step * step;
    *class = bits * LARGE_STEPS + rounded / step - LARGE_STEPS;
    return rounded;
}

/* --- the reserved range ---
 *
 * Each class has a number of slots there, taken or free by one bit. A block for which there is no
 * slot is mapped, and so are all where the range cannot be reserved: under a limit of the address
 * space, or where the system counts what is not touched. */

#define PAGE_BYTES ((size_t)2 * MIB_BYTES) /* a large one: two blocks share none */
#define LOW_BITS   22                      /* LARGE_BYTES */
#define SOME_BITS  28 /* from here on few slots: more than one machine's memory is no use */
#define HIGH_BITS  32 /* below: what may be reserved is not endless, and such blocks are rare */
#define MANY_SLOTS 64u
#define FEW_SLOTS  8u
#define FIRST      ((size_t)LOW_BITS * LARGE_STEPS)
#define CLASSES    ((size_t)(HIGH_BITS - LOW_BITS) * LARGE_STEPS)

_Static_assert(LARGE_BYTES == (size_t)1 << LOW_BITS, "the first class");

static struct {
    pthread_once_t once;
    uint8_t *at, *end;       /* NULL: none */
    size_t offsets[CLASSES]; /* where the slots of each class begin */
    atomic_uint_fast64_t taken[CLASSES];
} reserve = {.once = PTHREAD_ONCE_INIT};

static size_t size_of(size_t class)
{
    size_t bits = LOW_BITS + class / LARGE_STEPS, step = ((size_t)1 << bits) / LARGE_STEPS;
    size_t size = (LARGE_STEPS + class % LARGE_STEPS) * step;
    return (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static unsigned slots_of(size_t class)
{
    return LOW_BITS + class / LARGE_STEPS < SOME_BITS ? MANY_SLOTS : FEW_SLOTS;
}

static void make_reserve(void)
{
    size_t size = 0;
    for (size_t class = 0; class < CLASSES; class ++) {
        reserve.offsets[class] = size;
        size += slots_of(class) * size_of(class);
    }
    uint8_t *at = mmap(NULL, size + PAGE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return;
    at += PAGE_BYTES - 1 - ((uintptr_t)at + PAGE_BYTES - 1) % PAGE_BYTES;
    madvise(at, size, MADV_HUGEPAGE); /* where there are none it is only slower */
    reserve.at = at;
    reserve.end = at + size;
}

/* NULL: there is none. */
static void *take_slot(size_t class)
{
    unsigned slots = slots_of(class);
    uint64_t all = slots == MANY_SLOTS ? UINT64_MAX : (UINT64_C(1) << slots) - 1;
    uint64_t taken = atomic_load(&reserve.taken[class]);
    while (taken != all) {
        unsigned slot = (unsigned)__builtin_ctzll(~taken);
        if (atomic_compare_exchange_weak(&reserve.taken[class], &taken,
                                         taken | UINT64_C(1) << slot))
            return reserve.at + reserve.offsets[class] + slot * size_of(class);
    }
    return NULL;
}

void large_clear(void *at, size_t size)
{
    uint8_t *from = at;
    for (size_t done = 0; done < size; done += PIECE_BYTES) {
        size_t piece = size - done < PIECE_BYTES ? size - done : PIECE_BYTES;
        if (madvise(from + done, piece, MADV_DONTNEED)) /* locked: it stays, as a new one */
            memset(from + done, 0, piece);
    }
}

/* False: it was mapped. The whole slot goes back: the block's last large page may reach beyond its
 * end, and would stay with what is there. */
static bool give_slot(uint8_t *at, size_t class)
{
    if (!reserve.at || at < reserve.at || at >= reserve.end)
        return false;
    size_t size = size_of(class);
    large_clear(at, size);
    size_t slot = (size_t)(at - reserve.at - reserve.offsets[class]) / size;
    atomic_fetch_and(&reserve.taken[class], ~(UINT64_C(1) << slot));
    return true;
}

/* NULL: there is no memory, or no place for it. */
static void *map(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void *or_panic(void *at, size_t size)
{
    if (!at)
        panic("out of memory: %zu bytes for a value or a number", size);
    return at;
}

void *large_try(size_t size)
{
    size_t class;
    pthread_once(&reserve.once, make_reserve);
    large_round(size, &class);
    bool has = reserve.at && class >= FIRST && class - FIRST < CLASSES;
    void *at = has ? take_slot(class - FIRST) : NULL;
    if (at)
        return at;
    at = map(size);
    if (at)
        madvise(at, size, MADV_HUGEPAGE);
    return at;
}

void *large_take(size_t size)
{
    return or_panic(large_try(size), size);
}

void large_give(void *at, size_t size)
{
    size_t class;
    large_round(size, &class);
    if (!give_slot(at, class - FIRST))
        large_unmap(at, size);
}

void *large_map(size_t size)
{
    return or_panic(map(size), size);
}

void large_unmap(void *at, size_t size)
{
    uint8_t *from = at;
    for (size_t done = 0; done < size; done += PIECE_BYTES)
        munmap(from + done, size - done < PIECE_BYTES ? size - done : PIECE_BYTES);
}

/* --- pages --- */

static void populate(const void *at, size_t size, int advice)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)at & ~(page - 1);
    if (size >= LARGE_TOUCH_BYTES)
        (void)madvise((void *)from, (uintptr_t)at + size - from, advice);
}

void large_will_read(const void *at, size_t size)
{
    populate(at, size, MADV_POPULATE_READ);
}

void large_will_write(void *at, size_t size)
{
    populate(at, size, MADV_POPULATE_WRITE);
}
