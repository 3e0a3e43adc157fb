/* The jobs of tasks in the replicated state: what entries make of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/state/state.h"
#include "shared/base/random.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"
#include "tests/harness/reload.h"
#include "tests/harness/task_entries.h"

enum { TERM = 3 };

struct tried {
    struct step step;
    struct state state;
};

static int begin(void **context)
{
    struct tried *it = mem_new(1, sizeof *it);
    it->step.config.id = 1;
    it->step.config.n_nodes = it->step.config.n_voters = 3;
    it->step.term = TERM;
    state_init(&it->state, &it->step);
    *context = it;
    return 0;
}

static int end(void **context)
{
    struct tried *it = *context;
    state_clear(&it->state);
    outbox_destroy(&it->step.out);
    free(it);
    return 0;
}

static struct task_job *submit(struct tried *it, const char *key, uint64_t n,
                               const struct wire_task_options *options, job_id_t parent)
{
    struct job *job =
        task_entry_apply(&it->state, TERM, task_entry_submitted(key, n, options, parent));
    return task_jobs_find(&it->state.task_jobs, job->id);
}

static struct job *ended(struct tried *it, const struct task_job *job, uint64_t first,
                         uint64_t count, const char *state, uint64_t exit)
{
    return task_entry_apply(&it->state, TERM,
                            task_entry_ended(job->id, (struct range){first, count}, state, exit));
}

static void a_job_is_done_when_all_its_tasks_are(void **context)
{
    struct tried *it = *context;
    struct task_job *job = submit(it, "a", 1000000, NULL, JOB_NONE);
    assert_null(ended(it, job, 1, 400000, "done", 0));
    assert_null(ended(it, job, 500001, 500000, "done", 0));
    assert_int_equal(job->decided.n, 2);
    assert_int_equal(task_job_count(job, TASK_OPEN), 100000);
    struct job *done = ended(it, job, 400001, 100000, "done", 0);
    assert_ptr_equal(done, jobs_find(&it->state.jobs, job->id));
    assert_int_equal(done->state, JOB_DONE);
    assert_int_equal(done->finished_ms, 2000);
    assert_true(job->ended && job->decided.n == 1);
    assert_int_equal(task_job_count(job, TASK_DONE), 1000000);
    assert_int_equal(it->state.jobs.open, 0);
}

#define FIRST_NAME ((op_id_t)1 << 61)

static void the_values_of_bundles_are_named_while_the_job_is_remembered(void **context)
{
    struct tried *it = *context;
    struct task_job *job = submit(it, "a", 10, NULL, JOB_NONE);
    uint8_t hash[HASH_BYTES];
    uint64_t len;
    for (int i = 0; i < 2; i++) { /* the second in the list begins before the first */
        struct message *entry =
            task_entry_ended(job->id, (struct range){1 + 5 * (uint64_t)i, 5}, "done", 0);
        task_entry_leave(entry, FIRST_NAME + 100 - 50 * (uint64_t)i, 2 * BUNDLE_PIECE_BYTES + 9);
        task_entry_leave(entry, FIRST_NAME + 200 + (uint64_t)i, 100000);
        task_entry_apply(&it->state, TERM, entry);
    }
    assert_true(job->ended && job->n_bundles == 4);
    assert_int_equal(task_job_bytes(job), 4 * BUNDLE_PIECE_BYTES + 18 + 200000);
    static const struct {
        uint64_t op, len;
    } named[] = {{50, BUNDLE_PIECE_BYTES}, {52, 9}, {101, BUNDLE_PIECE_BYTES}, {201, 100000}};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        struct value_id id = {job->id, FIRST_NAME + named[i].op};
        assert_true(task_jobs_name(&it->state.task_jobs, id));
        assert_true(task_jobs_describe(&it->state.task_jobs, id, &len, hash));
        assert_int_equal(len, named[i].len);
        assert_int_equal(hash[0], (uint8_t)id.op);
    }
    static const uint64_t unnamed[] = {0, 49, 53, 99, 103, 202};
    for (size_t i = 0; i < sizeof unnamed / sizeof *unnamed; i++)
        assert_false(task_jobs_name(&it->state.task_jobs,
                                    (struct value_id){job->id, FIRST_NAME + unnamed[i]}));
}

