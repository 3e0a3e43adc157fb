/* Requests of clients: the table says who answers each, and a node answers each once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/service/service.h"
#include "tests/harness/scene.h"

static size_t count_rows(enum message_type type)
{
    size_t n = 0;
    const struct request_row *row;
    for (size_t i = 0; (row = request_row_at(i)); i++)
        n += row->type == type;
    return n;
}

static void each_request_of_the_schema_has_exactly_one_row(void **state)
{
    (void)state;
    size_t n = 0;
    for (enum message_type type = 1; type < MESSAGE_TYPES; type++) {
        bool request = message_kind(type)->place == PLACE_REQUEST;
        if (count_rows(type) != request)
            fail_msg("%s has %zu rows", message_name(type), count_rows(type));
        n += request;
        if (request)
            assert_true(request_row(type)->type == type && request_row(type)->answer);
        else
            assert_null(request_row(type));
    }
    assert_true(n > 20);
    assert_null(request_row_at(n));
}

static void each_row_reads_or_writes(void **state)
{
    (void)state;
    const struct request_row *row;
    for (size_t i = 0; (row = request_row_at(i)); i++) {
        const char *name = message_name(row->type);
        size_t len = strlen(name);
        bool reads = len > 4 && (!strcmp(name + len - 4, "_get") ||
                                 (len > 5 && !strcmp(name + len - 5, "_list")));
        assert_true(row->use && !(row->use & ~(unsigned)(READ | WRITE)));
        if (reads)
            assert_int_equal(row->use, READ);
    }
}

/* --- the door, with nothing behind it but what a refusal needs --- */

/* Node 2 of three, which follows nobody. */
static struct scene *follower_new(void)
{
    return scene_new((struct node_config){.id = 2, .n_nodes = 3, .n_voters = 3, .insecure = true});
}

static const struct output *ask(struct scene *scene, enum message_type type, uint64_t node)
{
    struct message *message = message_new(type);
    message->as.request.request = 7;
    message->as.request.node = node;
    outbox_begin(&scene->step.out);
    requests_handle(&scene->service, 5, message, NULL);
    service_check_invariants(&scene->service);
    message_drop(&message);
    assert_int_equal(scene->step.out.n, 1); /* exactly one reply */
    assert_int_equal(scene->step.out.at[0].kind, OUTPUT_REPLY);
    assert_true(scene->step.out.at[0].reply.client == 5);
    return &scene->step.out.at[0];
}

static void assert_refused(const struct output *output, const char *code)
{
    const struct message *reply = output->reply.message;
    assert_int_equal(reply->type, MESSAGE_ERROR);
    assert_true(reply->as.error.request == 7);
    if (!slice_equals(reply->as.error.code, code))
        fail_msg("%.*s instead of %s", (int)reply->as.error.code.len,
                 (const char *)reply->as.error.code.at, code);
}

static void who_may_not_answer_refuses(void **state)
{
    (void)state;
    struct scene *scene = follower_new();
    const struct request_row *row;
    for (size_t i = 0; (row = request_row_at(i)); i++) {
        assert_refused(ask(scene, row->type, 3), "invalid"); /* meant for another node */
        if (row->by == BY_COORDINATOR || row->by == BY_COORDINATOR_OR_NAMED)
            assert_refused(ask(scene, row->type, 0), "not_coordinator");
        if (row->by == BY_COORDINATOR)
            assert_refused(ask(scene, row->type, 2), "not_coordinator");
        if (row->by == BY_NAMED)
            assert_refused(ask(scene, row->type, 0), "invalid");
        if (row->by == BY_BROKER)
            assert_refused(ask(scene, row->type, 2), "invalid");
    }
    scene_free(scene);
}

static void what_is_no_request_is_refused(void **state)
{
    (void)state;
    struct scene *scene = follower_new();
    assert_refused(ask(scene, MESSAGE_JOB, 0), "invalid");
    scene_free(scene);
}

/* However many wait for the same word of a majority: the loop goes on in between. */
static void reads_are_answered_some_in_a_step(void **state)
{
    (void)state;
    enum { READS = 3 * READS_SLICE_MAX + 5 };
    struct scene *scene =
        scene_new((struct node_config){.id = 1, .n_nodes = 1, .n_voters = 1, .insecure = true});
    scene_coordinate(scene, 0);
    outbox_begin(&scene->step.out);
    for (uint64_t i = 0; i < READS; i++) {
        struct message *message = message_new(MESSAGE_JOB_GET);
        message->as.job_get.request = i;
        message->as.job_get.job = 99;
        requests_handle(&scene->service, i + 1, message, NULL);
        message_drop(&message);
    }
    service_pump(&scene->service);
    assert_int_equal(scene->step.out.n, 0); /* the majority has not said so yet */
    scene->raft.replication.round++;
    for (size_t left = READS; left > 0;) {
        size_t most = left < READS_SLICE_MAX ? left : READS_SLICE_MAX;
        outbox_begin(&scene->step.out);
        service_pump(&scene->service);
        assert_int_equal(scene->step.out.n, most);
        assert_true(scene->step.out.at[0].reply.client == READS - left + 1); /* in their order */
        left -= most;
    }
    requests_clear(&scene->service);
    scene_free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_of_the_schema_has_exactly_one_row),
        cmocka_unit_test(each_row_reads_or_writes),
        cmocka_unit_test(who_may_not_answer_refuses),
        cmocka_unit_test(what_is_no_request_is_refused),
        cmocka_unit_test(reads_are_answered_some_in_a_step),
    };
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
