/* What a key may ask for and see: the table of requests against the roles, whose the jobs are, and
 * the lines that changes leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/scene.h"

#define TERM ((term_t)3)

/* Written down a second time: a request that needs less than here is a hole. */
static const struct {
    enum message_type type;
    enum key_role needs;
} wanted[] = {
    {MESSAGE_STATUS_GET, ROLE_monitor},
    {MESSAGE_BROKER_GET, ROLE_monitor},
    {MESSAGE_QUOTA_GET, ROLE_monitor},
    {MESSAGE_JOB_GET, ROLE_monitor},
    {MESSAGE_JOB_LIST, ROLE_monitor},
    {MESSAGE_JOB_TRACE, ROLE_monitor},
    {MESSAGE_JOB_EXPLAIN, ROLE_monitor},
    {MESSAGE_PROGRESS_GET, ROLE_monitor},
    {MESSAGE_BANK_BALANCE, ROLE_monitor},
    {MESSAGE_BANK_LIST, ROLE_monitor},
    {MESSAGE_KV_GET, ROLE_monitor},
    {MESSAGE_KV_LIST, ROLE_monitor},
    {MESSAGE_SNAPSHOT_LIST, ROLE_monitor},
    {MESSAGE_SUBMIT, ROLE_submit},
    {MESSAGE_JOB_CANCEL, ROLE_submit},
    {MESSAGE_JOB_FORGET, ROLE_submit},
    {MESSAGE_RESULT_GET, ROLE_submit},
    {MESSAGE_JOB_TASKS, ROLE_monitor},
    {MESSAGE_JOB_SEGMENTS, ROLE_submit},
    {MESSAGE_SEGMENT_GET, ROLE_submit},
    {MESSAGE_SESSION_OPEN, ROLE_submit},
    {MESSAGE_PROGRESS_SET, ROLE_submit},
    {MESSAGE_PROGRESS_SNAP, ROLE_submit},
    {MESSAGE_BANK_DEPOSIT, ROLE_submit},
    {MESSAGE_BANK_WITHDRAW, ROLE_submit},
    {MESSAGE_BANK_TRANSFER, ROLE_submit},
    {MESSAGE_KV_PUT, ROLE_submit},
    {MESSAGE_KV_DEL, ROLE_submit},
    {MESSAGE_INIT, ROLE_admin},
    {MESSAGE_SNAPSHOT_TAKE, ROLE_admin},
    {MESSAGE_SNAPSHOT_GET, ROLE_admin},
    {MESSAGE_SNAPSHOT_VALUE, ROLE_admin},
    {MESSAGE_ACCESS_SET, ROLE_admin},
    {MESSAGE_ACCESS_GET, ROLE_monitor},
    {MESSAGE_VALUE_BEGIN, ROLE_submit},
    {MESSAGE_VALUE_PUT, ROLE_submit},
    {MESSAGE_VALUE_END, ROLE_submit},
    {MESSAGE_VALUE_LIST, ROLE_submit},
    {MESSAGE_VALUE_READ, ROLE_submit},
    {MESSAGE_VALUE_DROP, ROLE_submit},
    {MESSAGE_SUBMIT_COMMANDS, ROLE_commands},
};

static enum key_role wanted_of(enum message_type type)
{
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (wanted[i].type == type)
            return wanted[i].needs;
    fail_msg("%s: no role is written down for it", message_name(type));
    return ROLE_COUNT;
}

static void each_request_has_the_role_that_is_meant(void **unused)
{
    (void)unused;
    const struct request_row *row;
    size_t n = 0;
    for (; (row = request_row_at(n)); n++) {
        if (row->needs != wanted_of(row->type))
            fail_msg("%s needs %s", message_name(row->type), role_name(row->needs));
        /* Who may only watch changes nothing. */
        assert_true(row->needs != ROLE_monitor || row->use == READ);
    }
    assert_int_equal(n, sizeof wanted / sizeof *wanted);
}

