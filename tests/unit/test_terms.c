/* A node that holds a voter's key and lies: what it makes of the term of another one, of whom that
 * follows, and of what is written to its disk. The node under test is number 1 of five. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/step/step.h"
#include "shared/base/job_id.h"
#include "shared/base/text.h"
#include "tests/harness/bench.h"
#include "tests/harness/inside.h"

#define LIAR 2

static term_t term_now(void)
{
    return inside_step(bench.node)->term;
}

static node_id_t coordinator_now(void)
{
    return inside_step(bench.node)->coordinator;
}

static void say(enum plane plane, node_id_t from, enum message_type type, term_t term)
{
    struct message *message = message_new(type);
    switch (type) {
    case MESSAGE_APPEND:
        message->as.append.term = term;
        break;
    case MESSAGE_APPEND_REPLY:
        message->as.append_reply.term = term;
        break;
    case MESSAGE_INSTALL:
        message->as.install.term = term;
        message->as.install.index = 9;
        message->as.install.index_term = 1;
        message->as.install.parts = 1;
        break;
    case MESSAGE_INSTALL_REPLY:
        message->as.install_reply.term = term;
        break;
    case MESSAGE_VALUE_OFFER:
        message->as.value_offer.term = term;
        break;
    default:
        fail();
    }
    bench_deliver(plane, from, message);
}

/* Everything in which the liar can name a term, but for a vote that it asks for. */
static void say_all(node_id_t from, term_t term)
{
    static const enum message_type types[] = {MESSAGE_APPEND, MESSAGE_APPEND_REPLY, MESSAGE_INSTALL,
                                              MESSAGE_INSTALL_REPLY, MESSAGE_VALUE_OFFER};
    bench_heartbeat(from, "worker", term, from);
    bench_heartbeat(from, "candidate", term, NODE_NONE);
    bench_heartbeat(from, "coordinator", term, from);
    bench_reply_vote(from, false, term, false);
    bench_reply_vote(from, false, term, true);
    bench_reply_vote(from, true, term, false);
    bench_reply_vote(from, true, term, true);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        say(PLANE_CHECKPOINT, from, types[i], term);
}

/* Nodes 3 and 4 follow node 5 in our term, and so do we. */
static void follow_node_5(void)
{
    for (node_id_t id = 3; id <= 4; id++)
        bench_heartbeat(id, "worker", term_now(), 5);
    bench_heartbeat(5, "coordinator", term_now(), 5);
    assert_int_equal(coordinator_now(), 5);
}

/* --- terms that one node names --- */

static const term_t named[] = {11, 12, 1000, 1000010, 17000000, TERM_MAX - 1, TERM_MAX};

#define N_NAMED (sizeof named / sizeof named[0])

static void no_message_of_one_node_raises_a_term_X15(void **state)
{
    (void)state;
    bench_begin(10, NODE_NONE);
    for (size_t i = 0; i < N_NAMED; i++) {
        for (int times = 0; times < 20; times++)
            say_all(LIAR, named[i]);
        assert_int_equal(term_now(), 10);
    }
    assert_int_equal(bench.wanted_seq, 0); /* and nothing of it is on disk */
    bench_finish();
}

/* A coordinator, a follower and a candidate go on. */
static void who_takes_part_in_an_election_is_raised_by_nobody_else_X15(void **state)
{
    (void)state;
    bench_begin(10, NODE_NONE);
    follow_node_5();
    for (size_t i = 0; i < N_NAMED; i++) {
        say_all(LIAR, named[i]);
        bench_request_vote(LIAR, false, named[i], LOG_INDEX_MAX, named[i] - 1);
        assert_true(bench_answered(false, 10)); /* the coordinator lives */
    }
    assert_true(coordinator_now() == 5 && term_now() == 10 && !bench.wanted_seq);
    bench_finish();

    bench_begin(10, NODE_NONE);
    bench_become_candidate();
    bench_forget_sent();
    for (size_t i = 1; i < N_NAMED; i++)
        say_all(LIAR, named[i]);
    assert_int_equal(term_now(), 11);
    for (node_id_t id = 3; id <= 4; id++)
        bench_reply_vote(id, false, 11, true);
    assert_true(election_leads(inside_raft(bench.node)));
    for (size_t i = 1; i < N_NAMED; i++) {
        say_all(LIAR, named[i]);
        bench_request_vote(LIAR, false, named[i], LOG_INDEX_MAX, named[i] - 1);
    }
    assert_true(election_leads(inside_raft(bench.node)) && bench.disk.term == 11);
    bench_finish();
}

