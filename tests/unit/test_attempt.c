/* The command of an attempt of a task, from bytes that a client has uploaded; and how it ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/runner/needs.h"
#include "nodes/io/tasks_run.h"
#include "nodes/work/attempt.h"
#include "nodes/work/command_wire.h"
#include "nodes/work/scratch.h"
#include "shared/base/random.h"
#include "shared/tasks/record.h"
#include "shared/tasks/spec.h"
#include "shared/base/bytes.h"

enum { RECORDS = 300 };

static const struct value_id first = {7, 1}, second = {7, 2};
static const char *const none_parts[TASK_PARTS_MAX];

/* --- segments --- */

static struct message *spec_new(const char *word, const char *other)
{
    struct message *message = message_new(MESSAGE_TASK_SPEC);
    struct wire_task_spec *spec = &message->as.task_spec;
    spec->inputs = 1;
    spec->slots = 1;
    spec->max_output = MIB_BYTES;
    spec->argv.n = 2;
    spec->argv.at = message_room(message, 2, sizeof *spec->argv.at);
    spec->argv.at[0].text = message_text(message, word);
    spec->argv.at[1].text = message_text(message, other);
    spec->env.n = 2;
    spec->env.at = message_room(message, 2, sizeof *spec->env.at);
    spec->env.at[0] =
        (struct wire_spec_env){message_text(message, "A"), message_text(message, "b=c d")};
    spec->env.at[1] = (struct wire_spec_env){message_text(message, "EMPTY"), {0}};
    return message;
}

/* Takes the message. */
static struct blob *spec_bytes(struct message *message)
{
    struct blob *packed = task_spec_pack(message), *out = blob_new(BYTES_LENGTH + packed->len);
    bytes_put_part(out->at, packed->at, packed->len);
    blob_drop(&packed);
    message_drop(&message);
    return out;
}

static struct blob *joined(struct blob *a, struct blob *b)
{
    struct blob *out = blob_new(a->len + b->len);
    memcpy(out->at, a->at, a->len);
    memcpy(out->at + a->len, b->at, b->len);
    blob_drop(&a);
    blob_drop(&b);
    return out;
}

/* Records of the inputs file-FROM, file-FROM+1, ... */
static struct blob *records(uint64_t from, size_t n)
{
    uint8_t room[64 * RECORDS];
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        char text[32];
        text_format(text, sizeof text, "file-%zu.csv", (size_t)from + i);
        struct task_record record = {.n_inputs = 1, .inputs = {slice_of(text)}};
        len += task_record_put(room + len, &record);
    }
    return blob_copy(room, len);
}

static struct task_order order_of(uint64_t task, struct value_id record, uint64_t place)
{
    return (struct task_order){.job = 5,
                               .hand = 9,
                               .task = task,
                               .attempt = 2,
                               .time_limit_ms = 1500,
                               .spec = first,
                               .record = record,
                               .place = place};
}

/* --- commands --- */

static void a_command_is_what_specification_and_record_say(void **context)
{
    (void)context;
    struct attempts *attempts = attempts_new();
    struct blob *spec = joined(spec_bytes(spec_new("./clean.sh", "{#}:{.}")), records(1, 3));
    struct blob *more = records(4, RECORDS);
    char reason[TASK_REASON_MAX + 1], wanted[32];
    for (uint64_t i = 0; i < 3 + RECORDS; i++) {
        uint64_t task = i * 101 % (3 + RECORDS) + 1; /* in any order */
        struct task_order order =
            task <= 3 ? order_of(task, first, task) : order_of(task, second, task - 4);
        const struct command *it =
            attempts_make(attempts, &order, spec, task <= 3 ? spec : more, none_parts, reason);
        if (!it)
            fail_msg("task %zu: %s", (size_t)task, reason);
        text_format(wanted, sizeof wanted, "%zu:file-%zu", (size_t)task, (size_t)task);
        assert_string_equal(it->argv[0], "./clean.sh");
        assert_string_equal(it->argv[1], wanted);
        assert_null(it->argv[2]);
        text_format(wanted, sizeof wanted, "file-%zu.csv", (size_t)task);
        assert_string_equal(it->input, wanted);
        assert_string_equal(it->env[0], "A=b=c d");
        assert_string_equal(it->env[1], "EMPTY=");
        assert_null(it->env[2]);
        assert_true(it->id.job == 5 && it->id.task == task && it->id.attempt == 2);
        assert_true(it->limits.time_us == 1500000 && !it->stdin_bytes.blob);
        assert_int_equal(it->limits.output_max_bytes, COMMAND_INLINE_MAX_BYTES);
    }
    blob_drop(&spec);
    blob_drop(&more);
    attempts_destroy(&attempts);
}

