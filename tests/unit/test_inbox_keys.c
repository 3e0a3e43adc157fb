/* Whose key a request counts for that came in a bundle, when somebody else is heard before it is
 * taken from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "shared/base/error.h"
#include "shared/bus/bundle.h"
#include "tests/harness/coreless.h"
#include "tests/harness/people.h"

#define REQUESTS 3

static struct coreless node;

/* What comes first from this plane; it must come soon. */
static int receive_from(enum plane plane, struct event *event)
{
    uint64_t end_us = clock_now_us() + PATIENCE_US;
    int error;
    while ((error = inbox_receive(node.inbox, plane, clock_now_us(), event)) == ERR_NOT_FOUND &&
           clock_now_us() < end_us)
        usleep(200);
    return error;
}

static void *visit(int who, enum plane plane)
{
    return people_visit(&people[who], people[NODE_1].public_key, ZMQ_DEALER,
                        coreless_port(&node, 1, plane));
}

static void a_request_counts_for_who_sent_its_bundle(void **state)
{
    (void)state;
    struct doors *doors = people_doors(NODE_1);
    coreless_open(&node, people_context, doors, 1);
    void *broker = visit(BROKER, PLANE_CONTROL), *other = visit(NODE_2, PLANE_CHANNEL);
    struct bundle bundle = {0};
    struct codec_buffer encoded = {0};
    struct event event;
    struct message *request = message_new(MESSAGE_STATUS_GET);
    for (uint64_t i = 1; i <= REQUESTS; i++) {
        request->as.status_get.request = i;
        assert_int_equal(codec_encode(request, &encoded), OK);
        const struct bundled it = {slice_of("client"),
                                   slice_of(people[ALICE].public_key),
                                   {encoded.at, encoded.len}};
        assert_true(bus_bundle_add(&bundle, &it));
    }
    assert_int_equal(bus_bundle_send(&bundle, broker, (struct slice){0}, NULL), OK);
    for (uint64_t i = 1; i <= REQUESTS; i++) {
        assert_int_equal(receive_from(PLANE_CONTROL, &event), OK);
        assert_int_equal(event.kind, EVENT_REQUEST);
        assert_int_equal(event.request.message->as.status_get.request, i);
        assert_string_equal(event.request.asker->name, people[ALICE].name);
        /* Another node speaks, though nothing that anybody could read. */
        assert_int_equal(zmq_send(other, "noise", 5, 0), 5);
        assert_int_not_equal(receive_from(PLANE_CHANNEL, &event), ERR_NOT_FOUND);
    }
    message_drop(&request);
    codec_buffer_clear(&encoded);
    bus_bundle_clear(&bundle);
    bus_socket_close(&broker, 0);
    bus_socket_close(&other, 0);
    coreless_close(&node);
    doors_close(&doors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_counts_for_who_sent_its_bundle),
    };
    return cmocka_run_group_tests(tests, people_open, people_close);
}