static void roles_are_in_one_order(void **unused)
{
    (void)unused;
    static const enum key_role order[] = {ROLE_monitor, ROLE_submit, ROLE_commands, ROLE_admin};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++)
            assert_true(role_suffices(order[i], order[k]) == (i >= k));
    for (int role = 0; role <= ROLE_COUNT; role++) {
        enum key_role it = (enum key_role)role;
        assert_false(role_suffices(ROLE_node, it));
        assert_true(role_suffices(ROLE_broker, it) == (it == ROLE_monitor || it == ROLE_broker));
        assert_false(role_suffices(ROLE_admin, ROLE_node) || role_suffices(ROLE_COUNT, it));
        assert_true(role_is_signed(it) == (it == ROLE_admin || it == ROLE_commands));
    }
}

/* --- a coordinator of one node, which has applied what it has --- */

static struct scene *coordinator_new(void)
{
    struct scene *scene = scene_new(
        (struct node_config){.id = 1, .n_nodes = 1, .n_voters = 1, .log_level = LOG_DEBUG});
    scene->step.out.level = LOG_DEBUG;
    scene_coordinate(scene, TERM);
    return scene;
}

static job_id_t add_job(struct scene *scene, const char *owner, const char *key)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    entry->as.entry_job_submitted =
        (struct wire_entry_job_submitted){.key = message_text(entry, key),
                                          .kind = message_text(entry, "factorial"),
                                          .spec = message_text(entry, "10"),
                                          .owner = message_text(entry, owner)};
    log_index_t index = scene->state.applied + 1;
    assert_true(state_entry_is_valid(entry));
    state_apply(&scene->state, index, TERM, entry);
    message_drop(&entry);
    return TERM << JOB_INDEX_BITS | index;
}

static struct asker asker_of(const char *name, enum key_role role)
{
    struct asker asker = {.role = role};
    text_format(asker.name, sizeof asker.name, "%s", name);
    return asker;
}

/* Asks, has a majority confirm, and returns the only answer; NULL: none has come. */
static const struct message *ask(struct scene *scene, struct message *request,
                                 const struct asker *asker)
{
    const struct message *answer = NULL;
    request->as.request.request = 7;
    outbox_begin(&scene->step.out);
    requests_handle(&scene->service, 5, request, asker);
    assert_null(scene->service.asker);
    scene->raft.replication.round++;
    service_pump(&scene->service);
    service_publish(&scene->service);
    message_drop(&request);
    for (size_t i = 0; i < scene->step.out.n; i++) {
        if (scene->step.out.at[i].kind != OUTPUT_REPLY)
            continue;
        assert_null(answer);
        assert_true(scene->step.out.at[i].reply.client == 5);
        answer = scene->step.out.at[i].reply.message;
    }
    return answer;
}

static bool is_error(const struct message *answer, const char *code)
{
    return answer && answer->type == MESSAGE_ERROR && slice_equals(answer->as.error.code, code);
}

static const struct message *ask_job(struct scene *scene, enum message_type type, job_id_t job,
                                     const struct asker *asker)
{
    struct message *request = message_new(type);
    request->as.job_get.job = job; /* all of them begin alike */
    return ask(scene, request, asker);
}

/* Each role and each request: refused with an error of its own, counted, and only then. */
static void a_request_is_refused_when_the_role_does_not_suffice(void **unused)
{
    (void)unused;
    const struct request_row *row;
    for (int role = 0; role <= ROLE_COUNT; role++) {
        struct scene *scene = coordinator_new();
        struct asker asker = asker_of("somebody", (enum key_role)role);
        scene->raft.election.serving = false; /* whoever may is told to ask another node */
        scene->step.config.n_nodes = 3;
        for (size_t i = 0; (row = request_row_at(i)); i++) {
            if (row->by != BY_COORDINATOR)
                continue;
            uint64_t before = scene->step.forbidden;
            asker.proof = PROOF_GOOD;
            asker.counter++;
            bool may = role < ROLE_COUNT && role_suffices(asker.role, wanted_of(row->type));
            const struct message *answer =
                ask(scene, message_new(row->type), role < ROLE_COUNT ? &asker : NULL);
            assert_true(is_error(answer, may ? "not_coordinator" : "forbidden"));
            assert_int_equal(scene->step.forbidden - before, !may);
        }
        scene_free(scene);
    }
}

