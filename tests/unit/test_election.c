/* Terms and votes of one node, message by message: what it sends, and not before what is on disk.
 * Statements of the checks are named; the stories of whole clusters are in test_cluster.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/node.h"
#include "nodes/core/state.h"
#include "shared/base/error.h"
#include "shared/base/text.h"

#define N_NODES 5
#define T       ELECTION_TIMEOUT_DEFAULT_US

/* One node under test, number 1, and what its disk holds. The test plays everybody else. */
struct bench {
    struct node *node;
    struct node_durable disk;
    uint64_t now_us;
    uint64_t disk_seq;      /* durable up to here */
    uint64_t wanted_seq;    /* asked for */
    struct write wanted[8]; /* not durable yet */
    size_t n_wanted;
    struct message *sent[1024]; /* released by what is durable: owned */
    node_id_t sent_to[1024];
    size_t n_sent;
    struct message *held[1024]; /* not yet */
    node_id_t held_to[1024];
    uint64_t held_seq[1024];
    size_t n_held;
    bool slow_disk; /* nothing gets durable until sync() */
};

static struct bench bench;

static void release(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < bench.n_held; i++) {
        if (bench.held_seq[i] <= bench.disk_seq) {
            bench.sent[bench.n_sent] = bench.held[i];
            bench.sent_to[bench.n_sent++] = bench.held_to[i];
        } else {
            bench.held[kept] = bench.held[i];
            bench.held_to[kept] = bench.held_to[i];
            bench.held_seq[kept++] = bench.held_seq[i];
        }
    }
    bench.n_held = kept;
}

static void step(struct event event);

/* Lets the disk catch up. */
static void sync_disk(void)
{
    if (bench.disk_seq == bench.wanted_seq)
        return;
    for (size_t i = 0; i < bench.n_wanted; i++)
        if (bench.wanted[i].kind == WRITE_VOTE)
            bench.disk = (struct node_durable){bench.wanted[i].term, bench.wanted[i].vote};
    bench.n_wanted = 0;
    bench.disk_seq = bench.wanted_seq;
    release();
    step((struct event){.kind = EVENT_PERSISTED, .persisted = bench.disk_seq});
}

static void take(const struct output *output)
{
    switch (output->kind) {
    case OUTPUT_PERSIST:
        assert_int_equal(output->persist.seq, bench.wanted_seq + 1);
        bench.wanted_seq = output->persist.seq;
        for (size_t i = 0; i < output->persist.n; i++)
            bench.wanted[bench.n_wanted++] = output->persist.writes[i];
        break;
    case OUTPUT_SEND:
        if (output->send.plane != PLANE_CONTROL)
            break;
        assert_true(bench.n_held < 1024 && bench.n_sent < 1024);
        bench.held[bench.n_held] = message_ref(output->send.message);
        bench.held_to[bench.n_held] = output->send.to;
        bench.held_seq[bench.n_held++] = output->after_seq;
        break;
    default:
        break;
    }
}

static void step(struct event event)
{
    event.now_us = bench.now_us;
    event.random = bench.now_us * 7;
    struct node_outputs outputs = node_step(bench.node, &event);
    for (size_t i = 0; i < outputs.n; i++)
        take(&outputs.at[i]);
    node_check_invariants(bench.node);
    release();
    if (!bench.slow_disk)
        sync_disk();
}

static void forget_sent(void)
{
    while (bench.n_sent)
        message_drop(&bench.sent[--bench.n_sent]);
}

static void crash(void)
{
    forget_sent();
    while (bench.n_held)
        message_drop(&bench.held[--bench.n_held]);
    node_destroy(&bench.node);
    bench.n_wanted = 0;
    bench.wanted_seq = bench.disk_seq = 0;
}

static void say(node_id_t from, struct message *message)
{
    struct event event = {.kind = EVENT_MESSAGE};
    event.message.plane = PLANE_CONTROL;
    event.message.from = from;
    event.message.incarnation = 100 + from;
    event.message.message = message;
    step(event);
    message_drop(&message);
}

