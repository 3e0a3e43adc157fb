/* What one key may have: jobs that are open, and bytes of results that are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/state/state.h"
#include "nodes/core/state/state_table.h"
#include "nodes/core/step/step.h"
#include "shared/base/random.h"
#include "tests/harness/reload.h"
#include "tests/harness/stage.h"

#define TERM 2

/* --- the counts: a state alone, beside a dumb model --- */

enum { OWNERS = 4, JOBS = 600 };

static const char *const owners[OWNERS] = {"", "alice", "bob", "carol"}; /* the first: nobody */

struct model_job {
    job_id_t id;
    unsigned owner;
    bool open, there;
    uint64_t bytes;
};

struct model {
    struct model_job jobs[JOBS];
    size_t n;
};

static void begin(struct step *step, struct state *state)
{
    *step = (struct step){.config = {.id = 1, .n_nodes = 3, .n_voters = 3},
                          .identity = {.cluster_id = {1}},
                          .term = TERM,
                          .now_us = SECOND_US};
    *state = (struct state){0};
    state_init(state, step);
}

static struct model_job *find(struct model *model, job_id_t id)
{
    for (size_t i = 0; i < model->n; i++)
        if (model->jobs[i].id == id)
            return &model->jobs[i];
    return NULL;
}

/* As node.c does. */
static void apply(struct state *state, struct model *model, struct message *entry)
{
    struct job *job;
    assert_true(state_entry_is_valid(entry));
    state_apply(state, state->applied + 1, TERM, entry);
    message_drop(&entry);
    while ((job = state_forget_one(state))) {
        find(model, job->id)->there = false;
        assert_null(job->account);
        job_destroy(&job);
    }
}

static void submit(struct state *state, struct model *model, unsigned owner)
{
    char key[32];
    text_format(key, sizeof key, "key-%zu", model->n);
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    entry->as.entry_job_submitted =
        (struct wire_entry_job_submitted){.key = message_text(entry, key),
                                          .kind = message_text(entry, "factorial"),
                                          .spec = message_text(entry, "10"),
                                          .owner = message_text(entry, owners[owner])};
    apply(state, model, entry);
    model->jobs[model->n++] =
        (struct model_job){.id = (job_id_t)TERM << JOB_INDEX_BITS | state->applied,
                           .owner = owner,
                           .open = true,
                           .there = true};
}

static void end(struct state *state, struct model *model, struct model_job *job, uint64_t draw)
{
    static const uint8_t hash[HASH_BYTES] = {1};
    struct message *entry;
    job->open = false;
    if (draw % 4 == 0) {
        entry = message_new(MESSAGE_ENTRY_JOB_CANCELLED);
        entry->as.entry_job_cancelled.job = job->id;
    } else if (draw % 4 == 1) {
        entry = message_new(MESSAGE_ENTRY_JOB_FAILED);
        entry->as.entry_job_failed.job = job->id;
        entry->as.entry_job_failed.reason = message_text(entry, "why");
    } else {
        job->bytes = 1 + draw % 900;
        entry = message_new(MESSAGE_ENTRY_JOB_DONE);
        entry->as.entry_job_done =
            (struct wire_entry_job_done){.job = job->id,
                                         .source = 1,
                                         .digits = job->bytes,
                                         .sha256 = message_copy(entry,
                                                                (struct slice){hash, sizeof hash})};
    }
    apply(state, model, entry);
}

static void forget(struct state *state, struct model *model, job_id_t job)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOBS_FORGOTTEN);
    struct wire_entry_jobs_forgotten *forgotten = &entry->as.entry_jobs_forgotten;
    forgotten->jobs.at = message_room(entry, 1, sizeof *forgotten->jobs.at);
    forgotten->jobs.n = 1;
    forgotten->jobs.at[0].job = job;
    apply(state, model, entry);
}

static void set_limits(struct state *state, struct model *model, uint64_t jobs, uint64_t bytes)
{
    struct message *entry = message_new(MESSAGE_ENTRY_RETENTION_SET);
    entry->as.entry_retention_set = (struct wire_entry_retention_set){.jobs = jobs, .bytes = bytes};
    apply(state, model, entry);
}

