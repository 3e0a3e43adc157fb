/* The worker's room of tasks: the segments of stored values that tasks need, and slots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/runner/runner.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "shared/tasks/record.h"
#include "shared/tasks/spec.h"
#include "tests/harness/task_entries.h"

enum { COORDINATOR = 1, SELF = 2, TERM = 3, SEGMENTS = 20, ITEMS = 5 };

/* A worker, and a job of 99 tasks whose records are in 20 segments of 5 items. */
struct run {
    struct step step;
    struct links links;
    struct raft raft;
    struct state state;
    struct runner runner;
    job_id_t value, job;
    job_id_t files; /* a value of long segments; JOB_NONE: the job has none */
    size_t seen;    /* outputs that were looked at */
};

static void apply(struct run *it, struct message *entry)
{
    task_entry_apply(&it->state, TERM, entry);
    it->raft.log.applied = it->state.applied;
}

static void pump(struct run *it)
{
    runner_pump(&it->runner);
    runner_check_invariants(&it->runner);
}

/* A value of equal segments. */
static job_id_t store(struct run *it, const char *format, uint64_t len, uint64_t items)
{
    static const uint8_t hash[HASH_BYTES] = {9};
    struct slice sha256 = {hash, sizeof hash};
    struct message *entry = message_new(MESSAGE_ENTRY_VALUE_BEGUN);
    entry->as.entry_value_begun =
        (struct wire_entry_value_begun){.sha256 = message_copy(entry, sha256),
                                        .len = SEGMENTS * len,
                                        .format = message_text(entry, format),
                                        .time_ms = 1};
    apply(it, entry);
    job_id_t value = it->state.stored.at[it->state.stored.n - 1]->id;
    for (uint64_t i = 1; i <= SEGMENTS; i++) {
        entry = message_new(MESSAGE_ENTRY_VALUE_SEGMENT);
        entry->as.entry_value_segment =
            (struct wire_entry_value_segment){.value = value,
                                              .segment = i,
                                              .op = stored_op(TERM, i),
                                              .len = len,
                                              .sha256 = message_copy(entry, sha256),
                                              .items = items};
        apply(it, entry);
    }
    entry = message_new(MESSAGE_ENTRY_VALUE_WHOLE);
    entry->as.entry_value_whole.value = value;
    apply(it, entry);
    return value;
}

static void submit(struct run *it)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    struct wire_entry_job_submitted *submitted = &entry->as.entry_job_submitted;
    *submitted = (struct wire_entry_job_submitted){.key = message_text(entry, "k"),
                                                   .kind = message_text(entry, "map"),
                                                   .spec = message_text(entry, "99 20 2000"),
                                                   .time_ms = 1000};
    submitted->inputs.n = it->files ? 2 : 1;
    submitted->inputs.at = message_room(entry, 2, sizeof *submitted->inputs.at);
    submitted->inputs.at[0].value = it->value;
    submitted->inputs.at[1].value = it->files;
    apply(it, entry);
    assert_int_equal(it->state.task_jobs.n, 1);
    it->job = it->state.task_jobs.at[0]->id;
}

static int begin(void **context)
{
    struct run *it = calloc(1, sizeof *it);
    it->step.config.id = SELF;
    it->step.config.n_nodes = it->step.config.n_voters = 3;
    it->step.term = TERM;
    it->step.coordinator = COORDINATOR;
    it->links.step = &it->step;
    it->links.peers[1].alive = it->links.peers[3].alive = true;
    state_init(&it->state, &it->step);
    it->raft = (struct raft){.step = &it->step, .state = &it->state, .machine = &state_machine};
    it->runner = (struct runner){.step = &it->step,
                                 .links = &it->links,
                                 .raft = &it->raft,
                                 .state = &it->state};
    outbox_begin(&it->step.out);
    runner_reset(&it->runner, TERM);
    it->value = store(it, "tasks", 100, ITEMS);
    *context = it;
    return 0;
}

static int end(void **context)
{
    struct run *it = *context;
    runner_clear(&it->runner);
    state_clear(&it->state);
    outbox_end(&it->step.out);
    outbox_destroy(&it->step.out);
    free(it);
    return 0;
}

