/* Messages over real sockets, the life of a connection, and who may speak on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/bus/link.h"
#include "shared/bus/roster.h"
#include "tests/harness/sockets.h"

#define PATIENCE_US (10 * SECOND_US)
#define HOST        "127.0.0.1"

static void *context;
static struct doors *doors;
static unsigned next_port;

static int open_context(void **state)
{
    (void)state;
    context = bus_open();
    doors = doors_open_to_all();
    next_port = 20000 + (unsigned)getpid() % 5000; /* two runs at once do not meet */
    return 0;
}

static int close_context(void **state)
{
    (void)state;
    doors_close(&doors);
    bus_close(context);
    return 0;
}

/* Binds to the next port that is free. */
static unsigned bind_somewhere(void *socket)
{
    while (bus_bind(socket, HOST, next_port))
        next_port++;
    return next_port++;
}

static struct message *value_get(uint64_t offset)
{
    struct message *message = message_new(MESSAGE_VALUE_GET);
    message->as.value_get =
        (struct wire_value_get){.src = 1, .job = 2, .op = 3, .offset = offset, .len = 4};
    return message;
}

/* --- messages --- */

static void a_message_arrives_whole(void **state)
{
    (void)state;
    void *router = bus_socket(context, ZMQ_ROUTER), *dealer = bus_socket(context, ZMQ_DEALER);
    assert_int_equal(bus_connect(dealer, HOST, bind_somewhere(router)), OK);
    struct message *message = value_get(77);
    static const size_t lens[] = {0, 1, 1000, 1025, 500000};
    for (size_t i = 0; i < 5; i++) {
        struct blob *frame = blob_new(lens[i]);
        memset(frame->at, 'a' + (int)i, frame->len);
        message_add_frame(message, frame);
        blob_drop(&frame);
    }
    struct slice envelope[] = {slice_of("client"), {NULL, 0}};
    assert_int_equal(bus_send(dealer, envelope, 2, message), OK);
    struct bus_parts parts = {0};
    receive(router, &parts);
    assert_int_equal(parts.n, 1 + 2 + 1 + 5);
    assert_true(slice_equals(bus_part(&parts, 1), "client") && bus_part(&parts, 2).len == 0);
    struct message *got;
    struct text why = {0};
    assert_int_equal(bus_decode(&parts, 3, &got, &why), OK);
    assert_true(got->type == MESSAGE_VALUE_GET && got->as.value_get.offset == 77);
    assert_int_equal(got->n_frames, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct blob *frame = message_frame(got, i + 1);
        assert_int_equal(frame->len, lens[i]);
        assert_memory_equal(frame->at, message_frame(message, i + 1)->at, frame->len);
    }
    assert_int_equal(bus_receive(router, &parts), ERR_NOT_FOUND);
    message_drop(&got);
    assert_int_equal(bus_decode(&parts, 0, &got, &why), ERR_MALFORMED);
    assert_null(got);
    message_drop(&message);
    bus_socket_close(&dealer, 0);
    bus_socket_close(&router, 0);
    assert_null(router);
    bus_socket_close(&router, 0);
}

static void what_is_too_big_is_not_sent(void **state)
{
    (void)state;
    void *dealer = bus_socket(context, ZMQ_DEALER);
    assert_int_equal(bus_connect(dealer, HOST, 20000), OK);
    struct message *message = value_get(1);
    struct blob *frame = blob_new(MESSAGE_MAX_BYTES / 2);
    memset(frame->at, 0, frame->len);
    message_add_frame(message, frame);
    assert_int_equal(bus_send(dealer, NULL, 0, message), OK);
    message_add_frame(message, frame);
    assert_int_equal(bus_send(dealer, NULL, 0, message), ERR_TOO_BIG);
    blob_drop(&frame);
    message_drop(&message);
    bus_socket_close(&dealer, 0);
}

static void too_many_parts_are_dropped_and_the_next_message_is_not(void **state)
{
    (void)state;
    void *router = bus_socket(context, ZMQ_ROUTER), *dealer = bus_socket(context, ZMQ_DEALER);
    assert_int_equal(bus_connect(dealer, HOST, bind_somewhere(router)), OK);
    for (int i = 0; i < 1000; i++)
        zmq_send(dealer, "x", 1, i < 999 ? ZMQ_SNDMORE : 0);
    zmq_send(dealer, "y", 1, 0);
    struct bus_parts parts = {0};
    int error;
    uint64_t deadline_us = clock_now_us() + PATIENCE_US;
    while ((error = bus_receive(router, &parts)) == ERR_NOT_FOUND && clock_now_us() < deadline_us)
        poll(NULL, 0, 1);
    assert_int_equal(error, ERR_TOO_BIG);
    receive(router, &parts);
    assert_int_equal(parts.n, 2);
    assert_true(slice_equals(bus_part(&parts, 1), "y"));
    bus_parts_clear(&parts);
    bus_socket_close(&dealer, 0);
    bus_socket_close(&router, 0);
}

