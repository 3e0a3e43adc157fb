/* jump_clock.c - preloaded into a node: its wall clock is wrong by as much as a file says, and
 * jumps when the file changes. The monotonic clock is left alone, as it is when a clock is set,
 * unless a test wants to see what a process does after a wait that nobody sits out.
 *
 *   JUMP_CLOCK         that file: milliseconds, with a sign
 *   JUMP_CLOCK_ALL     set: the monotonic clock jumps, too, as if so much time had passed
 *   JUMP_CLOCK_COUNTS  a file that says how often a wrong time was told (told.h)
 *
 * libfaketime can do the same and far more, and stands in for waits and timers too; of what a node
 * does, only reading the clock depends on the wall clock. */
#include <dlfcn.h>
#include <stdbool.h>
#include <sys/time.h>
#include <time.h>

#include "tests/shim/told.h"

static const char *const names[] = {"jumped", NULL};

static struct {
    pthread_mutex_t lock;
    struct told told;
    long long offset_ms;
    struct counts counts;
    bool all;
    int (*real)(clockid_t, struct timespec *); /* without a system call, mostly */
} shim = {.lock = PTHREAD_MUTEX_INITIALIZER, .counts = {.fd = -1}};

__attribute__((constructor)) static void begin(void)
{
    *(void **)&shim.real = dlsym(RTLD_NEXT, "clock_gettime");
    shim.told.path = getenv("JUMP_CLOCK");
    shim.all = getenv("JUMP_CLOCK_ALL") != NULL;
    counts_open(&shim.counts, "JUMP_CLOCK_COUNTS", names);
    unsetenv("LD_PRELOAD"); /* the node's own clock is wrong, not that of what it starts */
}

static void jump(struct timespec *now)
{
    pthread_mutex_lock(&shim.lock);
    if (told_changed(&shim.told))
        shim.offset_ms = strtoll(shim.told.text, NULL, 10);
    long long offset_ms = shim.offset_ms;
    pthread_mutex_unlock(&shim.lock);
    if (!offset_ms)
        return;
    long long ns = now->tv_nsec + offset_ms % 1000 * 1000000;
    now->tv_sec += offset_ms / 1000 + (ns < 0 ? -1 : ns / 1000000000);
    now->tv_nsec = ns < 0 ? ns + 1000000000 : ns % 1000000000;
    counts_add(&shim.counts, 0);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = shim.real ? shim.real(clock, now) : (int)syscall(SYS_clock_gettime, clock, now);
    bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    bool monotonic = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE;
    if (!result && (wall || (shim.all && monotonic)))
        jump(now);
    return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    *at = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return result;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}
