#include "nodes/io/logger.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nodes/work/mailbox.h"
#include "nodes/work/thread.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/urgency.h"

#define STACK_BYTES (1u << 17)
#define LOOK_NS     1000000 /* while it is waited for */

struct line {
    struct mail mail;
    size_t len;
    char at[];
};

static struct {
    pthread_t thread;
    struct mailbox *_Atomic lines; /* NULL: there is no logger */
    atomic_size_t waiting_bytes;
    atomic_uint_fast64_t left_out;
} logger;

/* --- the thread --- */

static void tell_left_out(void)
{
    uint64_t n = atomic_exchange(&logger.left_out, 0);
    if (n)
        log_write_now(LOG_WARN,
                      "%" PRIu64 " lines of the log were left out: it is written too "
                      "slowly",
                      n);
}

static void *logger_main(void *lines)
{
    urgency_normal();
    for (struct mail *mail; (mail = mailbox_wait(lines, MAILBOX_FOREVER));) {
        while (mail) {
            struct line *line = (struct line *)mail;
            mail = mail->next;
            log_put(line->at, line->len);
            atomic_fetch_sub(&logger.waiting_bytes, line->len);
            free(line);
        }
        tell_left_out();
    }
    return NULL;
}

/* --- who writes lines --- */

static void hand_over(const char *at, size_t len)
{
    struct mailbox *lines = atomic_load(&logger.lines);
    if (!lines) {
        log_put(at, len); /* it has just ended */
        return;
    }
    if (atomic_fetch_add(&logger.waiting_bytes, len) + len > LOG_WAITING_BYTES) {
        atomic_fetch_sub(&logger.waiting_bytes, len);
        atomic_fetch_add(&logger.left_out, 1);
        return;
    }
    struct line *line = mem_new(1, sizeof *line + len);
    line->len = len;
    memcpy(line->at, at, len);
    mailbox_put(lines, &line->mail);
}

void logger_start(void)
{
    struct mailbox *lines = mailbox_new();
    atomic_store(&logger.lines, lines);
    logger.thread = thread_start("log", STACK_BYTES, logger_main, lines);
    panic_calls(logger_flush);
    log_through(hand_over);
}

void logger_flush(void)
{
    uint64_t until_us = clock_now_us() + LOG_FLUSH_US;
    while (atomic_load(&logger.lines) && atomic_load(&logger.waiting_bytes) &&
           clock_now_us() < until_us)
        nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
}

void logger_stop(void)
{
    struct mailbox *lines = atomic_load(&logger.lines);
    if (!lines)
        return;
    logger_flush();
    if (atomic_load(&logger.waiting_bytes))
        return; /* nobody reads it any more: the process ends without it */
    log_through(NULL);
    atomic_store(&logger.lines, NULL);
    mailbox_close(lines);
    pthread_join(logger.thread, NULL);
    mailbox_destroy(&lines);
}
