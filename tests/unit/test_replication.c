/* The replicated log, statement by statement (R5 to R29 of the checks), on real cores whose
 * messages, disks and clocks are in the hands of the test. As stories to be read: tests/trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/journal.h"
#include "shared/base/text.h"
#include "tests/unit/random.h"
#include "tests/unit/stage.h"

#define T ELECTION_TIMEOUT_DEFAULT_US

/* A cluster whose node 1 serves. */
static struct stage *begin(uint32_t n_nodes)
{
    struct stage *stage = stage_new(n_nodes, n_nodes);
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    stage_forget_story(stage);
    return stage;
}

static struct node *core(const struct stage *stage, node_id_t id)
{
    return stage->nodes[id].core;
}

/* A small entry: the state of a node, whose number need not exist. */
static void set(struct stage *stage, node_id_t at, uint64_t index, uint64_t state)
{
    struct message *message = message_new(MESSAGE_PROGRESS_SET);
    message->as.progress_set.index = index;
    message->as.progress_set.state = state;
    stage_ask(stage, at, message);
}

static void read_state(struct stage *stage, node_id_t at, uint64_t index)
{
    struct message *message = message_new(MESSAGE_PROGRESS_GET);
    message->as.progress_get.index = index;
    stage_ask(stage, at, message);
}

static bool answered(const struct stage *stage, enum message_type type)
{
    return stage->answer && stage->answer->type == type;
}

static bool refused(const struct stage *stage, const char *code)
{
    return answered(stage, MESSAGE_ERROR) && slice_equals(stage->answer->as.error.code, code);
}

static bool logs_are_equal(const struct stage *stage, node_id_t a, node_id_t b)
{
    const struct journal *one = &core(stage, a)->journal, *other = &core(stage, b)->journal;
    if (one->last != other->last || one->commit != other->commit)
        return false;
    log_index_t base = one->base > other->base ? one->base : other->base;
    for (log_index_t index = base + 1; index <= one->last; index++)
        if (journal_at(core(stage, a), index)->term != journal_at(core(stage, b), index)->term)
            return false;
    return true;
}

static void hold(struct stage *stage, node_id_t from, node_id_t to, enum message_type type)
{
    stage_rule(stage, (struct stage_rule){from, to, type, FATE_HOLD});
}

static void lose(struct stage *stage, node_id_t from, node_id_t to, enum message_type type)
{
    stage_rule(stage, (struct stage_rule){from, to, type, FATE_LOSE});
}

/* --- who coordinates --- */

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
            set(stage, leader, 77, round);
            stage_run(stage, 2 * T);
            assert_int_equal(progress_now(&core(stage, leader)->progress, 77), round);
        }
        for (node_id_t id = 1; id <= 5; id++)
            assert_int_equal(core(stage, id)->election.term, 1);
        stage_free(&stage);
    }
}

static void stepping_down_answers_unknown_R8(void **state)
{
    (void)state;
    struct stage *stage = begin(3);
    stage_cut_one_way(stage, 2, 1, true);
    stage_cut_one_way(stage, 3, 1, true);
    stage_ask(stage, 1, stage_submit_request("key", "10"));
    set(stage, 1, 1, 1);
    read_state(stage, 1, 1);
    assert_null(stage->answer);
    stage_run(stage, 2 * T);
    assert_int_equal(stage_told_times(stage, "whether the request took effect is unknown"), 3);
    assert_false(stage_told(stage, "failed"));
    assert_true(refused(stage, "not_coordinator"));
    stage_free(&stage);
}

static void a_stopped_coordinator_says_and_does_nothing_stale_R13(void **state)
{
    (void)state;
    struct stage *stage = begin(3);
    set(stage, 1, 9, 1);
    stage_ask(stage, 1, stage_submit_request("key", "60"));
    stage_stop(stage, 1);
    stage_run(stage, 10 * T);
    node_id_t next = stage_coordinator(stage);
    assert_int_not_equal(next, 1);
    set(stage, next, 9, 2);
    stage_run(stage, T);
    stage_forget_story(stage);
    stage_resume(stage, 1);
    read_state(stage, 1, 9); /* before it hears of the other one */
    assert_true(refused(stage, "not_coordinator"));
    stage_run(stage, 10 * T);
    assert_false(stage_told(stage, "1 -> 2  task"));
    assert_false(stage_told(stage, "1 -> 3  task"));
    assert_false(stage_told(stage, "1 -> client  progress"));
    assert_int_equal(core(stage, 1)->election.coordinator, next);
    stage_free(&stage);
}

