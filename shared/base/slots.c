#include "shared/base/slots.h"

#include <sched.h>
#include <unistd.h>

uint64_t slots_default(uint64_t nodes)
{
    cpu_set_t usable;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    /* It fails on more processors than the set has room for. */
    if (!sched_getaffinity(0, sizeof usable, &usable))
        n = CPU_COUNT(&usable);
    uint64_t share = nodes && n > 0 ? (uint64_t)n / nodes : 0;
    return share < 1 ? 1 : share < SLOTS_MAX ? share : SLOTS_MAX;
}