static void a_full_queue_and_an_unknown_peer_are_told_apart(void **state)
{
    (void)state;
    void *dealer = bus_socket(context, ZMQ_DEALER), *router = bus_socket(context, ZMQ_ROUTER);
    bus_limit(dealer, 3, 1);
    assert_int_equal(bus_connect(dealer, HOST, 20001), OK); /* nobody is there */
    struct message *message = value_get(1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(bus_send(dealer, NULL, 0, message), OK);
    assert_int_equal(bus_send(dealer, NULL, 0, message), ERR_FULL);
    bind_somewhere(router);
    struct slice nobody = slice_of("nobody");
    assert_int_equal(bus_send(router, &nobody, 1, message), ERR_NOT_FOUND);
    message_drop(&message);
    bus_socket_close(&router, 0);
    bus_socket_close(&dealer, 0);
}

static void a_gauge_counts_until_it_is_read(void **state)
{
    (void)state;
    struct gauges gauges = {.all = gauge_new(NULL)};
    struct slice id = {(const uint8_t *)"peer", 4}, other = {(const uint8_t *)"peers", 5};
    struct gauge *gauge = gauges_get(&gauges, id);
    void *to = bus_socket(context, ZMQ_PUSH), *from = bus_socket(context, ZMQ_PULL);
    assert_int_equal(zmq_bind(from, "inproc://gauge"), 0);
    assert_int_equal(zmq_connect(to, "inproc://gauge"), 0);
    assert_ptr_equal(gauges_get(&gauges, id), gauge);
    assert_null(gauges_find(&gauges, other));

    struct message *message = value_get(0);
    struct blob *large = blob_copy((uint8_t[4096]){7}, 4096), *small = blob_copy("x", 1);
    message_add_frame(message, large);
    message_add_frame(message, small);
    assert_int_equal(bus_send_counted(to, NULL, 0, message, gauge), OK);
    assert_int_equal(gauge_bytes(gauge), 4096);
    assert_int_equal(gauge_bytes(gauges.all), 4096);
    gauges_sweep(&gauges);
    assert_ptr_equal(gauges_find(&gauges, id), gauge);

    struct bus_parts parts = {0};
    receive(from, &parts);
    assert_int_equal(bus_part(&parts, 1).len, 4096);
    assert_int_equal(bus_part(&parts, 1).at[0], 7);
    bus_parts_clear(&parts);
    assert_int_equal(gauge_bytes(gauge), 0);
    gauges_sweep(&gauges);
    assert_null(gauges_find(&gauges, id));

    /* What is never read is counted until its socket is gone. */
    assert_int_equal(bus_send_counted(to, NULL, 0, message, gauges_get(&gauges, id)), OK);
    assert_int_equal(gauge_bytes(gauges.all), 4096);
    bus_socket_close(&to, 0);
    bus_socket_close(&from, 0);
    uint64_t deadline_us = clock_now_us() + PATIENCE_US;
    while (gauge_bytes(gauges.all) && clock_now_us() < deadline_us)
        poll(NULL, 0, 1);
    assert_int_equal(gauge_bytes(gauges.all), 0);
    blob_drop(&large);
    blob_drop(&small);
    message_drop(&message);
    gauges_clear(&gauges);
}

static void a_port_in_use_and_a_bad_address_are_told_apart(void **state)
{
    (void)state;
    void *one = bus_socket(context, ZMQ_ROUTER), *two = bus_socket(context, ZMQ_ROUTER);
    unsigned port = bind_somewhere(one);
    assert_int_equal(bus_bind(two, HOST, port), ERR_EXISTS);
    assert_int_equal(bus_bind(two, "no such address", port), ERR_MALFORMED);
    assert_int_equal(bus_bind(two, "203.0.113.1", port), ERR_MALFORMED);
    bus_socket_close(&one, 0);
    bus_socket_close(&two, 0);
}

/* --- links --- */

static struct link *watched_link_to(unsigned port, int watch, uint64_t now_us)
{
    struct link_config config = {
        .doors = doors, .node = 1, .host = HOST, .port = port, .queue_max = 100, .watch = watch};
    return link_new(context, &config, now_us);
}

static struct link *link_to(unsigned port, uint64_t now_us)
{
    return watched_link_to(port, -1, now_us);
}

static enum link_news next_news(struct link *link)
{
    uint64_t deadline_us = clock_now_us() + PATIENCE_US;
    while (clock_now_us() < deadline_us) {
        enum link_news news = link_next(link, clock_now_us());
        if (news != LINK_NOTHING)
            return news;
        poll(&(struct pollfd){.fd = link_fd(link), .events = POLLIN}, 1, 20);
    }
    return LINK_NOTHING;
}

static void a_link_comes_up_goes_down_and_comes_back(void **state)
{
    (void)state;
    void *router = bus_socket(context, ZMQ_ROUTER);
    unsigned port = bind_somewhere(router);
    struct link *link = link_to(port, clock_now_us());
    struct message *message = value_get(1);
    assert_int_equal(link_send(link, message), ERR_UNAVAILABLE);
    struct bus_parts parts = {0};
    for (int life = 0; life < 3; life++) {
        assert_int_equal(next_news(link), LINK_UP);
        assert_true(link_is_up(link));
        assert_int_equal(link_send(link, message), OK);
        receive(router, &parts);
        bus_parts_clear(&parts);
        bus_socket_close(&router, 0);
        assert_int_equal(next_news(link), LINK_DOWN);
        /* What was queued for the former life is not delivered to the next one. */
        assert_int_equal(link_send(link, message), ERR_UNAVAILABLE);
        router = bus_socket(context, ZMQ_ROUTER);
        uint64_t deadline_us = clock_now_us() + PATIENCE_US;
        while (bus_bind(router, HOST, port) && clock_now_us() < deadline_us)
            poll(NULL, 0, 1);
        link_hurry(link);
    }
    assert_int_equal(next_news(link), LINK_UP);
    link_remake(link, clock_now_us());
    assert_false(link_is_up(link));
    assert_int_equal(next_news(link), LINK_UP);
    assert_int_equal(bus_receive(router, &parts), ERR_NOT_FOUND);
    message_drop(&message);
    link_destroy(&link, 0);
    link_destroy(&link, 0);
    bus_socket_close(&router, 0);
}

/* Waits for nothing but the set, however long the link takes; false: it was never told. */
static bool is_told(struct link *link, int watch)
{
    while (link_next(link, clock_now_us()) != LINK_UP)
        if (poll(&(struct pollfd){.fd = watch, .events = POLLIN}, 1, PATIENCE_US / MS_US / 5) <= 0)
            return false;
    return true;
}

/* A node that was started again was not replicated to for half a second, until all monitors were
 * read: a connection that was made because it had said HELLO told nobody that it was up. */
static void a_link_that_is_made_again_says_when_it_is_up(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        unsigned port = next_port++; /* nobody listens there yet */
        int watch = epoll_create1(EPOLL_CLOEXEC);
        struct link *link = watched_link_to(port, watch, clock_now_us());
        for (int i = 0; i < 10; i++) { /* refused: it sleeps */
            assert_int_equal(link_next(link, clock_now_us()), LINK_NOTHING);
            poll(NULL, 0, 2);
        }
        void *router = bus_socket(context, ZMQ_ROUTER);
        assert_int_equal(bus_bind(router, HOST, port), OK);
        link_hurry(link);
        assert_true(is_told(link, watch));
        link_remake(link, clock_now_us());
        link_hurry(link);
        assert_true(is_told(link, watch));
        link_destroy(&link, 0);
        bus_socket_close(&router, 0);
        close(watch);
    }
}

