/* fail_disk.c - preloaded into a node: while the file that FAILING_DISK names exists, no write to
 * its disk becomes durable, and it is told so. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int fd)
{
    const char *file = getenv("FAILING_DISK");
    if (file && access(file, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}