/* A minority may lie: it takes one more to be believed, at any distance. */
static void a_majority_is_believed_at_any_distance_X15(void **state)
{
    (void)state;
    bench_begin(0, NODE_NONE);
    say_all(2, TERM_MAX);
    say_all(3, TERM_MAX - 1);
    assert_int_equal(term_now(), 0);
    bench_heartbeat(4, "worker", 5000000000, 4);
    assert_int_equal(term_now(), 5000000000); /* the lowest of the three */
    assert_int_equal(bench.disk.term, 5000000000);
    bench_heartbeat(5, "worker", 6000000000, 4);
    assert_int_equal(term_now(), 6000000000);
    bench_finish();
}

/* --- an election raises the term by one --- */

static void a_candidate_raises_the_term_by_one_X15(void **state)
{
    (void)state;
    bench_begin(10, NODE_NONE);
    for (size_t i = 1; i < N_NAMED; i++) {
        for (int pre = 0; pre < 2; pre++) {
            bench_request_vote(LIAR, pre, named[i], LOG_INDEX_MAX, named[i] - 1);
            assert_true(bench_answered(false, 10));
        }
    }
    assert_int_equal(bench.wanted_seq, 0);
    bench_request_vote(LIAR, false, 11, 0, 0);
    assert_true(bench_answered(true, 11));
    bench_finish();
}

static void a_candidate_raises_no_term_without_end_X15(void **state)
{
    (void)state;
    bench_begin(10, NODE_NONE);
    for (term_t term = 11; term < 111; term++) {
        bench_request_vote(LIAR, false, term, 0, 0);
        bench_forget_sent();
    }
    assert_int_equal(term_now(), 10 + CANDIDACIES_MAX);
    /* Another one is not held back by that. */
    bench_request_vote(3, false, term_now() + 1, 0, 0);
    assert_true(bench_answered(true, 11 + CANDIDACIES_MAX));
    /* As long as 100 timeouts, with a request in each step. */
    term_t before = term_now();
    for (int i = 0; i < 1000; i++) {
        bench.now_us += T / 10;
        bench_request_vote(LIAR, false, term_now() + 1, 0, 0);
        bench_forget_sent();
    }
    assert_true(term_now() <= before + 100 / CANDIDACY_TIMEOUTS + 1);
    bench_finish();
}

/* The same vote asked for again holds up nobody's own election. */
static void who_asks_again_and_again_is_not_waited_for_X15(void **state)
{
    (void)state;
    bench_begin(10, NODE_NONE);
    bench_request_vote(LIAR, false, 11, 0, 0);
    bool asked = false;
    for (int i = 0; i < 60 && !asked; i++) { /* 1.2 timeouts of the longest */
        bench_pass(T / 25);
        for (size_t j = 0; j < bench.n_sent; j++)
            asked |= bench.sent[j]->type == MESSAGE_VOTE_REQUEST;
        bench_request_vote(LIAR, false, 11, 0, 0);
    }
    assert_true(asked);
    bench_finish();
}

/* --- too few voters to be sure --- */

/* Three of five are heard, and one of them is in a higher term: that is reached step by step, each
 * for an election timeout of our own without result. */