static void connections_that_do_not_last_are_made_less_and_less_often(void **state)
{
    (void)state;
    uint64_t now_us = 1000 * SECOND_US, last_us = 0;
    unsigned made = 0;
    struct link *link = link_to(20002, now_us);
    for (uint64_t end_us = now_us + 20 * SECOND_US; now_us < end_us; now_us += MS_US) {
        link_next(link, now_us);
        if (link_fd(link) >= 0) {
            made++;
            last_us = now_us;
            link_remake(link, now_us); /* as if it had failed at once */
        }
    }
    assert_in_range(made, 15, 30);
    assert_true(now_us - last_us <= 1001 * MS_US);
    link_destroy(&link, 0);
}

/* Accepts TCP connections and never answers, as a node that has no processor for the handshake. */
static int listen_silently(unsigned *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = inet_addr(HOST);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    do {
        *port = next_port++;
        at.sin_port = htons((uint16_t)*port);
    } while (bind(fd, (struct sockaddr *)&at, sizeof at));
    assert_int_equal(listen(fd, 16), 0);
    return fd;
}

/* 40 nodes that started at once never met: each HELLO of a peer gave up the connection to it that
 * was being made, after 50 ms. */
static void a_connection_that_is_being_made_is_not_given_up(void **state)
{
    (void)state;
    unsigned port, accepted = 0;
    int fd = listen_silently(&port);
    struct link *link = link_to(port, clock_now_us());
    for (uint64_t end_us = clock_now_us() + SECOND_US; clock_now_us() < end_us;) {
        link_next(link, clock_now_us());
        poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 2 * RECONNECT_MS);
        int peer = accept(fd, NULL, NULL);
        accepted += peer >= 0;
        link_hurry(link);
    }
    link_destroy(&link, 0);
    close(fd);
    assert_int_equal(accepted, 1);
}