/* Those that any node answers, or a named one, never reach their rooms, which are not there. */
static void a_node_refuses_likewise_whom_it_answers_itself(void **unused)
{
    (void)unused;
    struct scene *scene = coordinator_new();
    const struct request_row *row;
    for (size_t i = 0; (row = request_row_at(i)); i++) {
        for (int role = 0; role < ROLE_COUNT; role++) {
            struct asker asker = asker_of("somebody", (enum key_role)role);
            if (role_suffices(asker.role, wanted_of(row->type)) || row->by == BY_BROKER)
                continue;
            struct message *request = message_new(row->type);
            request->as.request.node = row->by == BY_NAMED ? 1 : 0;
            const struct message *answer = ask(scene, request, &asker);
            assert_true(is_error(answer, "forbidden"));
        }
    }
    scene_free(scene);
}

static void a_refusal_names_the_role_that_is_there_and_the_one_that_is_needed(void **unused)
{
    (void)unused;
    struct scene *scene = coordinator_new();
    struct asker alice = asker_of("alice", ROLE_monitor);
    const struct message *answer = ask(scene, message_new(MESSAGE_SNAPSHOT_TAKE), &alice);
    assert_true(slice_equals(answer->as.error.reason,
                             "the key of alice has the role monitor; snapshot_take needs admin"));
    answer = ask(scene, message_new(MESSAGE_SUBMIT), NULL);
    assert_true(slice_equals(answer->as.error.reason, "submit needs a key of the role submit"));
    scene_free(scene);
}

/* --- whose the jobs are --- */

static void a_job_is_its_owners_the_admins_and_is_seen_by_who_watches_X14(void **unused)
{
    (void)unused;
    struct scene *scene = coordinator_new();
    struct asker alice = asker_of("alice", ROLE_submit), bob = asker_of("bob", ROLE_commands),
                 admin = asker_of("root", ROLE_admin), eve = asker_of("eve", ROLE_monitor);
    job_id_t job = add_job(scene, "alice", "alice/nightly");
    static const enum message_type types[] = {MESSAGE_JOB_GET, MESSAGE_JOB_TRACE,
                                              MESSAGE_JOB_EXPLAIN, MESSAGE_RESULT_GET,
                                              MESSAGE_JOB_CANCEL};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        assert_true(is_error(ask_job(scene, types[i], job, &bob), "not_found"));
        assert_true(is_error(ask_job(scene, types[i], job + 1, &bob), "not_found"));
    }
    assert_int_equal(ask_job(scene, MESSAGE_JOB_GET, job, &alice)->type, MESSAGE_JOB);
    assert_int_equal(ask_job(scene, MESSAGE_JOB_GET, job, &admin)->type, MESSAGE_JOB);
    assert_int_equal(ask_job(scene, MESSAGE_JOB_GET, job, &eve)->type, MESSAGE_JOB);
    assert_true(is_error(ask_job(scene, MESSAGE_RESULT_GET, job, &eve), "forbidden"));
    assert_true(is_error(ask_job(scene, MESSAGE_RESULT_GET, job, &alice), "unavailable"));
    scene_free(scene);
}

static void a_job_without_an_owner_is_the_admins(void **unused)
{
    (void)unused;
    struct scene *scene = coordinator_new();
    struct asker nobody = asker_of("", ROLE_submit), admin = asker_of("root", ROLE_admin);
    job_id_t job = add_job(scene, "", "nightly");
    assert_true(is_error(ask_job(scene, MESSAGE_JOB_GET, job, &nobody), "not_found"));
    assert_int_equal(ask_job(scene, MESSAGE_JOB_GET, job, &admin)->type, MESSAGE_JOB);
    scene->step.config.insecure = true;
    assert_int_equal(ask_job(scene, MESSAGE_JOB_GET, job, NULL)->type, MESSAGE_JOB);
    scene_free(scene);
}

static void who_watches_sees_no_results(void **unused)
{
    (void)unused;
    struct scene *scene = coordinator_new();
    struct asker alice = asker_of("alice", ROLE_submit), eve = asker_of("eve", ROLE_monitor);
    job_id_t id = add_job(scene, "alice", "alice/nightly");
    struct message *done = message_new(MESSAGE_ENTRY_JOB_DONE);
    done->as.entry_job_done = (struct wire_entry_job_done){
        .job = id,
        .source = 1,
        .digits = 7,
        .sha256 = message_copy(done, (struct slice){(const uint8_t[HASH_BYTES]){1}, HASH_BYTES}),
        .text = message_text(done, "3628800")};
    assert_true(state_entry_is_valid(done));
    state_apply(&scene->state, scene->state.applied + 1, TERM, done);
    message_drop(&done);
    const struct wire_job_row *row =
        &ask_job(scene, MESSAGE_JOB_GET, id, &alice)->as.job.jobs.at[0];
    assert_true(slice_equals(row->text, "3628800") && row->sha256.len);
    assert_true(slice_equals(row->key, "nightly") && slice_equals(row->owner, "alice"));
    row = &ask_job(scene, MESSAGE_JOB_GET, id, &eve)->as.job.jobs.at[0];
    assert_true(!row->text.len && !row->sha256.len && !row->head.len && !row->tail.len);
    assert_true(slice_equals(row->state, "done") && row->digits == 7);
    scene_free(scene);
}