static void who_hears_too_few_goes_up_by_its_own_elections(void **state)
{
    (void)state;
    bench_begin(10, NODE_NONE);
    term_t last = 10;
    uint64_t began_us = bench.now_us;
    for (int i = 0; i < 3000 && term_now() < 1000; i++) {
        for (node_id_t id = 2; id <= 3; id++)
            bench_heartbeat(id, "worker", id == 2 ? 1000 : 10, NODE_NONE);
        bench_pass(20 * MS_US);
        bench_forget_sent();
        assert_true(term_now() <= last + TERM_CLIMB_MAX);
        last = term_now();
    }
    assert_int_equal(term_now(), 1000);
    uint64_t steps = 1 + (1000 - 10) / TERM_CLIMB_MAX;
    assert_true(bench.now_us - began_us >= steps * T && bench.now_us - began_us <= 80 * T);
    bench_finish();
}

/* Where no majority is heard there is nothing to win by it; where a majority follows somebody,
 * nothing to be needed for; and where there is one without it, the liar is not. */
static void who_is_of_no_use_goes_up_for_nobody_X15(void **state)
{
    (void)state;
    for (int led = 0; led < 3; led++) {
        bench_begin(10, NODE_NONE);
        for (int i = 0; i < 1000; i++) {
            bench_heartbeat(LIAR, "worker", 1000, NODE_NONE);
            for (node_id_t id = 3; led == 1 && id <= 5; id++)
                bench_heartbeat(id, id == 5 ? "coordinator" : "worker", 9, 5);
            for (node_id_t id = 3; led == 2 && id <= 4; id++)
                bench_heartbeat(id, "worker", 9, NODE_NONE);
            bench_pass(20 * MS_US);
            bench_forget_sent();
        }
        assert_int_equal(term_now(), 10);
        /* Nor does who stands for election, where the others have a coordinator. */
        if (led == 1) {
            bench_request_vote(LIAR, false, 11, LOG_INDEX_MAX, 10);
            assert_true(bench_answered(false, 10));
        }
        bench_finish();
    }
}

/* --- who coordinates --- */

static void a_claim_to_coordinate_needs_a_majority_that_follows_X15(void **state)
{
    (void)state;
    bench_begin(10, NODE_NONE);
    bench_pass(T / 2); /* before our own election, and before its word alone would do */
    bench_heartbeat(LIAR, "coordinator", 10, LIAR);
    say(PLANE_CHECKPOINT, LIAR, MESSAGE_APPEND, 10);
    assert_int_equal(coordinator_now(), NODE_NONE);
    bench_heartbeat(3, "worker", 10, 5); /* others say whom they follow */
    bench_heartbeat(5, "coordinator", 10, 5);
    assert_int_equal(coordinator_now(), NODE_NONE);
    bench_heartbeat(4, "worker", 10, 5);
    assert_int_equal(coordinator_now(), 5); /* the last one made the majority */
    uint64_t rejected = inside_step(bench.node)->rejected_here;
    bench_heartbeat(LIAR, "coordinator", 10, LIAR);
    say(PLANE_CHECKPOINT, LIAR, MESSAGE_APPEND, 10);
    say(PLANE_CHECKPOINT, LIAR, MESSAGE_INSTALL, 10);
    assert_int_equal(coordinator_now(), 5);
    assert_int_equal(inside_step(bench.node)->rejected_here, rejected + 3);
    assert_int_equal(bench.wanted_seq, 0);
    bench_finish();
}

static void our_own_vote_is_enough_and_a_majority_corrects_it_X15(void **state)
{
    (void)state;
    bench_begin(10, NODE_NONE);
    bench_request_vote(LIAR, false, 11, 0, 0);
    bench_heartbeat(LIAR, "coordinator", 11, LIAR); /* it was not elected: two of five */
    assert_int_equal(coordinator_now(), LIAR);
    for (node_id_t id = 3; id <= 4; id++)
        bench_heartbeat(id, "worker", 11, 5);
    bench_heartbeat(5, "coordinator", 11, 5);
    assert_int_equal(coordinator_now(), 5);
    bench_heartbeat(LIAR, "coordinator", 11, LIAR);
    assert_int_equal(coordinator_now(), 5);
    bench_finish();
}

