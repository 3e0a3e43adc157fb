/* The worker's room of tasks: the segments of their files, which go to the scratch disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/tasks/record.h"
#include "shared/tasks/spec.h"
#include "tests/harness/running.h"

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
static void begin_files(struct running *it, const struct task_file files[4])
{
    struct blob *bytes = records_of(files);
    it->files = running_store(it, "bytes", SEGMENT_BYTES_MAX, 1);
    running_submit(it);
    running_give(it, it->job, 1, 4);
    runner_value_ready(&it->runner, (struct value_id){it->value, stored_op(TERM, 1)}, bytes);
    blob_drop(&bytes);
    it->seen = it->step.out.n;
    running_pump(it);
}

static struct value_id file_id(const struct running *it, uint64_t segment)
{
    return (struct value_id){it->files, stored_op(TERM, segment)};
}

/* It is fetched, and is to be written to the scratch disk. */
static void file_comes(struct running *it, uint64_t segment)
{
    struct blob *bytes = blob_new(1);
    size_t seen = it->seen;
    it->seen = it->step.out.n;
    runner_value_ready(&it->runner, file_id(it, segment), bytes);
    const struct output *keep = running_next(it, OUTPUT_KEEP);
    assert_true(keep && keep->keep.user == USER_FILES && keep->keep.value == bytes);
    assert_true(value_id_same(keep->keep.id, file_id(it, segment)));
    blob_drop(&bytes);
    it->seen = seen;
    running_pump(it);
}

/* It is on that disk, and in memory no more. */
static void file_arrives(struct running *it, uint64_t segment)
{
    file_comes(it, segment);
    size_t seen = it->seen;
    it->seen = it->step.out.n;
    runner_file_kept(&it->runner, file_id(it, segment));
    const struct output *drop = running_next(it, OUTPUT_DROP);
    assert_true(drop && drop->drop.user == USER_RUNNER);
    assert_true(value_id_same(drop->drop.id, file_id(it, segment)));
    it->seen = seen;
    running_pump(it);
}

static void file_finds_no_room(struct running *it, uint64_t segment)
{
    file_comes(it, segment);
    runner_file_failed(&it->runner, file_id(it, segment), true);
    running_pump(it);
}

static void assert_fetches_file(struct running *it, uint64_t segment)
{
    const struct output *output = running_next(it, OUTPUT_FETCH);
    assert_non_null(output);
    assert_true(output->fetch.id.job == it->files);
    assert_true(output->fetch.id.op == stored_op(TERM, segment));
    assert_true(output->fetch.len == SEGMENT_BYTES_MAX);
}

/* The task that begins next has these segments, the upload's first. */
static void assert_begins(struct running *it, uint64_t task, size_t n, uint64_t segment)
{
    const struct output *output = running_next(it, OUTPUT_TASK);
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
    struct running *it = *context;
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
    running_ends(it, 1, 1);
    assert_begins(it, 2, 1, 1);
    seen = it->seen;
    running_ends(it, 1, 2);
    it->seen = seen;
    for (uint64_t segment = 10; segment <= 13; segment++) /* as many as there may be in memory */
        assert_fetches_file(it, segment);
    assert_null(running_next(it, OUTPUT_FETCH));
    assert_int_equal(it->runner.n_moving, INPUTS_MOVING_MAX);
    for (uint64_t segment = 10; segment <= 18; segment++)
        file_arrives(it, segment);
    it->seen = seen;
    for (uint64_t segment = 10; segment <= 18; segment++)
        assert_fetches_file(it, segment);
    it->seen = seen;
    assert_begins(it, 3, 10, 10);
    running_ends(it, 1, 3);
    assert_begins(it, 4, 1, 1);
}

/* Then the node says what is wrong, and nothing is fetched. */
static void files_that_cannot_be_there_are_not_fetched(void **context)
{
    struct running *it = *context;
    it->step.config.slots = 4;
    begin_files(it,
                (const struct task_file[4]){{.offset = SEGMENTS * SEGMENT_BYTES_MAX - 1, .len = 2},
                                            {.offset = SEGMENT_BYTES_MAX,
                                             .len = SEGMENTS * SEGMENT_BYTES_MAX},
                                            {.offset = UINT64_MAX - 1, .len = 1},
                                            {.offset = 0, .len = UINT64_MAX}});
    size_t seen = it->seen;
    assert_null(running_next(it, OUTPUT_FETCH));
    it->seen = seen;
    for (uint64_t task = 1; task <= 4; task++)
        assert_begins(it, task, 0, 0);
}

