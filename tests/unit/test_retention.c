/* Which finished jobs are remembered: by count, by the bytes of their results, by hand; the same
 * ones on every node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/state/state.h"
#include "nodes/core/state/state_table.h"
#include "nodes/core/step/step.h"
#include "shared/base/error.h"
#include "shared/base/random.h"
#include "tests/harness/reload.h"
#include "tests/harness/stage.h"

#define TERM 2

/* --- a state alone --- */

static void begin(struct step *step, struct state *state, uint64_t legacy)
{
    *step = (struct step){.config = {.id = 1, .n_nodes = 3, .n_voters = 3, .jobs_kept_max = legacy},
                          .identity = {.cluster_id = {1}},
                          .term = TERM,
                          .now_us = SECOND_US};
    *state = (struct state){0};
    state_init(state, step);
}

/* As node.c does; the ids that went are added to `gone` (job ids, ended by 0). */
static void apply(struct state *state, struct message *entry, job_id_t *gone)
{
    struct job *job;
    size_t n = 0;
    assert_true(state_entry_is_valid(entry));
    state_apply(state, state->applied + 1, TERM, entry);
    message_drop(&entry);
    while (n < FORGET_JOBS_MAX && (job = state_forget_one(state))) {
        gone[n++] = job->id;
        job_destroy(&job);
    }
    gone[n] = JOB_NONE;
    state_check_invariants(state);
}

static job_id_t submit(struct state *state, uint64_t number)
{
    job_id_t gone[FORGET_JOBS_MAX + 1];
    char key[32];
    text_format(key, sizeof key, "key-%llu", (unsigned long long)number);
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    entry->as.entry_job_submitted =
        (struct wire_entry_job_submitted){.key = message_text(entry, key),
                                          .kind = message_text(entry, "factorial"),
                                          .spec = message_text(entry, "10")};
    apply(state, entry, gone);
    return (job_id_t)TERM << JOB_INDEX_BITS | state->applied;
}

static void finish(struct state *state, job_id_t job, uint64_t digits, job_id_t *gone)
{
    static const uint8_t hash[HASH_BYTES] = {1};
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_DONE);
    struct wire_entry_job_done *done = &entry->as.entry_job_done;
    done->job = job;
    done->source = done->converter = 1;
    done->digits = digits;
    done->sha256 = message_copy(entry, (struct slice){hash, sizeof hash});
    apply(state, entry, gone);
}

static void set_limits(struct state *state, uint64_t jobs, uint64_t bytes, job_id_t *gone)
{
    struct message *entry = message_new(MESSAGE_ENTRY_RETENTION_SET);
    entry->as.entry_retention_set = (struct wire_entry_retention_set){.jobs = jobs, .bytes = bytes};
    apply(state, entry, gone);
}

static void forget(struct state *state, const job_id_t *jobs, size_t n, job_id_t *gone)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOBS_FORGOTTEN);
    struct wire_entry_jobs_forgotten *forgotten = &entry->as.entry_jobs_forgotten;
    forgotten->jobs.at = message_room(entry, n, sizeof *forgotten->jobs.at);
    for (; forgotten->jobs.n < n; forgotten->jobs.n++)
        forgotten->jobs.at[forgotten->jobs.n].job = jobs[forgotten->jobs.n];
    apply(state, entry, gone);
}

/* What `apply` said: these went, in this order. */
static void went(const job_id_t *gone, size_t n, const job_id_t *expected)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(gone[i], expected[i]);
    assert_int_equal(gone[n], JOB_NONE);
}

static void until_the_log_says_a_limit_the_one_of_earlier_releases_holds_W6(void **unused)
{
    job_id_t gone[FORGET_JOBS_MAX + 1], jobs[5];
    struct step step;
    struct state state;
    (void)unused;
    begin(&step, &state, 2);
    for (uint64_t i = 0; i < 5; i++)
        jobs[i] = submit(&state, i);
    finish(&state, jobs[4], 1000000000, gone); /* bytes do not count */
    finish(&state, jobs[3], 1000000000, gone);
    went(gone, 0, NULL);
    finish(&state, jobs[0], 5, gone); /* by their ids it is the oldest */
    went(gone, 1, &jobs[0]);
    assert_int_equal(state.jobs.at[0]->ended, 0);
    state_clear(&state);
}

