/* Bounds on what strangers may send, and on what is written about them: connections that send
 * without end, and the file of the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/waiting.h"
#include "nodes/io/clients.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/log_file.h"
#include "shared/base/log_limit.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "shared/bus/bus.h"
#include "shared/bus/descriptors.h"
#include "shared/bus/intake.h"
#include "tests/harness/tree.h"

#define HOST "127.0.0.1"

enum { MORE = 1, LONG = 2, COMMAND = 4 };

/* --- connections by hand, which intake.h follows --- */

struct pair {
    int listener, ours, theirs; /* what we send on `theirs` is received on `ours` */
    bool ended;
};

static struct pair open_pair(bool subscriptions)
{
    struct pair it = {.listener = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    assert_int_equal(bind(it.listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(it.listener, 1), 0);
    assert_int_equal(getsockname(it.listener, (struct sockaddr *)&at, &len), 0);
    intake_listen(ntohs(at.sin_port), subscriptions);
    it.theirs = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(it.theirs, (struct sockaddr *)&at, sizeof at), 0);
    it.ours = accept4(it.listener, NULL, NULL, 0);
    assert_true(it.ours >= 0);
    return it;
}

static void close_pair(struct pair *it)
{
    close(it->ours);
    close(it->theirs);
    close(it->listener);
    intake_listen(0, false);
}

/* Sends in pieces of random sizes, and receives: false once the connection is ended. */
static bool pass(struct pair *it, const void *bytes, size_t len)
{
    static uint64_t random = 1;
    uint8_t room[8192];
    for (size_t sent = 0; sent < len && !it->ended;) {
        size_t n = random_below(&random, sizeof room) + 1;
        n = n < len - sent ? n : len - sent;
        assert_int_equal(send(it->theirs, (const uint8_t *)bytes + sent, n, 0), (ssize_t)n);
        sent += n;
        for (size_t got = 0; got < n && !it->ended;) {
            ssize_t now = recv(it->ours, room, sizeof room, 0);
            it->ended = now < 0 && errno == ECONNRESET;
            got += now > 0 ? (size_t)now : 0;
        }
    }
    return !it->ended;
}

static bool greet(struct pair *it)
{
    static const uint8_t greeting[64] = {0xff, 0,    0, 0, 0,   0,   0,   0,
                                         1,    0x7f, 3, 1, 'N', 'U', 'L', 'L'};
    return pass(it, greeting, sizeof greeting);
}

static bool frame(struct pair *it, uint8_t flags, const char *head, size_t len)
{
    uint8_t *bytes = mem_new(1, 9 + len);
    size_t at = 2;
    bytes[0] = flags;
    bytes[1] = (uint8_t)len;
    if (len > 255) {
        bytes[0] |= LONG;
        for (int i = 0; i < 8; i++)
            bytes[1 + i] = (uint8_t)((uint64_t)len >> (56 - 8 * i));
        at = 9;
    }
    memcpy(bytes + at, head, strlen(head) < len ? strlen(head) : len);
    bool passed = pass(it, bytes, at + len);
    free(bytes);
    return passed;
}

static void messages_that_end_are_let_in(void **state)
{
    (void)state;
    struct pair it = open_pair(false);
    uint64_t before = intake_ended();
    assert_true(greet(&it));
    assert_true(frame(&it, COMMAND, "\x05READY", 40));
    for (int message = 0; message < 20; message++) {
        for (int part = 1; part < INTAKE_PARTS_MAX; part++)
            assert_true(frame(&it, MORE, "", (size_t)part % 3000));
        assert_true(frame(&it, COMMAND, "\x04PING", 7)); /* between its parts, as it may */
        assert_true(frame(&it, 0, "", 0));
    }
    for (int message = 0; message < 8; message++)
        assert_true(frame(&it, 0, "", MESSAGE_MAX_BYTES));
    assert_int_equal(intake_ended(), before);
    close_pair(&it);
}

/* The socket of the process that runs commands, say. */
static void a_descriptor_that_is_used_again_is_not_followed(void **state)
{
    (void)state;
    struct pair it = open_pair(false);
    uint64_t before = intake_ended();
    int accepted = it.ours, ends[2], more[2] = {-1, -1};
    uint8_t room[8];
    assert_true(greet(&it));
    close(it.ours); /* in the midst of what was followed */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    if (ends[0] != accepted && ends[1] != accepted)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, more), 0);
    int reader = more[0] == accepted || ends[0] == accepted   ? accepted
                 : more[1] == accepted || ends[1] == accepted ? accepted
                                                              : -1;
    int writer = reader == ends[0]   ? ends[1]
                 : reader == ends[1] ? ends[0]
                 : reader == more[0] ? more[1]
                                     : more[0];
    assert_int_equal(reader, accepted);
    for (size_t i = 0; i < 4 * (size_t)INTAKE_PARTS_MAX; i++) { /* as parts that do not end */
        assert_int_equal(send(writer, "\1\0", 2, 0), 2);
        assert_int_equal(recv(reader, room, sizeof room, 0), 2);
    }
    /* Nor is it ended for another one that wants to be accepted. */
    intake_bound_half_open(1);
    struct pair other = open_pair(false), last = open_pair(false);
    assert_int_equal(send(writer, "a", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(reader, room, sizeof room, 0), 1);
    intake_bound_half_open(0);
    close_pair(&other);
    close_pair(&last);
    assert_int_equal(intake_ended(), before + 1); /* of those two */
    for (int i = 0; i < 2; i++) {
        close(ends[i]);
        if (more[i] >= 0)
            close(more[i]);
    }
    close(it.theirs);
    close(it.listener);
}