static void a_task_whose_files_cannot_be_had_is_returned(void **context)
{
    struct running *it = *context;
    begin_files(it, (const struct task_file[4]){{.offset = SEGMENT_BYTES_MAX, .len = 1}});
    assert_fetches_file(it, 1);
    assert_fetches_file(it, 2);
    file_arrives(it, 1);
    for (int source = 0; source < 2; source++) {
        assert_int_equal(it->runner.n_kept, 0);
        runner_value_failed(&it->runner, file_id(it, 2));
        running_pump(it);
    }
    assert_int_equal(it->runner.n_kept, 1);
    assert_true(it->runner.kept->result.returned && it->runner.kept->result.first == 1);
    assert_int_equal(it->runner.n_executing, 1); /* the next one needs the upload alone */
}

/* The next one to begin has another try, when what others needed is gone; then its attempt fails.
 */
static void an_attempt_whose_files_find_no_room_fails(void **context)
{
    struct running *it = *context;
    begin_files(it, (const struct task_file[4]){{.offset = 2 * SEGMENT_BYTES_MAX, .len = 1},
                                                {.offset = SEGMENT_BYTES_MAX, .len = 1}});
    file_arrives(it, 1);
    file_arrives(it, 3);
    running_ends(it, 1, 1);
    assert_int_equal(it->runner.n_kept, 1);
    it->seen = it->step.out.n;
    file_finds_no_room(it, 2);
    const struct output *drop = running_next(it, OUTPUT_DROP);
    while (drop && !value_id_same(drop->drop.id, file_id(it, 3)))
        drop = running_next(it, OUTPUT_DROP);
    assert_true(drop && drop->drop.user == USER_FILES);
    assert_int_equal(it->runner.n_kept, 1);
    assert_fetches_file(it, 2);
    file_finds_no_room(it, 2);
    assert_int_equal(it->runner.n_kept, 2);
    const struct task_result *result = &it->runner.last_kept->result;
    assert_string_equal(result->reason, "disk full: no room for its files");
    assert_true(result->first == 2 && result->count == 1 && !result->returned);
    assert_int_equal(it->runner.n_executing, 1); /* the next one needs the upload alone */
}

/* There may be room when it is its turn. */
static void one_that_waits_for_a_slot_waits_for_room_as_well(void **context)
{
    struct running *it = *context;
    begin_files(it,
                (const struct task_file[4]){{.len = 10}, {.offset = SEGMENT_BYTES_MAX, .len = 1}});
    file_arrives(it, 1);
    assert_int_equal(it->runner.n_executing, 1);
    file_finds_no_room(it, 2);
    size_t seen = it->step.out.n;
    for (int i = 0; i < 10; i++)
        running_pump(it);
    it->seen = seen;
    assert_null(running_next(it, OUTPUT_FETCH));
    assert_int_equal(it->runner.n_kept, 0);
    running_ends(it, 1, 1);
    assert_fetches_file(it, 2);
    file_arrives(it, 2);
    it->seen = seen;
    assert_begins(it, 2, 2, 2);
}

static void an_attempt_whose_files_cannot_be_written_fails(void **context)
{
    struct running *it = *context;
    begin_files(it, (const struct task_file[4]){{.len = 10}, {.len = 10}});
    file_comes(it, 1);
    runner_file_failed(&it->runner, file_id(it, 1), false);
    running_pump(it);
    assert_int_equal(it->runner.n_kept, 1);
    assert_string_equal(it->runner.kept->result.reason, "its files cannot be written");
    assert_false(it->runner.kept->result.returned);
    runner_file_failed(&it->runner, file_id(it, 1), false); /* it is not written any more */
    runner_file_kept(&it->runner, file_id(it, 1));
    file_arrives(it, 1);
    assert_int_equal(it->runner.n_executing, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, running_begin, running_end)
    const struct CMUnitTest tests[] = {
        TEST(a_task_begins_when_all_segments_of_its_files_are_there),
        TEST(files_that_cannot_be_there_are_not_fetched),
        TEST(a_task_whose_files_cannot_be_had_is_returned),
        TEST(an_attempt_whose_files_find_no_room_fails),
        TEST(one_that_waits_for_a_slot_waits_for_room_as_well),
        TEST(an_attempt_whose_files_cannot_be_written_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