/* As they come, and not when the job ends: else a job could fill disks before anybody counts. */
static void what_tasks_have_left_counts_for_the_owner_at_once(void **context)
{
    struct tried *it = *context;
    struct message *entry = task_entry_submitted("a", 2, NULL, JOB_NONE);
    entry->as.entry_job_submitted.owner = slice_of("alice");
    job_id_t id = task_entry_apply(&it->state, TERM, entry)->id;
    const struct job_owner *owner = job_owners_find(&it->state.jobs.owners, "alice");
    assert_true(owner->open == 1 && owner->bytes == 0);
    entry = task_entry_ended(id, (struct range){1, 1}, "done", 0);
    task_entry_name(entry, 77, 1234);
    task_entry_leave(entry, FIRST_NAME, 100000);
    task_entry_apply(&it->state, TERM, entry);
    assert_true(owner->open == 1 && owner->bytes == 101234);
    task_entry_apply(&it->state, TERM, task_entry_ended(id, (struct range){2, 1}, "failed", 1));
    assert_true(owner->open == 0 && owner->bytes == 101234);
    assert_int_equal(job_result_bytes(jobs_find(&it->state.jobs, id)), 101234);
    entry = message_new(MESSAGE_ENTRY_JOBS_FORGOTTEN);
    entry->as.entry_jobs_forgotten.jobs.n = 1;
    entry->as.entry_jobs_forgotten.jobs.at =
        message_room(entry, 1, sizeof *entry->as.entry_jobs_forgotten.jobs.at);
    entry->as.entry_jobs_forgotten.jobs.at[0].job = id;
    state_apply(&it->state, it->state.applied + 1, TERM, entry);
    message_drop(&entry);
    for (struct job *job; (job = state_forget_one(&it->state));)
        job_destroy(&job);
    assert_null(job_owners_find(&it->state.jobs.owners, "alice"));
    state_check_invariants(&it->state);
}

static void what_a_bundle_says_of_itself_is_checked(void **context)
{
    (void)context;
    static const uint64_t lens[] = {0, BUNDLE_PIECES_MAX * BUNDLE_PIECE_BYTES + 1, UINT64_MAX};
    struct message *entry = task_entry_ended(7, (struct range){1, 1}, "done", 0);
    task_entry_leave(entry, FIRST_NAME, 100);
    struct wire_task_bundle *bundle = &entry->as.entry_tasks_done.bundles.at[0];
    assert_true(state_entry_is_valid(entry));
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        bundle->len = lens[i];
        assert_false(state_entry_is_valid(entry));
    }
    bundle->len = BUNDLE_PIECE_BYTES + 1; /* two values, and one hash */
    assert_false(state_entry_is_valid(entry));
    bundle->len = 100;
    bundle->op = 0;
    assert_false(state_entry_is_valid(entry));
    bundle->op = VALUE_OP_MAX;
    assert_false(state_entry_is_valid(entry));
    message_drop(&entry);
}

/* Of the largest entry that a coordinator makes, each part fits into a frame. */
static void the_largest_entry_fits_into_a_frame(void **context)
{
    (void)context;
    struct message *entry = message_new(MESSAGE_ENTRY_TASKS_DONE);
    struct wire_entry_tasks_done *done = &entry->as.entry_tasks_done;
    struct codec_buffer packed = {0};
    done->job = UINT64_MAX;
    done->time_ms = done->attempts = done->retries = done->deaths = done->copies = UINT64_MAX;
    done->done.n = TASK_RANGES_MAX;
    done->done.at = message_room(entry, TASK_RANGES_MAX, sizeof *done->done.at);
    for (size_t i = 0; i < TASK_RANGES_MAX; i++)
        done->done.at[i] = (struct wire_task_range){TASKS_MAX, TASKS_MAX};
    done->exceptions.n = TASK_EXCEPTIONS_MAX;
    done->exceptions.at = message_room(entry, TASK_EXCEPTIONS_MAX, sizeof *done->exceptions.at);
    for (size_t i = 0; i < TASK_EXCEPTIONS_MAX; i++)
        done->exceptions.at[i] =
            (struct wire_task_exception){TASKS_MAX,
                                         TASKS_MAX,
                                         slice_of("cancelled"),
                                         UINT32_MAX,
                                         TASK_EXIT_MAX,
                                         TASK_EXIT_MAX,
                                         slice_of(
                                             "12345678901234567890123456789012345678901234567"),
                                         NODES_MAX,
                                         0};
    task_entry_name(entry, OP_MAX, UINT64_MAX);
    for (size_t i = 0; i < BUNDLES_MAX - 1; i++)
        task_entry_leave(entry, VALUE_OP_MAX / 2, BUNDLE_PIECE_BYTES);
    task_entry_leave(entry, VALUE_OP_MAX / 2, BUNDLE_PIECES_MAX * BUNDLE_PIECE_BYTES);
    assert_int_equal(codec_encode(entry, &packed), 0);
    assert_in_range(packed.len, 40000, FRAME_MAP_MAX_BYTES);
    codec_buffer_clear(&packed);
    message_drop(&entry);
}