static void jobs_go_in_the_order_of_their_ends_by_count_and_bytes_W6(void **unused)
{
    job_id_t gone[FORGET_JOBS_MAX + 1], jobs[8];
    struct step step;
    struct state state;
    (void)unused;
    begin(&step, &state, 0);
    set_limits(&state, 3, 1000, gone);
    for (uint64_t i = 0; i < 8; i++)
        jobs[i] = submit(&state, i);
    finish(&state, jobs[5], 400, gone);
    finish(&state, jobs[1], 400, gone);
    finish(&state, jobs[3], 200, gone);
    went(gone, 0, NULL);              /* three, and a thousand bytes */
    finish(&state, jobs[0], 1, gone); /* the oldest of all by its id, and the last that ended */
    went(gone, 1, &jobs[5]);
    finish(&state, jobs[2], 800, gone); /* for the bytes of one two have to go */
    went(gone, 2, (job_id_t[]){jobs[1], jobs[3]});
    assert_int_equal(state.jobs.finished.bytes, 801);
    state_clear(&state);
}

static void the_last_one_is_kept_whatever_its_size_W6(void **unused)
{
    job_id_t gone[FORGET_JOBS_MAX + 1], jobs[3];
    struct step step;
    struct state state;
    (void)unused;
    begin(&step, &state, 0);
    set_limits(&state, 3, 1000, gone);
    for (uint64_t i = 0; i < 3; i++)
        jobs[i] = submit(&state, i);
    finish(&state, jobs[1], 1000, gone);
    finish(&state, jobs[0], 5000, gone);
    went(gone, 1, &jobs[1]);
    assert_non_null(jobs_find(&state.jobs, jobs[0]));
    finish(&state, jobs[2], 1, gone);
    went(gone, 1, &jobs[0]);
    state_clear(&state);
}

static void what_is_open_or_unknown_is_passed_over_by_hand_W6(void **unused)
{
    job_id_t gone[FORGET_JOBS_MAX + 1], jobs[4], unknown = (job_id_t)TERM << JOB_INDEX_BITS | 77;
    struct step step;
    struct state state;
    (void)unused;
    begin(&step, &state, 0);
    for (uint64_t i = 0; i < 4; i++)
        jobs[i] = submit(&state, i);
    finish(&state, jobs[3], 10, gone);
    finish(&state, jobs[2], 20, gone);
    finish(&state, jobs[1], 40, gone);
    forget(&state, (job_id_t[]){jobs[2], jobs[0], unknown, jobs[2]}, 4, gone);
    went(gone, 1, &jobs[2]);
    assert_false(job_is_finished(jobs_find(&state.jobs, jobs[0])));
    assert_int_equal(state.jobs.finished.bytes, 50);
    assert_true(keys_is_forgotten(&state.keys, KEY_OF_JOB, slice_of("key-2")));
    assert_false(keys_is_forgotten(&state.keys, KEY_OF_JOB, slice_of("key-0")));
    forget(&state, (job_id_t[]){jobs[1], jobs[3]}, 2, gone); /* the last one, too */
    went(gone, 2, (job_id_t[]){jobs[1], jobs[3]});
    assert_int_equal(state.jobs.n, 1);
    state_clear(&state);
}

/* --- beside a dumb model, and beside a state that is loaded again and again --- */

struct model_job {
    job_id_t id;
    uint64_t bytes, ended; /* 0: it is open, or gone */
    bool gone;
};

struct model {
    struct model_job jobs[600];
    size_t n;
    uint64_t most_jobs, most_bytes, ends;
};

static struct model_job *oldest(struct model *model)
{
    struct model_job *first = NULL;
    for (size_t i = 0; i < model->n; i++)
        if (model->jobs[i].ended && (!first || model->jobs[i].ended < first->ended))
            first = &model->jobs[i];
    return first;
}

static void model_forget(struct model *model)
{
    for (;;) {
        uint64_t n = 0, bytes = 0;
        for (size_t i = 0; i < model->n; i++) {
            n += model->jobs[i].ended != 0;
            bytes += model->jobs[i].ended ? model->jobs[i].bytes : 0;
        }
        if (n <= 1 || (n <= model->most_jobs && bytes <= model->most_bytes))
            return;
        struct model_job *first = oldest(model);
        first->ended = 0;
        first->gone = true;
    }
}

