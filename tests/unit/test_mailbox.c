/* The mailbox between threads of different priorities: wherever a writer is stopped, the reader
 * goes on. The function by which a writer wakes the reader is stood in for here. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "nodes/work/mailbox.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

#define WRITERS     4
#define MAILS       20000 /* of each writer */
#define PATIENCE_MS 10000
#define STUCK_S     20 /* a reader that waits for a stopped writer would wait for ever */

struct letter {
    struct mail mail;
    unsigned writer, number;
};

/* --- a writer that is stopped in the middle of waking the reader --- */

static _Thread_local bool stops;
static sem_t stopped, released;

ssize_t write(int fd, const void *at, size_t len)
{
    if (stops) {
        sem_post(&stopped);
        while (sem_wait(&released))
            continue;
    }
    return syscall(SYS_write, fd, at, len);
}

static void *put_one_and_stop(void *argument)
{
    static struct letter letter;
    stops = true;
    mailbox_put(argument, &letter.mail);
    return NULL;
}

static void the_reader_takes_while_a_writer_stands_still(void **state)
{
    (void)state;
    struct mailbox *box = mailbox_new();
    struct letter more = {0};
    pthread_t thread;
    sem_init(&stopped, 0, 0);
    sem_init(&released, 0, 0);
    alarm(STUCK_S);
    assert_int_equal(pthread_create(&thread, NULL, put_one_and_stop, box), 0);
    while (sem_wait(&stopped))
        continue;
    /* It holds nothing that anybody needs: its mail is there, others can put, and be taken. */
    assert_non_null(mailbox_take(box));
    assert_null(mailbox_take(box));
    mailbox_put(box, &more.mail);
    assert_ptr_equal(mailbox_take(box), &more.mail);
    assert_false(mailbox_is_closed(box));
    sem_post(&released);
    pthread_join(thread, NULL);
    alarm(0);
    /* It rang for what was taken long ago: once, for nothing. */
    struct pollfd ready = {.fd = mailbox_fd(box), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 0), 1);
    assert_null(mailbox_take(box));
    assert_int_equal(poll(&ready, 1, 0), 0);
    mailbox_destroy(&box);
    sem_destroy(&stopped);
    sem_destroy(&released);
}

/* --- order, and nothing lost --- */

struct writer {
    struct mailbox *box;
    unsigned number;
};

static void *put_many(void *argument)
{
    struct writer *writer = argument;
    for (unsigned i = 0; i < MAILS; i++) {
        struct letter *letter = mem_new(1, sizeof *letter);
        letter->writer = writer->number;
        letter->number = i;
        mailbox_put(writer->box, &letter->mail);
    }
    return NULL;
}

/* Takes all that is there; returns how many. Each writer's come in its order. */
static unsigned take_all(struct mail *mail, unsigned next[WRITERS])
{
    unsigned n = 0;
    for (; mail; n++) {
        struct letter *letter = (struct letter *)mail;
        mail = mail->next;
        assert_int_equal(letter->number, next[letter->writer]++);
        free(letter);
    }
    return n;
}

static void many_writers(bool polls)
{
    struct mailbox *box = mailbox_new();
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    unsigned next[WRITERS] = {0}, n = 0;
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){box, i};
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, &writers[i]), 0);
    }
    struct pollfd ready = {.fd = mailbox_fd(box), .events = POLLIN};
    while (n < WRITERS * MAILS) {
        if (polls) {
            assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
            n += take_all(mailbox_take(box), next);
        } else {
            struct mail *mail = mailbox_wait(box, clock_now_us() + PATIENCE_MS * MS_US);
            assert_non_null(mail);
            n += take_all(mail, next);
        }
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_null(mailbox_take(box));
    mailbox_destroy(&box);
}

static void each_writers_mails_come_in_order_to_one_who_polls(void **state)
{
    (void)state;
    many_writers(true);
}

static void each_writers_mails_come_in_order_to_one_who_waits(void **state)
{
    (void)state;
    many_writers(false);
}

/* --- ends of waiting --- */

static void *close_box(void *argument)
{
    mailbox_close(argument);
    return NULL;
}

static void waiting_ends_with_the_deadline_and_with_the_box(void **state)
{
    (void)state;
    struct mailbox *box = mailbox_new();
    struct letter letter = {0};
    pthread_t thread;
    uint64_t start_us = clock_now_us();
    assert_null(mailbox_wait(box, start_us + 20 * MS_US));
    assert_false(mailbox_wait_closed(box, start_us + 40 * MS_US));
    assert_true(clock_now_us() - start_us >= 40 * MS_US);
    mailbox_put(box, &letter.mail);
    assert_false(mailbox_wait_closed(box, 0)); /* mail does not look like an end */
    assert_int_equal(pthread_create(&thread, NULL, close_box, box), 0);
    assert_true(mailbox_wait_closed(box, MAILBOX_FOREVER));
    assert_ptr_equal(mailbox_wait(box, MAILBOX_FOREVER), &letter.mail); /* put before */
    assert_null(mailbox_wait(box, MAILBOX_FOREVER));
    pthread_join(thread, NULL);
    mailbox_destroy(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reader_takes_while_a_writer_stands_still),
        cmocka_unit_test(each_writers_mails_come_in_order_to_one_who_polls),
        cmocka_unit_test(each_writers_mails_come_in_order_to_one_who_waits),
        cmocka_unit_test(waiting_ends_with_the_deadline_and_with_the_box),
    };
    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
