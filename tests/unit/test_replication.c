/* The replicated log, statement by statement (R5 to R29 of the checks), on real cores whose
 * messages, disks and clocks are in the hands of the test. As stories to be read: tests/trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/link/link.h"
#include "nodes/core/node.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/step/step.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "tests/harness/inside.h"
#include "tests/harness/stage.h"

#define T ELECTION_TIMEOUT_DEFAULT_US

/* --- who coordinates --- */

static void not_even_a_heartbeat_tells_a_term_before_it_is_on_disk_R1(void **state)
{
    (void)state;
    struct stage *stage = stage_new(3, 3);
    for (node_id_t id = 1; id <= 3; id++)
        stage->nodes[id].durable.term = 4;
    stage_start_all(stage);
    stage->nodes[2].slow_disk = true;
    struct message *message = message_new(MESSAGE_VOTE_REQUEST);
    message->as.vote_request.term = 5;
    stage_say(stage, 3, 2, PLANE_CONTROL, message);
    stage_run(stage, 3 * HEARTBEAT_DEFAULT_US);
    assert_int_equal(inside_step(stage_core(stage, 2))->term, 5);
    assert_int_equal(stage_links(stage, 1)->peers[2].heartbeat->as.heartbeat.term, 4);
    assert_false(stage_told(stage, "2 -> 3"));
    stage_sync(stage, 2);
    stage_run(stage, MS_US);
    assert_int_equal(stage_links(stage, 1)->peers[2].heartbeat->as.heartbeat.term, 5);
    assert_true(stage_told(stage, "2 -> 3  vote granted"));
    stage_free(&stage);
}

static void a_chain_of_nodes_keeps_its_terms_and_commits_R6(void **state)
{
    (void)state;
    for (node_id_t leader = 1; leader <= 3; leader++) {
        struct stage *stage = stage_new(5, 5);
        stage_start_all(stage);
        for (node_id_t id = 1; id <= 3; id++) {
            stage_cut(stage, 4, id, id != 2);
            stage_cut(stage, 5, id, id != 3);
        }
        stage_cut(stage, 4, 5, true);
        stage_elect(stage, leader);
        for (uint64_t round = 1; round <= 30; round++) {
            stage_set(stage, leader, 77, round);
            stage_run(stage, 2 * T);
            assert_int_equal(progress_now(&stage_state(stage, leader)->progress, 77), round);
        }
        /* Who hears one follower only is told nothing by its word alone (X15), and nobody goes up.
         */
        for (node_id_t id = 1; id <= 5; id++)
            assert_in_range(inside_step(stage_core(stage, id))->term, id > 3 ? 0 : 1, 1);
        for (node_id_t id = 1; id <= 3; id++) {
            stage_cut(stage, 4, id, false);
            stage_cut(stage, 5, id, false);
        }
        stage_run(stage, 2 * T);
        for (node_id_t id = 1; id <= 5; id++) {
            assert_int_equal(inside_step(stage_core(stage, id))->term, 1);
            assert_int_equal(progress_now(&stage_state(stage, id)->progress, 77), 30);
        }
        stage_free(&stage);
    }
}

static void stepping_down_answers_unknown_R8(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    stage_cut_one_way(stage, 2, 1, true);
    stage_cut_one_way(stage, 3, 1, true);
    stage_ask(stage, 1, stage_submit_request("key", "10"));
    stage_set(stage, 1, 1, 1);
    stage_read(stage, 1, 1);
    assert_null(stage->answer);
    stage_run(stage, 2 * T);
    assert_int_equal(stage_told_times(stage, "whether the request took effect is unknown"), 3);
    assert_false(stage_told(stage, "failed"));
    assert_true(stage_refused(stage, "not_coordinator"));
    stage_free(&stage);
}

static void a_stopped_coordinator_says_and_does_nothing_stale_R13(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    stage_set(stage, 1, 9, 1);
    stage_ask(stage, 1, stage_submit_request("key", "60"));
    stage_stop(stage, 1);
    stage_run(stage, 10 * T);
    node_id_t next = stage_coordinator(stage);
    assert_int_not_equal(next, 1);
    stage_set(stage, next, 9, 2);
    stage_run(stage, T);
    stage_forget_story(stage);
    stage_resume(stage, 1);
    stage_read(stage, 1, 9); /* before it hears of the other one */
    assert_true(stage_refused(stage, "not_coordinator"));
    stage_run(stage, 10 * T);
    assert_false(stage_told(stage, "1 -> 2  task"));
    assert_false(stage_told(stage, "1 -> 3  task"));
    assert_false(stage_told(stage, "1 -> client  progress"));
    assert_int_equal(inside_step(stage_core(stage, 1))->coordinator, next);
    stage_free(&stage);
}

