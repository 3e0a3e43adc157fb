#include "shared/base/large.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/base/error.h"

#define PIECE_BYTES ((size_t)8 * MIB_BYTES) /* some 50 us; without large pages a millisecond */

void *large_map(size_t size, bool large_pages)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        panic("out of memory: %zu bytes for a value or a number", size);
    if (large_pages) /* where there are none it is only slower */
        madvise(at, size, MADV_HUGEPAGE);
    return at;
}

void large_unmap(void *at, size_t size)
{
    uint8_t *from = at;
    for (size_t done = 0; done < size; done += PIECE_BYTES)
        munmap(from + done, size - done < PIECE_BYTES ? size - done : PIECE_BYTES);
}

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