/* Who speaks has its place; of the others the one that waits longest leaves for the next. */
static void the_oldest_without_a_key_leaves_for_the_next_X5(void **state)
{
    (void)state;
    struct pair speaks = open_pair(false), its[4];
    uint64_t before = intake_ended();
    uint8_t room[1];
    assert_true(greet(&speaks));
    assert_true(frame(&speaks, COMMAND, "\x05READY", 40));
    intake_bound_half_open(2);
    for (int i = 0; i < 4; i++)
        its[i] = open_pair(false);
    intake_bound_half_open(0);
    assert_int_equal(intake_ended(), before + 2);
    for (int i = 0; i < 4; i++) {
        ssize_t got = recv(its[i].theirs, room, sizeof room, MSG_DONTWAIT);
        assert_int_equal(got, i < 2 ? 0 : -1); /* the end, or nothing yet */
    }
    assert_true(frame(&speaks, 0, "", 0));
    for (int i = 0; i < 4; i++)
        close_pair(&its[i]);
    close_pair(&speaks);
}

static void a_message_of_too_many_parts_ends_its_connection(void **state)
{
    (void)state;
    struct pair it = open_pair(false);
    uint64_t before = intake_ended();
    int parts = 0;
    assert_true(greet(&it) && frame(&it, COMMAND, "\x05READY", 40));
    while (parts < 2 * INTAKE_PARTS_MAX && frame(&it, MORE, "", 0))
        parts++;
    assert_int_equal(parts, INTAKE_PARTS_MAX);
    assert_int_equal(intake_ended(), before + 1);
    close_pair(&it);
}

static void a_message_of_too_many_bytes_ends_its_connection(void **state)
{
    (void)state;
    struct pair it = open_pair(false);
    int parts = 0;
    assert_true(greet(&it));
    while (parts < 100 && frame(&it, MORE, "", 1000000))
        parts++;
    assert_int_equal(parts, INTAKE_BYTES_MAX / 1000000);
    close_pair(&it);
}

static void a_subscriber_names_few_topics(void **state)
{
    (void)state;
    for (int command = 0; command < 2; command++) {
        struct pair it = open_pair(true);
        int topics = 0;
        assert_true(greet(&it) && frame(&it, COMMAND, "\x05READY", 40));
        for (int i = 0; i < 1000; i++) /* as long as the connection lasts */
            assert_true(frame(&it, COMMAND, "\x04PING", 7));
        while (topics < 1000 &&
               frame(&it, command ? COMMAND : 0, command ? "\x09SUBSCRIBE" : "\1", 10))
            topics++;
        assert_in_range(topics, 10, INTAKE_TOPICS_BYTES / INTAKE_TOPIC_BYTES);
        close_pair(&it);
    }
}

