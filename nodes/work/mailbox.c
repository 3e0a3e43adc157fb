#include "nodes/work/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

struct mailbox {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct mail *first, *last;
    bool closed;
    int fd; /* -1: not polled */
};

struct mailbox *mailbox_new(bool polled)
{
    struct mailbox *box = mem_new(1, sizeof *box);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* the clock of every deadline */
    box->fd = polled ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if ((polled && box->fd < 0) || pthread_mutex_init(&box->mutex, NULL) ||
        pthread_cond_init(&box->changed, &attributes))
        panic("cannot make a mailbox: %s", strerror(errno));
    pthread_condattr_destroy(&attributes);
    return box;
}

void mailbox_destroy(struct mailbox **box)
{
    struct mailbox *it = *box;
    *box = NULL;
    if (!it)
        return;
    if (it->fd >= 0)
        close(it->fd);
    pthread_cond_destroy(&it->changed);
    pthread_mutex_destroy(&it->mutex);
    free(it);
}

void mailbox_put(struct mailbox *box, struct mail *mail)
{
    mail->next = NULL;
    pthread_mutex_lock(&box->mutex);
    bool was_empty = !box->first;
    if (was_empty)
        box->first = mail;
    else
        box->last->next = mail;
    box->last = mail;
    if (was_empty && box->fd >= 0) {
        uint64_t one = 1;
        ssize_t written = write(box->fd, &one, sizeof one);
        (void)written; /* at most one is outstanding, so it cannot be full */
    } else if (was_empty) {
        pthread_cond_broadcast(&box->changed);
    }
    pthread_mutex_unlock(&box->mutex);
}

static struct mail *take_locked(struct mailbox *box)
{
    struct mail *all = box->first;
    if (all && box->fd >= 0) {
        uint64_t count;
        ssize_t got = read(box->fd, &count, sizeof count);
        (void)got; /* put wrote it under the same mutex */
    }
    box->first = box->last = NULL;
    return all;
}

struct mail *mailbox_take(struct mailbox *box)
{
    pthread_mutex_lock(&box->mutex);
    struct mail *all = take_locked(box);
    pthread_mutex_unlock(&box->mutex);
    return all;
}

/* Waits for a change until the deadline; false when it has passed. */
static bool wait_locked(struct mailbox *box, uint64_t deadline_us)
{
    if (deadline_us == MAILBOX_FOREVER) {
        pthread_cond_wait(&box->changed, &box->mutex);
        return true;
    }
    struct timespec until = {.tv_sec = (time_t)(deadline_us / SECOND_US),
                             .tv_nsec = (long)(deadline_us % SECOND_US) * 1000};
    return pthread_cond_timedwait(&box->changed, &box->mutex, &until) != ETIMEDOUT;
}

struct mail *mailbox_wait(struct mailbox *box, uint64_t deadline_us)
{
    pthread_mutex_lock(&box->mutex);
    while (!box->first && !box->closed && wait_locked(box, deadline_us))
        ;
    struct mail *all = take_locked(box);
    pthread_mutex_unlock(&box->mutex);
    return all;
}

bool mailbox_wait_closed(struct mailbox *box, uint64_t deadline_us)
{
    pthread_mutex_lock(&box->mutex);
    while (!box->closed && wait_locked(box, deadline_us))
        ;
    bool closed = box->closed;
    pthread_mutex_unlock(&box->mutex);
    return closed;
}

void mailbox_close(struct mailbox *box)
{
    pthread_mutex_lock(&box->mutex);
    box->closed = true;
    pthread_cond_broadcast(&box->changed);
    pthread_mutex_unlock(&box->mutex);
}

bool mailbox_is_closed(struct mailbox *box)
{
    pthread_mutex_lock(&box->mutex);
    bool closed = box->closed;
    pthread_mutex_unlock(&box->mutex);
    return closed;
}

int mailbox_fd(const struct mailbox *box)
{
    return box->fd;
}
