/* What happens to what is established when a key is not allowed any more, and whose word a feed is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "shared/base/error.h"
#include "shared/bus/feeds.h"
#include "shared/bus/link.h"
#include "shared/bus/monitor.h"
#include "tests/harness/people.h"

/* Who tails a feed, and what its connection does. */
struct tail {
    void *sub, *monitor;
};

static struct tail tail_of(const struct person *as, unsigned port)
{
    struct tail tail = {.sub = bus_socket(people_context, ZMQ_SUB)};
    people_set(tail.sub, ZMQ_CURVE_PUBLICKEY, as->public_key);
    people_set(tail.sub, ZMQ_CURVE_SECRETKEY, as->secret_key);
    people_set(tail.sub, ZMQ_CURVE_SERVERKEY, people[FRONT].public_key);
    zmq_setsockopt(tail.sub, ZMQ_SUBSCRIBE, "", 0);
    tail.monitor = monitor_open(people_context, tail.sub, ZMQ_EVENT_DISCONNECTED);
    assert_int_equal(bus_connect(tail.sub, HOST, port), OK);
    return tail;
}

static void tail_end(struct tail *tail)
{
    monitor_close(tail->sub, &tail->monitor);
    bus_socket_close(&tail->sub, 0);
}

/* Publishes a number; returns whether it comes there. */
static bool reaches(void *feed, struct tail *tail, uint32_t number)
{
    zmq_pollitem_t item = {.socket = tail->sub, .events = ZMQ_POLLIN};
    struct bus_parts parts = {0};
    bool came = false;
    zmq_send(feed, &number, sizeof number, 0);
    while (!came && zmq_poll(&item, 1, REFUSED_US / MS_US) > 0 && !bus_receive(tail->sub, &parts))
        came = !memcmp(bus_part(&parts, 0).at, &number, sizeof number);
    bus_parts_clear(&parts);
    return came;
}

static void settle(void *feed, struct tail *tail)
{
    uint64_t until_us = clock_now_us() + PATIENCE_US;
    while (!reaches(feed, tail, 0))
        assert_true(clock_now_us() < until_us);
}

/* The others lose nothing: their connections are not touched. */
static void a_key_that_is_gone_loses_what_it_has_subscribed_to_X12(void **state)
{
    (void)state;
    struct doors *doors = people_doors(BROKER);
    void *feed = bus_socket(people_context, ZMQ_XPUB);
    unsigned port = people_bind(doors, feed, DOOR_feed);
    struct tail gone = tail_of(&people[TAIL], port), stays = tail_of(&people[ADMIN], port);
    settle(feed, &gone);
    settle(feed, &stays);
    people_write(ALLOWED_FILE, people_list(TAIL, CLUSTER), 0600);
    uint64_t until_us = clock_now_us() + PATIENCE_US;
    unsigned event = 0;
    uint32_t number = 1;
    while (!(event & ZMQ_EVENT_DISCONNECTED) && clock_now_us() < until_us) {
        doors_watch(doors, clock_now_us());
        event = monitor_next(gone.monitor, NULL);
        assert_true(reaches(feed, &stays, number++));
        usleep(2000); /* a feed that is written to without a pause leaves messages out */
    }
    assert_true(event & ZMQ_EVENT_DISCONNECTED);
    while (reaches(feed, &gone, number++)) /* what was on its way */
        assert_true(clock_now_us() < until_us);
    assert_int_equal(monitor_next(stays.monitor, NULL), 0);
    people_write(ALLOWED_FILE, people_list(-1, CLUSTER), 0600);
    tail_end(&gone);
    tail_end(&stays);
    bus_socket_close(&feed, 0);
    doors_close(&doors);
}

static void a_link_to_a_node_whose_key_is_gone_goes_down_X12(void **state)
{
    (void)state;
    struct doors *doors = people_doors(NODE_1);
    void *router = bus_socket(people_context, ZMQ_ROUTER);
    unsigned port = people_bind(doors, router, DOOR_control);
    struct link_config config = {
        .doors = doors, .node = 1, .host = HOST, .port = port, .queue_max = 10, .watch = -1};
    struct link *link = link_new(people_context, &config, clock_now_us());
    uint64_t until_us = clock_now_us() + PATIENCE_US;
    while (link_next(link, clock_now_us()) != LINK_UP)
        assert_true(clock_now_us() < until_us);
    people_write(ALLOWED_FILE, people_list(NODE_1, CLUSTER), 0600);
    until_us = clock_now_us() + PATIENCE_US;
    while (link_next(link, clock_now_us()) != LINK_DOWN) {
        doors_watch(doors, clock_now_us());
        assert_true(clock_now_us() < until_us);
    }
    for (int i = 0; i < 10; i++)
        assert_int_equal(link_next(link, clock_now_us()), LINK_NOTHING);
    assert_false(link_is_up(link));
    people_write(ALLOWED_FILE, people_list(-1, CLUSTER), 0600);
    link_destroy(&link, 0);
    bus_socket_close(&router, 0);
    doors_close(&doors);
}

