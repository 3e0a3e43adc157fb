/* The broker's view of the cluster, from heartbeats: who coordinates, where a request goes, and
 * what clients are told when it can go nowhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "broker/tracker.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"

static struct message *beat(uint64_t node, incarnation_t incarnation, uint64_t seq, term_t term,
                            bool serving)
{
    struct message *message = message_new(MESSAGE_HEARTBEAT);
    message->as.heartbeat =
        (struct wire_heartbeat){.node = node,
                                .incarnation = incarnation,
                                .seq = seq,
                                .term = term,
                                .serving = serving,
                                .voter = true,
                                .cluster_id = message_text(message, "of some cluster"),
                                .role = message_text(message, serving ? "coordinator" : "worker")};
    return message;
}

static void hear(struct tracker *tracker, struct message *message, uint64_t now_us, int expected)
{
    assert_int_equal(tracker_hear(tracker, message, now_us), expected);
    message_drop(&message);
}

static void the_coordinator_is_who_serves_in_the_highest_term(void **state)
{
    (void)state;
    struct tracker tracker;
    uint64_t ms = MS_US;
    tracker_init(&tracker, 3, 3, 500 * ms);
    assert_int_equal(tracker_coordinator(&tracker, 1000 * ms), NODE_NONE);
    hear(&tracker, beat(1, 7, 1, 4, true), 1000 * ms, OK);
    hear(&tracker, beat(2, 7, 1, 5, false), 1000 * ms, OK);
    assert_int_equal(tracker_coordinator(&tracker, 1000 * ms), 1);
    hear(&tracker, beat(2, 7, 2, 5, true), 1010 * ms, OK);
    assert_int_equal(tracker_coordinator(&tracker, 1010 * ms), 2);
    /* The old one is believed as long as it speaks; when the new one falls silent it is the last
     * that serves. */
    hear(&tracker, beat(1, 7, 2, 4, true), 1400 * ms, OK);
    assert_int_equal(tracker_coordinator(&tracker, 1511 * ms), 1);
    assert_int_equal(tracker_coordinator(&tracker, 1901 * ms), NODE_NONE);
    hear(&tracker, beat(4, 7, 1, 9, true), 1901 * ms, ERR_RANGE);
    hear(&tracker, beat(0, 7, 1, 9, true), 1901 * ms, ERR_RANGE);
}

/* X15: who has a node's key can say that it serves, in any term. */
static void who_is_followed_goes_before_who_says_so_X15(void **state)
{
    (void)state;
    struct tracker tracker;
    tracker_init(&tracker, 3, 3, 500 * MS_US);
    for (uint64_t id = 1; id <= 3; id++) {
        struct message *message = beat(id, 7, 1, id == 3 ? TERM_MAX : 5, id != 2);
        message->as.heartbeat.coordinator = id == 3 ? 3 : 1;
        hear(&tracker, message, 1000 * MS_US, OK);
    }
    assert_int_equal(tracker_coordinator(&tracker, 1000 * MS_US), 1);
}

static node_id_t route(const struct tracker *tracker, enum message_type type, uint64_t node,
                       uint64_t now_us, const char **code)
{
    struct message *request = message_new(type);
    struct text why = {0};
    request->as.request.node = node;
    *code = NULL;
    node_id_t to = tracker_route(tracker, request, now_us, code, &why);
    assert_int_equal(to == NODE_NONE, *code != NULL);
    assert_int_equal(to == NODE_NONE, why.len > 0);
    message_drop(&request);
    return to;
}

static void a_request_goes_to_whom_it_names_or_to_who_serves(void **state)
{
    (void)state;
    struct tracker tracker;
    const char *code;
    tracker_init(&tracker, 3, 3, 500 * MS_US);
    hear(&tracker, beat(2, 7, 1, 4, false), 1000, OK);
    assert_int_equal(route(&tracker, MESSAGE_SUBMIT, 0, 1000, &code), NODE_NONE);
    assert_string_equal(code, "unavailable");
    assert_int_equal(route(&tracker, MESSAGE_INIT, 0, 1000, &code), 2);
    hear(&tracker, beat(3, 7, 1, 4, true), 1000, OK);
    assert_int_equal(route(&tracker, MESSAGE_SUBMIT, 0, 1000, &code), 3);
    assert_int_equal(route(&tracker, MESSAGE_BANK_LIST, 2, 1000, &code), 2);
    assert_int_equal(route(&tracker, MESSAGE_BANK_LIST, 1, 1000, &code), NODE_NONE);
    assert_string_equal(code, "unavailable");
    assert_int_equal(route(&tracker, MESSAGE_BANK_LIST, 4, 1000, &code), NODE_NONE);
    assert_string_equal(code, "invalid");
    assert_int_equal(route(&tracker, MESSAGE_SUBMIT, 0, 1000 + 501 * MS_US, &code), NODE_NONE);
}

static void late_heartbeats_of_a_former_life_do_not_count(void **state)
{
    (void)state;
    struct tracker tracker;
    incarnation_t first = (incarnation_t)1 << 32 | 99, second = (incarnation_t)2 << 32 | 1;
    tracker_init(&tracker, 2, 2, 500 * MS_US);
    hear(&tracker, beat(1, first, 10, 1, true), 1000, OK);
    hear(&tracker, beat(1, first, 10, 1, true), 2000, ERR_STALE);
    hear(&tracker, beat(1, second, 1, 1, false), 3000, OK);
    hear(&tracker, beat(1, first, 11, 1, true), 4000, ERR_STALE);
    assert_int_equal(tracker_coordinator(&tracker, 4000), NODE_NONE);
    /* A wiped disk begins with boot 1 again: heard once the former life is silent. */
    hear(&tracker, beat(1, first + 1, 1, 1, false), 3000 + 501 * MS_US, OK);
}