/* It has gone back to its checkpoint, and a slower follower can't acknowledge. */
/* Node 2 says that so much is committed. */
static void claim_commit(struct stage *stage, log_index_t commit)
{
    struct message *message = message_new(MESSAGE_APPEND_REPLY);
    message->as.append_reply =
        (struct wire_append_reply){.term = inside_step(stage_core(stage, 1))->term,
                                   .ok = true,
                                   .voter = true,
                                   .commit = commit};
    stage_say(stage, 2, 1, PLANE_CHECKPOINT, message);
}

static void a_coordinator_learns_what_is_committed_from_who_knows_R9(void **state)
{
    (void)state;
    struct stage *stage = stage_new(3, 3);
    for (node_id_t id = 1; id <= 3; id++)
        stage_give_entry(stage, id, 1);
    stage_start_all(stage);
    stage_hold(stage, 1, 2, MESSAGE_APPEND);
    stage_hold(stage, 1, 3, MESSAGE_APPEND);
    stage_campaign(stage, 1);
    stage_run(stage, 20 * MS_US);
    const struct raft_log *log = &stage_raft(stage, 1)->log;
    assert_true(election_leads(stage_raft(stage, 1)));
    assert_true(log->last == 2 && log->commit == 0);
    claim_commit(stage, 3); /* more than there is */
    assert_int_equal(log->commit, 0);
    claim_commit(stage, 1); /* of a coordinator before */
    assert_int_equal(log->commit, 1);
    stage_free(&stage);
}

/* What a coordinator has not committed in its own term, nobody has. */
static void no_follower_commits_for_its_coordinator_X10(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    stage_cut(stage, 1, 2, true);
    stage_cut(stage, 1, 3, true);
    stage_set(stage, 1, 2, 7);
    const struct node *node = stage_core(stage, 1);
    log_index_t commit = inside_raft(node)->log.commit;
    uint64_t rejected = inside_step(node)->rejected_here;
    assert_true(commit < inside_raft(node)->log.last);
    claim_commit(stage, inside_raft(node)->log.last);
    assert_int_equal(inside_raft(node)->log.commit, commit);
    assert_int_equal(inside_step(node)->rejected_here, rejected + 1);
    assert_int_equal(progress_now(&inside_state(node)->progress, 2), 0);
    stage_free(&stage);
}

static void an_unreachable_peer_stops_no_heartbeats_to_others_R21(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(5);
    stage_kill(stage, 2);
    stage_cut(stage, 1, 3, true);
    stage_disconnect(stage, 1, 3);
    uint64_t seq = stage_links(stage, 4)->peers[1].heartbeat->as.heartbeat.seq;
    for (uint64_t round = 1; round <= 20; round++) {
        stage_set(stage, 1, 5, round); /* what cannot be sent to 2 and 3 goes to 4 and 5 */
        stage_run(stage, HEARTBEAT_DEFAULT_US);
        assert_int_equal(stage_raft(stage, 4)->log.last, 1 + round);
        assert_true(stage->now_us - stage_links(stage, 4)->peers[1].heard_us <=
                    2 * HEARTBEAT_DEFAULT_US);
    }
    assert_true(stage_links(stage, 4)->peers[1].heartbeat->as.heartbeat.seq >= seq + 18);
    stage_free(&stage);
}

static void an_hour_of_the_wall_clock_elects_nobody_and_expires_nothing_R26(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    stage->nodes[2].op_us = stage->nodes[3].op_us = 300 * MS_US;
    stage_ask(stage, 1, stage_submit_request("key", "10"));
    stage_run(stage, 10 * MS_US);
    assert_true(stage_answered(stage, MESSAGE_JOB));
    struct message *get = message_new(MESSAGE_JOB_GET);
    get->as.job_get.job = stage->answer->as.job.jobs.at[0].job;
    get->as.job_get.wait_ms = 5000; /* a long poll */
    stage_ask(stage, 1, get);
    for (int jump = 0; jump < 4; jump++) {
        stage->wall_skew_ms += jump % 2 ? UINT64_C(0) - 3600000 : 3600000;
        stage_run(stage, 40 * MS_US);
        assert_null(stage->answer);
    }
    stage_run(stage, 3 * SECOND_US);
    assert_true(stage_answered(stage, MESSAGE_JOB));
    assert_true(slice_equals(stage->answer->as.job.jobs.at[0].state, "done"));
    assert_int_equal(inside_step(stage_core(stage, 1))->term, 1);
    assert_false(stage_told(stage, "suspected"));
    stage_free(&stage);
}

