/* A follower's log as its coordinator sees it: which state follows which, and what is kept in each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/core/raft/raft.h"
#include "shared/base/random.h"

static struct replica searching(log_index_t last)
{
    struct replica replica = {0};
    replica_forget(&replica, last);
    return replica;
}

/* The coordinator has sent everything up to `next`, and the follower has what is up to `match`. */
static struct replica pipelining(log_index_t match, log_index_t next)
{
    struct replica replica = searching(next - 1);
    replica_matched(&replica, match);
    replica.next = next;
    replica.in_flight = 3;
    return replica;
}

static struct replica installing(log_index_t match, log_index_t next)
{
    struct replica replica = pipelining(match, next);
    replica_install(&replica);
    replica.checkpoint = checkpoint_new(next, 1);
    return replica;
}

static void a_search_goes_back_one_append_at_a_time_and_never_before_the_first_entry(void **state)
{
    (void)state;
    struct replica replica = searching(9);
    assert_int_equal(replica.state, REPLICA_SEARCH);
    assert_int_equal(replica_prev(&replica), 9);
    assert_int_equal(replica_window(&replica), 1);
    replica_refused(&replica, 6); /* it has six entries, and those may agree */
    replica_doubt(&replica, 1);
    assert_int_equal(replica_prev(&replica), 6);
    for (int i = 0; i < 20; i++) { /* whatever it says, the next probe begins before the last one */
        replica_refused(&replica, 100);
        replica_doubt(&replica, 1);
        assert_int_equal(replica.state, REPLICA_SEARCH);
        replica_check_invariants(&replica, 9);
    }
    assert_int_equal(replica_prev(&replica), 0);
}

static void a_search_that_is_not_answered_is_repeated_from_where_it_was(void **state)
{
    (void)state;
    struct replica replica = searching(9);
    replica.next = 11; /* an entry was sent with it */
    assert_false(replica_doubt(&replica, 1));
    assert_int_equal(replica_prev(&replica), 9);
    replica_reconnected(&replica);
    assert_int_equal(replica.state, REPLICA_SEARCH);
    assert_int_equal(replica_prev(&replica), 9);
}

static void who_agrees_is_sent_appends_ahead_of_its_answers(void **state)
{
    (void)state;
    struct replica replica = searching(9);
    assert_true(replica_matched(&replica, 7));
    replica_agreed(&replica);
    assert_int_equal(replica.state, REPLICA_PIPELINE);
    assert_int_equal(replica_window(&replica), APPEND_WINDOW);
    assert_false(replica_matched(&replica, 7)); /* said twice, or late: nothing new */
    assert_false(replica_matched(&replica, 3));
    assert_int_equal(replica.match, 7);
}

static void what_may_be_lost_is_probed_for_by_one_empty_append_behind_what_is_known(void **state)
{
    (void)state;
    struct replica replica = pipelining(7, 20);
    assert_true(replica_is_ahead(&replica));
    assert_true(replica_doubt(&replica, 5));
    assert_int_equal(replica.state, REPLICA_PROBE);
    assert_int_equal(replica_prev(&replica), 7);
    assert_int_equal(replica_window(&replica), 1);
    assert_false(replica_doubt(&replica, 6)); /* the probe was lost: the same one again */
    assert_int_equal(replica.probe_round, 5);
    assert_true(replica_matched(&replica, 12)); /* most had arrived */
    replica_agreed(&replica);
    assert_int_equal(replica.state, REPLICA_PIPELINE);
    assert_int_equal(replica_prev(&replica), 12);
    assert_int_equal(replica.in_flight, 0);
}

static void one_answer_may_stand_for_several_appends(void **state)
{
    (void)state;
    struct replica replica = pipelining(7, 10);
    replica_matched(&replica, 8);
    replica_answered(&replica, 1);
    replica_agreed(&replica);
    assert_int_equal(replica.in_flight, 2);
    replica_matched(&replica, 9);
    replica_answered(&replica, 2);
    replica_agreed(&replica);
    assert_int_equal(replica.in_flight, 0);
}

static void a_checkpoint_ends_where_the_log_goes_on(void **state)
{
    (void)state;
    struct replica replica = installing(0, 10);
    assert_int_equal(replica.state, REPLICA_INSTALL);
    replica_installed(&replica, 10);
    assert_int_equal(replica.state, REPLICA_PIPELINE);
    assert_null(replica.checkpoint);
    assert_int_equal(replica_prev(&replica), 10);
}

static void a_new_connection_ends_an_install_and_forgets_what_was_on_its_way(void **state)
{
    (void)state;
    struct replica known = installing(4, 10), unknown = searching(9);
    replica_reconnected(&known);
    assert_int_equal(known.state, REPLICA_PIPELINE);
    assert_int_equal(replica_prev(&known), 4);
    assert_int_equal(known.in_flight, 0);
    replica_install(&unknown);
    replica_reconnected(&unknown);
    assert_int_equal(unknown.state, REPLICA_SEARCH);
}

static void a_new_life_has_nothing_that_the_last_one_had(void **state)
{
    (void)state;
    struct replica replica = installing(4, 10);
    replica_forget(&replica, 12);
    assert_int_equal(replica.state, REPLICA_SEARCH);
    assert_int_equal(replica.match, 0);
    assert_int_equal(replica_prev(&replica), 12);
}

/* Whatever happens in whatever order: `match` only grows within a life, and each state holds what
 * it says (R14). */
static void no_order_of_what_may_happen_breaks_a_replica_R14(void **state)
{
    (void)state;
    uint64_t random = 14, round = 0;
    for (int story = 0; story < 2000; story++) {
        log_index_t last = 20, match = 0;
        struct replica replica = searching(last);
        for (int step = 0; step < 60; step++) {
            bool installs = replica.state == REPLICA_INSTALL;
            uint64_t some = random_below(&random, last + 1);
            switch (random_below(&random, 7)) {
            case 0:
                replica_reconnected(&replica);
                break;
            case 1:
                if (!installs)
                    round += replica_doubt(&replica, round + 1);
                break;
            case 2:
                replica_refused(&replica, some);
                if (!installs)
                    round += replica_doubt(&replica, round + 1);
                break;
            case 3:
                if (!installs)
                    replica_matched(&replica, some);
                break;
            case 4:
                if (!installs)
                    replica_agreed(&replica);
                break;
            case 5:
                replica_install(&replica);
                break;
            default:
                if (installs)
                    replica_installed(&replica, some ? some : 1);
                else if (replica.state == REPLICA_PIPELINE && replica.next <= last)
                    replica.next++;
                break;
            }
            assert_true(replica.match >= match);
            match = replica.match;
            replica_check_invariants(&replica, last);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_goes_back_one_append_at_a_time_and_never_before_the_first_entry),
        cmocka_unit_test(a_search_that_is_not_answered_is_repeated_from_where_it_was),
        cmocka_unit_test(who_agrees_is_sent_appends_ahead_of_its_answers),
        cmocka_unit_test(what_may_be_lost_is_probed_for_by_one_empty_append_behind_what_is_known),
        cmocka_unit_test(one_answer_may_stand_for_several_appends),
        cmocka_unit_test(a_checkpoint_ends_where_the_log_goes_on),
        cmocka_unit_test(a_new_connection_ends_an_install_and_forgets_what_was_on_its_way),
        cmocka_unit_test(a_new_life_has_nothing_that_the_last_one_had),
        cmocka_unit_test(no_order_of_what_may_happen_breaks_a_replica_R14),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