static void inputs_are_the_commands_stdin_when_that_is_said(void **context)
{
    (void)context;
    struct attempts *attempts = attempts_new();
    struct message *message = spec_new("cat", "-n");
    message->as.task_spec.on_stdin = true;
    message->as.task_spec.max_output = 100;
    message->as.task_spec.memory = 5000;
    struct blob *bytes = joined(spec_bytes(message), records(1, 1));
    struct task_order order = order_of(1, first, 1);
    char reason[TASK_REASON_MAX + 1];
    const struct command *it = attempts_make(attempts, &order, bytes, bytes, none_parts, reason);
    assert_non_null(it);
    assert_string_equal(it->argv[1], "-n");
    assert_null(it->argv[2]);
    assert_int_equal(it->stdin_bytes.blob->len, 11);
    assert_memory_equal(it->stdin_bytes.blob->at, "file-1.csv\n", 11);
    assert_true(it->limits.output_max_bytes == 100 && it->limits.memory_bytes == 5000);
    blob_drop(&bytes);
    attempts_destroy(&attempts);
}

/* Whether the environment holds it is seen when the command starts. */
static void a_long_input_is_whole(void **context)
{
    (void)context;
    struct attempts *attempts = attempts_new();
    char *text = mem_new(TASK_ARG_BYTES_MAX + 1, 1);
    memset(text, 'x', TASK_ARG_BYTES_MAX);
    struct task_record record = {.n_inputs = 1, .inputs = {slice_of(text)}};
    struct blob *bytes = blob_new(task_record_bytes(&record));
    task_record_put(bytes->at, &record);
    bytes = joined(spec_bytes(spec_new("wc", "{}")), bytes);
    struct task_order order = order_of(1, first, 1);
    char reason[TASK_REASON_MAX + 1];
    const struct command *it = attempts_make(attempts, &order, bytes, bytes, none_parts, reason);
    assert_non_null(it);
    assert_string_equal(it->input, text);
    assert_string_equal(it->argv[1], text);
    blob_drop(&bytes);
    free(text);
    attempts_destroy(&attempts);
}

static void more_jobs_than_are_remembered_have_their_own_commands(void **context)
{
    (void)context;
    enum { JOBS = 3 * ATTEMPT_SPECS_KEPT };
    struct attempts *attempts = attempts_new();
    struct blob *bytes[JOBS];
    char reason[TASK_REASON_MAX + 1], word[16];
    for (size_t i = 0; i < JOBS; i++) {
        text_format(word, sizeof word, "job-%zu", i);
        bytes[i] = joined(spec_bytes(spec_new(word, "{}")), records(i, 5));
    }
    for (size_t round = 0; round < 200; round++) {
        size_t i = round * 7 % JOBS;
        struct task_order order = order_of(2, (struct value_id){100 + i, 1}, 2);
        order.spec = order.record;
        const struct command *it =
            attempts_make(attempts, &order, bytes[i], bytes[i], none_parts, reason);
        text_format(word, sizeof word, "job-%zu", i);
        assert_string_equal(it->argv[0], word);
        text_format(word, sizeof word, "file-%zu.csv", i + 1);
        assert_string_equal(it->argv[1], word);
    }
    for (size_t i = 0; i < JOBS; i++)
        blob_drop(&bytes[i]);
    attempts_destroy(&attempts);
}

static void refused(const struct task_order *order, const struct blob *spec,
                    const struct blob *record, const char *why)
{
    struct attempts *attempts = attempts_new();
    char reason[TASK_REASON_MAX + 1];
    assert_null(attempts_make(attempts, order, spec, record, none_parts, reason));
    assert_string_equal(reason, why);
    attempts_destroy(&attempts);
}

static void what_is_no_command_has_a_reason(void **context)
{
    (void)context;
    struct blob *bytes = joined(spec_bytes(spec_new("true", "{}")), records(1, 3));
    struct task_order order = order_of(1, first, 4), none = {.job = 5, .task = 1};
    refused(&order, bytes, bytes, "its record is malformed"); /* there are three */
    order.place = UINT64_MAX;
    refused(&order, bytes, bytes, "its record is malformed");
    order.place = 1;
    refused(&order, NULL, bytes, "its inputs are not in memory");
    refused(&order, bytes, NULL, "its inputs are not in memory");
    refused(&none, NULL, NULL, "this node executes no such tasks");
    struct blob *no_spec = records(1, 3);
    refused(&order, no_spec, bytes, "what its tasks have in common is malformed");
    blob_drop(&no_spec);
    struct message *message = spec_new("true", "{}");
    message->as.task_spec.files = true;
    struct blob *files = spec_bytes(message);
    refused(&order, files, bytes, "its record is malformed");
    blob_drop(&files);
    blob_drop(&bytes);
}

