/* What a broker passes on to a node: in the order in which it came, in bundles where the node takes
 * them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "broker/link.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"

#define PATIENCE_US (10 * SECOND_US)
#define HOST        "127.0.0.1"
#define NOW_US      SECOND_US

static void *context, *node;
static struct fair_total total;
static struct link link_to_node;
static struct bus_parts parts;

static int open_link(void **state)
{
    (void)state;
    unsigned port = 20000 + (unsigned)getpid() % 5000;
    context = bus_open();
    node = bus_socket(context, ZMQ_ROUTER);
    while (bus_bind(node, HOST, port))
        port++;
    link_init(&link_to_node, &total);
    link_renew(&link_to_node, context, NOW_US);
    return bus_connect(link_to_node.socket, HOST, port);
}

static int close_link(void **state)
{
    (void)state;
    bus_parts_clear(&parts);
    link_clear(&link_to_node);
    bus_socket_close(&node, 0);
    bus_close(context);
    return 0;
}

static void put(const char *text)
{
    zmq_msg_t *part = &parts.at[parts.n++];
    zmq_msg_init_size(part, strlen(text));
    memcpy(zmq_msg_data(part), text, strlen(text));
}

/* A request of the client; `more`: a further frame, or NULL. */
static void offer(const char *client, uint64_t request, const char *frame, const char *more)
{
    const struct link_asker asker = {slice_of(client), "", request};
    bus_parts_clear(&parts);
    put(client);
    put(frame);
    if (more)
        put(more);
    assert_null(link_offer(&link_to_node, &asker, &parts, NOW_US));
}

static void receive(void)
{
    uint64_t deadline_us = clock_now_us() + PATIENCE_US;
    int error;
    while ((error = bus_receive(node, &parts)) == ERR_NOT_FOUND && clock_now_us() < deadline_us)
        zmq_poll(&(zmq_pollitem_t){.socket = node, .events = ZMQ_POLLIN}, 1, 100);
    assert_int_equal(error, OK);
}

static void assert_plain(const char *client, const char *frame, size_t n)
{
    receive();
    assert_int_equal(parts.n, n);
    assert_true(slice_equals(bus_part(&parts, 1), client));
    assert_true(slice_equals(bus_part(&parts, 3), frame));
}

static void assert_bundled(struct slice *rest, const char *client, const char *frame)
{
    struct bundled it;
    assert_true(bus_bundle_next(rest, &it));
    assert_true(slice_equals(it.client, client) && slice_equals(it.frame, frame));
}

static void a_node_that_knows_no_bundles_gets_none(void **state)
{
    (void)state;
    link_to_node.bundles = false;
    offer("ann", 1, "one", NULL);
    offer("bob", 1, "two", NULL);
    assert_plain("ann", "one", 4);
    assert_plain("bob", "two", 4);
    assert_int_equal(link_send_bundle(&link_to_node), OK);
}

static void what_has_further_frames_overtakes_no_bundle(void **state)
{
    (void)state;
    link_to_node.bundles = true;
    offer("ann", 2, "one", NULL);
    offer("bob", 2, "two", NULL);
    offer("ann", 3, "three", "with a frame");
    offer("ann", 4, "four", NULL);
    receive();
    assert_true(bus_bundle_is(&parts, 1));
    struct slice rest = bus_part(&parts, 3);
    assert_bundled(&rest, "ann", "one");
    assert_bundled(&rest, "bob", "two");
    assert_int_equal(rest.len, 0);
    assert_plain("ann", "three", 5);
    assert_int_equal(link_send_bundle(&link_to_node), OK);
    assert_plain("ann", "four", 4); /* it is alone in its turn */
}

static void a_bundle_that_cannot_be_sent_is_refused_one_by_one(void **state)
{
    (void)state;
    struct bundled request;
    link_to_node.bundles = true;
    offer("ann", 5, "one", NULL);
    offer("bob", 5, "two", NULL);
    uint64_t waiting = waiting_count(&link_to_node.waiting);
    void *socket = link_to_node.socket;
    link_to_node.socket = NULL;
    assert_true(link_send_bundle(&link_to_node) != OK);
    link_to_node.socket = socket;
    struct slice rest = bus_bundle_bytes(&link_to_node.bundle);
    assert_true(link_refused(&link_to_node, &rest, &request));
    assert_true(slice_equals(request.client, "ann") && slice_equals(request.frame, "one"));
    assert_true(link_refused(&link_to_node, &rest, &request));
    assert_true(slice_equals(request.client, "bob"));
    assert_false(link_refused(&link_to_node, &rest, &request));
    assert_int_equal(waiting_count(&link_to_node.waiting), waiting - 2);
    bus_bundle_reset(&link_to_node.bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_knows_no_bundles_gets_none),
        cmocka_unit_test(what_has_further_frames_overtakes_no_bundle),
        cmocka_unit_test(a_bundle_that_cannot_be_sent_is_refused_one_by_one),
    };
    return cmocka_run_group_tests(tests, open_link, close_link);
}
