/* Nodes of an earlier release: what they hold up, and what not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/core/state/state.h"
#include "tests/harness/stage.h"

static struct message *list_request(uint64_t version)
{
    struct message *message = message_new(MESSAGE_ACCESS_SET);
    message->as.access_set.version = version;
    message->as.access_set.list = slice_of("{}");
    return message;
}

/* The list that takes away a key cannot be kept out of the log by who has that key and says that it
 * is of an earlier release. Without keys it is believed: it would not know what to do with a list.
 */
static void an_earlier_release_that_has_a_key_holds_up_no_list_of_keys_X4(void **unused)
{
    (void)unused;
    const struct asker admin = {.role = ROLE_admin, .name = "admin", .proof = PROOF_OWN};
    for (int keyed = 0; keyed <= 1; keyed++) {
        struct stage *stage = stage_new(3, 3);
        stage->earlier = 3;
        stage->asker = keyed ? &admin : NULL;
        stage_start_all(stage);
        stage_elect(stage, 1);
        stage_run(stage, 200 * MS_US);
        stage_ask(stage, 1, list_request(7));
        stage_run(stage, 50 * MS_US);
        assert_int_equal(stage_state(stage, 1)->access_list.version, keyed ? 7 : 0);
        assert_true(keyed ? stage_answered(stage, MESSAGE_ACCESS)
                          : stage_refused(stage, "invalid"));
        stage_free(&stage);
    }
}

static struct message *primorial_request(const char *key)
{
    struct message *request = stage_submit_request(key, "30");
    request->as.submit.kind = slice_of("primorial");
    return request;
}

/* A node that does not know the kind would not know what to do with the entry. Until enough are
 * heard it is not known: the client asks again, and a kind that was always there is accepted at
 * once. */
static void no_job_of_a_new_kind_before_all_know_it_W6(void **unused)
{
    (void)unused;
    struct stage *stage = stage_new(3, 3);
    stage->earlier = 3;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 200 * MS_US);
    stage_ask(stage, 1, primorial_request("key"));
    stage_run(stage, 5 * MS_US);
    assert_true(stage_refused(stage, "invalid"));
    stage_kill(stage, 3);
    stage->earlier = NODE_NONE; /* it is upgraded */
    stage_start(stage, 3);
    stage_run(stage, 300 * MS_US);
    stage_ask(stage, 1, primorial_request("key"));
    stage_run(stage, 5 * MS_US);
    assert_true(stage_answered(stage, MESSAGE_JOB));
    for (node_id_t id = 2; id <= 3; id++) {
        stage_kill(stage, id);
        stage_start(stage, id);
    }
    stage_ask(stage, 1, stage_submit_request("other", "10"));
    assert_false(stage_refused(stage, "unavailable"));
    stage_ask(stage, 1, primorial_request("soon"));
    assert_true(stage_refused(stage, "unavailable"));
    stage_free(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_earlier_release_that_has_a_key_holds_up_no_list_of_keys_X4),
        cmocka_unit_test(no_job_of_a_new_kind_before_all_know_it_W6),
    };
    return cmocka_run_group_tests_name("earlier", tests, NULL, NULL);
}
