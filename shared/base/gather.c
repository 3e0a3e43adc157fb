#include "shared/base/gather.h"

#include <time.h>

#include "shared/base/clock.h"

void gather_wait(uint64_t began_us, uint64_t waiting)
{
    uint64_t at_us = gather_until_us(began_us, waiting), now_us = clock_now_us();
    if (now_us < at_us)
        nanosleep(&(struct timespec){.tv_nsec = (long)(at_us - now_us) * 1000}, NULL);
}