static struct model_job *draw_job(struct model *model, uint64_t *draw, bool ended)
{
    for (unsigned tries = 0; model->n && tries < 50; tries++) {
        struct model_job *job = &model->jobs[random_below(draw, model->n)];
        if (!job->gone && (job->ended != 0) == ended)
            return job;
    }
    return NULL;
}

static void reload(struct step *step, struct state *state)
{
    struct state *loaded = reload_state(step, state);
    assert_null(state_differs(state, loaded));
    assert_true(state_digest(state) == state_digest(loaded));
    checkpoint_replace_state(state, &loaded);
}

static void compare(const struct model *model, const struct state *state)
{
    for (size_t i = 0; i < model->n; i++) {
        const struct job *job = jobs_find(&state->jobs, model->jobs[i].id);
        assert_int_equal(job == NULL, model->jobs[i].gone);
        if (job)
            assert_int_equal(job_is_finished(job), model->jobs[i].ended != 0);
    }
}

/* Node 1 never restarts, node 2 is loaded from a checkpoint now and then. */
static void all_nodes_forget_the_same_as_a_dumb_model_does_W6(void **unused)
{
    (void)unused;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        job_id_t gone[FORGET_JOBS_MAX + 1];
        uint64_t draw = seed;
        struct model model = {.most_jobs = 5, .most_bytes = 2000};
        struct step steps[2];
        struct state states[2];
        for (int i = 0; i < 2; i++) {
            begin(&steps[i], &states[i], 0);
            set_limits(&states[i], model.most_jobs, model.most_bytes, gone);
        }
        for (unsigned round = 0; round < 500; round++) {
            uint64_t what = random_below(&draw, 20), digits = 1 + random_below(&draw, 900);
            struct model_job *job = draw_job(&model, &draw, what >= 18);
            if (what < 8 || !job) {
                for (int i = 0; i < 2; i++)
                    model.jobs[model.n].id = submit(&states[i], model.n);
                model.n++;
            } else if (what < 17) {
                for (int i = 0; i < 2; i++)
                    finish(&states[i], job->id, digits, gone);
                job->bytes = digits;
                job->ended = ++model.ends;
                model_forget(&model);
            } else if (what == 17) {
                model.most_jobs = 1 + random_below(&draw, 9);
                model.most_bytes = random_below(&draw, 4000);
                for (int i = 0; i < 2; i++)
                    set_limits(&states[i], model.most_jobs, model.most_bytes, gone);
                model_forget(&model);
            } else {
                for (int i = 0; i < 2; i++)
                    forget(&states[i], &job->id, 1, gone);
                job->ended = 0;
                job->gone = true;
            }
            if (!random_below(&draw, 10))
                reload(&steps[1], &states[1]);
            compare(&model, &states[0]);
            assert_null(state_differs(&states[0], &states[1]));
        }
        state_clear(&states[0]);
        state_clear(&states[1]);
    }
}

/* One step must not take long; the coordinator goes on with another entry. */
static void one_entry_forgets_so_many_at_most_W6(void **unused)
{
    enum { JOBS = 3 * FORGET_JOBS_MAX };
    job_id_t gone[FORGET_JOBS_MAX + 1];
    struct step step;
    struct state state;
    (void)unused;
    begin(&step, &state, 0);
    for (uint64_t i = 0; i < JOBS; i++)
        finish(&state, submit(&state, i), 10, gone);
    set_limits(&state, 10, 1000, gone);
    assert_int_equal(state.jobs.n, JOBS - FORGET_JOBS_MAX);
    assert_true(retention_is_behind(&state));
    set_limits(&state, 10, 1000, gone);
    assert_true(retention_is_behind(&state));
    set_limits(&state, 10, 1000, gone);
    assert_int_equal(state.jobs.n, 10);
    assert_false(retention_is_behind(&state));
    state_clear(&state);
}

/* --- whole nodes --- */

static job_id_t computed(struct stage *stage, const char *key)
{
    stage_ask(stage, 1, stage_submit_request(key, "20"));
    stage_run(stage, 300 * MS_US);
    assert_true(stage_answered(stage, MESSAGE_JOB));
    return stage->answer->as.job.jobs.at[0].job;
}

static struct message *forget_request(job_id_t job)
{
    struct message *message = message_new(MESSAGE_JOB_FORGET);
    struct wire_job_forget *asked = &message->as.job_forget;
    asked->jobs.n = 1;
    asked->jobs.at = message_room(message, 1, sizeof *asked->jobs.at);
    asked->jobs.at[0].job = job;
    return message;
}