static void an_outcome_counts_once_and_never_changes_T15(void **context)
{
    struct tried *it = *context;
    const struct task_exception *exception;
    struct task_job *job = submit(it, "a", 10, NULL, JOB_NONE);
    ended(it, job, 3, 4, "done", 0);
    ended(it, job, 5, 4, "failed", 1); /* 5 and 6 are done */
    ended(it, job, 2, 8, "failed", 2); /* that leaves 2 and 9 */
    ended(it, job, 7, 1, "done", 0);   /* and 7 stays failed */
    assert_int_equal(task_job_count(job, TASK_DONE), 4);
    assert_int_equal(task_job_count(job, TASK_FAILED), 4);
    assert_int_equal(task_job_state(job, 6, &exception), TASK_DONE);
    assert_int_equal(task_job_state(job, 7, &exception), TASK_FAILED);
    assert_int_equal(exception->exit, 1);
    assert_int_equal(task_job_state(job, 9, &exception), TASK_FAILED);
    assert_int_equal(exception->exit, 2);
    assert_int_equal(task_job_state(job, 10, &exception), TASK_OPEN);
    ended(it, job, 10, 1, "lost", 0);
    struct job *failed = ended(it, job, 1, 1, "done", 0);
    assert_int_equal(failed->state, JOB_FAILED);
    assert_string_equal(failed->reason, "4 failed, 1 lost");
    assert_null(ended(it, job, 1, 10, "done", 0));
    assert_int_equal(task_job_count(job, TASK_DONE), 5);
}

static void what_is_alike_is_one_row_in_whatever_order_it_comes(void **context)
{
    struct tried *it = *context;
    struct task_job *job = submit(it, "a", 1000, NULL, JOB_NONE);
    uint64_t order[1000], random = 9;
    for (uint64_t i = 0; i < 1000; i++)
        order[i] = i + 1;
    for (uint64_t i = 999; i > 1; i--) {
        uint64_t other = random_below(&random, i), at = order[i];
        order[i] = order[other];
        order[other] = at;
    }
    for (uint64_t i = 0; i < 999; i++)
        ended(it, job, order[i], 1, "failed", 1);
    assert_in_range(job->n_exceptions, 1, 2);
    assert_int_equal(ended(it, job, order[999], 1, "failed", 1)->state, JOB_FAILED);
    assert_int_equal(job->n_exceptions, 1);
}

static void a_retry_begins_with_what_was_done(void **context)
{
    struct tried *it = *context;
    struct task_job *job = submit(it, "a", 10, NULL, JOB_NONE);
    ended(it, job, 1, 6, "done", 0);
    ended(it, job, 7, 2, "failed", 1);
    ended(it, job, 9, 2, "lost", 0);
    struct task_job *again = submit(it, "b", 10, NULL, job->id);
    assert_int_equal(again->inherited, 6);
    assert_int_equal(task_job_count(again, TASK_OPEN), 4);
    assert_int_equal(task_job_count(again, TASK_FAILED), 0);
    assert_int_equal(ended(it, again, 7, 4, "done", 0)->state, JOB_DONE);
    /* Of a job that is done nothing is left to be repeated. */
    struct job *whole =
        task_entry_apply(&it->state, TERM, task_entry_submitted("c", 10, NULL, again->id));
    assert_int_equal(whole->state, JOB_DONE);
    /* A job that was forgotten in between cannot be repeated. */
    whole = task_entry_apply(&it->state, TERM, task_entry_submitted("d", 10, NULL, 999));
    assert_int_equal(whole->state, JOB_CANCELLED);
}

