/* Compaction, checkpoints and wiped disks, statement by statement, on real cores whose
 * messages, disks and clocks are in the hands of the test. As stories to be read: tests/trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/step/step.h"
#include "shared/base/job_id.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"
#include "tests/harness/stage.h"

#define T ELECTION_TIMEOUT_DEFAULT_US

/* --- compaction and checkpoints --- */

/* Node 3 was down while the others compacted what it lacks. */
static struct stage *begin_behind(uint64_t entries)
{
    struct stage *stage = stage_new(3, 3);
    stage->compact_entries = 8;
    stage->install_bytes = 1; /* a message for each part */
    stage_start(stage, 1);
    stage_start(stage, 2);
    stage_start(stage, 3);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    stage_kill(stage, 3);
    for (uint64_t i = 1; i <= entries; i++)
        stage_set(stage, 1, 100 + i, i);
    stage_ask(stage, 1, stage_submit_request("key", "10"));
    stage_run(stage, 300 * MS_US);
    assert_true(stage_raft(stage, 1)->log.base > 3);
    stage_forget_story(stage);
    return stage;
}

static void what_was_compacted_is_not_applied_again_R16(void **state)
{
    (void)state;
    struct stage *stage = begin_behind(40);
    const struct raft_log *log = &stage_raft(stage, 2)->log;
    uint64_t before = progress_now(&stage_state(stage, 2)->progress, 140);
    struct message *message = message_new(MESSAGE_APPEND);
    struct wire_append *append = &message->as.append;
    struct blob *packed = stage_entry();
    *append = (struct wire_append){.term = 1,
                                   .prev_index = log->base - 3,
                                   .prev_term = 1,
                                   .commit = log->commit};
    append->entries.n = 4; /* the last three that are compacted, and the first after them */
    append->entries.at = message_room(message, 4, sizeof *append->entries.at);
    for (size_t i = 0; i < 4; i++)
        append->entries.at[i] =
            (struct wire_log_item){.term = 1, .frame = message_add_frame(message, packed)};
    blob_drop(&packed);
    log_index_t last = log->last, applied = log->applied;
    uint64_t rejected = inside_step(stage_core(stage, 2))->rejected_here;
    stage_say(stage, 1, 2, PLANE_CHECKPOINT, message);
    assert_int_equal(inside_step(stage_core(stage, 2))->rejected_here, rejected);
    assert_int_equal(stage_raft(stage, 2)->log.last, last);
    assert_int_equal(stage_raft(stage, 2)->log.applied, applied);
    assert_int_equal(progress_now(&stage_state(stage, 2)->progress, 140), before);
    assert_true(stage_logs_are_equal(stage, 1, 2));
    stage_free(&stage);
}

static void where_the_log_is_compacted_the_full_checkpoint_is_sent_R17(void **state)
{
    (void)state;
    struct stage *stage = begin_behind(40);
    stage_start(stage, 3);
    stage_run(stage, 50 * MS_US);
    assert_true(stage_told(stage, "1 -> 3  install"));
    assert_true(stage_logs_are_equal(stage, 1, 3));
    assert_int_equal(progress_now(&stage_state(stage, 3)->progress, 140), 40);
    /* Started again it has all: no second one, and not the log from its beginning either. */
    stage_forget_story(stage);
    stage_kill(stage, 3);
    stage_set(stage, 1, 7, 7);
    stage_start(stage, 3);
    stage_run(stage, 50 * MS_US);
    assert_false(stage_told(stage, "install"));
    assert_true(stage_logs_are_equal(stage, 1, 3));
    stage_free(&stage);
}

static void installs_follow_each_other_R18(void **state)
{
    (void)state;
    struct stage *stage = begin_behind(300);
    stage_start(stage, 3);
    stage_hold(stage, 1, 3, MESSAGE_INSTALL);
    stage_run(stage, 20 * MS_US);
    log_index_t commit = stage_raft(stage, 3)->log.commit;
    stage_run(stage, 40 * HEARTBEAT_DEFAULT_US); /* heartbeats tell of no commit */
    stage_release(stage, 1, false, 1);
    assert_int_equal(stage_raft(stage, 3)->log.commit, commit);
    /* While the first one is on its way more is compacted: it ends, and a second one follows. */
    stage_no_rules(stage);
    for (uint64_t i = 1; i <= 40; i++)
        stage_set(stage, 1, 500 + i, i);
    stage_release(stage, SIZE_MAX, false, 1);
    stage_run(stage, SECOND_US);
    assert_true(stage_logs_are_equal(stage, 1, 3));
    for (unsigned i = 0; i < 2; i++) {
        stage_cut(stage, 1, 3, true);
        stage_cut(stage, 2, 3, true);
        for (uint64_t n = 1; n <= 40; n++)
            stage_set(stage, 1, 600 + n, n);
        stage_run(stage, 300 * MS_US);
        stage_cut(stage, 1, 3, false);
        stage_cut(stage, 2, 3, false);
        stage_run(stage, SECOND_US);
        assert_true(stage_logs_are_equal(stage, 1, 3));
    }
    assert_true(stage_told_times(stage, "installed a checkpoint") >= 3);
    stage_free(&stage);
}