static void give(struct run *it, job_id_t job, uint64_t first, uint64_t count)
{
    struct message *message = message_new(MESSAGE_TASKS_GIVEN);
    struct wire_tasks_given *given = &message->as.tasks_given;
    given->kind = slice_of("map");
    given->hands.n = 1;
    given->hands.at = message_room(message, 1, sizeof *given->hands.at);
    given->hands.at[0] = (struct wire_task_hand){job, first, first, count, 1, false};
    runner_given(&it->runner, message);
    message_drop(&message);
    pump(it);
}

/* The next output of that kind that was not looked at; NULL: there is none. */
static const struct output *next(struct run *it, enum output_kind kind)
{
    while (it->seen < it->step.out.n)
        if (it->step.out.at[it->seen++].kind == kind)
            return &it->step.out.at[it->seen - 1];
    return NULL;
}

static void assert_fetches(struct run *it, uint64_t segment, node_id_t from)
{
    const struct output *output = next(it, OUTPUT_FETCH);
    assert_non_null(output);
    assert_true(output->fetch.user == USER_RUNNER && output->fetch.id.job == it->value);
    assert_true(output->fetch.id.op == stored_op(TERM, segment) && output->fetch.from == from);
}

static void arrives(struct run *it, uint64_t segment)
{
    runner_value_ready(&it->runner, (struct value_id){it->value, stored_op(TERM, segment)}, NULL);
    pump(it);
}

static void fails(struct run *it, uint64_t segment)
{
    runner_value_failed(&it->runner, (struct value_id){it->value, stored_op(TERM, segment)});
    pump(it);
}

static void ends(struct run *it, uint64_t hand, uint64_t task)
{
    struct task_result result = {.job = it->job, .hand = hand, .first = task, .count = 1};
    runner_results(&it->runner, &result, 1);
    pump(it);
}

static void an_attempt_begins_when_its_segments_are_there(void **context)
{
    struct run *it = *context;
    submit(it);
    give(it, it->job, 4, 2); /* records 4 and 5: the last of one segment, the first of another */
    assert_fetches(it, 1, COORDINATOR);
    assert_null(next(it, OUTPUT_TASK));
    it->seen = 0;
    arrives(it, 1);
    const struct output *task = next(it, OUTPUT_TASK);
    assert_non_null(task);
    assert_true(task->task.task == 4 && task->task.place == 4);
    assert_true(task->task.spec.job == it->value && task->task.spec.op == stored_op(TERM, 1));
    assert_true(value_id_same(task->task.spec, task->task.record));
    assert_fetches(it, 2, COORDINATOR); /* while that one is executed */
    arrives(it, 2);
    assert_null(next(it, OUTPUT_TASK)); /* there is one slot */
    it->seen = it->step.out.n;
    ends(it, 4, 4);
    task = next(it, OUTPUT_TASK);
    assert_true(task && task->task.task == 5 && task->task.place == 0);
    assert_true(task->task.record.op == stored_op(TERM, 2));
}

/* The last of the queue goes while none before it can begin. */
static void what_lacks_its_inputs_ends_behind_one_that_waits_for_a_slot(void **context)
{
    struct run *it = *context;
    submit(it);
    give(it, it->job, 1, 2);
    arrives(it, 1);
    assert_int_equal(it->runner.n_executing, 1);
    give(it, it->job, 5, 1);
    fails(it, 2);
    fails(it, 2);
    assert_true(it->runner.n_kept == 1 && it->runner.kept->result.returned);
    assert_int_equal(it->runner.queued, 1);
    ends(it, 1, 1);
    assert_true(it->runner.n_executing == 1 && !it->runner.queued);
}

static void another_source_is_asked_and_at_the_end_one_attempt_has_a_reason(void **context)
{
    struct run *it = *context;
    submit(it);
    give(it, it->job, 1, 2);
    assert_fetches(it, 1, COORDINATOR);
    fails(it, 1);
    assert_fetches(it, 1, 3); /* the other voter that lives */
    assert_null(it->runner.kept);
    fails(it, 1);
    assert_int_equal(it->runner.n_kept, 1);
    assert_string_equal(it->runner.kept->result.reason, "its inputs cannot be fetched");
    assert_true(it->runner.kept->result.first == 1 && it->runner.kept->result.count == 1);
    assert_true(it->runner.kept->result.returned);
    assert_int_equal(it->runner.queued, 1);
    assert_fetches(it, 1, COORDINATOR); /* the next attempt tries again */
    arrives(it, 1);
    it->seen = 0;
    assert_true(next(it, OUTPUT_TASK)->task.task == 2);
}