/* Who hears the coordinator alone, as in a chain of nodes, follows it after a timeout. */
static void a_claim_that_nobody_contradicts_is_believed_after_a_timeout_R6(void **state)
{
    (void)state;
    bench_begin(10, NODE_NONE);
    for (int i = 0; i < 20; i++) {
        bench_heartbeat(5, "coordinator", 10, 5);
        assert_int_equal(coordinator_now(), NODE_NONE);
        bench_pass(T / 25);
    }
    bench_pass(T / 4);
    bench_heartbeat(5, "coordinator", 10, 5);
    assert_int_equal(coordinator_now(), 5);
    bench_finish();
}

/* --- a voter that is alone in a higher term --- */

static void lead(void)
{
    bench_begin(10, NODE_NONE);
    bench_become_coordinator();
    bench_acknowledge(3);
    bench_acknowledge(4);
    assert_true(node_coordinates(bench.node));
    bench_forget_sent();
}

static bool asks_for_pre_votes(term_t *term)
{
    for (size_t i = 0; i < bench.n_sent; i++) {
        const struct wire_vote_request *request = &bench.sent[i]->as.vote_request;
        if (bench.sent[i]->type == MESSAGE_VOTE_REQUEST && request->pre) {
            *term = request->term;
            return true;
        }
    }
    return false;
}

/* Two followers beat, and the liar says that it is so far ahead; for 20 ms. True: we ask whether we
 * would be elected again, in that term. */
static bool beat(term_t ahead, term_t *term)
{
    bench_forget_sent();
    bench_heartbeat(LIAR, "worker", term_now() + ahead, NODE_NONE);
    for (node_id_t id = 3; id <= 4; id++) {
        bench_heartbeat(id, "worker", term_now(), 1);
        bench_acknowledge(id);
    }
    bench_pass(20 * MS_US);
    return asks_for_pre_votes(term);
}

/* So often the coordinator has itself elected again meanwhile; its other followers grant it. */
static unsigned count_recalls(uint64_t for_us, term_t ahead)
{
    unsigned n = 0;
    for (uint64_t until = bench.now_us + for_us; bench.now_us < until;) {
        term_t term;
        if (!beat(ahead, &term))
            continue;
        n++;
        assert_true(node_coordinates(bench.node)); /* it goes on until a majority has granted */
        assert_true(term <= term_now() + TERM_CLIMB_MAX);
        for (int pre = 1; pre >= 0; pre--)
            for (node_id_t id = 3; id <= 4; id++)
                bench_reply_vote(id, pre, term, true);
        for (node_id_t id = 3; id <= 4; id++)
            bench_acknowledge(id);
        assert_true(node_coordinates(bench.node) && term_now() == term);
    }
    return n;
}

static void who_is_alone_in_a_higher_term_is_brought_back_by_an_election(void **state)
{
    (void)state;
    lead();
    term_t term = 0;
    for (int i = 0; i < 40 && !term; i++) {
        assert_int_equal(term_now(), 11);
        if (!beat(3, &term))
            term = 0;
    }
    assert_int_equal(term, 14); /* it follows whoever is elected in its own term */
    bench_reply_vote(3, true, 14, true);
    bench_reply_vote(LIAR, true, 14, false);
    assert_true(node_coordinates(bench.node) && term_now() == 11);
    bench_reply_vote(4, true, 14, true);
    assert_int_equal(inside_raft(bench.node)->election.role, ROLE_CANDIDATE);
    assert_int_equal(term_now(), 14);
    bench_finish();
}

static void nobody_forces_elections_without_end_X15(void **state)
{
    (void)state;
    lead();
    term_t before = term_now();
    unsigned n = count_recalls(1000 * T, TERM_MAX / 2);
    assert_true(n >= 2 && n <= 10); /* after 1, 2, 4 ... 512 timeouts */
    assert_true(term_now() <= before + n * TERM_CLIMB_MAX);
    bench_finish();
}