static struct model_job *draw_job(struct model *model, uint64_t *draw, bool open)
{
    for (unsigned tries = 0; model->n && tries < 50; tries++) {
        struct model_job *job = &model->jobs[random_below(draw, model->n)];
        if (job->there && job->open == open)
            return job;
    }
    return NULL;
}

static void compare(const struct model *model, const struct state *state)
{
    struct job_owner counted[OWNERS] = {0};
    size_t there = 0;
    for (size_t i = 0; i < model->n; i++) {
        const struct model_job *job = &model->jobs[i];
        counted[job->owner].jobs += job->there;
        counted[job->owner].open += job->there && job->open;
        counted[job->owner].bytes += job->there ? job->bytes : 0;
    }
    for (unsigned i = 1; i < OWNERS; i++) {
        const struct job_owner *owner = job_owners_find(&state->jobs.owners, owners[i]);
        there += owner != NULL;
        assert_int_equal(owner ? owner->jobs : 0, counted[i].jobs);
        assert_int_equal(owner ? owner->open : 0, counted[i].open);
        assert_int_equal(owner ? owner->bytes : 0, counted[i].bytes);
        assert_true(!owner || owner->jobs); /* nobody stays without jobs */
    }
    assert_int_equal(state->jobs.owners.n, there);
    assert_null(job_owners_find(&state->jobs.owners, ""));
}

static void reload(struct step *step, struct state *state)
{
    struct state *loaded = reload_state(step, state);
    assert_null(state_differs(state, loaded));
    assert_true(state_digest(state) == state_digest(loaded));
    checkpoint_replace_state(state, &loaded);
}

static void counts_of_owners_are_those_of_a_dumb_model_X8(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t draw = seed;
        struct model model = {0};
        struct step step;
        struct state state;
        begin(&step, &state);
        set_limits(&state, &model, 20, 6000);
        for (unsigned round = 0; round < 500; round++) {
            uint64_t what = random_below(&draw, 20);
            struct model_job *job = draw_job(&model, &draw, what < 16);
            if (what < 8)
                submit(&state, &model, (unsigned)random_below(&draw, OWNERS));
            else if (what < 16 && job)
                end(&state, &model, job, random_below(&draw, UINT32_MAX));
            else if (what < 19 && job)
                forget(&state, &model, job->id);
            else
                set_limits(&state, &model, 1 + random_below(&draw, 30), random_below(&draw, 9000));
            state_check_invariants(&state);
            compare(&model, &state);
            if (!random_below(&draw, 10))
                reload(&step, &state);
        }
        state_clear(&state);
    }
}

/* --- whole nodes --- */

static const struct asker alice = {.role = ROLE_submit, .name = "alice"},
                          bob = {.role = ROLE_commands, .name = "bob"},
                          root = {.role = ROLE_admin, .name = "root", .proof = PROOF_OWN};

/* Node 1 serves; what is submitted does not end. */
static struct stage *stage_with(uint64_t quota_jobs, uint64_t quota_bytes, const struct asker *who)
{
    struct stage *stage = stage_new(3, 3);
    stage->quota_jobs = quota_jobs;
    stage->quota_bytes = quota_bytes;
    stage->asker = who;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    for (node_id_t id = 1; id <= 3; id++)
        stage->nodes[id].hangs = !quota_bytes;
    return stage;
}

static void ask_submit(struct stage *stage, const struct asker *who, const char *key)
{
    stage->asker = who;
    stage_ask(stage, stage_coordinator(stage), stage_submit_request(key, "30"));
}

/* The job; JOB_NONE: refused, for its quota. */
static job_id_t submitted(struct stage *stage, const struct asker *who, const char *key)
{
    ask_submit(stage, who, key);
    stage_run(stage, 20 * MS_US);
    if (stage_answered(stage, MESSAGE_JOB))
        return stage->answer->as.job.jobs.at[0].job;
    assert_true(stage_refused(stage, "quota"));
    return JOB_NONE;
}

