#include "nodes/work/starved.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

int starved_open(void)
{
    return open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
}

void starved_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

bool starved_read(int fd, uint64_t *ran_us, uint64_t *waited_us)
{
    char text[64];
    uint64_t ran_ns, waited_ns;
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof text - 1, 0) : 0;
    if (n <= 0)
        return false;
    text[n] = '\0';
    if (sscanf(text, "%" SCNu64 " %" SCNu64, &ran_ns, &waited_ns) != 2)
        return false;
    *ran_us = ran_ns / 1000;
    *waited_us = waited_ns / 1000;
    return true;
}

uint64_t starved_us(int fd)
{
    uint64_t ran_us, waited_us;
    return starved_read(fd, &ran_us, &waited_us) ? waited_us : 0;
}