static void halves_elect_nobody_and_heal_R27(void **state)
{
    (void)state;
    struct stage *stage = stage_new(4, 4);
    stage_start_all(stage);
    for (node_id_t a = 1; a <= 2; a++)
        for (node_id_t b = 3; b <= 4; b++)
            stage_cut(stage, a, b, true);
    stage_run(stage, 40 * T);
    assert_int_equal(stage_coordinator(stage), NODE_NONE);
    for (node_id_t id = 1; id <= 4; id++)
        assert_int_equal(inside_step(stage_core(stage, id))->term, 0);
    for (node_id_t a = 1; a <= 2; a++)
        for (node_id_t b = 3; b <= 4; b++)
            stage_cut(stage, a, b, false);
    stage_run(stage, 3 * T);
    assert_int_not_equal(stage_coordinator(stage), NODE_NONE);
    stage_free(&stage);

    stage = stage_new(2, 2);
    stage_start(stage, 1);
    stage_run(stage, 20 * T);
    assert_int_equal(stage_coordinator(stage), NODE_NONE); /* one of two is no majority */
    stage_free(&stage);
}

/* --- what is committed --- */

static void old_entries_commit_beneath_one_of_the_own_term_only_R9(void **state)
{
    (void)state;
    struct stage *stage = stage_new(5, 5);
    static const struct {
        node_id_t id;
        term_t term;
    } logs[] = {{1, 1}, {1, 2}, {2, 1}, {2, 2}, {3, 1}, {3, 2}, {4, 1}, {5, 1}};
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++)
        stage_give_entry(stage, logs[i].id, logs[i].term);
    stage_start_all(stage);
    /* The coordinator's own entry gets durable nowhere but at 2 and 3: it counts for two of five,
     * entry 2 for three. */
    stage_hold(stage, 1, 4, MESSAGE_APPEND);
    stage_hold(stage, 1, 5, MESSAGE_APPEND);
    stage_campaign(stage, 1);
    stage_run(stage, 2 * MS_US + 500);
    stage->nodes[1].slow_disk = true;
    stage_run(stage, 20 * MS_US);
    assert_true(stage_told(stage, "entry 2 is on a majority, but of term 2"));
    assert_int_equal(stage_raft(stage, 1)->log.commit, 0);
    stage->nodes[1].slow_disk = false;
    stage_sync(stage, 1);
    assert_int_equal(stage_raft(stage, 1)->log.commit, 3);
    stage_free(&stage);
}

static void nothing_is_read_or_dispatched_before_the_first_commit_R10(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    stage->nodes[2].op_us = stage->nodes[3].op_us = SECOND_US;
    stage_ask(stage, 1, stage_submit_request("key", "60"));
    stage_run(stage, 20 * MS_US);
    stage_kill(stage, 1);
    stage_hold(stage, NODE_NONE, 2, MESSAGE_APPEND_REPLY);
    stage_campaign(stage, 2);
    stage_run(stage, 20 * MS_US);
    assert_true(election_leads(stage_raft(stage, 2)));
    stage_forget_story(stage);
    stage_read(stage, 2, 1);
    assert_true(stage_refused(stage, "not_coordinator"));
    stage_run(stage, 100 * MS_US);
    assert_false(stage_told(stage, "task"));
    stage_no_rules(stage);
    stage_release(stage, SIZE_MAX, false, 1);
    stage_run(stage, 100 * MS_US);
    assert_true(stage_told(stage, "2 -> 3  task"));
    stage_free(&stage);
}