static void answer_is(const struct stage *stage, const char *reason)
{
    if (!slice_equals(stage->answer->as.error.reason, reason))
        fail_msg("%.*s", (int)stage->answer->as.error.reason.len,
                 (const char *)stage->answer->as.error.reason.at);
}

static void cancel(struct stage *stage, const struct asker *who, job_id_t job)
{
    struct message *request = message_new(MESSAGE_JOB_CANCEL);
    request->as.job_cancel.job = job;
    stage->asker = who;
    stage_ask(stage, stage_coordinator(stage), request);
    stage_run(stage, 50 * MS_US);
    assert_true(stage_answered(stage, MESSAGE_JOB));
}

static void ask_forget(struct stage *stage, const struct asker *who, job_id_t job)
{
    struct message *request = message_new(MESSAGE_JOB_FORGET);
    struct wire_job_forget *asked = &request->as.job_forget;
    asked->jobs.n = 1;
    asked->jobs.at = message_room(request, 1, sizeof *asked->jobs.at);
    asked->jobs.at[0].job = job;
    stage->asker = who;
    stage_ask(stage, stage_coordinator(stage), request);
    stage_run(stage, 50 * MS_US);
    assert_true(stage_answered(stage, MESSAGE_JOBS_FORGOTTEN));
}

static size_t open_of(const struct stage *stage, node_id_t id, const struct asker *who)
{
    const struct job_owner *owner =
        job_owners_find(&stage_state(stage, id)->jobs.owners, who->name);
    return owner ? owner->open : 0;
}

static void a_key_has_so_many_open_jobs_and_takes_nobody_elses_X8(void **unused)
{
    (void)unused;
    struct stage *stage = stage_with(2, 0, &alice);
    job_id_t first = submitted(stage, &alice, "1"), second = submitted(stage, &alice, "2");
    assert_true(first && second);
    log_index_t last = stage_raft(stage, 1)->log.last;
    assert_int_equal(submitted(stage, &alice, "3"), JOB_NONE);
    answer_is(stage, "the key of alice has 2 open jobs, and may have 2 (--quota-jobs of the "
                     "nodes): wait until one ends, or cancel one");
    assert_int_equal(stage_raft(stage, 1)->log.last, last); /* nothing has changed */
    assert_int_equal(submitted(stage, &alice, "1"), first);
    assert_true(submitted(stage, &bob, "1") && submitted(stage, &bob, "2"));
    assert_int_equal(submitted(stage, &bob, "3"), JOB_NONE);
    for (unsigned i = 0; i < 5; i++)
        assert_true(submitted(stage, &root, (const char *[]){"1", "2", "3", "4", "5"}[i]));
    cancel(stage, &alice, second);
    job_id_t third = submitted(stage, &alice, "3");
    assert_true(third && third != first && third != second);
    assert_int_equal(submitted(stage, &alice, "4"), JOB_NONE);
    stage_free(&stage);
}

static void without_keys_or_bounds_there_is_no_quota_X8(void **unused)
{
    (void)unused;
    struct stage *stage = stage_with(1, 0, NULL);
    assert_true(submitted(stage, NULL, "1") && submitted(stage, NULL, "2"));
    assert_int_equal(stage_state(stage, 1)->jobs.owners.n, 0);
    stage_free(&stage);
    stage = stage_with(0, 0, &alice);
    assert_true(submitted(stage, &alice, "1") && submitted(stage, &alice, "2"));
    stage_free(&stage);
}