static void without_another_voter_the_coordinator_alone_is_asked(void **context)
{
    struct run *it = *context;
    submit(it);
    it->links.peers[3].alive = false;
    give(it, it->job, 1, 1);
    fails(it, 1);
    assert_int_equal(it->runner.n_kept, 1);
    assert_int_equal(it->runner.n_inputs, 0);
    fails(it, 1); /* nobody waits for it any more */
    arrives(it, 1);
    assert_int_equal(it->runner.n_kept, 1);
}

static void a_node_executes_as_many_as_it_has_slots(void **context)
{
    struct run *it = *context;
    submit(it);
    it->step.config.slots = 3;
    give(it, it->job, 1, 4);
    arrives(it, 1);
    assert_int_equal(it->runner.n_executing, 3);
    assert_int_equal(it->runner.queued, 1);
    ends(it, 1, 2);
    assert_int_equal(it->runner.n_executing, 3);
    assert_int_equal(it->runner.queued, 0);
}

static void give_slots(struct run *it, uint64_t first, uint64_t count, uint64_t slots)
{
    struct message *message = message_new(MESSAGE_TASKS_GIVEN);
    struct wire_tasks_given *given = &message->as.tasks_given;
    given->kind = slice_of("map");
    given->slots = slots;
    given->hands.n = 1;
    given->hands.at = message_room(message, 1, sizeof *given->hands.at);
    given->hands.at[0] = (struct wire_task_hand){it->job, first, first, count, 1, false};
    runner_given(&it->runner, message);
    message_drop(&message);
    pump(it);
}

static void a_task_takes_so_many_slots_and_nothing_passes_one_that_waits_for_them(void **context)
{
    struct run *it = *context;
    submit(it);
    it->step.config.slots = 4;
    give_slots(it, 1, 1, 3);
    arrives(it, 1);
    give_slots(it, 2, 1, 2); /* waits */
    give_slots(it, 3, 1, 1); /* has room, and waits behind it */
    assert_int_equal(it->runner.n_executing, 1);
    ends(it, 1, 1);
    assert_int_equal(it->runner.n_executing, 2);
    give_slots(it, 4, 1, 100); /* more than there are: alone */
    assert_int_equal(it->runner.n_executing, 2);
    ends(it, 2, 2);
    assert_int_equal(it->runner.n_executing, 1);
    ends(it, 3, 3);
    assert_true(it->runner.n_executing == 1 && it->runner.executing[0].order.task == 4);
    ends(it, 4, 4);
    assert_true(it->runner.slots_taken == 0 && it->runner.queued == 0);
}

static void few_segments_are_held_and_all_tasks_are_executed(void **context)
{
    struct run *it = *context;
    uint64_t executed = 0;
    submit(it);
    for (uint64_t i = 0; i < SEGMENTS; i++) /* one of each, and backwards */
        give(it, it->job, (SEGMENTS - 1 - i) * ITEMS + 1, 1);
    for (unsigned round = 0; round < 20 * SEGMENTS && executed < SEGMENTS; round++) {
        for (const struct output *output; (output = next(it, OUTPUT_FETCH));) {
            runner_value_ready(&it->runner, output->fetch.id, NULL);
            if (round % 3)
                break; /* some come one after another */
        }
        pump(it);
        assert_true(it->runner.n_inputs <= INPUTS_HELD_MAX);
        while (it->runner.n_executing) {
            struct task_order order = it->runner.executing[0].order;
            assert_true(order.record.op == stored_op(TERM, 1 + order.task / ITEMS));
            assert_true(order.place == order.task % ITEMS);
            ends(it, order.hand, order.task);
            executed++;
        }
    }
    assert_true(executed == SEGMENTS);
}

static void what_a_job_needed_goes_with_it(void **context)
{
    struct run *it = *context;
    submit(it);
    give(it, it->job, 1, 10);
    arrives(it, 1);
    assert_int_equal(it->runner.n_inputs, 1);
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_CANCELLED);
    entry->as.entry_job_cancelled.job = it->job;
    apply(it, entry);
    it->seen = it->step.out.n;
    pump(it);
    const struct output *drop = next(it, OUTPUT_DROP);
    assert_true(drop && drop->drop.user == USER_RUNNER && drop->drop.id.job == it->value);
    assert_int_equal(it->runner.n_inputs, 0);
}