static void the_coordinator_logs_its_limits_and_all_follow_W6(void **unused)
{
    struct stage *stage = stage_new(3, 3);
    (void)unused;
    for (node_id_t id = 1; id <= 3; id++)
        stage->keep_jobs[id] = 2 * id; /* as in the middle of a rolling restart */
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 200 * MS_US);
    for (node_id_t id = 1; id <= 3; id++) {
        assert_int_equal(stage_state(stage, id)->retention.jobs, 2);
        assert_int_equal(stage_state(stage, id)->retention.bytes, KEEP_BYTES_DEFAULT);
    }
    for (unsigned i = 0; i < 5; i++)
        computed(stage, (const char *[]){"a", "b", "c", "d", "e"}[i]);
    for (node_id_t id = 1; id <= 3; id++)
        assert_int_equal(stage_state(stage, id)->jobs.n, 2);
    stage_kill(stage, 1);
    stage_run(stage, 100 * MS_US);
    node_id_t next = stage_coordinator(stage);
    stage_run(stage, 200 * MS_US);
    for (node_id_t id = 2; id <= 3; id++)
        assert_int_equal(stage_state(stage, id)->retention.jobs, 2 * next);
    assert_int_equal(stage_state(stage, next)->jobs.n, 2);
    stage_free(&stage);
}

/* Who was told nothing changes nothing. */
static void a_limit_that_is_not_given_stays_as_it_is_W6(void **unused)
{
    struct stage *stage = stage_new(3, 3);
    (void)unused;
    stage->keep_jobs[1] = 2;
    stage->keep_bytes = 5000;
    stage_start(stage, 1);
    stage->keep_bytes = 0;
    stage_start(stage, 2);
    stage_start(stage, 3);
    stage_elect(stage, 1);
    stage_run(stage, 200 * MS_US);
    stage_kill(stage, 1);
    stage_run(stage, 300 * MS_US);
    assert_int_not_equal(stage_coordinator(stage), NODE_NONE);
    for (node_id_t id = 2; id <= 3; id++) {
        assert_int_equal(stage_state(stage, id)->retention.jobs, 2);
        assert_int_equal(stage_state(stage, id)->retention.bytes, 5000);
    }
    stage_free(&stage);
}

static void nothing_is_logged_that_a_living_node_does_not_know_W6(void **unused)
{
    struct stage *stage = stage_new(3, 3);
    (void)unused;
    stage->keep_jobs[1] = 2;
    stage->earlier = 3;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 200 * MS_US);
    job_id_t job = computed(stage, "key");
    assert_int_equal(stage_state(stage, 1)->retention.jobs, 0);
    stage_ask(stage, 1, forget_request(job));
    stage_run(stage, 20 * MS_US);
    assert_true(stage_refused(stage, "invalid"));
    stage_kill(stage, 3);
    stage->earlier = NODE_NONE; /* it is upgraded */
    stage_start(stage, 3);
    stage_run(stage, 300 * MS_US);
    for (node_id_t id = 1; id <= 3; id++)
        assert_int_equal(stage_state(stage, id)->retention.jobs, 2);
    stage_free(&stage);
}

/* The plan of a large job, and the level of its units, while node 3 is of that release. */
static struct plan plan_of_large_job(node_id_t earlier, const char *plan, unsigned *level)
{
    struct stage *stage = stage_new(3, 3);
    stage->earlier = earlier;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 200 * MS_US);
    struct message *request = stage_submit_request("key", "2000000");
    request->as.submit.plan = slice_of(plan);
    stage_ask(stage, 1, request);
    stage_run(stage, 5 * MS_US);
    assert_true(stage_answered(stage, MESSAGE_JOB));
    const struct job *job =
        jobs_find(&stage_state(stage, 1)->jobs, stage->answer->as.job.jobs.at[0].job);
    struct plan it = job->plan;
    *level = job->level;
    stage_free(&stage);
    return it;
}

static uint64_t unit_of_large_job(node_id_t earlier)
{
    unsigned level;
    plan_of_large_job(earlier, "tree", &level);
    return (uint64_t)1 << 2 * (level + 1);
}

