/* Operations that a user's program executes, as commands on a node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>

#include "nodes/work/programs.h"
#include "shared/base/bytes.h"
#include "shared/wire/codec.h"
#include "tests/harness/commands.h"

#define PATIENCE_MS 20000

static struct blob *nothing_at(void *context, struct value_id id)
{
    (void)context, (void)id;
    return NULL;
}

static struct compute_operand part_of(const char *text)
{
    size_t len = strlen(text);
    struct blob *blob = blob_new(BYTES_LENGTH + len);
    bytes_put_part(blob->at, text, len);
    return (struct compute_operand){.kind = OPERAND_BLOB, .blob = blob};
}

static struct compute_operand program_of(const char *script, uint64_t limit_us)
{
    struct message *spec = message_new(MESSAGE_OPERATOR_SPEC);
    struct blob *program = blob_copy(script, strlen(script));
    spec->as.operator_spec = (struct wire_operator_spec){.name = slice_of("merge"),
                                                         .added_ms = 1,
                                                         .time_limit_us = limit_us};
    message_add_frame(spec, program);
    struct blob *packed = codec_pack(spec);
    blob_drop(&program);
    message_drop(&spec);
    return (struct compute_operand){.kind = OPERAND_BLOB, .blob = packed};
}

/* An operation on these texts, which end with NULL; caller drops its blobs. */
static struct compute_op fold_of(const char *script, uint64_t limit_us, const char *const *texts)
{
    struct compute_op op = {.id = {7, 3}, .attempt = 2, .opcode = OPCODE_FOLD};
    while (*texts)
        op.operands[op.n_operands++] = part_of(*texts++);
    op.operands[op.n_operands++] = program_of(script, limit_us);
    return op;
}

static struct executor_result *wait_for(struct programs *programs)
{
    struct executor *executor = programs_executor(programs);
    for (;;) {
        struct executor_result *result = executor->kind->poll(executor);
        if (result)
            return result;
        struct pollfd ready = {.fd = commands_fd(the_commands), .events = POLLIN};
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
        assert_null(programs_sift(programs, commands_poll(the_commands)));
    }
}

/* Runs it; caller frees the result by free_result(). */
static struct executor_result *run(struct programs *programs, struct compute_op op)
{
    struct executor *executor = programs_executor(programs);
    assert_true(programs_are_for(&op));
    executor->kind->start(executor, &op, nothing_at, NULL);
    for (size_t i = 0; i < op.n_operands; i++)
        blob_drop(&op.operands[i].blob);
    return wait_for(programs);
}

static void free_result(struct programs *programs, struct executor_result *result)
{
    struct executor *executor = programs_executor(programs);
    executor->kind->free(result);
}

static const char *const four[] = {"a\n", "bb\n", "", "c", NULL};

static void a_program_gets_its_values_as_files_in_order(void **state)
{
    (void)state;
    commands_up();
    struct programs *programs = programs_new(the_commands);
    struct executor_result *result =
        run(programs, fold_of("#!/bin/sh\necho $# $*; exec cat \"$@\"\n", 0, four));
    const char *expected = "4 1 2 3 4\na\nbb\nc";
    struct slice rest = {result->value->at, result->value->len}, part;
    assert_null(result->computed.error);
    assert_true(bytes_take_part(&rest, &part) && !rest.len);
    assert_int_equal(part.len, strlen(expected));
    assert_memory_equal(part.at, expected, part.len);
    uint8_t hash[HASH_BYTES];
    hash_bytes(result->value->at, result->value->len, hash);
    assert_memory_equal(hash, result->computed.hash, HASH_BYTES);
    assert_int_equal(result->computed.operations, 1);
    assert_true(result->computed.id.job == 7 && result->computed.attempt == 2);
    free_result(programs, result);
    programs_destroy(&programs);
}

/* Longer than what a command's result has in memory. */
static void a_long_result_is_one_value_and_an_empty_one_too(void **state)
{
    (void)state;
    commands_up();
    struct programs *programs = programs_new(the_commands);
    struct executor_result *result =
        run(programs, fold_of("#!/bin/sh\nhead -c 9000000 /dev/zero\n", 0, four));
    assert_null(result->computed.error);
    assert_int_equal(result->computed.len, BYTES_LENGTH + 9000000);
    assert_int_equal(result->value->at[BYTES_LENGTH + 8999999], 0);
    assert_int_equal(entries_of(own_path("outputs")), 0);
    free_result(programs, result);
    result = run(programs, fold_of("#!/bin/sh\n:\n", 0, four));
    assert_null(result->computed.error);
    assert_int_equal(result->computed.len, BYTES_LENGTH);
    free_result(programs, result);
    programs_destroy(&programs);
}