/* The log may come after the tasks. */
static void a_job_that_the_log_does_not_tell_of_yet_waits(void **context)
{
    struct run *it = *context;
    job_id_t job = (job_id_t)TERM << JOB_INDEX_BITS | (it->state.applied + 1);
    give(it, job, 1, 1);
    assert_null(next(it, OUTPUT_FETCH));
    assert_int_equal(it->runner.queued, 1);
    submit(it);
    assert_true(it->job == job);
    pump(it);
    assert_fetches(it, 1, COORDINATOR);
}

static void more_is_executed_than_one_message_tells(void **context)
{
    struct run *it = *context;
    size_t told = 0, messages = 0;
    submit(it);
    it->step.config.slots = 99;
    it->step.coordinator = SELF; /* so that what it tells is at hand */
    give(it, it->job, 1, 99);
    assert_int_equal(it->runner.n_inputs, 1);
    for (uint64_t i = 1; i <= SEGMENTS; i++)
        arrives(it, i);
    assert_int_equal(it->runner.n_executing, 99);
    runner_asked(&it->runner, SELF);
    bool more = true;
    for (struct message *own; (own = runner_take_own(&it->runner)); message_drop(&own)) {
        assert_true(more && own->as.tasks_held.running.n <= TASK_HANDS_MAX);
        told += own->as.tasks_held.running.n;
        more = own->as.tasks_held.more;
        messages++;
    }
    assert_true(told == 99 && messages == 2 && !more);
}

/* --- files --- */

/* The segment with the specification and four records, whose files are these. */
static struct blob *records_of(const struct task_file files[4])
{
    uint8_t room[2048];
    struct text why = {0};
    struct message *message = message_new(MESSAGE_TASK_SPEC);
    struct wire_task_spec *spec = &message->as.task_spec;
    static const uint8_t hash[HASH_BYTES];
    struct wire_spec_file upload = {slice_of("x"), 0, 10, {hash, HASH_BYTES}, true};
    struct wire_spec_text word = {slice_of("./x")};
    spec->inputs = spec->slots = 1;
    spec->files = true;
    spec->argv.at = &word;
    spec->uploads.at = &upload;
    spec->argv.n = spec->uploads.n = 1;
    assert_int_equal(task_spec_check(spec, &why), OK);
    struct blob *packed = task_spec_pack(message);
    size_t len = bytes_put_part(room, packed->at, packed->len);
    for (size_t i = 0; i < 4; i++) {
        struct task_record record = {.n_inputs = 1,
                                     .inputs = {slice_of("file")},
                                     .has_file = true,
                                     .file = files[i]};
        len += task_record_put(room + len, &record);
    }
    blob_drop(&packed);
    message_drop(&message);
    return blob_copy(room, len);
}

/* The job has files, and its first segment is here. */
static void begin_files(struct run *it, const struct task_file files[4])
{
    struct blob *bytes = records_of(files);
    it->files = store(it, "bytes", SEGMENT_BYTES_MAX, 1);
    submit(it);
    give(it, it->job, 1, 4);
    runner_value_ready(&it->runner, (struct value_id){it->value, stored_op(TERM, 1)}, bytes);
    blob_drop(&bytes);
    it->seen = it->step.out.n;
    pump(it);
}

static void file_arrives(struct run *it, uint64_t segment)
{
    runner_value_ready(&it->runner, (struct value_id){it->files, stored_op(TERM, segment)}, NULL);
    pump(it);
}

static void assert_fetches_file(struct run *it, uint64_t segment)
{
    const struct output *output = next(it, OUTPUT_FETCH);
    assert_non_null(output);
    assert_true(output->fetch.id.job == it->files);
    assert_true(output->fetch.id.op == stored_op(TERM, segment));
    assert_true(output->fetch.len == SEGMENT_BYTES_MAX);
}

/* The task that begins next has these segments, the upload's first. */
static void assert_begins(struct run *it, uint64_t task, size_t n, uint64_t segment)
{
    const struct output *output = next(it, OUTPUT_TASK);
    assert_non_null(output);
    assert_true(output->task.task == task && output->task.n_parts == n);
    for (size_t i = 0; i < n; i++) {
        const struct task_part *part = &output->task.parts[i];
        uint64_t number = i ? segment + i - 1 : 1;
        assert_true(part->id.job == it->files && part->id.op == stored_op(TERM, number));
        assert_true(part->offset == (number - 1) * SEGMENT_BYTES_MAX);
        assert_true(part->len == SEGMENT_BYTES_MAX);
    }
}