/* Starts the node on what its disk holds, with its control connections up. */
static void start(void)
{
    static uint64_t boots;
    struct node_config config = {.id = 1,
                                 .n_nodes = N_NODES,
                                 .n_voters = N_NODES,
                                 .incarnation = ++boots << 32 | 1,
                                 .heartbeat_us = HEARTBEAT_DEFAULT_US,
                                 .election_timeout_us = T,
                                 .result_max_bytes = RESULT_MAX_DEFAULT_BYTES,
                                 .random = boots,
                                 .cluster = "conclave",
                                 .host = "host",
                                 .version = "0"};
    bench.node = node_new(&config, &bench.disk, bench.now_us);
    for (node_id_t id = 2; id <= N_NODES; id++) {
        struct event event = {.kind = EVENT_LINK_UP};
        event.link.plane = PLANE_CONTROL;
        event.link.peer = id;
        step(event);
        struct message *hello = message_new(MESSAGE_HELLO);
        hello->as.hello.src = id;
        hello->as.hello.dst = 1;
        hello->as.hello.incarnation = 100 + id;
        hello->as.hello.connection = 1;
        say(id, hello);
        struct message *welcome = message_new(MESSAGE_WELCOME);
        welcome->as.welcome.src = id;
        welcome->as.welcome.incarnation = 100 + id;
        welcome->as.welcome.dst_incarnation = config.incarnation;
        welcome->as.welcome.connection = 1;
        say(id, welcome);
    }
    forget_sent();
}

static void begin(term_t term, node_id_t vote)
{
    bench = (struct bench){.disk = {term, vote}, .now_us = SECOND_US};
    start();
}

static void finish(void)
{
    crash();
}

static void request_vote(node_id_t from, bool pre, term_t term, log_index_t index, term_t last)
{
    struct message *message = message_new(MESSAGE_VOTE_REQUEST);
    message->as.vote_request = (struct wire_vote_request){.pre = pre,
                                                          .term = term,
                                                          .last_index = index,
                                                          .last_term = last};
    say(from, message);
}

static void reply_vote(node_id_t from, bool pre, term_t term, bool granted)
{
    struct message *message = message_new(MESSAGE_VOTE_REPLY);
    message->as.vote_reply = (struct wire_vote_reply){.pre = pre, .term = term, .granted = granted};
    say(from, message);
}

static void heartbeat(node_id_t from, const char *role, term_t term, node_id_t coordinator)
{
    struct message *message = message_new(MESSAGE_HEARTBEAT);
    message->as.heartbeat = (struct wire_heartbeat){.node = from,
                                                    .incarnation = 100 + from,
                                                    .term = term,
                                                    .coordinator = coordinator,
                                                    .role = message_text(message, role)};
    struct event event = {.kind = EVENT_MESSAGE};
    event.message.plane = PLANE_HEARTBEAT;
    event.message.from = from;
    event.message.incarnation = 100 + from;
    event.message.message = message;
    step(event);
    message_drop(&message);
}

/* Lets time pass, in steps that are no stops of ours. */
static void pass(uint64_t us)
{
    for (uint64_t until = bench.now_us + us; bench.now_us < until;) {
        bench.now_us += 10 * MS_US;
        step((struct event){.kind = EVENT_TICK});
    }
}

static void pass_until_candidate(bool pre)
{
    forget_sent();
    for (int i = 0; i < 1000; i++) {
        pass(10 * MS_US);
        for (size_t j = 0; j < bench.n_sent; j++)
            if (bench.sent[j]->type == MESSAGE_VOTE_REQUEST &&
                bench.sent[j]->as.vote_request.pre == pre)
                return;
    }
    fail_msg("no election begins");
}

/* The last vote that was answered; NULL: none was. */
static const struct wire_vote_reply *answer(void)
{
    for (size_t i = bench.n_sent; i > 0; i--)
        if (bench.sent[i - 1]->type == MESSAGE_VOTE_REPLY)
            return &bench.sent[i - 1]->as.vote_reply;
    return NULL;
}

static bool answered(bool granted, term_t term)
{
    const struct wire_vote_reply *reply = answer();
    bool is = reply && reply->granted == granted && reply->term == term;
    forget_sent();
    return is;
}

static void become_candidate(void)
{
    pass_until_candidate(true);
    term_t term = bench.node->election.term + 1;
    for (node_id_t id = 2; id <= 3; id++)
        reply_vote(id, true, term, true);
    assert_int_equal(bench.node->election.role, ROLE_CANDIDATE);
    assert_int_equal(bench.node->election.term, term);
}

static void become_coordinator(void)
{
    become_candidate();
    for (node_id_t id = 2; id <= 3; id++)
        reply_vote(id, false, bench.node->election.term, true);
    assert_true(node_is_coordinator(bench.node));
}

/* --- R1, R3, R4 --- */