static void an_unreachable_peer_stops_no_heartbeats_to_others_R21(void **state)
{
    (void)state;
    struct stage *stage = begin(5);
    stage_kill(stage, 2);
    stage_cut(stage, 1, 3, true);
    stage_disconnect(stage, 1, 3);
    uint64_t seq = core(stage, 4)->peers[1].heartbeat->as.heartbeat.seq;
    for (uint64_t round = 1; round <= 20; round++) {
        set(stage, 1, 5, round); /* what cannot be sent to 2 and 3 goes to 4 and 5 */
        stage_run(stage, HEARTBEAT_DEFAULT_US);
        assert_int_equal(core(stage, 4)->journal.last, 1 + round);
        assert_true(stage->now_us - core(stage, 4)->peers[1].heard_us <= 2 * HEARTBEAT_DEFAULT_US);
    }
    assert_true(core(stage, 4)->peers[1].heartbeat->as.heartbeat.seq >= seq + 18);
    stage_free(&stage);
}

static void an_hour_of_the_wall_clock_elects_nobody_and_expires_nothing_R26(void **state)
{
    (void)state;
    struct stage *stage = begin(3);
    stage->nodes[2].op_us = stage->nodes[3].op_us = 300 * MS_US;
    stage_ask(stage, 1, stage_submit_request("key", "10"));
    stage_run(stage, 10 * MS_US);
    assert_true(answered(stage, MESSAGE_JOB));
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
    assert_true(answered(stage, MESSAGE_JOB));
    assert_true(slice_equals(stage->answer->as.job.jobs.at[0].state, "done"));
    assert_int_equal(core(stage, 1)->election.term, 1);
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
        assert_int_equal(core(stage, id)->election.term, 0);
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
    hold(stage, 1, 4, MESSAGE_APPEND);
    hold(stage, 1, 5, MESSAGE_APPEND);
    stage_campaign(stage, 1);
    stage_run(stage, 2 * MS_US + 500);
    stage->nodes[1].slow_disk = true;
    stage_run(stage, 20 * MS_US);
    assert_true(stage_told(stage, "entry 2 is on a majority, but of term 2"));
    assert_int_equal(core(stage, 1)->journal.commit, 0);
    stage->nodes[1].slow_disk = false;
    stage_sync(stage, 1);
    assert_int_equal(core(stage, 1)->journal.commit, 3);
    stage_free(&stage);
}

static void nothing_is_read_or_dispatched_before_the_first_commit_R10(void **state)
{
    (void)state;
    struct stage *stage = begin(3);
    stage->nodes[2].op_us = stage->nodes[3].op_us = SECOND_US;
    stage_ask(stage, 1, stage_submit_request("key", "60"));
    stage_run(stage, 20 * MS_US);
    stage_kill(stage, 1);
    hold(stage, NODE_NONE, 2, MESSAGE_APPEND_REPLY);
    stage_campaign(stage, 2);
    stage_run(stage, 20 * MS_US);
    assert_true(node_is_coordinator(core(stage, 2)));
    stage_forget_story(stage);
    read_state(stage, 2, 1);
    assert_true(refused(stage, "not_coordinator"));
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
    struct stage *stage = begin(5);
    hold(stage, NODE_NONE, 1, MESSAGE_APPEND_REPLY);
    set(stage, 1, 9, 7);
    stage_run(stage, 3 * MS_US); /* four answers of before are held */
    lose(stage, 1, NODE_NONE, MESSAGE_APPEND);
    stage->rules[0].fate = FATE_PASS;
    read_state(stage, 1, 9);
    stage_release(stage, SIZE_MAX, false, 3);
    assert_int_equal(core(stage, 1)->journal.commit, 2); /* they commit, and confirm nothing */
    assert_int_equal(stage_told_times(stage, "client  progress"), 1); /* the answer to set() */
    /* One answer, told three times, is one of the two that are needed. */
    stage_no_rules(stage);
    hold(stage, NODE_NONE, 1, MESSAGE_APPEND_REPLY);
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
    struct stage *stage = begin(3);
    /* The heartbeats of both others say, twenty times a second, that they follow node 1. That is
     * no confirmation. */
    lose(stage, 1, NODE_NONE, MESSAGE_APPEND);
    read_state(stage, 1, 9);
    stage_run(stage, 20 * T);
    assert_true(node_serves(core(stage, 1)));
    assert_null(stage->answer);
    stage_no_rules(stage);
    stage_run(stage, APPEND_RESEND_US + 2 * HEARTBEAT_DEFAULT_US);
    assert_true(answered(stage, MESSAGE_PROGRESS));
    stage_free(&stage);
}