static void a_task_begins_when_all_segments_of_its_files_are_there(void **context)
{
    struct run *it = *context;
    begin_files(it, (const struct task_file[4]){
                        {.offset = 2 * SEGMENT_BYTES_MAX - 1, .len = SEGMENT_BYTES_MAX + 2},
                        {.offset = UINT64_MAX, .len = 0},
                        {.offset = 9 * SEGMENT_BYTES_MAX, .len = 9 * SEGMENT_BYTES_MAX},
                        {.offset = 0, .len = 10}});
    for (uint64_t segment = 1; segment <= 4; segment++)
        assert_fetches_file(it, segment);
    for (uint64_t segment = 4; segment >= 2; segment--)
        file_arrives(it, segment);
    assert_int_equal(it->runner.n_executing, 0);
    size_t seen = it->seen;
    file_arrives(it, 1);
    it->seen = seen;
    assert_begins(it, 1, 4, 2);
    ends(it, 1, 1);
    assert_begins(it, 2, 1, 1);
    seen = it->seen;
    ends(it, 1, 2);
    it->seen = seen;
    for (uint64_t segment = 10; segment <= 18; segment++) /* as many as there may be */
        assert_fetches_file(it, segment);
    assert_true(it->runner.n_inputs <= INPUTS_HELD_MAX);
    for (uint64_t segment = 10; segment <= 18; segment++)
        file_arrives(it, segment);
    it->seen = seen;
    assert_begins(it, 3, 10, 10);
    ends(it, 1, 3);
    assert_begins(it, 4, 1, 1);
}

/* Then the node says what is wrong, and nothing is fetched. */
static void files_that_cannot_be_there_are_not_fetched(void **context)
{
    struct run *it = *context;
    it->step.config.slots = 4;
    begin_files(it,
                (const struct task_file[4]){{.offset = SEGMENTS * SEGMENT_BYTES_MAX - 1, .len = 2},
                                            {.offset = SEGMENT_BYTES_MAX,
                                             .len = 9 * SEGMENT_BYTES_MAX + 1},
                                            {.offset = UINT64_MAX - 1, .len = 1},
                                            {.offset = 0, .len = UINT64_MAX}});
    size_t seen = it->seen;
    assert_null(next(it, OUTPUT_FETCH));
    it->seen = seen;
    for (uint64_t task = 1; task <= 4; task++)
        assert_begins(it, task, 0, 0);
}

static void a_task_whose_files_cannot_be_had_is_returned(void **context)
{
    struct run *it = *context;
    begin_files(it, (const struct task_file[4]){{.offset = SEGMENT_BYTES_MAX, .len = 1}});
    assert_fetches_file(it, 1);
    assert_fetches_file(it, 2);
    file_arrives(it, 1);
    for (int source = 0; source < 2; source++) {
        assert_int_equal(it->runner.n_kept, 0);
        runner_value_failed(&it->runner, (struct value_id){it->files, stored_op(TERM, 2)});
        pump(it);
    }
    assert_int_equal(it->runner.n_kept, 1);
    assert_true(it->runner.kept->result.returned && it->runner.kept->result.first == 1);
    assert_int_equal(it->runner.n_executing, 1); /* the next one needs the upload alone */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(an_attempt_begins_when_its_segments_are_there),
        TEST(what_lacks_its_inputs_ends_behind_one_that_waits_for_a_slot),
        TEST(another_source_is_asked_and_at_the_end_one_attempt_has_a_reason),
        TEST(without_another_voter_the_coordinator_alone_is_asked),
        TEST(a_node_executes_as_many_as_it_has_slots),
        TEST(a_task_takes_so_many_slots_and_nothing_passes_one_that_waits_for_them),
        TEST(few_segments_are_held_and_all_tasks_are_executed),
        TEST(what_a_job_needed_goes_with_it),
        TEST(a_job_that_the_log_does_not_tell_of_yet_waits),
        TEST(more_is_executed_than_one_message_tells),
        TEST(a_task_begins_when_all_segments_of_its_files_are_there),
        TEST(files_that_cannot_be_there_are_not_fetched),
        TEST(a_task_whose_files_cannot_be_had_is_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