static void a_retry_of_some_tasks_leaves_the_others_as_they_were(void **context)
{
    struct tried *it = *context;
    const struct task_exception *exception;
    struct task_job *job = submit(it, "a", 12, NULL, JOB_NONE);
    ended(it, job, 1, 5, "done", 0);
    ended(it, job, 7, 3, "failed", 7);
    ended(it, job, 10, 2, "lost", 0);
    struct message *cancel = message_new(MESSAGE_ENTRY_JOB_CANCELLED);
    cancel->as.entry_job_cancelled.job = job->id; /* 6 and 12 have no outcome */
    task_entry_apply(&it->state, TERM, cancel);
    struct wire_task_range chosen[] = {{.first = 4, .count = 3},
                                       {.first = 8, .count = 1},
                                       {.first = 0, .count = 5}}; /* the last one means nothing */
    struct message *entry = task_entry_submitted("b", 12, NULL, job->id);
    entry->as.entry_job_submitted.chosen.n = 3;
    entry->as.entry_job_submitted.chosen.at = chosen;
    struct job *made = task_entry_apply(&it->state, TERM, entry);
    struct task_job *again = task_jobs_find(&it->state.task_jobs, made->id);
    assert_int_equal(again->inherited, 5);
    assert_int_equal(task_job_count(again, TASK_OPEN), 2); /* 6 and 8 */
    assert_int_equal(task_job_count(again, TASK_DONE), 5);
    assert_int_equal(task_job_state(again, 7, &exception), TASK_FAILED);
    assert_int_equal(exception->exit, 7);
    assert_int_equal(task_job_state(again, 8, &exception), TASK_OPEN);
    assert_int_equal(task_job_state(again, 11, &exception), TASK_LOST);
    assert_int_equal(task_job_state(again, 12, &exception), TASK_CANCELLED);
    assert_null(ended(it, again, 6, 1, "done", 0));
    assert_int_equal(ended(it, again, 8, 1, "done", 0)->state, JOB_FAILED);
    assert_int_equal(task_job_count(again, TASK_FAILED), 2);
}

static void a_cancelled_job_takes_no_more_outcomes(void **context)
{
    struct tried *it = *context;
    const struct task_exception *exception;
    struct task_job *job = submit(it, "a", 10, NULL, JOB_NONE);
    ended(it, job, 1, 4, "done", 0);
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_CANCELLED);
    entry->as.entry_job_cancelled.job = job->id;
    assert_int_equal(task_entry_apply(&it->state, TERM, entry)->state, JOB_CANCELLED);
    assert_null(ended(it, job, 5, 6, "done", 0));
    assert_int_equal(task_job_count(job, TASK_DONE), 4);
    assert_int_equal(task_job_count(job, TASK_CANCELLED), 6);
    assert_int_equal(task_job_state(job, 5, &exception), TASK_CANCELLED);
}

static void details_are_named_as_long_as_their_job_is_known_T17(void **context)
{
    struct tried *it = *context;
    uint64_t len;
    uint8_t hash[HASH_BYTES];
    struct task_job *job = submit(it, "a", 10, NULL, JOB_NONE);
    job_id_t id = job->id;
    struct message *entry = task_entry_ended(id, (struct range){1, 9}, "done", 0);
    task_entry_name(entry, 77, 4000);
    task_entry_apply(&it->state, TERM, entry);
    assert_true(state_names(&it->state, (struct value_id){id, 78})); /* it may come to be */
    ended(it, job, 10, 1, "done", 0);
    assert_true(state_names(&it->state, (struct value_id){id, 77}));
    assert_false(state_names(&it->state, (struct value_id){id, 78}));
    assert_true(state_describes(&it->state, (struct value_id){id, 77}, &len, hash));
    assert_int_equal(len, 4000);
    assert_false(state_describes(&it->state, (struct value_id){id, 78}, &len, hash));
    it->step.config.jobs_kept_max = 1;
    submit(it, "b", 1, NULL, JOB_NONE);
    ended(it, it->state.task_jobs.at[1], 1, 1, "done", 0);
    struct job *gone = state_forget_one(&it->state);
    assert_true(gone && gone->id == id);
    job_destroy(&gone);
    assert_false(state_names(&it->state, (struct value_id){id, 77}));
    assert_int_equal(it->state.task_jobs.n, 1);
}

