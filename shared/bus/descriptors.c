#include "shared/bus/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/mutant.h"
#include "shared/bus/intake.h"

#define SAY_US   (10 * SECOND_US) /* refused connections are logged so often */
#define PAUSE_NS 10000000         /* the system is out of descriptors: not at 100% of a processor */

static struct {
    int limit;         /* a connection gets a descriptor below it; 0: any */
    _Atomic int spare; /* given up for a moment to accept what is to be closed; -1: none */
    _Atomic uint64_t said_us;
} descriptors = {.spare = -1};

/* --- the limit --- */

/* Returns the soft limit, raised to `wanted` as far as the hard one allows. */
static uint64_t raise_to(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return wanted;
    if (limit.rlim_cur >= wanted)
        return limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) && getrlimit(RLIMIT_NOFILE, &limit))
        return wanted;
    return limit.rlim_cur;
}

void descriptors_raise(void)
{
    raise_to(FILES_MIN);
}

int descriptors_claim(uint64_t needed, uint64_t reserved, struct text *why)
{
    uint64_t limit = raise_to(needed > FILES_MIN ? needed : FILES_MIN);
    if (limit < needed && !MUTANT(descriptors_unchecked)) {
        text_add(why,
                 "the limit of open files is %" PRIu64 ", and %" PRIu64
                 " are needed; raise it (ulimit -Hn, LimitNOFILE=)",
                 limit, needed);
        return ERR_FULL;
    }
    descriptors.limit = limit - reserved > FILES_MAX ? FILES_MAX : (int)(limit - reserved);
    uint64_t more = (uint64_t)descriptors.limit + reserved;
    more = more > needed ? (more - needed) / FILES_HALF_OPEN_PART : 0;
    intake_bound_half_open(FILES_HALF_OPEN + (int)more);
    descriptors.spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return OK;
}

/* --- accepting --- */

static void say_refused(int limit)
{
    uint64_t now_us = clock_now_us(), said_us = descriptors.said_us;
    if (said_us && now_us - said_us < SAY_US)
        return;
    if (atomic_compare_exchange_strong(&descriptors.said_us, &said_us, now_us))
        log_write(LOG_WARN,
                  "refuses connections: %d descriptors are in use, and the rest are kept for its "
                  "own files and sockets",
                  limit);
}

static int refuse(void)
{
    say_refused(descriptors.limit);
    errno = ECONNABORTED; /* what libzmq takes for a connection that is gone again */
    return -1;
}

/* Out of descriptors all the same: the spare one makes room for a connection that is closed. */
static int refuse_by_spare(int listener)
{
    int spare = atomic_exchange(&descriptors.spare, -1);
    if (spare >= 0)
        close(spare);
    int got = (int)syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC);
    if (got >= 0)
        close(got);
    if (spare >= 0)
        descriptors.spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (got < 0)
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    return refuse();
}

int accept4(int listener, __SOCKADDR_ARG at, socklen_t *restrict len, int flags)
{
    int got = (int)syscall(SYS_accept4, listener, at.__sockaddr__, len, flags);
    if (got < 0)
        return errno == EMFILE || errno == ENFILE ? refuse_by_spare(listener) : -1;
    if (!descriptors.limit || got < descriptors.limit) {
        intake_begin(got, listener);
        return got;
    }
    close(got);
    return refuse();
}