/* Nobody acknowledges: what is proposed is not applied, and counts. */
static void what_is_proposed_counts_X8(void **unused)
{
    (void)unused;
    struct stage *stage = stage_with(2, 0, &alice);
    stage_hold(stage, 1, NODE_NONE, MESSAGE_APPEND);
    ask_submit(stage, &alice, "1");
    ask_submit(stage, &alice, "2");
    ask_submit(stage, &bob, "1");
    assert_int_equal(open_of(stage, 1, &alice), 0);
    ask_submit(stage, &alice, "3");
    assert_true(stage_refused(stage, "quota"));
    ask_submit(stage, &alice, "1"); /* the same job: it waits like the first try */
    assert_null(stage->answer);
    ask_submit(stage, &bob, "2");
    assert_null(stage->answer);
    stage_no_rules(stage);
    stage_release(stage, SIZE_MAX, false, 1);
    stage_run(stage, 50 * MS_US);
    assert_int_equal(stage_coordinator(stage), 1);
    assert_int_equal(open_of(stage, 1, &alice), 2);
    assert_int_equal(open_of(stage, 1, &bob), 2);
    stage_free(&stage);
}

/* Each coordinator is killed in turn, comes back from its disk, or gets a checkpoint. */
static void the_bound_holds_across_elections_checkpoints_and_installs_X8(void **unused)
{
    (void)unused;
    struct stage *stage = stage_new(3, 3);
    stage->quota_jobs = 2;
    stage->compact_entries = 8;
    stage->asker = &alice;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    for (node_id_t id = 1; id <= 3; id++)
        stage->nodes[id].hangs = true;
    char key[8] = "1";
    job_id_t jobs[2] = {submitted(stage, &alice, "a"), submitted(stage, &alice, "b")};
    for (unsigned life = 0; life < 6; life++) {
        node_id_t old = stage_coordinator(stage);
        for (uint64_t i = 0; i < 30; i++) /* all of it is in checkpoints */
            stage_set(stage, old, 9, i);
        stage_run(stage, 50 * MS_US);
        stage_kill(stage, old);
        stage_run(stage, 300 * MS_US);
        assert_int_not_equal(stage_coordinator(stage), NODE_NONE);
        assert_int_equal(submitted(stage, &alice, "c"), JOB_NONE);
        assert_int_equal(submitted(stage, &alice, "a"), jobs[0]);
        for (uint64_t i = 0; i < 30; i++) /* who is down is installed a checkpoint */
            stage_set(stage, stage_coordinator(stage), 9, i);
        if (life % 2)
            stage_wipe(stage, old);
        stage_start(stage, old);
        stage->nodes[old].hangs = true;
        stage_run(stage, 300 * MS_US);
        cancel(stage, &alice, jobs[1]);
        key[0] = (char)('1' + life);
        jobs[1] = submitted(stage, &alice, key);
        assert_int_not_equal(jobs[1], JOB_NONE);
        assert_int_equal(submitted(stage, &alice, "c"), JOB_NONE);
        stage_run(stage, 100 * MS_US);
        for (node_id_t id = 1; id <= 3; id++)
            assert_int_equal(open_of(stage, id, &alice), 2);
    }
    stage_free(&stage);
}

/* 30! has 33 digits. */
static void a_key_keeps_so_many_bytes_and_goes_on_when_it_forgets_X8(void **unused)
{
    (void)unused;
    struct stage *stage = stage_with(0, 66, &alice);
    job_id_t first = submitted(stage, &alice, "1");
    stage_run(stage, 300 * MS_US);
    job_id_t second = submitted(stage, &alice, "2");
    stage_run(stage, 300 * MS_US);
    assert_true(first && second);
    assert_int_equal(submitted(stage, &alice, "3"), JOB_NONE);
    answer_is(stage, "the key of alice keeps 66 bytes of results, and may keep 66 (--quota-bytes "
                     "of the nodes): forget jobs (`conclave job forget`)");
    assert_int_equal(submitted(stage, &alice, "1"), first);
    assert_true(submitted(stage, &bob, "1"));
    ask_forget(stage, &bob, first); /* what it may not see it does not touch */
    assert_int_equal(submitted(stage, &alice, "3"), JOB_NONE);
    ask_forget(stage, &alice, first);
    assert_true(submitted(stage, &alice, "3"));
    stage_run(stage, 300 * MS_US);
    assert_int_equal(submitted(stage, &alice, "4"), JOB_NONE);
    ask_forget(stage, &root, second);
    assert_true(submitted(stage, &alice, "4"));
    stage_free(&stage);
}