/* Killed behind every possible message of an install, on a disk that has, or has not, done it. */
static void a_crash_between_any_two_steps_of_an_install_is_harmless_R19(void **state)
{
    (void)state;
    enum { ROWS = 12, PARTS = ROWS + 4 }; /* the head, rows of progress (also of 1, 2), the job */
    for (unsigned step = 0; step <= PARTS + 1; step++) {
        for (unsigned slow = 0; slow < 2; slow++) {
            struct stage *stage = begin_behind(ROWS);
            stage_hold(stage, 1, 3, MESSAGE_INSTALL);
            stage_start(stage, 3);
            stage->nodes[3].slow_disk = slow;
            stage_run(stage, 20 * MS_US); /* it is built in slices */
            assert_int_equal(stage_raft(stage, 1)->replicas[3].checkpoint->n, PARTS);
            for (unsigned part = 0; part < step; part++) { /* the next ones go out meanwhile */
                stage_release(stage, 1, false, 1);
                stage_run(stage, 3 * MS_US);
            }
            assert_true(!slow || !stage_raft(stage, 1)->replicas[3].match); /* untold */
            stage_kill(stage, 3);
            bool has = stage->nodes[3].checkpoint != NULL;
            assert_int_equal(has, step >= PARTS && !slow);
            stage_no_rules(stage);
            stage_forget_held(stage);
            stage->nodes[3].slow_disk = false;
            stage_start(stage, 3);
            assert_int_equal(stage_raft(stage, 3)->log.commit > 3, has);
            stage_run(stage, SECOND_US);
            assert_true(stage_logs_are_equal(stage, 1, 3));
            assert_int_equal(progress_now(&stage_state(stage, 3)->progress, 100 + ROWS), ROWS);
            stage_free(&stage);
        }
    }
}

static void a_compacted_job_is_still_committed_R20(void **state)
{
    (void)state;
    struct stage *stage = begin_behind(40);
    for (uint64_t i = 1; i <= 20; i++)
        stage_set(stage, 1, 9, i);
    stage_run(stage, 300 * MS_US);
    stage_start(stage, 3);
    stage_run(stage, 100 * MS_US);
    job_id_t job = jobs_find_key(&stage_state(stage, 1)->jobs, slice_of("key"))->id;
    assert_true((job & JOB_INDEX_MASK) <= stage_raft(stage, 3)->log.base);
    stage_lose_messages(stage, 2, NODE_NONE, MESSAGE_VOTE_REQUEST);
    stage_kill(stage, 1);
    stage_elect(stage, 3);
    stage_ask(stage, 3, stage_submit_request("key", "10"));
    assert_true(stage_answered(stage, MESSAGE_JOB));
    assert_true(stage->answer->as.job.jobs.at[0].job == job);
    assert_true(slice_equals(stage->answer->as.job.jobs.at[0].text, "3628800"));
    stage_free(&stage);
}

/* What a follower has acknowledged it keeps, when a checkpoint comes that ends before it. */
static void a_full_checkpoint_takes_no_acknowledged_entry_away_R19(void **state)
{
    (void)state;
    struct stage *stage = begin_behind(40);
    const struct raft_log *log = &stage_raft(stage, 2)->log;
    stage_kill(stage, 1);
    log_index_t last = log->last;
    struct message *message = message_new(MESSAGE_APPEND);
    message->as.append =
        (struct wire_append){.term = 1, .prev_index = last, .prev_term = 1, .commit = last};
    struct blob *packed = stage_entry();
    message->as.append.entries.n = 2;
    message->as.append.entries.at = message_room(message, 2, sizeof(struct wire_log_item));
    for (size_t i = 0; i < 2; i++)
        message->as.append.entries.at[i] =
            (struct wire_log_item){.term = 1, .frame = message_add_frame(message, packed)};
    blob_drop(&packed);
    stage_say(stage, 1, 2, PLANE_CHECKPOINT, message); /* two more, not committed */
    assert_int_equal(stage_raft(stage, 2)->log.last, last + 2);
    message = message_new(MESSAGE_INSTALL);
    message->as.install =
        (struct wire_install){.term = 1, .index = last + 1, .index_term = 1, .parts = 1};
    stage_say(stage, 1, 2, PLANE_CHECKPOINT, message);
    assert_int_equal(stage_raft(stage, 2)->log.last, last + 2);
    assert_int_equal(stage_raft(stage, 2)->log.commit,
                     last + 1); /* the checkpoint is of this log */
    assert_true(stage_told(stage, "install reply"));
    stage_free(&stage);
}