/* --- the roster --- */

static int hello(struct roster *roster, const char *id, node_id_t src, incarnation_t incarnation,
                 uint64_t connection)
{
    struct wire_hello it = {.cluster = slice_of("conclave"),
                            .plane = PLANE_CHANNEL,
                            .src = src,
                            .incarnation = incarnation,
                            .dst = 1,
                            .connection = connection};
    bool first;
    struct text why = {0};
    int error = roster_hello(roster, PLANE_CHANNEL, slice_of(id), &it, &first, &why);
    assert_true(!error == !why.len);
    return error;
}

/* The node behind a routing id, 0: nobody. */
static node_id_t behind(const struct roster *roster, const char *id)
{
    node_id_t node = 0;
    incarnation_t incarnation;
    return roster_find(roster, PLANE_CHANNEL, slice_of(id), &node, &incarnation) ? node : 0;
}

static void only_a_hello_for_us_is_accepted(void **state)
{
    (void)state;
    struct roster *roster = roster_new("conclave", 1, 3);
    struct wire_hello good = {.cluster = slice_of("conclave"),
                              .plane = PLANE_CHANNEL,
                              .src = 2,
                              .incarnation = 9,
                              .dst = 1,
                              .connection = 1};
    struct wire_hello bad[6] = {good, good, good, good, good, good};
    bad[0].cluster = slice_of("other");
    bad[1].plane = PLANE_CONTROL;
    bad[2].src = 4;
    bad[3].src = 1; /* ourselves */
    bad[4].dst = 3;
    bad[5].incarnation = 0;
    bool first;
    for (size_t i = 0; i < 6; i++) {
        struct text why = {0};
        assert_int_equal(roster_hello(roster, PLANE_CHANNEL, slice_of("a"), &bad[i], &first, &why),
                         ERR_MALFORMED);
        assert_int_equal(behind(roster, "a"), 0);
    }
    struct text why = {0};
    assert_int_equal(roster_hello(roster, PLANE_CHANNEL, slice_of("a"), &good, &first, &why), OK);
    assert_true(first && behind(roster, "a") == 2 && roster_incarnation(roster, 2) == 9);
    roster_destroy(&roster);
}

static void the_newest_connection_of_the_newest_life_counts(void **state)
{
    (void)state;
    struct roster *roster = roster_new("conclave", 1, 3);
    incarnation_t first = (incarnation_t)1 << 32 | 5, second = (incarnation_t)2 << 32 | 6,
                  wiped = (incarnation_t)1 << 32 | 7;
    assert_int_equal(hello(roster, "a", 2, first, 1), OK);
    assert_int_equal(hello(roster, "a", 2, first, 1), OK); /* the same one again */
    assert_int_equal(hello(roster, "b", 2, first, 2), OK);
    assert_int_equal(behind(roster, "a"), 0);
    assert_int_equal(behind(roster, "b"), 2);
    assert_int_equal(hello(roster, "c", 2, first, 1), ERR_STALE);
    assert_int_equal(hello(roster, "c", 2, second, 1), OK);
    assert_int_equal(behind(roster, "b"), 0);
    assert_int_equal(hello(roster, "d", 2, first, 9), ERR_STALE); /* a life that is over */
    assert_int_equal(behind(roster, "c"), 2);
    assert_int_equal(hello(roster, "e", 2, wiped, 1), OK); /* its disk was wiped */
    assert_int_equal(hello(roster, "f", 2, second, 2), ERR_STALE);
    /* A connection that says HELLO for somebody else is no longer the first one. */
    assert_int_equal(hello(roster, "e", 3, 1, 1), OK);
    assert_int_equal(behind(roster, "e"), 3);
    roster_destroy(&roster);
    roster_destroy(&roster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_whole),
        cmocka_unit_test(what_is_too_big_is_not_sent),
        cmocka_unit_test(too_many_parts_are_dropped_and_the_next_message_is_not),
        cmocka_unit_test(a_full_queue_and_an_unknown_peer_are_told_apart),
        cmocka_unit_test(a_gauge_counts_until_it_is_read),
        cmocka_unit_test(a_port_in_use_and_a_bad_address_are_told_apart),
        cmocka_unit_test(a_link_comes_up_goes_down_and_comes_back),
        cmocka_unit_test(a_link_that_is_made_again_says_when_it_is_up),
        cmocka_unit_test(connections_that_do_not_last_are_made_less_and_less_often),
        cmocka_unit_test(a_connection_that_is_being_made_is_not_given_up),
        cmocka_unit_test(only_a_hello_for_us_is_accepted),
        cmocka_unit_test(the_newest_connection_of_the_newest_life_counts),
    };
    return cmocka_run_group_tests_name("bus", tests, open_context, close_context);
}