/* A node of that release would compute another plan from the same entry. */
static void no_plan_by_primes_before_all_know_it_W6(void **unused)
{
    (void)unused;
    unsigned level;
    assert_int_equal(plan_of_large_job(NODE_NONE, "", &level).ranges, PLAN_RANGES_MIN);
    assert_int_equal(level, 0);
    assert_int_equal(plan_of_large_job(NODE_NONE, "tree", &level).ranges, 0);
    assert_int_equal(plan_of_large_job(3, "", &level).ranges, 0);
}

/* Its nodes would refuse larger ones. */
static void units_are_as_small_as_an_earlier_release_takes_them_W6(void **unused)
{
    (void)unused;
    assert_int_equal(unit_of_large_job(NODE_NONE), SUBTREE_LEAVES_MAX);
    assert_int_equal(unit_of_large_job(3), SUBTREE_LEAVES_OLD);
}

static void a_job_is_forgotten_by_hand_for_good_R29(void **unused)
{
    struct stage *stage = stage_new(3, 3);
    (void)unused;
    stage->compact_entries = 8;
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    job_id_t job = computed(stage, "key");
    stage_ask(stage, 1, forget_request(job));
    stage_run(stage, 50 * MS_US);
    assert_true(stage_answered(stage, MESSAGE_JOBS_FORGOTTEN));
    assert_int_equal(stage->answer->as.jobs_forgotten.forgotten, 1);
    assert_int_equal(stage->answer->as.jobs_forgotten.kept_jobs, 0);
    stage_ask(stage, 1, forget_request(job)); /* a retry whose first answer was lost */
    stage_run(stage, 50 * MS_US);
    assert_true(stage_answered(stage, MESSAGE_JOBS_FORGOTTEN));
    for (unsigned life = 0; life < 6; life++) {
        node_id_t id = stage_coordinator(stage);
        stage_ask(stage, id, stage_submit_request("key", "20"));
        stage_run(stage, 50 * MS_US);
        assert_true(stage_refused(stage, "forgotten"));
        for (uint64_t i = 0; i < 30; i++) /* the checkpoint has it, too */
            stage_set(stage, id, 9, i);
        stage_run(stage, 50 * MS_US);
        stage_kill(stage, id);
        assert_non_null(stage->nodes[id].checkpoint);
        stage_run(stage, 200 * MS_US);
        stage_start(stage, id);
        stage_run(stage, 200 * MS_US);
    }
    stage_free(&stage);
}

static void a_running_job_is_not_forgotten_R28(void **unused)
{
    struct stage *stage = stage_begin(3);
    (void)unused;
    stage->nodes[2].hangs = stage->nodes[3].hangs = true;
    stage_ask(stage, 1, stage_submit_request("key", "20"));
    stage_run(stage, 50 * MS_US);
    job_id_t job = stage->answer->as.job.jobs.at[0].job;
    stage_ask(stage, 1, forget_request(job));
    stage_run(stage, 50 * MS_US);
    assert_true(stage_refused(stage, "invalid"));
    stage_ask(stage, 1, stage_submit_request("key", "20"));
    stage_run(stage, 50 * MS_US);
    assert_true(stage_answered(stage, MESSAGE_JOB));
    assert_int_equal(stage->answer->as.job.jobs.at[0].job, job);
    stage_free(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(until_the_log_says_a_limit_the_one_of_earlier_releases_holds_W6),
        cmocka_unit_test(jobs_go_in_the_order_of_their_ends_by_count_and_bytes_W6),
        cmocka_unit_test(the_last_one_is_kept_whatever_its_size_W6),
        cmocka_unit_test(what_is_open_or_unknown_is_passed_over_by_hand_W6),
        cmocka_unit_test(all_nodes_forget_the_same_as_a_dumb_model_does_W6),
        cmocka_unit_test(one_entry_forgets_so_many_at_most_W6),
        cmocka_unit_test(the_coordinator_logs_its_limits_and_all_follow_W6),
        cmocka_unit_test(a_limit_that_is_not_given_stays_as_it_is_W6),
        cmocka_unit_test(nothing_is_logged_that_a_living_node_does_not_know_W6),
        cmocka_unit_test(no_plan_by_primes_before_all_know_it_W6),
        cmocka_unit_test(units_are_as_small_as_an_earlier_release_takes_them_W6),
        cmocka_unit_test(a_job_is_forgotten_by_hand_for_good_R29),
        cmocka_unit_test(a_running_job_is_not_forgotten_R28),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