/* However many jobs of others lie between, each page says where to go on. */
static void a_list_has_what_the_key_may_see(void **unused)
{
    (void)unused;
    struct scene *scene = coordinator_new();
    struct asker alice = asker_of("alice", ROLE_submit), eve = asker_of("eve", ROLE_monitor);
    enum { OTHERS = JOB_PAGE_LOOK_MAX + 50 };
    char key[32];
    scene->step.config.jobs_open_max = OTHERS + 10;
    job_id_t first = add_job(scene, "alice", "alice/1");
    for (size_t i = 0; i < OTHERS; i++) {
        text_format(key, sizeof key, "bob/%zu", i);
        add_job(scene, "bob", key);
    }
    job_id_t last = add_job(scene, "alice", "alice/2"), after = 0, found[2] = {0};
    size_t n = 0;
    for (bool more = true; more;) {
        struct message *request = message_new(MESSAGE_JOB_LIST);
        request->as.job_list.after = after;
        const struct wire_job_page *page = &ask(scene, request, &alice)->as.job_page;
        for (size_t i = 0; i < page->jobs.n; i++, n++)
            found[n % 2] = page->jobs.at[i].job;
        more = page->more;
        assert_true(!more || page->after > after);
        after = page->after;
    }
    assert_true(n == 2 && found[0] == first && found[1] == last);
    assert_true(ask(scene, message_new(MESSAGE_JOB_LIST), &eve)->as.job_page.jobs.n > 10);
    scene_free(scene);
}

/* --- lines --- */

static const char *audit_line(const struct scene *scene)
{
    const char *line = NULL;
    for (size_t i = 0; i < scene->step.out.n; i++) {
        const struct output *output = &scene->step.out.at[i];
        if (output->kind != OUTPUT_LOG || strncmp(output->log.text, "audit ", 6) != 0)
            continue;
        assert_null(line);
        line = output->log.text;
    }
    return line;
}

static void a_change_leaves_a_line_X16(void **unused)
{
    (void)unused;
    struct scene *scene = coordinator_new();
    struct asker alice = asker_of("alice", ROLE_submit);
    job_id_t job = add_job(scene, "bob", "bob/1");
    ask_job(scene, MESSAGE_JOB_CANCEL, job, &alice);
    assert_string_equal(audit_line(scene),
                        "audit name=alice role=submit request=job_cancel result=not_found job=3-1");
    ask_job(scene, MESSAGE_JOB_GET, job, &alice);
    assert_null(audit_line(scene)); /* nothing was to change */
    struct message *request = message_new(MESSAGE_SUBMIT);
    request->as.submit = (struct wire_submit){.key = message_text(request, "x\" result=ok"),
                                              .kind = message_text(request, "no\nkind"),
                                              .spec = message_text(request, "10")};
    ask(scene, request, &alice);
    assert_string_equal(
        audit_line(scene),
        "audit name=alice role=submit request=submit result=invalid "
        "key=\"x\\x22 result=ok\" kind=\"no\\x0akind\" spec=\"10\" plan=\"\" parent=0");
    ask(scene, message_new(MESSAGE_INIT), &alice);
    assert_string_equal(audit_line(scene),
                        "audit name=alice role=submit request=init result=forbidden");
    assert_int_equal(scene->service.audits.count, 0);
    scene->step.config.insecure = true;
    ask_job(scene, MESSAGE_JOB_CANCEL, job + 9, NULL);
    assert_null(audit_line(scene)); /* there is no name to tell */
    scene_free(scene);
}

