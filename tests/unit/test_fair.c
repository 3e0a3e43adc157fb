/* Whose turn it is at a broker (fair.h), and how much of it a node may not have read (unread.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "broker/fair.h"
#include "broker/unread.h"
#include "shared/base/limits.h"
#include "shared/base/random.h"
#include "shared/wire/codec.h"

#define BYTES 100

/* What waits, with the name of its key. */
struct asked {
    struct turn turn;
    char name;
    unsigned number; /* of its key, from 0 */
};

static struct asked all[2 * FAIR_REQUESTS_MAX];

static bool ask(struct fair *fair, struct asked *it, char name, unsigned number)
{
    it->name = name;
    it->number = number;
    return fair_put(fair, (struct slice){(const uint8_t *)&name, 1}, &it->turn, BYTES);
}

static unsigned ask_often(struct fair *fair, struct asked *from, char name, unsigned times)
{
    unsigned n = 0;
    while (n < times && ask(fair, &from[n], name, n))
        n++;
    return n;
}

static const struct asked *take(struct fair *fair)
{
    const struct turn *next = fair_next(fair);
    struct turn *turn = fair_take(fair);
    assert_ptr_equal(turn, next);
    return (struct asked *)turn;
}

static void a_key_waits_for_one_request_of_each_other_key_X8(void **state)
{
    (void)state;
    struct fair_total total = {0};
    struct fair fair = {.total = &total};
    assert_int_equal(ask_often(&fair, all, 'g', 1000), 1000);
    assert_int_equal(ask_often(&fair, all + 1000, 'm', 2), 2);
    char order[8] = "";
    for (int i = 0; i < 7; i++)
        order[i] = take(&fair)->name;
    assert_string_equal(order, "gmgmggg");
    /* It comes back: after the one whose turn it is now. */
    assert_true(ask(&fair, &all[1000], 'm', 2));
    assert_true(ask(&fair, &all[1001], 'n', 0));
    for (int i = 0; i < 7; i++)
        order[i] = take(&fair)->name;
    assert_string_equal(order, "gmngggg");
    while (fair_take(&fair))
        ;
    assert_int_equal(total.n, 0);
    assert_int_equal(total.bytes, 0);
    assert_int_equal(fair.queues.count, 0);
    map_clear(&fair.queues);
}

static void a_key_leaves_room_for_others_in_number_and_in_bytes_X8(void **state)
{
    (void)state;
    struct fair_total total = {0};
    struct fair fair = {.total = &total}, other = {.total = &total};
    unsigned half = ask_often(&fair, all, 'g', 2 * FAIR_REQUESTS_MAX);
    assert_int_equal(half, FAIR_REQUESTS_MAX / 2);
    /* Of another node's queue, too: all together are bounded. */
    assert_int_equal(ask_often(&other, all + half, 'm', FAIR_REQUESTS_MAX), FAIR_REQUESTS_MAX / 4);
    while (fair_take(&fair))
        ;
    while (fair_take(&other))
        ;
    assert_false(fair_put(&fair, slice_of("g"), &all[0].turn, FAIR_BYTES_MAX + 1));
    assert_true(fair_put(&fair, slice_of("g"), &all[0].turn, FAIR_BYTES_MAX / 2));
    assert_false(fair_put(&fair, slice_of("g"), &all[1].turn, 1));
    assert_true(fair_put(&fair, slice_of("m"), &all[1].turn, FAIR_BYTES_MAX / 4));
    while (fair_take(&fair))
        ;
    assert_int_equal(total.bytes, 0);
    map_clear(&fair.queues);
    map_clear(&other.queues);
}

/* Beside a naive count: what a key asked comes in its order, and between two turns of a key that
 * waits all others that wait have at most one. */
static void any_order_of_asking_is_served_in_turns(void **state)
{
    (void)state;
    enum { KEYS = 5, ROUNDS = 20000 };
    struct fair_total total = {0};
    struct fair fair = {.total = &total};
    uint64_t random = 7;
    unsigned asked[KEYS] = {0}, served[KEYS] = {0}, since[KEYS][KEYS] = {0}, at = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned key = (unsigned)random_below(&random, KEYS);
        if (random_below(&random, 2) && asked[key] - served[key] < 100) {
            if (asked[key] == served[key])
                memset(since[key], 0, sizeof since[key]);
            assert_true(
                ask(&fair, &all[at++ % (2 * FAIR_REQUESTS_MAX)], (char)('a' + key), asked[key]++));
            continue;
        }
        if (!fair_next(&fair))
            continue;
        const struct asked *it = take(&fair);
        key = (unsigned)(it->name - 'a');
        assert_int_equal(it->number, served[key]++);
        for (unsigned other = 0; other < KEYS; other++)
            assert_true(other == key || asked[other] == served[other] || ++since[other][key] <= 1);
        memset(since[key], 0, sizeof since[key]);
    }
    while (fair_take(&fair))
        ;
    map_clear(&fair.queues);
}

