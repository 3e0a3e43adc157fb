/* What the verification of a snapshot finds (S5, S12, S13, S14). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/error.h"
#include "tests/harness/sound.h"

static void print_all(const struct findings *findings)
{
    for (size_t i = 0; i < findings->lines.n; i++)
        print_message("%d %s\n", (int)findings->lines.at[i].kind, findings->lines.at[i].text);
}

/* Verifies, destroys the model, and wants exactly `violations`, one of them with these words. */
static void offends(struct snapshot_model *model, size_t violations, const char *words)
{
    struct findings findings;
    struct text why = {0};
    uint64_t total = 2100;
    assert_int_equal(snapshot_model_check(model, &why), OK);
    snapshot_verify(model, &total, &findings);
    if (findings.violations != violations || !sound_finds(&findings, FINDING_VIOLATION, words))
        print_all(&findings);
    assert_int_equal(findings.violations, violations);
    assert_true(sound_finds(&findings, FINDING_VIOLATION, words));
    findings_clear(&findings);
    snapshot_model_destroy(&model);
}

static void a_sound_snapshot_verifies_S13_S14(void **state)
{
    (void)state;
    struct snapshot_model *model = sound_snapshot();
    struct findings findings;
    struct text why = {0};
    uint64_t total = 2100;
    assert_int_equal(snapshot_model_check(model, &why), OK);
    snapshot_verify(model, &total, &findings);
    if (findings.violations)
        print_all(&findings);
    assert_int_equal(findings.violations, 0);
    assert_int_equal(findings.balances, 1970);
    assert_int_equal(findings.in_channels, 100);
    assert_int_equal(findings.in_outboxes, 30);
    assert_int_equal(findings.duplicates, 1);
    assert_int_equal(findings.stale, 1);
    assert_int_equal(findings.channels_holding, 2);
    assert_true(sound_finds(&findings, FINDING_CHECKED, "as expected"));
    assert_true(sound_finds(&findings, FINDING_CHECKED, "seen in one place each: 3"));
    assert_false(sound_finds(&findings, FINDING_UNKNOWN, ""));
    findings_clear(&findings);
    snapshot_model_destroy(&model);
}

static void a_message_that_is_missing_is_found_S13(void **state)
{
    (void)state;
    struct snapshot_model *model = sound_snapshot();
    model_channel(model, 1, 2)->recorded--; /* the recorder is off by one */
    offends(model, 2, "sent 53 - received 50 = 3, but 2 recorded: 1 missing");
    model = sound_snapshot();
    struct model_channel *channel = model_channel(model, 1, 2);
    channel->recorded--;
    channel->messages.at[1] = channel->messages.at[2]; /* the transfer of 100 */
    channel->messages.n--;
    offends(model, 2, "transfer 7 from node 1 to node 2 (amount 100) is lost");
    model = sound_snapshot();
    sound_count(model, 2, 3)->sent++;
    offends(model, 1, "sent 51 - received 50 = 1, but 0 recorded: 1 missing");
}

static void an_orphan_is_found_S13(void **state)
{
    (void)state;
    struct snapshot_model *model = sound_snapshot();
    sound_count(model, 3, 2)->received = 51; /* received, and never sent */
    offends(model, 1, "orphans: node 3 received 51 messages at the cut, node 2 had sent 50");
    model = sound_snapshot();
    model_channel(model, 1, 2)->messages.at[0].clock = 1001; /* it overtook the marker */
    offends(model, 1, "was sent after node 1 recorded its state");
    model = sound_snapshot();
    sound_put(model, 1, 2, sound_transfer(8, 3));
    offends(model, 1, "orphan: transfer 8 (amount 3) in channel 1-2 is not in the outbox");
    model = sound_snapshot();
    model->nodes[1].applied.at[0].upto = 2;
    offends(model, 1, "orphan: node 1 has applied number 2 of node 3");
}

static void a_transfer_in_two_places_is_found_S14(void **state)
{
    (void)state;
    struct snapshot_model *model = sound_snapshot();
    sound_put(model, 1, 2, sound_transfer(7, 100));
    offends(model, 1, "(amount 100) is 2 times in the channel");
    model = sound_snapshot();
    sound_put(model, 2, 3, sound_transfer(1, 30)); /* it may not leave before it is on disk */
    offends(model, 1, "is in the channel before it was sent");
    model = sound_snapshot();
    model_channel(model, 1, 2)->messages.at[1].amount = 101;
    offends(model, 1, "is another one than in the outbox");
}

static void money_that_is_off_by_one_is_found_S14(void **state)
{
    (void)state;
    struct snapshot_model *model = sound_snapshot();
    model->nodes[3].accounts.at[0].balance--;
    offends(model, 1, "the total is 2099, expected were 2100: 1 missing");
    model = sound_snapshot();
    model->nodes[3].accounts.at[0].balance++;
    offends(model, 1, "the total is 2101, expected were 2100: 1 too many");
    model = sound_snapshot();
    sound_applied(model, 3, 2, 4);
    model->nodes[2].outbox.at[0].number = 6; /* 5 is gone and was not applied */
    offends(model, 1, "node 2 has forgotten numbers 5 to 5 for node 3");
}