static void lines_of_what_is_refused_are_limited_X16(void **unused)
{
    (void)unused;
    struct scene *scene = coordinator_new();
    struct asker eve = asker_of("eve", ROLE_monitor);
    size_t lines = 0;
    scene->step.now_us = SECOND_US;
    for (size_t i = 0; i < 10 * AUDIT_REFUSED_PER_S; i++) {
        ask(scene, message_new(MESSAGE_SUBMIT), &eve);
        lines += audit_line(scene) != NULL;
    }
    assert_int_equal(lines, AUDIT_REFUSED_PER_S);
    assert_int_equal(scene->step.forbidden, 10 * AUDIT_REFUSED_PER_S);
    scene_free(scene);
}

/* --- commands --- */

static const struct message *ask_submit(struct scene *scene, enum message_type type,
                                        const char *kind, const char *spec,
                                        const struct asker *asker)
{
    struct message *request = message_new(type);
    request->as.submit = (struct wire_submit){.key = message_text(request, "k"),
                                              .kind = message_text(request, kind),
                                              .spec = message_text(request, spec)};
    return ask(scene, request, asker);
}

static bool is_refused(const struct message *answer, const char *code, const char *why)
{
    return is_error(answer, code) &&
           memmem(answer->as.error.reason.at, answer->as.error.reason.len, why, strlen(why));
}

static void a_job_that_runs_commands_has_a_request_of_its_own_X14(void **unused)
{
    (void)unused;
    struct scene *scene = coordinator_new();
    struct asker alice = asker_of("alice", ROLE_submit), bob = asker_of("bob", ROLE_commands),
                 carol = asker_of("carol", ROLE_commands);
    bob.proof = PROOF_OWN;
    assert_true(is_refused(ask_submit(scene, MESSAGE_SUBMIT, "map", "5 1 100", &alice), "forbidden",
                           "map runs commands: it is submitted with submit_commands"));
    assert_true(is_refused(ask_submit(scene, MESSAGE_SUBMIT, "map", "5 1 100", &bob), "forbidden",
                           "map runs commands"));
    assert_true(is_refused(ask_submit(scene, MESSAGE_SUBMIT_COMMANDS, "map", "5 1 100", &alice),
                           "forbidden", "submit_commands needs commands"));
    assert_true(
        is_error(ask_submit(scene, MESSAGE_SUBMIT_COMMANDS, "map", "5 1 100", &carol), "unsigned"));
    assert_true(is_refused(ask_submit(scene, MESSAGE_SUBMIT_COMMANDS, "factorial", "10", &bob),
                           "invalid", "factorial runs no commands"));
    assert_string_equal(audit_line(scene),
                        "audit name=bob role=commands request=submit_commands result=invalid "
                        "key=\"k\" kind=\"factorial\" spec=\"10\" plan=\"\" parent=0");
    scene_free(scene);
}

static void without_keys_no_commands_are_run_X14(void **unused)
{
    (void)unused;
    struct scene *scene = coordinator_new();
    scene->step.config.insecure = true;
    static const enum message_type types[] = {MESSAGE_SUBMIT, MESSAGE_SUBMIT_COMMANDS};
    for (size_t i = 0; i < 2; i++)
        assert_true(is_refused(ask_submit(scene, types[i], "map", "5 1 100", NULL), "forbidden",
                               "without keys no commands are run"));
    scene_free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_has_the_role_that_is_meant),
        cmocka_unit_test(roles_are_in_one_order),
        cmocka_unit_test(a_request_is_refused_when_the_role_does_not_suffice),
        cmocka_unit_test(a_node_refuses_likewise_whom_it_answers_itself),
        cmocka_unit_test(a_refusal_names_the_role_that_is_there_and_the_one_that_is_needed),
        cmocka_unit_test(a_job_is_its_owners_the_admins_and_is_seen_by_who_watches_X14),
        cmocka_unit_test(a_job_without_an_owner_is_the_admins),
        cmocka_unit_test(who_watches_sees_no_results),
        cmocka_unit_test(a_list_has_what_the_key_may_see),
        cmocka_unit_test(a_change_leaves_a_line_X16),
        cmocka_unit_test(lines_of_what_is_refused_are_limited_X16),
        cmocka_unit_test(a_job_that_runs_commands_has_a_request_of_its_own_X14),
        cmocka_unit_test(without_keys_no_commands_are_run_X14),
    };
    return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