/* Its followers give their coordinator their votes at once: it is none any more. */
static void a_coordinator_that_asks_for_votes_gets_them(void **state)
{
    (void)state;
    bench_begin(10, NODE_NONE);
    follow_node_5();
    bench_request_vote(5, false, 10 + TERM_CLIMB_MAX + 1, 0, 0);
    assert_true(bench_answered(false, 10));
    bench_request_vote(3, false, 11, 0, 0);
    assert_true(bench_answered(false, 10));
    bench_request_vote(5, false, 14, 0, 0);
    assert_true(bench_answered(true, 14));
    bench_finish();
}

/* --- ids --- */

static void ids_grow_with_the_log_for_centuries(void **state)
{
    (void)state;
    static const struct {
        term_t term;
        log_index_t index;
    } entries[] = {
        {1, 1},
        {3, 17},
        {3, JOB_INDEX_MASK},
        {3, JOB_INDEX_MASK + 1},
        {3, 5 * (JOB_INDEX_MASK + 1)},
        {4, 5 * (JOB_INDEX_MASK + 1) + 1},
        {JOB_TERM_MAX - 1, 6 * (JOB_INDEX_MASK + 1)},
        {JOB_TERM_MAX, 6 * (JOB_INDEX_MASK + 1) + 1},
        {JOB_TERM_MAX + 1, 6 * (JOB_INDEX_MASK + 1) + 2},
        {TERM_MAX - 1, LOG_INDEX_MAX - 1},
        {TERM_MAX, LOG_INDEX_MAX},
    };
    job_id_t before = 0;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        job_id_t id = job_id_of(entries[i].term, entries[i].index), parsed;
        char text[JOB_TEXT_MAX];
        assert_true(id > before && job_id_has_term(id));
        before = id;
        for (int64_t off = -1000; off <= 1000; off += 500) {
            log_index_t applied = entries[i].index + (uint64_t)off;
            if (applied <= LOG_INDEX_MAX)
                assert_int_equal(job_id_index(id, applied), entries[i].index);
        }
        assert_true(job_id_is_of(id, entries[i].term, entries[i].index + 100));
        assert_int_equal(parse_job_id(slice_of(job_id_text(id, text)), &parsed), 0);
        assert_true(parsed == id);
    }
    /* What the releases before had: stores and rolling upgrades know them. */
    assert_true(job_id_of(3, 17) == ((uint64_t)3 << 40 | 17));
    assert_true(job_id_of(16000000, 17) == ((uint64_t)16000000 << 40 | 17));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_message_of_one_node_raises_a_term_X15),
        cmocka_unit_test(who_takes_part_in_an_election_is_raised_by_nobody_else_X15),
        cmocka_unit_test(a_majority_is_believed_at_any_distance_X15),
        cmocka_unit_test(a_candidate_raises_the_term_by_one_X15),
        cmocka_unit_test(a_candidate_raises_no_term_without_end_X15),
        cmocka_unit_test(who_asks_again_and_again_is_not_waited_for_X15),
        cmocka_unit_test(who_hears_too_few_goes_up_by_its_own_elections),
        cmocka_unit_test(who_is_of_no_use_goes_up_for_nobody_X15),
        cmocka_unit_test(a_claim_to_coordinate_needs_a_majority_that_follows_X15),
        cmocka_unit_test(our_own_vote_is_enough_and_a_majority_corrects_it_X15),
        cmocka_unit_test(a_claim_that_nobody_contradicts_is_believed_after_a_timeout_R6),
        cmocka_unit_test(who_is_alone_in_a_higher_term_is_brought_back_by_an_election),
        cmocka_unit_test(nobody_forces_elections_without_end_X15),
        cmocka_unit_test(a_coordinator_that_asks_for_votes_gets_them),
        cmocka_unit_test(ids_grow_with_the_log_for_centuries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
