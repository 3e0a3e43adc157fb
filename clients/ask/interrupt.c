#include "clients/ask/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "shared/base/error.h"

static volatile sig_atomic_t seen;
static int ends[2] = {-1, -1};

static void on_signal(int number)
{
    int saved = errno;
    /* SIGTERM may come twice by itself: a dying parent's threads send PR_SET_PDEATHSIG one after
     * another. */
    if (seen && number == SIGINT)
        _exit(128 + number);
    seen = number;
    ssize_t written = write(ends[1], "", 1);
    (void)written; /* the pipe is empty: it has room */
    errno = saved;
}

void interrupt_open(void)
{
    if (ends[0] >= 0) {
        close(ends[0]); /* a forked supervisor gets its own */
        close(ends[1]);
    }
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        panic("cannot make a pipe for signals");
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int interrupt_fd(void)
{
    return ends[0];
}

int interrupt_seen(void)
{
    return seen;
}

void interrupt_reset(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}