static void an_operation_that_is_nowhere_or_twice_is_found(void **state)
{
    (void)state;
    struct snapshot_model *model = sound_snapshot();
    model->nodes[2].queued.n = 0;
    offends(model, 1, "R6 of job 2-5 (attempt 1), handed out to node 2, is nowhere");
    model = sound_snapshot();
    sound_queue(model, 2, 5);
    offends(model, 1,
            "R5 of job 2-5 (attempt 1), handed out to node 2, is in more than one place: "
            "in the channel to it, at it");
    model = sound_snapshot();
    model->jobs.at[0].pending--;
    offends(model, 1, "= 13, but its plan has 14");
    model = sound_snapshot();
    model->handed_out.n--;
    offends(model, 1, "6 handed out, but the coordinator's list has 4");
}

/* Its coordinator was elected again: R7 was handed out anew, with the same number of its attempt,
 * while its result of the former term was still on the way. */
static void a_result_of_a_former_term_is_stale(void **state)
{
    (void)state;
    static const char *const words = "R7 of job 2-5 (attempt 1), handed out to node 3, is in more "
                                     "than one place: in the channel back, in the channel back";
    struct snapshot_model *model = sound_snapshot();
    sound_put_op(model, 3, 1, "result", 7);
    offends(model, 1, words); /* the job is of the coordinator's own term */
    model = sound_snapshot();
    struct findings findings;
    for (node_id_t id = 1; id <= 3; id++)
        model->nodes[id].state.term = 3;
    sound_put_op(model, 3, 1, "result", 7);
    snapshot_verify(model, NULL, &findings);
    if (findings.violations)
        print_all(&findings);
    assert_int_equal(findings.violations, 0);
    assert_int_equal(findings.stale, 2);
    findings_clear(&findings);
    sound_queue(model, 3, 7);
    sound_queue(model, 3, 7);
    offends(model, 1, "R7 of job 2-5 (attempt 1), handed out to node 3, is in more than one place");
}

/* The worker still has what it was given in the former term, and the same again is on its way. */
static void what_a_worker_has_of_a_former_term_is_none_of_the_coordinators(void **state)
{
    (void)state;
    struct snapshot_model *model = sound_snapshot();
    struct findings findings;
    model->nodes[1].state.term = model->nodes[2].state.term = 3;
    sound_queue(model, 3, 7);
    snapshot_verify(model, NULL, &findings);
    if (findings.violations)
        print_all(&findings);
    assert_int_equal(findings.violations, 0);
    findings_clear(&findings);
    model->nodes[3].state.term = 3; /* there it is the coordinator's, and has one place */
    sound_queue(model, 3, 7);
    offends(model, 1, "R7 of job 2-5 (attempt 1), handed out to node 3, is in more than one place");
}

static void counts_of_another_life_are_found_S5(void **state)
{
    (void)state;
    struct snapshot_model *model = sound_snapshot();
    sound_count(model, 2, 3)->incarnation++;
    offends(model, 2,
            "node 2 counts for incarnation a000000000000004, and node 3 recorded its "
            "state as a000000000000003");
}

static void what_calls_itself_complete_must_be_S12(void **state)
{
    (void)state;
    struct snapshot_model *model = sound_snapshot();
    model_channel(model, 2, 3)->known = false;
    offends(model, 1, "channel 2-3 is missing: it was not recorded");
}

static void of_a_partial_snapshot_is_checked_what_can_be_S12(void **state)
{
    (void)state;
    struct snapshot_model *model = sound_snapshot();
    struct findings findings;
    struct text why = {0};
    uint64_t total = 2100;
    sound_lose_node(model, 3);
    assert_int_equal(snapshot_model_check(model, &why), OK);
    snapshot_verify(model, &total, &findings);
    if (findings.violations)
        print_all(&findings);
    assert_int_equal(findings.violations, 0);
    assert_int_equal(findings.channels_known, 2);
    assert_true(sound_finds(&findings, FINDING_UNKNOWN, "node 3 is missing: it was not alive"));
    assert_true(sound_finds(&findings, FINDING_UNKNOWN, "money: the total"));
    assert_true(sound_finds(&findings, FINDING_UNKNOWN, "where 1 are that were handed out"));
    findings_clear(&findings);
    model->nodes[2].queued.n = 0; /* what is left is still checked */
    offends(model, 1, "R6 of job 2-5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_snapshot_verifies_S13_S14),
        cmocka_unit_test(a_message_that_is_missing_is_found_S13),
        cmocka_unit_test(an_orphan_is_found_S13),
        cmocka_unit_test(a_transfer_in_two_places_is_found_S14),
        cmocka_unit_test(money_that_is_off_by_one_is_found_S14),
        cmocka_unit_test(an_operation_that_is_nowhere_or_twice_is_found),
        cmocka_unit_test(a_result_of_a_former_term_is_stale),
        cmocka_unit_test(what_a_worker_has_of_a_former_term_is_none_of_the_coordinators),
        cmocka_unit_test(counts_of_another_life_are_found_S5),
        cmocka_unit_test(what_calls_itself_complete_must_be_S12),
        cmocka_unit_test(of_a_partial_snapshot_is_checked_what_can_be_S12),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