static void what_a_program_does_wrong_is_final(void **state)
{
    (void)state;
    static const struct {
        const char *script, *why;
        bool final;
    } cases[] = {{"#!/bin/sh\necho one >&2; echo no such line >&2; exit 3\n",
                  "merge: exit code 3: no such line", true},
                 {"#!/bin/sh\nkill -9 $$\n", "merge: ended by signal 9", true},
                 {"#!/bin/sh\nsleep 60\n", "merge: longer than its time limit of 200ms", true},
                 {"#!/no/such/shell\n", "merge: could not start: ", false}};
    commands_up();
    struct programs *programs = programs_new(the_commands);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct executor_result *result = run(programs, fold_of(cases[i].script, 200 * MS_US, four));
        assert_non_null(result->computed.error);
        if (strncmp(result->computed.error, cases[i].why, strlen(cases[i].why)) != 0)
            fail_msg("%s", result->computed.error);
        assert_int_equal(result->computed.final, cases[i].final);
        assert_false(result->computed.again);
        assert_null(result->value);
        free_result(programs, result);
    }
    programs_destroy(&programs);
}

static void what_is_no_fold_of_parts_fails_at_once(void **state)
{
    (void)state;
    struct programs *none = programs_new(NULL);
    struct executor_result *result = run(none, fold_of("#!/bin/sh\n", 0, four));
    assert_string_equal(result->computed.error, "without keys no commands are run");
    free_result(none, result);
    programs_destroy(&none);
    commands_up();
    struct programs *programs = programs_new(the_commands);
    struct compute_op op = fold_of("#!/bin/sh\n", 0, four);
    op.operands[1].blob->at[0]++; /* longer than it is */
    result = run(programs, op);
    assert_string_equal(result->computed.error, "an operand is malformed");
    free_result(programs, result);
    op = fold_of("#!/bin/sh\n", 0, four);
    op.operands[op.n_operands - 1].blob->at[BYTES_LENGTH] ^= 0x40;
    result = run(programs, op);
    assert_string_equal(result->computed.error, "an operand is malformed");
    free_result(programs, result);
    programs_destroy(&programs);
}

static void a_cancelled_run_ends_and_others_results_pass(void **state)
{
    (void)state;
    commands_up();
    struct programs *programs = programs_new(the_commands);
    struct executor *executor = programs_executor(programs);
    struct compute_op op = fold_of("#!/bin/sh\nsleep 60\n", 0, four);
    executor->kind->start(executor, &op, nothing_at, NULL);
    for (size_t i = 0; i < op.n_operands; i++)
        blob_drop(&op.operands[i].blob);
    executor->kind->cancel(executor, op.id, op.attempt + 1); /* another one */
    executor->kind->cancel(executor, op.id, op.attempt);
    struct executor_result *result = wait_for(programs);
    assert_true(result->cancelled && !result->value);
    assert_string_equal(result->computed.error, EXECUTOR_CANCELLED);
    free_result(programs, result);
    commands_run(the_commands, script_of("echo task", 4));
    struct command_result *task = NULL;
    while (!task) {
        struct pollfd ready = {.fd = commands_fd(the_commands), .events = POLLIN};
        assert_int_equal(poll(&ready, 1, PATIENCE_MS), 1);
        task = programs_sift(programs, commands_poll(the_commands));
    }
    assert_false(programs_are_due(programs));
    assert_int_equal(task->id.task, 4);
    assert_null(command_result_next(task));
    command_result_free(task);
    programs_destroy(&programs);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        COMMANDS_TEST(a_program_gets_its_values_as_files_in_order),
        COMMANDS_TEST(a_long_result_is_one_value_and_an_empty_one_too),
        COMMANDS_TEST(what_a_program_does_wrong_is_final),
        COMMANDS_TEST(what_is_no_fold_of_parts_fails_at_once),
        COMMANDS_TEST(a_cancelled_run_ends_and_others_results_pass),
    };
    return commands_main(argc, argv, "programs", tests);
}