/* --- files --- */

enum { PART = 1000 };

/* Three segments, of which the second is not needed; of each its number is the name of its file. */
static const struct task_part the_parts[] = {{{8, 1}, 0, PART},
                                             {{8, 3}, 2 * PART, PART},
                                             {{8, 4}, 3 * PART, PART}};
static const char *const paths[] = {"0", "2", "3"};

static void set_parts(struct task_order *order)
{
    order->parts = the_parts;
    order->n_parts = 3;
}

static struct blob *with_files(struct wire_spec_file *uploads, size_t n, struct task_file file)
{
    struct message *message = spec_new("./x", "{}");
    struct wire_task_spec *spec = &message->as.task_spec;
    uint8_t room[128];
    struct task_record record = {.n_inputs = 1,
                                 .inputs = {slice_of("data/it's 1.csv")},
                                 .has_file = true,
                                 .file = file};
    spec->files = true;
    spec->uploads.at = uploads;
    spec->uploads.n = n;
    struct blob *bytes = spec_bytes(message);
    return joined(bytes, blob_copy(room, task_record_put(room, &record)));
}

static void assert_bytes(const struct command_input *input, const char *name, uint64_t from,
                         size_t len, bool executable)
{
    assert_string_equal(input->name, name);
    assert_true(input->executable == executable && !input->bytes.blob);
    for (size_t i = 0; i < input->bytes.n_slices; i++) {
        const struct command_slice *slice = &input->bytes.slices[i];
        assert_int_equal((slice->path[0] - '0') * PART + slice->offset, from);
        assert_true(slice->len && slice->offset + slice->len <= PART && slice->len <= len);
        from += slice->len;
        len -= slice->len;
    }
    assert_int_equal(len, 0);
}

