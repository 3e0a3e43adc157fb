/* A node's door for requests that come in bundles: the inbox takes them apart, the gate and the
 * mesh gather the answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/bus/bundle.h"
#include "tests/harness/coreless.h"

#define SELF        2
#define PATIENCE_US (20 * SECOND_US)

static void *context;
static struct doors *doors;
static struct coreless node;
static uint64_t last_client; /* the last request's */

static int open_node(void **state)
{
    (void)state;
    log_open("test", LOG_ERROR);
    context = bus_open();
    doors = doors_open_to_all();
    coreless_open(&node, context, doors, SELF);
    return 0;
}

static int close_node(void **state)
{
    (void)state;
    coreless_close(&node);
    doors_close(&doors);
    bus_close(context);
    return 0;
}

/* Only the control plane is of interest. */
static void turn(void)
{
    struct event event;
    int error;
    while ((error = inbox_receive(node.inbox, PLANE_CONTROL, clock_now_us(), &event)) !=
           ERR_NOT_FOUND)
        if (!error && event.kind == EVENT_REQUEST)
            last_client = event.request.client;
    assert_false(inbox_has_more(node.inbox));
    mesh_send_bundles(node.mesh);
}

#define until(condition)                                \
    do {                                                \
        uint64_t end_us = clock_now_us() + PATIENCE_US; \
        while (!(condition)) {                          \
            turn();                                     \
            if (clock_now_us() > end_us)                \
                fail_msg("never: %s", #condition);      \
            usleep(200);                                \
        }                                               \
    } while (0)

static void *broker_of_it(void)
{
    void *dealer = bus_socket(context, ZMQ_DEALER);
    assert_int_equal(bus_connect(dealer, "127.0.0.1", coreless_port(&node, SELF, PLANE_CONTROL)),
                     OK);
    return dealer;
}

static void gather(struct bundle *bundle, const char *client, const struct message *request)
{
    struct codec_buffer encoded = {0};
    assert_int_equal(codec_encode(request, &encoded), OK);
    const struct bundled it = {slice_of(client), {NULL, 0}, {encoded.at, encoded.len}};
    assert_true(bus_bundle_add(bundle, &it));
    codec_buffer_clear(&encoded);
}

static uint64_t number_in(struct slice *rest, const char *client, const char *code)
{
    struct bundled it;
    struct message *answer;
    struct text why = {0};
    assert_true(bus_bundle_next(rest, &it) && slice_equals(it.client, client) && !it.stated.len);
    assert_int_equal(codec_decode(it.frame, &answer, &why), OK);
    assert_true(answer->type == MESSAGE_ERROR && slice_equals(answer->as.error.code, code));
    uint64_t number = answer->as.error.request;
    message_drop(&answer);
    return number;
}

static void reply_to(uint64_t client, uint64_t request)
{
    struct message *reply = message_new(MESSAGE_ERROR);
    reply->as.error = (struct wire_error){.request = request,
                                          .code = slice_of("busy"),
                                          .reason = slice_of("test")};
    gate_reply(node.gate, client, reply, 0);
    message_drop(&reply);
}

/* Also those that cannot be read; and what came by itself is answered by itself. */
static void requests_of_a_bundle_are_answered_in_one(void **state)
{
    (void)state;
    static struct bus_parts parts;
    uint64_t before = node.clients.last, rejected = inbox_rejected(node.inbox);
    void *broker = broker_of_it();
    struct message *request = message_new(MESSAGE_STATUS_GET),
                   *wrong = message_new(MESSAGE_VOTE_REQUEST);
    struct bundle bundle = {0};
    for (uint64_t i = 1; i <= 3; i++) {
        request->as.status_get.request = i;
        gather(&bundle, i == 2 ? "you" : "me", request);
        if (i == 2)
            gather(&bundle, "you", wrong);
    }
    assert_int_equal(bus_bundle_send(&bundle, broker, (struct slice){0}, NULL), OK);
    until(node.clients.last == before + 4);
    reply_to(before + 4, 3);
    reply_to(before + 1, 1);
    reply_to(before + 2, 2);
    until(bus_receive(broker, &parts) == OK);
    /* That one was refused in the turn that read it, before we answered. */
    assert_false(bus_bundle_is(&parts, 0));
    assert_true(slice_equals(bus_part(&parts, 0), "you"));
    until(bus_receive(broker, &parts) == OK);
    assert_true(bus_bundle_is(&parts, 0));
    struct slice rest = bus_part(&parts, 2);
    assert_int_equal(number_in(&rest, "me", "busy"), 3);
    assert_int_equal(number_in(&rest, "me", "busy"), 1);
    assert_int_equal(number_in(&rest, "you", "busy"), 2);
    assert_int_equal(rest.len, 0);
    /* Cut short: what is whole before it counts, the rest is rejected, once. */
    assert_int_equal(inbox_rejected(node.inbox), rejected + 1);
    gather(&bundle, "me", request);
    gather(&bundle, "me", request);
    bundle.buffer.len--;
    last_client = 0;
    assert_int_equal(bus_bundle_send(&bundle, broker, (struct slice){0}, NULL), OK);
    until(inbox_rejected(node.inbox) == rejected + 2);
    assert_int_equal(last_client, before + 5);
    reply_to(last_client, 3);
    until(bus_receive(broker, &parts) == OK);
    assert_false(bus_bundle_is(&parts, 0));
    assert_int_equal(node.clients.map.count, 0);
    message_drop(&wrong);
    message_drop(&request);
    bus_bundle_clear(&bundle);
    bus_parts_clear(&parts);
    bus_socket_close(&broker, 0);
}

/* Another plane has its turn in between. */
static void a_bundle_waits_while_others_are_heard(void **state)
{
    (void)state;
    void *broker = broker_of_it();
    struct message *request = message_new(MESSAGE_STATUS_GET);
    struct bundle bundle = {0};
    struct event event;
    for (uint64_t i = 1; i <= 3; i++) {
        request->as.status_get.request = i;
        gather(&bundle, "me", request);
    }
    assert_int_equal(bus_bundle_send(&bundle, broker, (struct slice){0}, NULL), OK);
    uint64_t end_us = clock_now_us() + PATIENCE_US;
    while (inbox_receive(node.inbox, PLANE_CONTROL, clock_now_us(), &event) == ERR_NOT_FOUND &&
           clock_now_us() < end_us)
        usleep(200);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(event.kind, EVENT_REQUEST);
        assert_int_equal(event.request.message->as.status_get.request, i);
        assert_true(inbox_has_more(node.inbox) == (i < 3));
        assert_int_equal(inbox_receive(node.inbox, PLANE_CHANNEL, clock_now_us(), &event),
                         ERR_NOT_FOUND);
        assert_int_equal(inbox_receive(node.inbox, PLANE_CONTROL, clock_now_us(), &event),
                         i < 3 ? OK : ERR_NOT_FOUND);
    }
    clients_clear(&node.clients);
    message_drop(&request);
    bus_bundle_clear(&bundle);
    bus_socket_close(&broker, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_a_bundle_are_answered_in_one),
        cmocka_unit_test(a_bundle_waits_while_others_are_heard),
    };
    return cmocka_run_group_tests(tests, open_node, close_node);
}