static void a_read_needs_a_majority_of_answers_to_its_own_round_R11(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(5);
    stage_hold(stage, NODE_NONE, 1, MESSAGE_APPEND_REPLY);
    stage_set(stage, 1, 9, 7);
    stage_run(stage, 3 * MS_US); /* four answers of before are held */
    stage_lose_messages(stage, 1, NODE_NONE, MESSAGE_APPEND);
    stage->rules[0].fate = FATE_PASS;
    stage_read(stage, 1, 9);
    stage_release(stage, SIZE_MAX, false, 3);
    assert_int_equal(stage_raft(stage, 1)->log.commit, 2); /* they commit, and confirm nothing */
    assert_int_equal(stage_told_times(stage, "client  progress"),
                     1); /* the answer to stage_set() */
    /* One answer, told three times, is one of the two that are needed. */
    stage_no_rules(stage);
    stage_hold(stage, NODE_NONE, 1, MESSAGE_APPEND_REPLY);
    stage_run(stage, APPEND_RESEND_US + 2 * HEARTBEAT_DEFAULT_US);
    stage_release(stage, 1, false, 3);
    assert_int_equal(stage_told_times(stage, "client  progress"), 1);
    stage_forget_story(stage);
    stage_release(stage, SIZE_MAX, false, 1);
    assert_int_equal(stage_told_times(stage, "client  progress"), 1);
    stage_free(&stage);
}

static void no_clock_makes_a_read_valid_R12(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    /* The heartbeats of both others say, twenty times a second, that they follow node 1. That is
     * no confirmation. */
    stage_lose_messages(stage, 1, NODE_NONE, MESSAGE_APPEND);
    stage_read(stage, 1, 9);
    stage_run(stage, (STALL_TIMEOUTS - 1) * T); /* longer, and it steps down: R35 */
    assert_true(node_coordinates(stage_core(stage, 1)));
    assert_null(stage->answer);
    stage_no_rules(stage);
    stage_run(stage, APPEND_RESEND_US + 2 * HEARTBEAT_DEFAULT_US);
    assert_true(stage_answered(stage, MESSAGE_PROGRESS));
    stage_free(&stage);
}

/* Answers that come twice count for appends that were lost; still these are sent again. */
static void a_lost_append_is_sent_again_although_answers_are_doubled_R14(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    stage_hold(stage, NODE_NONE, 1, MESSAGE_APPEND_REPLY);
    stage_set(stage, 1, 9, 7);
    stage_run(stage, 3 * MS_US);
    stage_lose_messages(stage, 1, NODE_NONE, MESSAGE_APPEND);
    stage_release(stage, SIZE_MAX, false, 4); /* the news of the commit is lost */
    stage_no_rules(stage);
    stage_run(stage, SECOND_US);
    for (node_id_t id = 1; id <= 3; id++)
        assert_int_equal(stage_raft(stage, id)->log.commit, 2);
    stage_free(&stage);
}

/* Never fall: the terms, the commits, and in one reign what followers are known to have. */
struct heights {
    term_t term[6];
    log_index_t commit[6], match[6];
};

static void check_heights(const struct stage *stage, struct heights *heights)
{
    for (node_id_t id = 1; id <= stage->n_nodes; id++) {
        const struct node *node = stage_core(stage, id);
        assert_true(inside_step(node)->term >= heights->term[id]);
        assert_true(inside_raft(node)->log.commit >= heights->commit[id]);
        assert_true(stage_raft(stage, 1)->replicas[id].match >= heights->match[id]);
        heights->term[id] = inside_step(node)->term;
        heights->commit[id] = inside_raft(node)->log.commit;
        heights->match[id] = stage_raft(stage, 1)->replicas[id].match;
    }
}

static void doubled_and_reordered_messages_turn_nothing_back_R14(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct stage *stage = stage_begin(5);
        struct heights heights = {0};
        uint64_t random = seed;
        stage->topics = 0;
        stage_hold(stage, NODE_NONE, NODE_NONE, MESSAGE_APPEND);
        stage_hold(stage, NODE_NONE, NODE_NONE, MESSAGE_APPEND_REPLY);
        for (uint64_t round = 1; round <= 60; round++) {
            if (random_below(&random, 3))
                stage_set(stage, 1, 9, round);
            stage_run(stage, random_below(&random, 2) ? MS_US : APPEND_RESEND_US / 2);
            stage_release(stage, random_below(&random, 12), random_below(&random, 2),
                          1 + (unsigned)random_below(&random, 3));
            if (round % 10 == 0) /* nobody is held up for as long as R35 says */
                stage_release(stage, SIZE_MAX, true, 2);
            check_heights(stage, &heights);
        }
        stage_no_rules(stage);
        stage_release(stage, SIZE_MAX, true, 2);
        stage_run(stage, SECOND_US);
        check_heights(stage, &heights);
        for (node_id_t id = 2; id <= 5; id++)
            assert_true(stage_logs_are_equal(stage, 1, id));
        assert_int_equal(inside_step(stage_core(stage, 1))->term, 1);
        stage_free(&stage);
    }
}