static void who_speaks_no_zmtp_3_is_not_heard(void **state)
{
    (void)state;
    static const char *const others[] = {"GET / HTTP/1.0\r\n\r\n", "\x01",
                                         "\xff\0\0\0\0\0\0\0\1\x7f\1"};
    static const size_t lens[] = {18, 1, 11};
    for (size_t i = 0; i < 3; i++) {
        struct pair it = open_pair(false);
        assert_false(pass(&it, others[i], lens[i]));
        close_pair(&it);
    }
}

/* Descriptors are used again: what is connected by us is not followed. */
static void connections_of_ours_are_not_followed(void **state)
{
    (void)state;
    struct pair it = open_pair(false);
    int before = it.ours;
    assert_true(greet(&it));
    close(it.ours);
    int again = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(again, before);
    close(again);
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    struct pair other = {.ours = ends[0], .theirs = ends[1]};
    assert_int_equal(ends[0], before);
    assert_true(pass(&other, "anything goes", 13));
    close(ends[0]);
    close(ends[1]);
    close(it.theirs);
    close(it.listener);
}

/* --- the log --- */

static void lines_are_allowed_at_their_pace(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    uint64_t unsaid, said = 0, left_out = 0;
    for (uint64_t now_us = SECOND_US; now_us < 11 * SECOND_US; now_us += MS_US)
        if (log_limit_allows(&limit, now_us, 7, &unsaid)) {
            said++;
            left_out += unsaid;
        }
    assert_int_equal(said, 70);
    assert_int_equal(left_out, 9 * 993); /* those of the last second are not told yet */
    assert_true(log_limit_allows(&limit, 20 * SECOND_US, 7, &unsaid));
    assert_int_equal(unsaid, 993);
}

static size_t size_of(const char *path)
{
    struct stat is;
    return stat(path, &is) ? 0 : (size_t)is.st_size;
}

/* Counts lines of the form "N\n" that follow each other; fails on any other. */
static void read_numbers(const char *path, long *last)
{
    char line[64];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        const char *number = strstr(line, "line ");
        assert_non_null(number);
        long now = strtol(number + 5, NULL, 10);
        assert_true(*last < 0 || now == *last + 1);
        *last = now;
    }
    fclose(file);
}

static void a_log_file_turns_and_loses_nothing_in_between(void **state)
{
    (void)state;
    char dir[] = "/tmp/conclave-limits-XXXXXX", path[64], older[80];
    assert_non_null(mkdtemp(dir));
    text_format(path, sizeof path, "%s/log", dir);
    text_format(older, sizeof older, "%s.1", path);
    int terminal = dup(STDERR_FILENO);
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(file, STDERR_FILENO);
    close(file);
    log_file_limit(10000);
    log_open("limits", LOG_INFO);
    for (int i = 0; i < 5000; i++) {
        log_write(LOG_INFO, "line %d", i);
        assert_true(size_of(path) < 10200 && size_of(older) < 10200);
    }
    /* Its name is taken away: it goes on under the same name. */
    assert_int_equal(unlink(path), 0);
    for (int i = 0; i < 1000; i++)
        log_write(LOG_INFO, "line %d", 5000 + i);
    assert_true(size_of(path) > 0 && size_of(path) < 10200);
    long last = -1;
    read_numbers(older, &last);
    read_numbers(path, &last);
    assert_int_equal(last, 5999);
    /* No other file can be made: this one is emptied. */
    assert_int_equal(tree_remove(dir), 0);
    for (int i = 0; i < 5000; i++)
        log_write(LOG_INFO, "line %d", i);
    struct stat is;
    assert_int_equal(fstat(STDERR_FILENO, &is), 0);
    assert_true(is.st_size < 10200);
    dup2(terminal, STDERR_FILENO);
    close(terminal);
}

/* --- who waits for an answer --- */