static void a_vote_leaves_after_it_is_on_disk_R1(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    bench.slow_disk = true;
    request_vote(2, false, 5, 0, 0);
    assert_null(answer());
    assert_int_equal(bench.disk.term, 0);
    sync_disk();
    assert_int_equal(bench.disk.term, 5);
    assert_int_equal(bench.disk.vote, 2);
    assert_true(answered(true, 5));
    finish();
}

static void no_message_of_a_term_leaves_before_the_term_is_on_disk_R1(void **state)
{
    (void)state;
    begin(3, NODE_NONE);
    pass_until_candidate(true);
    forget_sent();
    bench.slow_disk = true;
    for (node_id_t id = 2; id <= 3; id++)
        reply_vote(id, true, 4, true);
    assert_int_equal(bench.node->election.term, 4);
    for (size_t i = 0; i < bench.n_sent; i++)
        assert_int_not_equal(bench.sent[i]->type, MESSAGE_VOTE_REQUEST);
    sync_disk();
    size_t requests = 0;
    for (size_t i = 0; i < bench.n_sent; i++)
        requests += bench.sent[i]->type == MESSAGE_VOTE_REQUEST;
    assert_int_equal(requests, N_NODES - 1);
    assert_int_equal(bench.disk.vote, 1); /* for itself */
    finish();
}

static void a_crash_at_any_step_yields_no_second_vote_R1(void **state)
{
    (void)state;
    for (int synced = 0; synced < 2; synced++) {
        begin(0, NODE_NONE);
        bench.slow_disk = true;
        request_vote(2, false, 5, 0, 0);
        if (synced)
            sync_disk();
        bool told = answered(true, 5);
        assert_int_equal(told, synced);
        crash();
        bench.slow_disk = false;
        start();
        request_vote(3, false, 5, 0, 0);
        /* It may vote for 3 only if nobody can have heard of a vote for 2. */
        assert_true(answered(!told, 5));
        finish();
    }
}

static void one_vote_a_term_and_the_same_again(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    request_vote(2, false, 5, 0, 0);
    assert_true(answered(true, 5));
    request_vote(3, false, 5, 0, 0);
    assert_true(answered(false, 5));
    request_vote(2, false, 5, 0, 0);
    assert_true(answered(true, 5));
    request_vote(3, false, 6, 0, 0);
    assert_true(answered(true, 6));
    request_vote(2, false, 5, 0, 0); /* an old term */
    assert_true(answered(false, 6));
    finish();
}

static void only_a_log_as_complete_as_ours_gets_a_vote_R3(void **state)
{
    (void)state;
    static const struct {
        log_index_t index;
        term_t term;
        bool granted;
    } cases[] = {{7, 3, true}, {8, 3, true},  {6, 3, false}, {100, 2, false},
                 {1, 4, true}, {0, 0, false}, {7, 2, false}, {7, 4, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int pre = 0; pre < 2; pre++) {
            begin(3, NODE_NONE);
            bench.node->journal.last_index = 7;
            bench.node->journal.last_term = 3;
            bench.node->journal.applied = 7;
            request_vote(2, pre, 9, cases[i].index, cases[i].term);
            assert_true(answered(cases[i].granted, cases[i].granted || !pre ? 9 : 3));
            finish();
        }
    }
}

static void a_coordinator_grants_no_vote_R4(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    become_coordinator();
    term_t term = bench.node->election.term;
    forget_sent();
    request_vote(2, false, term, 100, term);
    assert_true(answered(false, term));
    request_vote(2, false, term + 1, 100, term);
    assert_true(answered(false, term));
    request_vote(2, true, term + 1, 100, term);
    assert_true(answered(false, term));
    assert_true(node_is_coordinator(bench.node));
    finish();
}

/* --- R2: counting --- */

static void votes_are_counted_per_distinct_node_R2(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    become_candidate();
    for (int i = 0; i < 10; i++)
        reply_vote(2, false, 1, true);
    assert_int_equal(bench.node->election.role, ROLE_CANDIDATE);
    reply_vote(3, false, 1, true);
    assert_true(node_is_coordinator(bench.node));
    finish();
}