static void say_append_reply(struct stage *stage, struct wire_append_reply reply)
{
    struct message *message = message_new(MESSAGE_APPEND_REPLY);
    reply.term = inside_step(stage_core(stage, 1))->term;
    reply.round = stage_raft(stage, 1)->replication.round;
    message->as.append_reply = reply;
    stage_say(stage, 3, 1, PLANE_CHECKPOINT, message);
}

/* It fetches large values, and refuses what was sent behind them: were that sent again at once,
 * both would do little else until the values are there. */
static void who_waits_for_values_is_sent_nothing_more_meanwhile(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    const struct replica *replica = &stage_raft(stage, 1)->replicas[3];
    stage->topics = 0;
    stage_lose_messages(stage, 1, 3, MESSAGE_APPEND);
    for (uint64_t i = 1; i <= 20; i++) {
        stage_set(stage, 1, 9, i);
        stage_run(stage, MS_US);
    }
    log_index_t match = replica->match;
    say_append_reply(stage, (struct wire_append_reply){.ok = true, .match = match, .wait = true});
    say_append_reply(stage, (struct wire_append_reply){.match = match});
    stage_run(stage, APPEND_RESEND_US / 2);
    assert_true(replica->state == REPLICA_PROBE && replica->match == match &&
                replica->in_flight == 1);
    /* After a while it is asked again, with one append and not with all. */
    stage_run(stage, APPEND_RESEND_US);
    assert_true(replica->state == REPLICA_PROBE && replica->in_flight == 1);
    say_append_reply(stage, (struct wire_append_reply){.ok = true, .match = match});
    stage_no_rules(stage);
    stage_run(stage, SECOND_US);
    assert_true(stage_logs_are_equal(stage, 1, 3) && replica->state == REPLICA_PIPELINE);
    stage_free(&stage);
}

static void a_follower_commits_no_further_than_it_has_verified_R15(void **state)
{
    (void)state;
    struct stage *stage = stage_new(3, 3);
    /* Node 3 has two entries of a term that ended; the coordinator has others there. */
    stage_give_entry(stage, 1, 1);
    stage_give_entry(stage, 3, 1);
    stage_give_entry(stage, 3, 1);
    stage_give_entry(stage, 3, 1);
    stage->nodes[3].durable.term = 2;
    stage->nodes[3].durable.vote = 1;
    stage_start(stage, 3);
    struct message *message = message_new(MESSAGE_APPEND);
    message->as.append =
        (struct wire_append){.term = 2, .prev_index = 1, .prev_term = 1, .commit = 3};
    stage_say(stage, 1, 3, PLANE_CHECKPOINT, message);
    assert_int_equal(stage_raft(stage, 3)->log.commit, 1);
    stage_free(&stage);
}

/* --- clients --- */

static void a_retry_at_a_new_coordinator_gets_the_same_job_and_bytes_R28(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(4);
    stage_ask(stage, 1, stage_submit_request("key", "200"));
    stage_run(stage, 500 * MS_US);
    stage_ask(stage, 1, stage_submit_request("key", "200"));
    struct message *first = message_ref(stage->answer);
    const struct wire_job_row *one = &first->as.job.jobs.at[0];
    assert_true(slice_equals(one->state, "done"));
    stage_kill(stage, 1);
    stage_run(stage, 100 * MS_US);
    node_id_t next = stage_coordinator(stage);
    assert_int_not_equal(next, NODE_NONE);
    stage_forget_story(stage);
    stage_ask(stage, next, stage_submit_request("key", "200"));
    stage_run(stage, 100 * MS_US);
    const struct wire_job_row *other = &stage->answer->as.job.jobs.at[0];
    assert_false(stage->answer->as.job.created);
    assert_true(one->job == other->job && slice_same(one->text, other->text));
    assert_true(one->text.len == 375 && slice_same(one->sha256, other->sha256));
    assert_false(stage_told(stage, "task"));
    message_drop(&first);
    stage_free(&stage);
}

static void submit_and_cancel(struct stage *stage, unsigned number)
{
    char key[16];
    text_format(key, sizeof key, "key-%u", number);
    stage_ask(stage, 1, stage_submit_request(key, "1"));
    struct message *cancel = message_new(MESSAGE_JOB_CANCEL);
    cancel->as.job_cancel.job = stage->answer->as.job.jobs.at[0].job;
    stage_ask(stage, 1, cancel);
    stage_sync(stage, 1);
}