static void the_reason_counts_who_is_missing(void **state)
{
    (void)state;
    struct tracker tracker;
    struct text why = {0};
    tracker_init(&tracker, 6, 6, 500 * MS_US);
    for (uint64_t node = 1; node <= 3; node++)
        hear(&tracker, beat(node, 7, 1, 1, false), 1000, OK);
    tracker_reason(&tracker, 1000, &why);
    assert_string_equal(why.at, "no quorum: 3 of 6 nodes are alive, 4 needed");
    hear(&tracker, beat(4, 7, 1, 1, false), 1000, OK);
    why = (struct text){0};
    tracker_reason(&tracker, 1000, &why);
    assert_non_null(strstr(why.at, "election is under way"));
    tracker.n_voters = 5;
    why = (struct text){0};
    tracker_reason(&tracker, 1000 + 501 * MS_US, &why);
    assert_string_equal(why.at, "no quorum: 0 of 5 voters are alive, 3 needed");
}

static struct message *beat_of(uint64_t node, uint64_t seq, uint64_t voters)
{
    struct message *message = beat(node, 7, seq, 1, false);
    message->as.heartbeat.voters = voters;
    return message;
}

static void the_cluster_says_how_many_vote(void **state)
{
    (void)state;
    struct tracker tracker;
    struct text why = {0};
    tracker_init(&tracker, 6, 5, 500 * MS_US);
    for (uint64_t node = 1; node <= 3; node++) /* founded when all voted by default */
        hear(&tracker, beat_of(node, 1, 6), 1000, OK);
    hear(&tracker, beat_of(4, 1, 0), 1000, OK); /* an older build does not say */
    assert_int_equal(tracker.n_voters, 6);
    tracker_reason(&tracker, 1000 + 501 * MS_US, &why);
    assert_string_equal(why.at, "no quorum: 0 of 6 nodes are alive, 4 needed");
    for (uint64_t node = 1; node <= 6; node++)
        hear(&tracker, beat_of(node, 2, 7), 1000, OK); /* of six nodes */
    assert_int_equal(tracker.n_voters, 6);
}

/* X15, X10: else who has node 1's key says that it alone votes, and is a majority: of who serves,
 * and of which keys count. */
static void one_node_does_not_say_how_many_vote_X15(void **state)
{
    (void)state;
    struct tracker tracker;
    const struct tracker_node *has;
    tracker_init(&tracker, 3, 3, 500 * MS_US);
    for (uint64_t node = 2; node <= 3; node++) {
        struct message *message = beat(node, 7, 1, 1, node == 2);
        message->as.heartbeat.voters = 3;
        message->as.heartbeat.coordinator = 2;
        hear(&tracker, message, 1000, OK);
    }
    struct message *lie = beat(1, 7, 1, 9, true);
    lie->as.heartbeat.voters = 1;
    lie->as.heartbeat.coordinator = 1;
    lie->as.heartbeat.access_version = 9;
    lie->as.heartbeat.access_hash = message_text(lie, "a list that it has made by itself, for it");
    lie->as.heartbeat.access_hash.len = HASH_BYTES;
    hear(&tracker, lie, 1000, OK);
    assert_int_equal(tracker.n_voters, 3);
    assert_int_equal(tracker_coordinator(&tracker, 1000), 2);
    assert_int_equal(tracker_access(&tracker, 0, 1000, &has), NODE_NONE);
}

static void the_reason_names_whom_a_new_cluster_waits_for_R30(void **state)
{
    (void)state;
    struct tracker tracker;
    struct text why = {0};
    tracker_init(&tracker, 4, 3, 500 * MS_US);
    const char *code;
    assert_int_equal(route(&tracker, MESSAGE_INIT, 0, 1000, &code), NODE_NONE);
    for (uint64_t node = 2; node <= 4; node++) {
        struct message *message = beat(node, 7, 1, 0, false);
        message->as.heartbeat.cluster_id = (struct slice){0};
        hear(&tracker, message, node == 3 ? 1000 : 600 * MS_US, OK);
    }
    tracker_reason(&tracker, 600 * MS_US, &why);
    assert_string_equal(why.at,
                        "not founded: node 1 has not been heard from yet, node 3 is not alive; "
                        "if the cluster is new, `conclave init` founds without them");
    assert_int_equal(route(&tracker, MESSAGE_INIT, 0, 600 * MS_US, &code), 2);
}

static void the_reason_tells_of_disks_that_do_not_count_R31(void **state)
{
    (void)state;
    struct tracker tracker;
    struct text why = {0};
    tracker_init(&tracker, 3, 3, 500 * MS_US);
    for (uint64_t node = 1; node <= 3; node++) {
        struct message *message = beat(node, 7, 1, 1, false);
        message->as.heartbeat.voter = node == 1;
        hear(&tracker, message, 1000, OK);
    }
    tracker_reason(&tracker, 1000, &why);
    assert_non_null(strstr(why.at, "only 1 with a disk that counts"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_coordinator_is_who_serves_in_the_highest_term),
        cmocka_unit_test(who_is_followed_goes_before_who_says_so_X15),
        cmocka_unit_test(a_request_goes_to_whom_it_names_or_to_who_serves),
        cmocka_unit_test(late_heartbeats_of_a_former_life_do_not_count),
        cmocka_unit_test(the_reason_counts_who_is_missing),
        cmocka_unit_test(the_cluster_says_how_many_vote),
        cmocka_unit_test(one_node_does_not_say_how_many_vote_X15),
        cmocka_unit_test(the_reason_names_whom_a_new_cluster_waits_for_R30),
        cmocka_unit_test(the_reason_tells_of_disks_that_do_not_count_R31),
    };
    return cmocka_run_group_tests_name("tracker", tests, NULL, NULL);
}