/* Answers that come twice count for appends that were lost; still these are sent again. */
static void a_lost_append_is_sent_again_although_answers_are_doubled_R14(void **state)
{
    (void)state;
    struct stage *stage = begin(3);
    hold(stage, NODE_NONE, 1, MESSAGE_APPEND_REPLY);
    set(stage, 1, 9, 7);
    stage_run(stage, 3 * MS_US);
    lose(stage, 1, NODE_NONE, MESSAGE_APPEND);
    stage_release(stage, SIZE_MAX, false, 4); /* the news of the commit is lost */
    stage_no_rules(stage);
    stage_run(stage, SECOND_US);
    for (node_id_t id = 1; id <= 3; id++)
        assert_int_equal(core(stage, id)->journal.commit, 2);
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
        const struct node *node = core(stage, id);
        assert_true(node->election.term >= heights->term[id]);
        assert_true(node->journal.commit >= heights->commit[id]);
        assert_true(core(stage, 1)->peers[id].replica.match >= heights->match[id]);
        heights->term[id] = node->election.term;
        heights->commit[id] = node->journal.commit;
        heights->match[id] = core(stage, 1)->peers[id].replica.match;
    }
}

static void doubled_and_reordered_messages_turn_nothing_back_R14(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct stage *stage = begin(5);
        struct heights heights = {0};
        uint64_t random = seed;
        stage->topics = 0;
        hold(stage, NODE_NONE, NODE_NONE, MESSAGE_APPEND);
        hold(stage, NODE_NONE, NODE_NONE, MESSAGE_APPEND_REPLY);
        for (uint64_t round = 1; round <= 60; round++) {
            if (random_below(&random, 3))
                set(stage, 1, 9, round);
            stage_run(stage, random_below(&random, 2) ? MS_US : APPEND_RESEND_US / 2);
            stage_release(stage, random_below(&random, 12), random_below(&random, 2),
                          1 + (unsigned)random_below(&random, 3));
            check_heights(stage, &heights);
        }
        stage_no_rules(stage);
        stage_release(stage, SIZE_MAX, true, 2);
        stage_run(stage, SECOND_US);
        check_heights(stage, &heights);
        for (node_id_t id = 2; id <= 5; id++)
            assert_true(logs_are_equal(stage, 1, id));
        assert_int_equal(core(stage, 1)->election.term, 1);
        stage_free(&stage);
    }
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
    stage_start(stage, 3);
    struct message *message = message_new(MESSAGE_APPEND);
    message->as.append =
        (struct wire_append){.term = 2, .prev_index = 1, .prev_term = 1, .commit = 3};
    stage_say(stage, 1, 3, PLANE_CHECKPOINT, message);
    assert_int_equal(core(stage, 3)->journal.commit, 1);
    stage_free(&stage);
}

/* --- compaction and full checkpoints --- */

/* Node 3 was down while the others compacted what it lacks. */
static struct stage *begin_behind(uint64_t entries)
{
    struct stage *stage = stage_new(3, 3);
    stage->compact_entries = 8;
    stage_start(stage, 1);
    stage_start(stage, 2);
    stage_start(stage, 3);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    stage_kill(stage, 3);
    for (uint64_t i = 1; i <= entries; i++)
        set(stage, 1, 1000 + i, i);
    stage_ask(stage, 1, stage_submit_request("key", "10"));
    stage_run(stage, 300 * MS_US);
    assert_true(core(stage, 1)->journal.base > 3);
    stage_forget_story(stage);
    return stage;
}