static void late_foreign_and_wrong_votes_do_not_count_R2(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    become_candidate();
    reply_vote(2, false, 1, true); /* one more would do */
    reply_vote(3, true, 1, true);  /* a pre-vote */
    reply_vote(3, true, 2, true);
    reply_vote(4, false, 0, true); /* of other terms */
    reply_vote(4, false, 2, true);
    reply_vote(5, false, 1, false); /* refused */
    reply_vote(1, false, 1, true);  /* from ourselves, from nobody, from a stranger */
    reply_vote(0, false, 1, true);
    reply_vote(6, false, 1, true);
    reply_vote(UINT32_MAX, false, 1, true);
    assert_int_equal(bench.node->election.role, ROLE_CANDIDATE);
    /* In the next term the votes of this one are forgotten. */
    pass_until_candidate(true);
    for (node_id_t id = 2; id <= 3; id++)
        reply_vote(id, true, 2, true);
    assert_int_equal(bench.node->election.term, 2);
    reply_vote(3, false, 2, true);
    reply_vote(4, false, 1, true);
    assert_int_equal(bench.node->election.role, ROLE_CANDIDATE);
    reply_vote(5, false, 2, true);
    assert_true(node_is_coordinator(bench.node));
    finish();
}

static void a_vote_of_a_former_life_does_not_count_R2(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    become_candidate();
    crash();
    start();
    assert_int_equal(bench.disk.term, 1);
    for (node_id_t id = 2; id <= 5; id++)
        reply_vote(id, false, 1, true);
    assert_int_equal(bench.node->election.role, ROLE_FOLLOWER);
    finish();
}

/* --- R5: pre-votes and stickiness --- */

static void a_pre_vote_changes_neither_term_nor_vote_R5(void **state)
{
    (void)state;
    begin(3, NODE_NONE);
    request_vote(2, true, 4, 0, 0);
    assert_true(answered(true, 4));
    request_vote(3, true, 1000, 0, 0);
    assert_true(answered(true, 1000));
    assert_int_equal(bench.node->election.term, 3);
    assert_int_equal(bench.node->election.vote, NODE_NONE);
    assert_int_equal(bench.wanted_seq, 0);
    /* Its own pre-votes, without an answer, do not either. */
    pass(20 * T);
    assert_int_equal(bench.node->election.term, 3);
    assert_int_equal(bench.disk.term, 3);
    finish();
}

static void who_hears_a_coordinator_helps_nobody_to_replace_it_R5(void **state)
{
    (void)state;
    begin(3, NODE_NONE);
    heartbeat(4, "coordinator", 3, 4);
    assert_int_equal(bench.node->election.coordinator, 4);
    for (uint64_t us = 0; us + 20 * MS_US < T; us += 20 * MS_US) {
        request_vote(2, true, 4, 100, 3);
        assert_true(answered(false, 3));
        request_vote(2, false, 4, 100, 3);
        assert_true(answered(false, 3));
        assert_int_equal(bench.node->election.term, 3);
        bench.now_us += 20 * MS_US;
        step((struct event){.kind = EVENT_TICK});
    }
    bench.now_us += 40 * MS_US;
    request_vote(2, true, 4, 100, 3);
    assert_true(answered(true, 4));
    finish();
}

/* --- terms --- */

static void a_higher_term_ends_a_reign(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    become_coordinator();
    heartbeat(2, "worker", 7, 3);
    assert_false(node_is_coordinator(bench.node));
    assert_int_equal(bench.node->election.term, 7);
    assert_int_equal(bench.disk.term, 7);
    assert_int_equal(bench.disk.vote, NODE_NONE);
    finish();
}

static void absurd_terms_are_refused_X10(void **state)
{
    (void)state;
    static const term_t absurd[] = {3 + TERM_JUMP_MAX + 1, TERM_MAX, TERM_MAX + 1, UINT64_MAX};
    begin(3, NODE_NONE);
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        uint64_t rejected = bench.node->rejected_here;
        heartbeat(2, "worker", absurd[i], 2);
        heartbeat(2, "coordinator", absurd[i], 2);
        reply_vote(2, false, absurd[i], false);
        for (int pre = 0; pre < 2; pre++) {
            request_vote(2, pre, absurd[i], 0, 0);
            assert_null(answer());
        }
        assert_int_equal(bench.node->rejected_here, rejected + 5);
    }
    assert_int_equal(bench.node->election.term, 3);
    assert_int_equal(bench.wanted_seq, 0);
    finish();
}

static void a_term_never_falls_R14(void **state)
{
    (void)state;
    begin(9, 3);
    for (term_t term = 0; term < 9; term++) {
        heartbeat(2, "coordinator", term, 2);
        heartbeat(3, "worker", term, 2);
        request_vote(4, false, term, 100, term);
        assert_true(answered(false, 9));
        reply_vote(4, false, term, false);
        assert_int_equal(bench.node->election.term, 9);
        assert_int_equal(bench.node->election.coordinator, NODE_NONE);
    }
    finish();
}

