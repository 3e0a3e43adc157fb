/* Small messages between a broker and a node, several in one frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/bus/bundle.h"
#include "tests/harness/sockets.h"

#define HOST "127.0.0.1"

static struct bundled message(const char *client, const char *stated, const char *frame)
{
    return (struct bundled){slice_of(client), slice_of(stated), slice_of(frame)};
}

static void add(struct bundle *bundle, const char *client, const char *stated, const char *frame)
{
    const struct bundled it = message(client, stated, frame);
    assert_true(bus_bundle_fits(&it) && bus_bundle_add(bundle, &it));
}

static void assert_next(struct slice *rest, const char *client, const char *stated,
                        const char *frame)
{
    struct bundled it;
    assert_true(bus_bundle_next(rest, &it));
    assert_true(slice_equals(it.client, client) && slice_equals(it.stated, stated) &&
                slice_equals(it.frame, frame));
}

/* --- over a socket --- */

static void several_messages_travel_as_one_and_a_single_one_as_ever(void **state)
{
    (void)state;
    static struct bus_parts parts, answer;
    void *context = bus_open();
    void *router = bus_socket(context, ZMQ_ROUTER), *dealer = bus_socket(context, ZMQ_DEALER);
    unsigned port = 20000 + (unsigned)getpid() % 5000;
    while (bus_bind(router, HOST, port))
        port++;
    assert_int_equal(bus_connect(dealer, HOST, port), OK);
    struct bundle bundle = {0};
    add(&bundle, "ann", "key of ann", "first");
    add(&bundle, "bob", "", "second");
    assert_int_equal(bus_bundle_send(&bundle, dealer, (struct slice){0}, NULL), OK);
    assert_int_equal(bundle.n, 0);
    receive(router, &parts);
    assert_true(bus_bundle_is(&parts, 1));
    struct slice rest = bus_part(&parts, 3);
    assert_next(&rest, "ann", "key of ann", "first");
    assert_next(&rest, "bob", "", "second");
    assert_int_equal(rest.len, 0);
    /* Back: one that is alone needs no bundle. */
    add(&bundle, "ann", "", "answer");
    assert_int_equal(bus_bundle_send(&bundle, router, bus_part(&parts, 0), NULL), OK);
    receive(dealer, &answer);
    assert_false(bus_bundle_is(&answer, 0));
    assert_int_equal(answer.n, 3);
    assert_true(slice_equals(bus_part(&answer, 0), "ann"));
    assert_int_equal(bus_part(&answer, 1).len, 0);
    assert_true(slice_equals(bus_part(&answer, 2), "answer"));
    /* Nothing is nothing; nobody is an error, and then nothing is lost. */
    assert_int_equal(bus_bundle_send(&bundle, router, slice_of("nobody"), NULL), OK);
    add(&bundle, "ann", "", "answer");
    assert_int_equal(bus_bundle_send(&bundle, router, slice_of("nobody"), NULL), ERR_NOT_FOUND);
    assert_int_equal(bundle.n, 1);
    bus_bundle_clear(&bundle);
    bus_parts_clear(&parts);
    bus_parts_clear(&answer);
    bus_socket_close(&dealer, 0);
    bus_socket_close(&router, 0);
    bus_close(context);
}

/* --- what is in it --- */

static void a_bundle_has_a_limit_and_so_has_a_message_in_it(void **state)
{
    (void)state;
    static char text[BUNDLED_MAX_BYTES + 1];
    struct bundle bundle = {0};
    struct bundled it = message("ann", "", "");
    it.frame = (struct slice){(const uint8_t *)text, sizeof text};
    assert_false(bus_bundle_fits(&it));
    it.frame.len = BUNDLED_MAX_BYTES / 2;
    assert_true(bus_bundle_fits(&it));
    while (bus_bundle_add(&bundle, &it))
        assert_true(bus_bundle_bytes(&bundle).len <= BUNDLE_MAX_BYTES);
    assert_true(bundle.n >= BUNDLE_MAX_BYTES / BUNDLED_MAX_BYTES);
    assert_true(bus_bundle_bytes(&bundle).len > BUNDLE_MAX_BYTES - BUNDLED_MAX_BYTES);
    bus_bundle_reset(&bundle);
    assert_true(bus_bundle_add(&bundle, &it));
    assert_int_equal(bundle.n, 1);
    bus_bundle_clear(&bundle);
    /* An empty client's name is that of a bundle. */
    it.client.len = 0;
    assert_false(bus_bundle_fits(&it));
}

/* Nobody who keeps to the rules sends it. */
static void a_message_that_may_not_be_in_it_is_malformed(void **state)
{
    (void)state;
    static uint8_t bytes[2 * BUNDLED_MAX_BYTES], large[BUNDLED_MAX_BYTES];
    const struct slice frames[] = {{large, sizeof large}, slice_of("small")};
    const char *const clients[] = {"ann", ""};
    for (size_t i = 0; i < 2; i++) {
        uint8_t *at = bytes;
        at += bytes_put_part(at, clients[i], strlen(clients[i]));
        at += bytes_put_part(at, "", 0);
        at += bytes_put_part(at, frames[i].at, frames[i].len);
        struct slice rest = {bytes, (size_t)(at - bytes)};
        struct bundled it;
        assert_false(bus_bundle_next(&rest, &it));
        assert_true(rest.len > 0);
    }
}

static void a_bundle_that_is_cut_short_is_noticed_wherever_that_is(void **state)
{
    (void)state;
    struct bundle bundle = {0};
    add(&bundle, "ann", "key of ann", "first");
    size_t one = bus_bundle_bytes(&bundle).len;
    add(&bundle, "bob", "", "second");
    struct slice whole = bus_bundle_bytes(&bundle);
    for (size_t len = 0; len < whole.len; len++) {
        uint8_t *copy = malloc(len ? len : 1); /* so that a sanitizer sees what is read behind it */
        memcpy(copy, whole.at, len);
        struct slice rest = {copy, len};
        struct bundled it;
        size_t n = 0;
        while (bus_bundle_next(&rest, &it))
            n++;
        assert_int_equal(n, len >= one);
        assert_int_equal(rest.len, len - n * one);
        free(copy);
    }
    /* A length that is a lie. */
    uint8_t lie[] = {0xff, 0xff, 0xff, 0xff, 'a', 'n', 'n'};
    struct slice rest = {lie, sizeof lie};
    struct bundled it;
    assert_false(bus_bundle_next(&rest, &it));
    assert_int_equal(rest.len, sizeof lie);
    bus_bundle_clear(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_messages_travel_as_one_and_a_single_one_as_ever),
        cmocka_unit_test(a_bundle_has_a_limit_and_so_has_a_message_in_it),
        cmocka_unit_test(a_message_that_may_not_be_in_it_is_malformed),
        cmocka_unit_test(a_bundle_that_is_cut_short_is_noticed_wherever_that_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