/* A checkpoint of one part, the head. */
static struct message *make_install(log_index_t index, term_t index_term)
{
    struct message *message = message_new(MESSAGE_INSTALL), *head = message_new(MESSAGE_IMAGE_HEAD);
    struct wire_install *install = &message->as.install;
    head->as.image_head.index = index;
    head->as.image_head.index_term = index_term;
    struct blob *packed = codec_pack(head);
    *install = (struct wire_install){
        .term = 1, .index = index, .index_term = index_term, .parts = 1, .items = {.n = 1}};
    install->items.at = message_room(message, 1, sizeof *install->items.at);
    install->items.at[0].frame = message_add_frame(message, packed);
    blob_drop(&packed);
    message_drop(&head);
    return message;
}

/* Its disk would have been refused at the next start. */
static void a_full_checkpoint_is_of_no_term_to_come_R17(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    log_index_t last = stage_raft(stage, 2)->log.last;
    uint64_t rejected = inside_step(stage_core(stage, 2))->rejected_here;
    stage_say(stage, 1, 2, PLANE_CHECKPOINT, make_install(last + 5, 2));
    stage_say(stage, 1, 2, PLANE_CHECKPOINT, make_install(last + 5, 0));
    assert_int_equal(inside_step(stage_core(stage, 2))->rejected_here, rejected + 2);
    assert_int_equal(stage_raft(stage, 2)->log.last, last);
    stage_say(stage, 1, 2, PLANE_CHECKPOINT, make_install(last + 5, 1));
    assert_int_equal(stage_raft(stage, 2)->log.last, last + 5);
    stage_kill(stage, 2);
    stage_start(stage, 2);
    assert_int_equal(stage_raft(stage, 2)->log.last, last + 5);
    stage_free(&stage);
}

/* --- disks that are empty again --- */

static void a_wiped_node_votes_when_it_has_caught_up_R22(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    stage_lose_messages(stage, 1, 2, MESSAGE_APPEND);
    stage_set(stage, 1, 9, 9); /* on 1 and 3 */
    stage_run(stage, 5 * MS_US);
    assert_int_equal(stage_raft(stage, 1)->log.commit, 2);
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
        assert_int_equal(progress_now(&stage_state(stage, id)->progress, 9), 9);
    stage_free(&stage);
}

/* It has forgotten whom it voted for in this very term: that was perhaps another one. */
static void a_wiped_node_votes_for_no_second_one_in_its_term_R22(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    assert_int_equal(stage->nodes[3].durable.vote, 1);
    stage_kill(stage, 3);
    stage_wipe(stage, 3);
    stage_start(stage, 3);
    stage_run(stage, 100 * MS_US);
    assert_true(stage->nodes[3].durable.voter);
    stage_kill(stage, 1);
    struct message *message = message_new(MESSAGE_VOTE_REQUEST);
    message->as.vote_request = (struct wire_vote_request){.term = 1, .last_index = 100};
    stage_forget_story(stage);
    stage_say(stage, 2, 3, PLANE_CONTROL, message);
    assert_true(stage_told(stage, "3 -> 2  vote refused, term 1"));
    assert_int_equal(stage->nodes[3].durable.vote, 1);
    stage_free(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_compacted_is_not_applied_again_R16),
        cmocka_unit_test(where_the_log_is_compacted_the_full_checkpoint_is_sent_R17),
        cmocka_unit_test(installs_follow_each_other_R18),
        cmocka_unit_test(a_crash_between_any_two_steps_of_an_install_is_harmless_R19),
        cmocka_unit_test(a_full_checkpoint_takes_no_acknowledged_entry_away_R19),
        cmocka_unit_test(a_full_checkpoint_is_of_no_term_to_come_R17),
        cmocka_unit_test(a_compacted_job_is_still_committed_R20),
        cmocka_unit_test(a_wiped_node_votes_when_it_has_caught_up_R22),
        cmocka_unit_test(a_wiped_node_votes_for_no_second_one_in_its_term_R22),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