static void what_was_compacted_is_not_applied_again_R16(void **state)
{
    (void)state;
    struct stage *stage = begin_behind(40);
    const struct journal *journal = &core(stage, 2)->journal;
    uint64_t before = progress_now(&core(stage, 2)->progress, 1040);
    struct message *message = message_new(MESSAGE_APPEND);
    struct wire_append *append = &message->as.append;
    struct blob *packed = stage_entry();
    *append = (struct wire_append){.term = 1,
                                   .prev_index = journal->base - 1,
                                   .prev_term = 1,
                                   .commit = journal->commit};
    append->entries.n = 2; /* the last one that is compacted, and the first behind it */
    append->entries.at = message_room(message, 2, sizeof *append->entries.at);
    for (size_t i = 0; i < 2; i++)
        append->entries.at[i] = (struct wire_log_item){1, message_add_frame(message, packed)};
    blob_drop(&packed);
    log_index_t last = journal->last, applied = journal->applied;
    stage_say(stage, 1, 2, PLANE_CHECKPOINT, message);
    assert_int_equal(core(stage, 2)->journal.last, last);
    assert_int_equal(core(stage, 2)->journal.applied, applied);
    assert_int_equal(progress_now(&core(stage, 2)->progress, 1040), before);
    assert_true(logs_are_equal(stage, 1, 2));
    stage_free(&stage);
}

static void where_the_log_is_compacted_the_full_checkpoint_is_sent_R17(void **state)
{
    (void)state;
    struct stage *stage = begin_behind(40);
    stage_start(stage, 3);
    stage_run(stage, 50 * MS_US);
    assert_true(stage_told(stage, "1 -> 3  install"));
    assert_true(logs_are_equal(stage, 1, 3));
    assert_int_equal(progress_now(&core(stage, 3)->progress, 1040), 40);
    /* Started again it has all: no second one, and not the log from its beginning either. */
    stage_forget_story(stage);
    stage_kill(stage, 3);
    set(stage, 1, 7, 7);
    stage_start(stage, 3);
    stage_run(stage, 50 * MS_US);
    assert_false(stage_told(stage, "install"));
    assert_true(logs_are_equal(stage, 1, 3));
    stage_free(&stage);
}

static void installs_follow_each_other_R18(void **state)
{
    (void)state;
    struct stage *stage = begin_behind(300);
    stage_start(stage, 3);
    hold(stage, 1, 3, MESSAGE_INSTALL);
    stage_run(stage, 20 * MS_US);
    log_index_t commit = core(stage, 3)->journal.commit;
    stage_run(stage, 40 * HEARTBEAT_DEFAULT_US); /* heartbeats tell of no commit */
    assert_int_equal(core(stage, 3)->journal.commit, commit);
    /* While the first one is on its way more is compacted: it ends, and a second one follows. */
    stage_no_rules(stage);
    for (uint64_t i = 1; i <= 40; i++)
        set(stage, 1, 2000 + i, i);
    stage_release(stage, SIZE_MAX, false, 1);
    stage_run(stage, SECOND_US);
    assert_true(logs_are_equal(stage, 1, 3));
    for (unsigned i = 0; i < 2; i++) {
        stage_cut(stage, 1, 3, true);
        stage_cut(stage, 2, 3, true);
        for (uint64_t n = 1; n <= 40; n++)
            set(stage, 1, 3000 + n, n);
        stage_run(stage, 300 * MS_US);
        stage_cut(stage, 1, 3, false);
        stage_cut(stage, 2, 3, false);
        stage_run(stage, SECOND_US);
        assert_true(logs_are_equal(stage, 1, 3));
    }
    assert_true(stage_told_times(stage, "installed a full checkpoint") >= 3);
    stage_free(&stage);
}