/* --- what may be unread --- */

static const struct slice alice = {(const uint8_t *)"alice", 5}, bob = {(const uint8_t *)"bob", 3};

static unsigned pass(struct unread *unread, struct slice client, uint64_t from, uint64_t now_us)
{
    unsigned n = 0;
    for (; n < 10 * UNREAD_MAX && unread_has_room(unread, BYTES); n++)
        unread_add(unread, client, from + n, BYTES, now_us);
    return n;
}

static void an_answer_says_that_all_before_it_was_read_X8(void **state)
{
    (void)state;
    struct unread unread = {0};
    assert_int_equal(pass(&unread, alice, 0, 1), UNREAD_MAX);
    unread_answered(&unread, bob, 10, 2);           /* nobody's */
    unread_answered(&unread, alice, UNREAD_MAX, 2); /* not passed on yet, or read long ago */
    assert_int_equal(pass(&unread, bob, 0, 2), 0);
    unread_answered(&unread, alice, 10, 2);
    assert_int_equal(pass(&unread, bob, 0, 2), 11);
    unread_answered(&unread, alice, 3, 3); /* a long poll; that it was read is known */
    assert_int_equal(pass(&unread, bob, 11, 3), 0);
    unread_answered(&unread, bob, 10, 3);
    assert_int_equal(unread.n, 0);
    assert_int_equal(unread.bytes, 0);
}

static void bytes_are_bounded_and_a_long_request_goes_alone(void **state)
{
    (void)state;
    struct unread unread = {0};
    assert_true(unread_has_room(&unread, 2 * UNREAD_BYTES));
    unread_add(&unread, alice, 1, 2 * UNREAD_BYTES, 1);
    assert_false(unread_has_room(&unread, 1));
    unread_answered(&unread, alice, 1, 2);
    unread_add(&unread, alice, 2, UNREAD_BYTES - BYTES, 3);
    assert_true(unread_has_room(&unread, BYTES));
    assert_false(unread_has_room(&unread, BYTES + 1));
}

static void what_is_never_answered_holds_up_nobody(void **state)
{
    (void)state;
    struct unread unread = {0};
    uint64_t now_us = SECOND_US, next = 0, passed = 0;
    for (int ms = 0; ms < 2000; ms += 5, now_us += 5 * MS_US) {
        unread_turn(&unread, now_us);
        unsigned n = pass(&unread, alice, next, now_us);
        next += n;
        passed += n != 0;
    }
    /* 20, 40, 80, 160, 320 ms and so on. */
    assert_in_range(passed, 8, 12);
    /* One answer, and the next silence is short again. */
    unread_answered(&unread, alice, next - 1, now_us);
    pass(&unread, alice, next, now_us);
    unread_turn(&unread, now_us + UNREAD_SILENT_US - 1);
    assert_int_equal(unread.n, UNREAD_MAX);
    unread_turn(&unread, now_us + UNREAD_SILENT_US);
    assert_int_equal(unread.n, 0);
}

static void a_number_is_found_in_a_frame_and_nothing_is_believed(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 127, 128, 255, 65535, 65536, UINT64_MAX};
    struct codec_buffer buffer = {0};
    uint64_t found;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct message *error = message_new(MESSAGE_ERROR);
        error->as.error.request = numbers[i];
        error->as.error.code = message_text(error, "unavailable");
        error->as.error.reason = message_text(error, "request");
        assert_int_equal(codec_encode(error, &buffer), 0);
        message_drop(&error);
        assert_true(codec_find_number((struct slice){buffer.at, buffer.len}, "request", &found));
        assert_true(found == numbers[i]);
        assert_false(codec_find_number((struct slice){buffer.at, buffer.len}, "reason", &found));
        assert_false(codec_find_number((struct slice){buffer.at, buffer.len}, "nothing", &found));
        for (size_t len = 0; len < buffer.len; len++) /* cut short */
            codec_find_number((struct slice){buffer.at, len}, "nothing", &found);
    }
    codec_buffer_clear(&buffer);
    static const uint8_t odd[][12] = {{0x81, 0xa1, 'x'},
                                      {0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0},
                                      {0x91, 0xa1, 'x'},
                                      {0x80}};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        assert_false(codec_find_number((struct slice){odd[i], i == 0 ? 3 : 6}, "x", &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_waits_for_one_request_of_each_other_key_X8),
        cmocka_unit_test(a_key_leaves_room_for_others_in_number_and_in_bytes_X8),
        cmocka_unit_test(any_order_of_asking_is_served_in_turns),
        cmocka_unit_test(an_answer_says_that_all_before_it_was_read_X8),
        cmocka_unit_test(bytes_are_bounded_and_a_long_request_goes_alone),
        cmocka_unit_test(what_is_never_answered_holds_up_nobody),
        cmocka_unit_test(a_number_is_found_in_a_frame_and_nothing_is_believed),
    };
    return cmocka_run_group_tests_name("fair", tests, NULL, NULL);
}