static void a_second_coordinator_of_a_term_is_not_believed(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    become_coordinator();
    uint64_t rejected = bench.node->rejected_here;
    heartbeat(2, "coordinator", bench.node->election.term, 2);
    assert_true(node_is_coordinator(bench.node));
    assert_int_equal(bench.node->rejected_here, rejected + 1);
    finish();
}

/* --- time --- */

static void a_coordinator_serves_after_its_first_entry_is_on_disk_R10(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    become_candidate();
    bench.slow_disk = true;
    for (node_id_t id = 2; id <= 3; id++)
        reply_vote(id, false, 1, true);
    assert_true(node_is_coordinator(bench.node));
    assert_false(node_serves(bench.node));
    sync_disk();
    assert_true(node_serves(bench.node));
    finish();
}

static void a_coordinator_that_nobody_follows_steps_down_R7(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    become_coordinator();
    for (int i = 0; i < 100; i++) {
        for (node_id_t id = 2; id <= 3; id++)
            heartbeat(id, "worker", 1, 1);
        pass(50 * MS_US);
    }
    assert_true(node_is_coordinator(bench.node));
    for (int i = 0; i < 100 && node_is_coordinator(bench.node); i++) {
        heartbeat(2, "worker", 1, 1); /* one is no majority of five */
        heartbeat(3, "worker", 1, 4); /* and who follows another does not count */
        pass(50 * MS_US);
        assert_true(i <= 11);
    }
    assert_false(node_is_coordinator(bench.node));
    assert_int_equal(bench.node->election.term, 1);
    finish();
}

static void a_coordinator_that_was_stopped_serves_no_more_R13(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    become_coordinator();
    bench.now_us += 10 * T;
    struct event event = {.kind = EVENT_REQUEST};
    event.request.client = 1;
    event.request.message = message_new(MESSAGE_STATUS_GET);
    step(event); /* not even what comes before the first tick */
    message_drop(&event.request.message);
    assert_false(node_serves(bench.node));
    finish();
}

static void a_jump_of_the_wall_clock_changes_nothing_R26(void **state)
{
    (void)state;
    begin(0, NODE_NONE);
    become_coordinator();
    for (int i = 0; i < 50; i++) {
        for (node_id_t id = 2; id <= 5; id++)
            heartbeat(id, "worker", 1, 1);
        bench.now_us += 50 * MS_US;
        step((struct event){.kind = EVENT_TICK, .wall_ms = i % 2 ? 1 : 3600000});
    }
    assert_true(node_serves(bench.node));
    assert_int_equal(bench.node->election.term, 1);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vote_leaves_after_it_is_on_disk_R1),
        cmocka_unit_test(no_message_of_a_term_leaves_before_the_term_is_on_disk_R1),
        cmocka_unit_test(a_crash_at_any_step_yields_no_second_vote_R1),
        cmocka_unit_test(one_vote_a_term_and_the_same_again),
        cmocka_unit_test(only_a_log_as_complete_as_ours_gets_a_vote_R3),
        cmocka_unit_test(a_coordinator_grants_no_vote_R4),
        cmocka_unit_test(votes_are_counted_per_distinct_node_R2),
        cmocka_unit_test(late_foreign_and_wrong_votes_do_not_count_R2),
        cmocka_unit_test(a_vote_of_a_former_life_does_not_count_R2),
        cmocka_unit_test(a_pre_vote_changes_neither_term_nor_vote_R5),
        cmocka_unit_test(who_hears_a_coordinator_helps_nobody_to_replace_it_R5),
        cmocka_unit_test(a_higher_term_ends_a_reign),
        cmocka_unit_test(absurd_terms_are_refused_X10),
        cmocka_unit_test(a_term_never_falls_R14),
        cmocka_unit_test(a_second_coordinator_of_a_term_is_not_believed),
        cmocka_unit_test(a_coordinator_serves_after_its_first_entry_is_on_disk_R10),
        cmocka_unit_test(a_coordinator_that_nobody_follows_steps_down_R7),
        cmocka_unit_test(a_coordinator_that_was_stopped_serves_no_more_R13),
        cmocka_unit_test(a_jump_of_the_wall_clock_changes_nothing_R26),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