/* --- what there is to see --- */

static const struct wire_quota_page *ask_quota(struct stage *stage, const struct asker *who,
                                               const char *after)
{
    struct message *request = message_new(MESSAGE_QUOTA_GET);
    request->as.quota_get.after = message_text(request, after);
    stage->asker = who;
    stage_ask(stage, stage_coordinator(stage), request);
    stage_run(stage, 20 * MS_US);
    assert_true(stage_answered(stage, MESSAGE_QUOTA_PAGE));
    return &stage->answer->as.quota_page;
}

static bool row_is(const struct wire_quota_page *page, size_t at, const char *name, uint64_t open)
{
    return at < page->keys.n && slice_equals(page->keys.at[at].name, name) &&
           page->keys.at[at].open_jobs == open && !page->keys.at[at].kept_jobs;
}

static void who_watches_sees_all_keys_and_others_their_own_X8(void **unused)
{
    static const struct asker eve = {.role = ROLE_monitor, .name = "eve"},
                              carol = {.role = ROLE_submit, .name = "carol"};
    (void)unused;
    struct stage *stage = stage_with(3, 0, &alice);
    submitted(stage, &alice, "1");
    submitted(stage, &bob, "1");
    submitted(stage, &bob, "2");
    const struct wire_quota_page *page = ask_quota(stage, &root, "");
    assert_true(page->keys.n == 2 && row_is(page, 0, "alice", 1) && row_is(page, 1, "bob", 2));
    assert_true(page->jobs_max == 3 && !page->bytes_max && !page->bounded && !page->more);
    page = ask_quota(stage, &eve, "alice");
    assert_true(page->keys.n == 1 && row_is(page, 0, "bob", 2));
    page = ask_quota(stage, &alice, "");
    assert_true(page->keys.n == 1 && row_is(page, 0, "alice", 1) && page->bounded);
    page = ask_quota(stage, &carol, "");
    assert_true(page->keys.n == 1 && row_is(page, 0, "carol", 0));
    stage_free(&stage);
}

static void many_keys_come_page_by_page_X8(void **unused)
{
    enum { KEYS = 2 * QUOTA_PAGE_MAX + 10 };
    (void)unused;
    struct stage *stage = stage_with(1, 0, &root);
    char after[OWNER_MAX + 1] = "";
    size_t n = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        struct asker asker = {.role = ROLE_submit};
        text_format(asker.name, sizeof asker.name, "key%u", i * 7919 % KEYS);
        assert_true(submitted(stage, &asker, "1"));
    }
    for (bool more = true; more;) {
        const struct wire_quota_page *page = ask_quota(stage, &root, after);
        assert_true(page->keys.n);
        for (size_t i = 0; i < page->keys.n; i++, n++) {
            char name[OWNER_MAX + 1];
            text_copy(name, sizeof name, page->keys.at[i].name);
            assert_true(strcmp(after, name) < 0);
            memcpy(after, name, sizeof after);
        }
        more = page->more;
    }
    assert_int_equal(n, KEYS);
    stage_free(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_of_owners_are_those_of_a_dumb_model_X8),
        cmocka_unit_test(a_key_has_so_many_open_jobs_and_takes_nobody_elses_X8),
        cmocka_unit_test(without_keys_or_bounds_there_is_no_quota_X8),
        cmocka_unit_test(what_is_proposed_counts_X8),
        cmocka_unit_test(the_bound_holds_across_elections_checkpoints_and_installs_X8),
        cmocka_unit_test(a_key_keeps_so_many_bytes_and_goes_on_when_it_forgets_X8),
        cmocka_unit_test(who_watches_sees_all_keys_and_others_their_own_X8),
        cmocka_unit_test(many_keys_come_page_by_page_X8),
    };
    return cmocka_run_group_tests_name("job quota", tests, NULL, NULL);
}