static void files_are_slices_of_segments(void **context)
{
    (void)context;
    static const uint8_t hash[HASH_BYTES];
    const struct slice sha256 = {hash, HASH_BYTES};
    struct wire_spec_file uploads[] = {{slice_of("bin/x"), 0, 10, sha256, true},
                                       {slice_of("none"), 10, 0, sha256, false}};
    struct attempts *attempts = attempts_new();
    struct task_order order = order_of(1, first, 1);
    char reason[TASK_REASON_MAX + 1];
    set_parts(&order);
    const struct task_file cases[] = {{.offset = 2000, .len = 1000},
                                      {.offset = 2999, .len = 2, .executable = true},
                                      {.offset = 2000, .len = 2000},
                                      {.offset = 1ull << 60, .len = 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct blob *bytes = with_files(uploads, 2, cases[i]);
        order.spec.op = order.record.op = 10 + i;
        const struct command *it = attempts_make(attempts, &order, bytes, bytes, paths, reason);
        assert_non_null(it);
        assert_int_equal(it->n_inputs, 3);
        assert_bytes(&it->inputs[0], "bin/x", 0, 10, true);
        assert_bytes(&it->inputs[1], "none", 0, 0, false);
        assert_bytes(&it->inputs[2], "data/it's 1.csv", cases[i].offset, cases[i].len,
                     cases[i].executable);
        blob_drop(&bytes);
    }
    attempts_destroy(&attempts);
}

static void files_that_are_not_there_or_too_long_have_a_reason(void **context)
{
    (void)context;
    static const uint8_t hash[HASH_BYTES];
    struct wire_spec_file upload = {slice_of("x"), 0, 10, {hash, HASH_BYTES}, true};
    struct attempts *attempts = attempts_new();
    struct task_order order = order_of(1, first, 1);
    char reason[TASK_REASON_MAX + 1];
    set_parts(&order);
    const struct task_file cases[] = {{.offset = 1000, .len = 1},
                                      {.offset = 999, .len = 2},
                                      {.offset = 3999, .len = 2},
                                      {.offset = 4000, .len = 1},
                                      {.offset = 1ull << 63, .len = 1},
                                      {.len = TASK_INPUT_BYTES_MAX}, /* with the upload */
                                      {.len = 1ull << 63}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct blob *bytes = with_files(&upload, 1, cases[i]);
        order.spec.op = order.record.op = 10 + i;
        assert_null(attempts_make(attempts, &order, bytes, bytes, paths, reason));
        assert_string_equal(reason, i < 5 ? "its files are not where its record says"
                                          : "its files are more than 1 GiB");
        blob_drop(&bytes);
    }
    const char *const lacking[] = {"0", NULL, "3"};
    struct blob *bytes = with_files(&upload, 1, (struct task_file){.offset = 2000, .len = 1});
    order.spec.op = order.record.op = 100;
    assert_null(attempts_make(attempts, &order, bytes, bytes, lacking, reason));
    assert_string_equal(reason, "its files are not where its record says");
    blob_drop(&bytes);
    attempts_destroy(&attempts);
}

/* X11: whatever the bytes are, there is a command or a reason. */
static void no_bytes_of_a_client_do_harm_X11(void **context)
{
    (void)context;
    struct blob *bytes = joined(spec_bytes(spec_new("echo", "{} {#}")), records(1, 100));
    char reason[TASK_REASON_MAX + 1];
    uint64_t random = 1, refusals = 0;
    for (size_t round = 0; round < 4000; round++) {
        struct attempts *attempts = attempts_new();
        struct blob *other =
            blob_copy(bytes->at, round % 2 ? random_below(&random, bytes->len) : bytes->len);
        for (size_t i = 0; round % 2 == 0 && i < 1 + round % 5 && other->len; i++)
            other->at[random_below(&random, other->len)] = (uint8_t)random_below(&random, 256);
        for (uint64_t place = 0; place < 120; place += 17) {
            struct task_order order = order_of(place + 1, first, place);
            const struct command *it =
                attempts_make(attempts, &order, other, other, none_parts, reason);
            assert_true(it ? it->argv[0] != NULL : reason[0] != '\0');
            refusals += !it;
        }
        blob_drop(&other);
        attempts_destroy(&attempts);
    }
    assert_true(refusals > 1000);
    blob_drop(&bytes);
}

/* The same of the places of files: for what the worker would fetch, too. */
static void no_places_of_files_do_harm_X11(void **context)
{
    (void)context;
    static const uint8_t hash[HASH_BYTES];
    struct wire_spec_file upload = {slice_of("x"), 0, 10, {hash, HASH_BYTES}, true};
    struct stored_segment segments[3] = {{1, PART, 1, {0}}, {2, PART, 1, {0}}, {3, PART, 1, {0}}};
    const struct stored_value value = {.id = 8, .segments = segments, .n_segments = 3};
    struct blob *bytes = with_files(&upload, 1, (struct task_file){.offset = 900, .len = 1100});
    uint64_t random = 1, made = 0, refusals = 0;
    for (size_t round = 0; round < 20000; round++) {
        struct attempts *attempts = attempts_new();
        struct task_order order = order_of(1, first, 1);
        struct blob *other = blob_copy(bytes->at, bytes->len);
        struct task_part parts[TASK_PARTS_MAX];
        struct needs_range ranges[NEEDS_MAX];
        char reason[TASK_REASON_MAX + 1];
        for (size_t i = 0; i < round % 4; i++)
            other->at[random_below(&random, other->len)] = (uint8_t)random_below(&random, 256);
        struct task_input input = {.bytes = other};
        if (!needs_read(&input, &input, 1, ranges) ||
            !needs_parts(&value, ranges, parts, &order.n_parts))
            order.n_parts = 0;
        order.parts = parts;
        const struct command *it = attempts_make(attempts, &order, other, other, paths, reason);
        assert_true(it ? it->n_inputs <= 2 : reason[0] != '\0');
        for (size_t i = 0; it && i < it->n_inputs; i++)
            assert_true(scratch_is_inside(it->inputs[i].name));
        made += it != NULL;
        refusals += !it;
        blob_drop(&other);
        attempts_destroy(&attempts);
    }
    assert_true(made > 5000 && refusals > 1000);
    blob_drop(&bytes);
}

/* --- ends --- */

static struct task_result end_of(struct command_result result)
{
    struct task_order order = order_of(3, first, 3);
    struct task_result out;
    task_result_of(&result, &order, &out);
    assert_true(out.job == 5 && out.hand == 9 && out.attempt == 2 && out.first == 3 &&
                out.count == 1);
    return out;
}

static void an_end_of_a_command_is_one_of_its_task(void **context)
{
    (void)context;
    struct task_result out = end_of((struct command_result){.end = COMMAND_EXIT,
                                                            .exit = 3,
                                                            .started_ms = 7,
                                                            .wall_us = 8,
                                                            .cpu_us = 9,
                                                            .max_rss_bytes = 10});
    assert_true(out.exit == 3 && !out.signal && !out.limit && !out.cancelled && !out.reason[0]);
    assert_true(out.started_ms == 7 && out.wall_us == 8 && out.cpu_us == 9 && out.max_rss == 10);
    out = end_of((struct command_result){.end = COMMAND_SIGNAL, .exit = -1, .signal = 9});
    assert_true(!out.exit && out.signal == 9 && !out.limit && !out.reason[0]);
    out = end_of((struct command_result){.end = COMMAND_TIME_LIMIT, .exit = -1, .signal = 15});
    assert_true(out.limit && out.signal == 15 && !out.exit);
    out = end_of((struct command_result){.end = COMMAND_CANCELLED, .exit = -1});
    assert_true(out.cancelled && !out.exit);
    out = end_of((struct command_result){.end = COMMAND_KILLED, .exit = -1});
    assert_string_equal(out.reason, "killed with the node");
    assert_true(!out.exit);
    struct command_result lost = {.end = COMMAND_NOT_STARTED, .exit = -1};
    text_format(lost.error, sizeof lost.error,
                "./\xc3\xa9\x1b[31m: no such file, and more than there is room for");
    out = end_of(lost);
    assert_int_equal(strlen(out.reason), TASK_REASON_MAX);
    assert_true(!strncmp(out.reason, "could not start: ./", 19));
    for (const char *at = out.reason; *at; at++)
        assert_true(*at >= ' ' && *at < 0x7f);
}

static void outputs_of_a_command_are_those_of_its_task(void **context)
{
    (void)context;
    struct command_result result = {.end = COMMAND_EXIT};
    struct command_output *out = &result.output[COMMAND_STDOUT],
                          *err = &result.output[COMMAND_STDERR];
    out->bytes = blob_copy("hello\n", 6);
    out->total = 70000;
    out->hash[0] = 4;
    err->bytes = blob_new(0);
    struct task_result it = end_of(result);
    assert_true(it.out == out->bytes && it.out_bytes == 70000 && it.out_hash[0] == 4);
    assert_true(!it.err && !it.err_bytes);
    blob_drop(&out->bytes);
    blob_drop(&err->bytes);
}

static void without_keys_an_attempt_ends_with_a_reason_X14(void **context)
{
    (void)context;
    struct values values = {0};
    const struct task_result *ended;
    struct tasks_run *run = tasks_run_new(NULL, &values);
    struct task_order order = order_of(3, first, 3);
    assert_false(tasks_run_is_due(run));
    assert_int_equal(tasks_run_fd(run), -1);
    assert_int_equal(tasks_run_take(run, &ended), 0);
    tasks_run_begin(run, &order);
    tasks_run_begin(run, &order);
    assert_true(tasks_run_is_due(run));
    assert_int_equal(tasks_run_take(run, &ended), 2);
    assert_string_equal(ended[1].reason, "without keys no commands are run");
    assert_false(tasks_run_is_due(run));
    tasks_run_begin(run, &order); /* while the others are being told */
    assert_int_equal(tasks_run_take(run, &ended), 1);
    tasks_run_cancel(run, &order);
    assert_int_equal(tasks_run_take(run, &ended), 0);
    tasks_run_destroy(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_what_specification_and_record_say),
        cmocka_unit_test(inputs_are_the_commands_stdin_when_that_is_said),
        cmocka_unit_test(a_long_input_is_whole),
        cmocka_unit_test(more_jobs_than_are_remembered_have_their_own_commands),
        cmocka_unit_test(what_is_no_command_has_a_reason),
        cmocka_unit_test(files_are_slices_of_segments),
        cmocka_unit_test(files_that_are_not_there_or_too_long_have_a_reason),
        cmocka_unit_test(no_bytes_of_a_client_do_harm_X11),
        cmocka_unit_test(no_places_of_files_do_harm_X11),
        cmocka_unit_test(an_end_of_a_command_is_one_of_its_task),
        cmocka_unit_test(outputs_of_a_command_are_those_of_its_task),
        cmocka_unit_test(without_keys_an_attempt_ends_with_a_reason_X14),
    };
    return cmocka_run_group_tests_name("attempt", tests, NULL, NULL);
}