/* Killed behind every possible message of an install, on a disk that has, or has not, done it. */
static void a_crash_between_any_two_steps_of_an_install_is_harmless_R19(void **state)
{
    (void)state;
    for (unsigned step = 0; step <= 4; step++) {
        for (unsigned slow = 0; slow < 2; slow++) {
            struct stage *stage = begin_behind(300);
            hold(stage, 1, 3, MESSAGE_INSTALL);
            stage_start(stage, 3);
            stage->nodes[3].slow_disk = slow;
            stage_run(stage, 5 * MS_US);
            stage_release(stage, step, false, 1);
            stage_run(stage, MS_US);
            stage_kill(stage, 3);
            bool has = stage->nodes[3].image != NULL;
            assert_int_equal(has, step >= 3 && !slow);
            stage_no_rules(stage);
            stage_forget_held(stage);
            stage->nodes[3].slow_disk = false;
            stage_start(stage, 3);
            assert_int_equal(core(stage, 3)->journal.commit > 3, has);
            stage_run(stage, SECOND_US);
            assert_true(logs_are_equal(stage, 1, 3));
            assert_int_equal(progress_now(&core(stage, 3)->progress, 1300), 300);
            stage_free(&stage);
        }
    }
}

static void a_compacted_job_is_still_committed_R20(void **state)
{
    (void)state;
    struct stage *stage = begin_behind(40);
    for (uint64_t i = 1; i <= 20; i++)
        set(stage, 1, 9, i);
    stage_run(stage, 300 * MS_US);
    stage_start(stage, 3);
    stage_run(stage, 100 * MS_US);
    job_id_t job = jobs_find_key(&core(stage, 1)->jobs, slice_of("key"))->id;
    assert_true((job & LOG_INDEX_MAX) <= core(stage, 3)->journal.base);
    lose(stage, 2, NODE_NONE, MESSAGE_VOTE_REQUEST);
    stage_kill(stage, 1);
    stage_elect(stage, 3);
    stage_ask(stage, 3, stage_submit_request("key", "10"));
    assert_true(answered(stage, MESSAGE_JOB));
    assert_true(stage->answer->as.job.jobs.at[0].job == job);
    assert_true(slice_equals(stage->answer->as.job.jobs.at[0].text, "3628800"));
    stage_free(&stage);
}

/* What a follower has acknowledged it keeps, when a full checkpoint comes that ends before it. */
static void a_full_checkpoint_takes_no_acknowledged_entry_away_R19(void **state)
{
    (void)state;
    struct stage *stage = begin_behind(40);
    const struct journal *journal = &core(stage, 2)->journal;
    stage_kill(stage, 1);
    log_index_t last = journal->last;
    struct message *message = message_new(MESSAGE_APPEND);
    message->as.append =
        (struct wire_append){.term = 1, .prev_index = last, .prev_term = 1, .commit = last};
    struct blob *packed = stage_entry();
    message->as.append.entries.n = 2;
    message->as.append.entries.at = message_room(message, 2, sizeof(struct wire_log_item));
    for (size_t i = 0; i < 2; i++)
        message->as.append.entries.at[i] =
            (struct wire_log_item){1, message_add_frame(message, packed)};
    blob_drop(&packed);
    stage_say(stage, 1, 2, PLANE_CHECKPOINT, message); /* two more, not committed */
    assert_int_equal(core(stage, 2)->journal.last, last + 2);
    message = message_new(MESSAGE_INSTALL);
    message->as.install =
        (struct wire_install){.term = 1, .index = last + 1, .index_term = 1, .parts = 1};
    stage_say(stage, 1, 2, PLANE_CHECKPOINT, message);
    assert_int_equal(core(stage, 2)->journal.last, last + 2);
    assert_int_equal(core(stage, 2)->journal.commit, last + 1); /* the checkpoint is of this log */
    assert_true(stage_told(stage, "install reply"));
    stage_free(&stage);
}

/* --- disks that are empty again --- */

static void a_wiped_node_votes_when_it_has_caught_up_R22(void **state)
{
    (void)state;
    struct stage *stage = begin(3);
    lose(stage, 1, 2, MESSAGE_APPEND);
    set(stage, 1, 9, 9); /* on 1 and 3 */
    stage_run(stage, 5 * MS_US);
    assert_int_equal(core(stage, 1)->journal.commit, 2);
    stage_kill(stage, 3);
    stage_kill(stage, 1);
    stage_wipe(stage, 3);
    stage_start(stage, 3);
    stage_run(stage, 20 * T);
    assert_int_equal(stage_coordinator(stage), NODE_NONE); /* 2 lacks the entry */
    assert_int_equal(stage->nodes[3].durable.vote, NODE_NONE);
    stage_no_rules(stage);
    stage_start(stage, 1);
    stage_run(stage, 4 * T);
    assert_int_equal(stage_coordinator(stage), 1);
    assert_true(stage->nodes[3].durable.voter);
    for (node_id_t id = 1; id <= 3; id++)
        assert_int_equal(progress_now(&core(stage, id)->progress, 9), 9);
    stage_free(&stage);
}

