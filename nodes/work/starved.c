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

uint64_t starved_us(int fd)
{
    char text[64];
    uint64_t waited_ns;
    ssize_t n = fd >= 0 ? pread(fd, text, sizeof text - 1, 0) : 0;
    if (n <= 0)
        return 0;
    text[n] = '\0';
    return sscanf(text, "%*u %" SCNu64, &waited_ns) == 1 ? waited_ns / 1000 : 0;
}