static void a_forgotten_key_is_an_error_R29(void **state)
{
    (void)state;
    struct stage *stage = stage_new(2, 1); /* node 1 commits alone: quick */
    stage->topics = TELL_CLIENTS;
    stage->compact_entries = 2000;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    stage_kill(stage, 2);
    for (unsigned i = 0; i <= JOBS_KEPT_MAX; i++) {
        submit_and_cancel(stage, i);
        stage_run(stage, 2 * MS_US);
    }
    for (unsigned i = 0; i < 2500; i++) /* until it is in the checkpoint only */
        stage_set(stage, 1, 9, i);
    for (unsigned life = 0; life < 2; life++) {
        stage_ask(stage, 1, stage_submit_request("key-0", "1"));
        assert_true(stage_refused(stage, "forgotten"));
        stage_ask(stage, 1, stage_submit_request("key-1", "1"));
        assert_true(stage_answered(stage, MESSAGE_JOB)); /* still known */
        stage_kill(stage, 1); /* and after a restart from the checkpoint */
        assert_non_null(stage->nodes[1].checkpoint);
        stage_start(stage, 1);
        stage_elect(stage, 1);
    }
    stage_free(&stage);
}

/* Nobody waits for it, and each append costs its disk a transaction. */
static void who_never_votes_gets_what_came_together(void **state)
{
    (void)state;
    struct stage *stage = stage_new(4, 3);
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, SECOND_US);
    stage->topics = TELL_APPENDS;
    stage_forget_story(stage);
    for (uint64_t i = 1; i <= 40; i++) {
        stage_set(stage, 1, 1, i);
        stage_run(stage, LEARNER_APPEND_US / 10); /* four paces in all */
    }
    assert_true(stage_told_times(stage, "1 -> 2  append:") >= 40);
    unsigned times = stage_told_times(stage, "1 -> 4  append:");
    if (times < 3 || times > 6)
        fail_msg("%u appends", times);
    stage_run(stage, 2 * LEARNER_APPEND_US);
    assert_true(stage_logs_are_equal(stage, 1, 4));
    /* A read takes the word of a majority, and not the others'. */
    stage_forget_story(stage);
    for (int i = 0; i < 10; i++) {
        stage_read(stage, 1, 1);
        stage_run(stage, LEARNER_APPEND_US);
    }
    assert_true(stage_told_times(stage, "1 -> 2  append:") >= 10);
    assert_int_equal(stage_told_times(stage, "1 -> 4  append:"), 0);
    stage_free(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_never_votes_gets_what_came_together),
        cmocka_unit_test(not_even_a_heartbeat_tells_a_term_before_it_is_on_disk_R1),
        cmocka_unit_test(a_chain_of_nodes_keeps_its_terms_and_commits_R6),
        cmocka_unit_test(stepping_down_answers_unknown_R8),
        cmocka_unit_test(a_stopped_coordinator_says_and_does_nothing_stale_R13),
        cmocka_unit_test(a_coordinator_learns_what_is_committed_from_who_knows_R9),
        cmocka_unit_test(no_follower_commits_for_its_coordinator_X10),
        cmocka_unit_test(an_unreachable_peer_stops_no_heartbeats_to_others_R21),
        cmocka_unit_test(an_hour_of_the_wall_clock_elects_nobody_and_expires_nothing_R26),
        cmocka_unit_test(halves_elect_nobody_and_heal_R27),
        cmocka_unit_test(old_entries_commit_beneath_one_of_the_own_term_only_R9),
        cmocka_unit_test(nothing_is_read_or_dispatched_before_the_first_commit_R10),
        cmocka_unit_test(a_read_needs_a_majority_of_answers_to_its_own_round_R11),
        cmocka_unit_test(no_clock_makes_a_read_valid_R12),
        cmocka_unit_test(a_lost_append_is_sent_again_although_answers_are_doubled_R14),
        cmocka_unit_test(doubled_and_reordered_messages_turn_nothing_back_R14),
        cmocka_unit_test(who_waits_for_values_is_sent_nothing_more_meanwhile),
        cmocka_unit_test(a_follower_commits_no_further_than_it_has_verified_R15),
        cmocka_unit_test(a_retry_at_a_new_coordinator_gets_the_same_job_and_bytes_R28),
        cmocka_unit_test(a_forgotten_key_is_an_error_R29),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