/* It has forgotten whom it voted for in this very term: that was perhaps another one. */
static void a_wiped_node_votes_for_no_second_one_in_its_term_R22(void **state)
{
    (void)state;
    struct stage *stage = begin(3);
    assert_int_equal(stage->nodes[3].durable.vote, 1);
    stage_kill(stage, 3);
    stage_wipe(stage, 3);
    stage_start(stage, 3);
    stage_run(stage, 100 * MS_US);
    assert_true(stage->nodes[3].durable.voter);
    stage_kill(stage, 1);
    struct message *message = message_new(MESSAGE_VOTE_REQUEST);
    message->as.vote_request =
        (struct wire_vote_request){.term = 1, .last_index = 100, .last_term = 1};
    stage_forget_story(stage);
    stage_say(stage, 2, 3, PLANE_CONTROL, message);
    assert_true(stage_told(stage, "3 -> 2  vote refused, term 1"));
    stage_free(&stage);
}

/* --- clients --- */

static void a_retry_at_a_new_coordinator_gets_the_same_job_and_bytes_R28(void **state)
{
    (void)state;
    struct stage *stage = begin(4);
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
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    stage_kill(stage, 2);
    for (unsigned i = 0; i <= JOBS_KEPT_MAX; i++) {
        submit_and_cancel(stage, i);
        stage_run(stage, 2 * MS_US);
    }
    for (unsigned life = 0; life < 2; life++) {
        stage_ask(stage, 1, stage_submit_request("key-0", "1"));
        assert_true(refused(stage, "forgotten"));
        stage_ask(stage, 1, stage_submit_request("key-1", "1"));
        assert_true(answered(stage, MESSAGE_JOB)); /* still known */
        stage_kill(stage, 1); /* and after a restart from the full checkpoint */
        assert_non_null(stage->nodes[1].image);
        stage_start(stage, 1);
        stage_elect(stage, 1);
    }
    stage_free(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_of_nodes_keeps_its_terms_and_commits_R6),
        cmocka_unit_test(stepping_down_answers_unknown_R8),
        cmocka_unit_test(a_stopped_coordinator_says_and_does_nothing_stale_R13),
        cmocka_unit_test(an_unreachable_peer_stops_no_heartbeats_to_others_R21),
        cmocka_unit_test(an_hour_of_the_wall_clock_elects_nobody_and_expires_nothing_R26),
        cmocka_unit_test(halves_elect_nobody_and_heal_R27),
        cmocka_unit_test(old_entries_commit_beneath_one_of_the_own_term_only_R9),
        cmocka_unit_test(nothing_is_read_or_dispatched_before_the_first_commit_R10),
        cmocka_unit_test(a_read_needs_a_majority_of_answers_to_its_own_round_R11),
        cmocka_unit_test(no_clock_makes_a_read_valid_R12),
        cmocka_unit_test(a_lost_append_is_sent_again_although_answers_are_doubled_R14),
        cmocka_unit_test(doubled_and_reordered_messages_turn_nothing_back_R14),
        cmocka_unit_test(a_follower_commits_no_further_than_it_has_verified_R15),
        cmocka_unit_test(what_was_compacted_is_not_applied_again_R16),
        cmocka_unit_test(where_the_log_is_compacted_the_full_checkpoint_is_sent_R17),
        cmocka_unit_test(installs_follow_each_other_R18),
        cmocka_unit_test(a_crash_between_any_two_steps_of_an_install_is_harmless_R19),
        cmocka_unit_test(a_full_checkpoint_takes_no_acknowledged_entry_away_R19),
        cmocka_unit_test(a_compacted_job_is_still_committed_R20),
        cmocka_unit_test(a_wiped_node_votes_when_it_has_caught_up_R22),
        cmocka_unit_test(a_wiped_node_votes_for_no_second_one_in_its_term_R22),
        cmocka_unit_test(a_retry_at_a_new_coordinator_gets_the_same_job_and_bytes_R28),
        cmocka_unit_test(a_forgotten_key_is_an_error_R29),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