static void who_asks_a_broker_without_end_leaves_room_for_others(void **state)
{
    (void)state;
    enum { LIMIT = 8000 };
    struct waiting waiting = {0};
    uint64_t n = 0, m = 0;
    while (n <= LIMIT && waiting_add(&waiting, slice_of("a"), LIMIT))
        n++;
    assert_int_equal(n, LIMIT / 2);
    while (m <= LIMIT && waiting_add(&waiting, slice_of("b"), LIMIT))
        m++;
    assert_int_equal(m, LIMIT / 4);
    assert_true(waiting_add(&waiting, slice_of("c"), LIMIT));
    for (uint64_t i = 0; i < n; i++)
        waiting_take(&waiting, slice_of("a"));
    assert_true(waiting_add(&waiting, slice_of("b"), LIMIT));
    /* An answer that never comes is waited for a minute at most, one that is late does no harm. */
    waiting_turn(&waiting, 60 * SECOND_US);
    assert_int_equal(waiting_count(&waiting), m + 2);
    waiting_take(&waiting, slice_of("b"));
    waiting_turn(&waiting, 89 * SECOND_US);
    assert_int_equal(waiting_count(&waiting), m + 1);
    waiting_turn(&waiting, 90 * SECOND_US);
    assert_int_equal(waiting_count(&waiting), 0);
    waiting_take(&waiting, slice_of("b"));
    assert_int_equal(waiting.fresh.counts.count + waiting.stale.counts.count, 0);
    assert_true(waiting_add(&waiting, slice_of("a"), LIMIT));
    waiting_clear(&waiting);
}

/* How many requests of this client are let in. */
static size_t ask_without_end(struct clients *clients, const char *broker, const char *client,
                              size_t limit)
{
    size_t n = 0;
    while (n <= limit && clients_add(clients, slice_of(broker), slice_of(client), false, limit))
        n++;
    return n;
}

static void who_asks_without_end_leaves_room_for_others(void **state)
{
    (void)state;
    enum { LIMIT = 9000 };
    struct clients clients = {0};
    assert_int_equal(ask_without_end(&clients, "broker", "a", LIMIT), LIMIT / 3);
    /* Another client of the broker, and another broker with one: room is never used up. */
    size_t other = ask_without_end(&clients, "broker", "b", LIMIT);
    assert_in_range(other, LIMIT / 10, LIMIT / 3);
    size_t beside = ask_without_end(&clients, "broker 2", "a", LIMIT);
    assert_in_range(beside, LIMIT / 10, LIMIT / 3);
    for (int i = 0; i < 5; i++)
        assert_true(ask_without_end(&clients, "broker 3", &"abcde"[i], LIMIT) > 0);
    assert_true(clients.map.count < LIMIT);
    /* Who is answered may ask again. */
    for (uint64_t number = 1; number <= LIMIT / 3 + other; number++)
        client_free(clients_take(&clients, number));
    assert_true(ask_without_end(&clients, "broker", "a", LIMIT) > LIMIT / 10);
    assert_null(clients_take(&clients, 1));
    clients_clear(&clients);
    assert_int_equal(clients.map.count + clients.shares.counts.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_that_end_are_let_in),
        cmocka_unit_test(a_descriptor_that_is_used_again_is_not_followed),
        cmocka_unit_test(the_oldest_without_a_key_leaves_for_the_next_X5),
        cmocka_unit_test(a_message_of_too_many_parts_ends_its_connection),
        cmocka_unit_test(a_message_of_too_many_bytes_ends_its_connection),
        cmocka_unit_test(a_subscriber_names_few_topics),
        cmocka_unit_test(who_speaks_no_zmtp_3_is_not_heard),
        cmocka_unit_test(connections_of_ours_are_not_followed),
        cmocka_unit_test(who_asks_without_end_leaves_room_for_others),
        cmocka_unit_test(who_asks_a_broker_without_end_leaves_room_for_others),
        cmocka_unit_test(lines_are_allowed_at_their_pace),
        cmocka_unit_test(a_log_file_turns_and_loses_nothing_in_between),
    };
    /* What every program does. It also links our accept4(): a sanitizer has one of its own, and the
     * linker would be content with that. */
    descriptors_raise();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