static void what_comes_from_a_feed_is_from_the_node_whose_it_is_X2_X12(void **state)
{
    (void)state;
    struct doors *doors = people_doors(NODE_1);
    struct feeds *feeds = feeds_new(people_context, doors, 2, FEEDS_ALL);
    void *publisher = bus_socket(people_context, ZMQ_XPUB);
    unsigned port = people_bind(doors, publisher, DOOR_heartbeat);
    struct bus_parts parts = {0};
    node_id_t from = NODE_NONE;
    feeds_connect(feeds, 1, HOST, port, 0);
    feeds_connect(feeds, 2, HOST, port, 0); /* there is nobody with the key of node 2 */
    uint64_t until_us = clock_now_us() + PATIENCE_US;
    for (int n = 0; n < 20; n += !feeds_receive(feeds, &parts, &from)) {
        zmq_send(publisher, "news", 4, 0);
        zmq_poll(&(zmq_pollitem_t){.fd = feeds_fd(feeds), .events = ZMQ_POLLIN}, 1, 20);
        assert_true(clock_now_us() < until_us);
        assert_true(from == NODE_NONE || from == 1);
    }
    people_write(ALLOWED_FILE, people_list(NODE_1, CLUSTER), 0600);
    until_us = clock_now_us() + PATIENCE_US;
    while (feeds_follow(feeds, 1)) {
        assert_true(clock_now_us() < until_us);
        doors_watch(doors, clock_now_us());
        feeds_check(feeds);
    }
    assert_true(feeds_follow(feeds, 2));
    people_write(ALLOWED_FILE, people_list(-1, CLUSTER), 0600);
    bus_parts_clear(&parts);
    feeds_destroy(&feeds);
    bus_socket_close(&publisher, 0);
    doors_close(&doors);
}

static struct message *heartbeat_of(uint64_t seq, bool all)
{
    struct message *message = message_new(MESSAGE_HEARTBEAT);
    struct wire_heartbeat *beat = &message->as.heartbeat;
    *beat = (struct wire_heartbeat){.node = 1, .incarnation = 1, .seq = seq};
    beat->role = beat->version = message_text(message, "worker");
    if (all) /* more than 15 fields */
        beat->queued = beat->executing_job = beat->executing_op = beat->delay_us = beat->pid = 1;
    return message;
}

static struct message *event_of(uint64_t seq)
{
    struct message *message = message_new(MESSAGE_EVENT);
    message->as.event = (struct wire_event){.node = 1, .incarnation = 1, .seq = seq, .job = 1};
    message->as.event.subject = 1; /* all that there may be */
    message->as.event.event = message->as.event.text = message_text(message, "job_accepted");
    return message;
}

static void publish(void *publisher, struct message *message)
{
    assert_int_equal(bus_send(publisher, NULL, 0, message), OK);
    message_drop(&message);
}

/* Both kinds of maps, and one more behind the event, which would have come before it. */
static void who_subscribes_to_heartbeats_gets_no_events(void **state)
{
    (void)state;
    struct doors *doors = people_doors(NODE_1);
    void *publisher = bus_socket(people_context, ZMQ_XPUB);
    unsigned port = people_bind(doors, publisher, DOOR_heartbeat);
    for (int what = FEEDS_HEARTBEATS; what <= FEEDS_ALL; what++) {
        struct feeds *feeds = feeds_new(people_context, doors, 1, (enum feeds_of)what);
        bool events = false, small = false, large = false;
        uint64_t until_us = clock_now_us() + PATIENCE_US, seq = 0;
        feeds_connect(feeds, 1, HOST, port, 0);
        while (!small || !large || (what == FEEDS_ALL && !events)) {
            struct bus_parts parts = {0};
            node_id_t from;
            publish(publisher, heartbeat_of(++seq, false));
            publish(publisher, event_of(++seq));
            publish(publisher, heartbeat_of(++seq, true));
            zmq_poll(&(zmq_pollitem_t){.fd = feeds_fd(feeds), .events = ZMQ_POLLIN}, 1, 20);
            while (!feeds_receive(feeds, &parts, &from)) {
                struct message *message;
                struct text why = {0};
                assert_int_equal(bus_decode(&parts, 0, &message, &why), OK);
                bool beats = message->type == MESSAGE_HEARTBEAT;
                events = events || !beats;
                small = small || (beats && !message->as.heartbeat.pid);
                large = large || (beats && message->as.heartbeat.pid);
                message_drop(&message);
            }
            bus_parts_clear(&parts);
            assert_true(clock_now_us() < until_us);
            assert_true(what == FEEDS_ALL || !events);
        }
        feeds_destroy(&feeds);
    }
    bus_socket_close(&publisher, 0);
    doors_close(&doors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_is_gone_loses_what_it_has_subscribed_to_X12),
        cmocka_unit_test(a_link_to_a_node_whose_key_is_gone_goes_down_X12),
        cmocka_unit_test(what_comes_from_a_feed_is_from_the_node_whose_it_is_X2_X12),
        cmocka_unit_test(who_subscribes_to_heartbeats_gets_no_events),
    };
    return cmocka_run_group_tests_name("revoked", tests, people_open, people_close);
}
