#include "nodes/work/mailbox.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

#ifdef CONCLAVE_MUTANTS
#include <pthread.h>
#endif

/* A stack that writers push to and the reader takes whole (Treiber 1986). No mail is ever taken
 * alone, so an address that comes again (the ABA problem) does no harm. */
struct mailbox {
    struct mail *_Atomic top;
    atomic_bool closed;
    int fd;        /* an eventfd: readable after something came into an empty box, or it closed */
    int closed_fd; /* likewise, and only once it is closed */
};

static int make_event(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        panic("cannot make a mailbox: %s", strerror(errno));
    return fd;
}

struct mailbox *mailbox_new(void)
{
    struct mailbox *box = mem_new(1, sizeof *box);
    box->fd = make_event();
    box->closed_fd = make_event();
    return box;
}

void mailbox_destroy(struct mailbox **box)
{
    struct mailbox *it = *box;
    *box = NULL;
    if (!it)
        return;
    close(it->fd);
    close(it->closed_fd);
    free(it);
}

static void ring(int fd)
{
    uint64_t one = 1;
    ssize_t written;
    do
        written = write(fd, &one, sizeof one);
    while (written < 0 && errno == EINTR); /* it cannot be full: each reading sets it to 0 */
}

#ifdef CONCLAVE_MUTANTS
/* A known bug: a writer that is stopped while it rings holds a lock that the reader needs. */
static pthread_mutex_t planted = PTHREAD_MUTEX_INITIALIZER;

static void lock_planted(void)
{
    if (MUTANT(mailbox_locked))
        pthread_mutex_lock(&planted);
}

static void unlock_planted(void)
{
    if (MUTANT(mailbox_locked))
        pthread_mutex_unlock(&planted);
}
#else
static void lock_planted(void)
{
}
static void unlock_planted(void)
{
}
#endif

void mailbox_put(struct mailbox *box, struct mail *mail)
{
    lock_planted();
    struct mail *top = atomic_load_explicit(&box->top, memory_order_relaxed);
    do
        mail->next = top;
    while (!atomic_compare_exchange_weak_explicit(&box->top, &top, mail, memory_order_release,
                                                  memory_order_relaxed));
    /* A writer that is stopped here, or before, holds nothing that the reader needs. */
    if (!top)
        ring(box->fd);
    unlock_planted();
}

struct mail *mailbox_take(struct mailbox *box)
{
    /* In this order: what comes between the two is taken now, and its bell rings for nothing. */
    uint64_t count;
    lock_planted();
    unlock_planted();
    ssize_t got = read(box->fd, &count, sizeof count);
    (void)got; /* nothing rang: there may be mail all the same, whose writer has not got so far */
    struct mail *newest = atomic_exchange_explicit(&box->top, NULL, memory_order_acquire);
    struct mail *oldest = NULL;
    while (newest) {
        struct mail *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

/* Waits until one of the descriptors is readable; false when the deadline has passed. */
static bool wait_for(struct pollfd *items, nfds_t n, uint64_t deadline_us)
{
    for (;;) {
        uint64_t now_us = clock_now_us();
        uint64_t left_us = deadline_us > now_us ? deadline_us - now_us : 0;
        struct timespec left = {.tv_sec = (time_t)(left_us / SECOND_US),
                                .tv_nsec = (long)(left_us % SECOND_US) * 1000};
        int ready = ppoll(items, n, deadline_us == MAILBOX_FOREVER ? NULL : &left, NULL);
        if (ready >= 0)
            return ready > 0;
        if (errno != EINTR)
            panic("cannot wait for a mailbox: %s", strerror(errno));
    }
}

struct mail *mailbox_wait(struct mailbox *box, uint64_t deadline_us)
{
    struct pollfd items[] = {{.fd = box->fd, .events = POLLIN},
                             {.fd = box->closed_fd, .events = POLLIN}};
    for (;;) {
        struct mail *all = mailbox_take(box);
        if (all || mailbox_is_closed(box) || !wait_for(items, 2, deadline_us))
            return all ? all : mailbox_take(box); /* what was put before it closed is not lost */
    }
}

bool mailbox_wait_closed(struct mailbox *box, uint64_t deadline_us)
{
    struct pollfd item = {.fd = box->closed_fd, .events = POLLIN};
    return wait_for(&item, 1, deadline_us) || mailbox_is_closed(box);
}

void mailbox_close(struct mailbox *box)
{
    atomic_store_explicit(&box->closed, true, memory_order_release);
    ring(box->closed_fd);
}

bool mailbox_is_closed(struct mailbox *box)
{
    return atomic_load_explicit(&box->closed, memory_order_acquire);
}

int mailbox_fd(const struct mailbox *box)
{
    return box->fd;
}