static void starts_are_remembered_until_their_tasks_have_an_outcome_T16(void **context)
{
    struct tried *it = *context;
    struct wire_task_options once = {.at_most_once = true};
    struct task_job *job = submit(it, "a", 10, &once, JOB_NONE);
    assert_true(job->options.at_most_once);
    task_entry_apply(&it->state, TERM, task_entry_started(job->id, (struct range){1, 3}, 2, 22));
    task_entry_apply(&it->state, TERM, task_entry_started(job->id, (struct range){4, 2}, 3, 33));
    ended(it, job, 1, 2, "done", 0);
    assert_int_equal(job->n_starts, 2);
    ended(it, job, 3, 1, "lost", 0);
    assert_int_equal(job->n_starts, 1);
    assert_int_equal(job->starts[0].incarnation, 33);
}

static void what_entries_may_not_say_is_refused(void **context)
{
    (void)context;
    struct message *entries[] = {
        task_entry_ended(5, (struct range){0, 1}, "done", 0),
        task_entry_ended(5, (struct range){1, 0}, "done", 0),
        task_entry_ended(5, (struct range){TASKS_MAX, 2}, "done", 0),
        task_entry_ended(5, (struct range){1, 1}, "open", 0),
        task_entry_ended(5, (struct range){1, 1}, "nothing", 0),
        task_entry_ended(5, (struct range){0, 1}, "failed", 0),
        task_entry_started(5, (struct range){1, 0}, 2, 22),
        task_entry_submitted("a", 0, NULL, JOB_NONE),
        task_entry_submitted("a", TASKS_MAX + 1, NULL, JOB_NONE),
    };
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        assert_false(state_entry_is_valid(entries[i]));
        message_drop(&entries[i]);
    }
}

/* A row that takes several parts of a checkpoint, each of them small enough for a message. */
static void a_large_row_is_saved_and_loaded(void **context)
{
    struct tried *it = *context;
    struct wire_task_options once = {.at_most_once = true};
    struct task_job *job = submit(it, "a", 100000, &once, JOB_NONE);
    for (uint64_t i = 0; i < 1200; i++) {
        struct message *entry = task_entry_ended(job->id, (struct range){1 + 10 * i, 1},
                                                 i % 2 ? "done" : "failed", i % 7);
        task_entry_name(entry, 100 + i, 10);
        task_entry_apply(&it->state, TERM, entry);
        if (i % 4 == 0)
            task_entry_apply(&it->state, TERM,
                             task_entry_started(job->id, (struct range){7 + 10 * i, 2}, 2, i));
    }
    assert_int_equal(job->n_exceptions, 600);
    struct state *loaded = reload_state(&it->step, &it->state);
    assert_null(state_differs(&it->state, loaded));
    assert_true(state_digest(&it->state) == state_digest(loaded));
    state_check_invariants(loaded);
    checkpoint_scratch_drop(&loaded);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_job_is_done_when_all_its_tasks_are),
        cmocka_unit_test_setup_teardown(the_values_of_bundles_are_named_while_the_job_is_remembered,
                                        begin, end),
        cmocka_unit_test_setup_teardown(what_tasks_have_left_counts_for_the_owner_at_once, begin,
                                        end),
        cmocka_unit_test_setup_teardown(what_a_bundle_says_of_itself_is_checked, begin, end),
        cmocka_unit_test_setup_teardown(the_largest_entry_fits_into_a_frame, begin, end),
        TEST(an_outcome_counts_once_and_never_changes_T15),
        TEST(what_is_alike_is_one_row_in_whatever_order_it_comes),
        TEST(a_retry_begins_with_what_was_done),
        TEST(a_retry_of_some_tasks_leaves_the_others_as_they_were),
        TEST(a_cancelled_job_takes_no_more_outcomes),
        TEST(details_are_named_as_long_as_their_job_is_known_T17),
        TEST(starts_are_remembered_until_their_tasks_have_an_outcome_T16),
        TEST(what_entries_may_not_say_is_refused),
        TEST(a_large_row_is_saved_and_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
