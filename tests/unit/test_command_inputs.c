/* Commands: their stdin, their files, and inputs that are long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "nodes/work/scratch.h"
#include "shared/base/clock.h"
#include "shared/base/hash.h"
#include "shared/base/memory.h"
#include "tests/harness/commands.h"
#include "tests/harness/datadir.h"

static void stdin_is_what_it_is_given(void **state)
{
    (void)state;
    commands_up();
    static const size_t lens[] = {0, 5, 70000, 3 * MIB_BYTES};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct command *command = script_of("sha256sum", 1);
        struct blob *blob = blob_new(lens[i]);
        uint8_t hash[HASH_BYTES];
        char expected[HASH_TEXT_MAX];
        memset(blob->at, 'q', lens[i]);
        command->stdin_bytes.blob = blob;
        commands_run(the_commands, command);
        hash_bytes(blob->at, blob->len, hash);
        blob_drop(&blob);
        struct command_result *result = result_within(30);
        char *text = text_of(&result->output[0]);
        assert_memory_equal(text, hash_text(hash, expected), HASH_TEXT_MAX - 1);
        free(text);
        command_result_free(result);
    }
    struct command *command = script_of("head -c 4; echo; head -c 4 a/b", 1);
    const struct command_slice passwd = {"/etc/passwd", 0, UINT64_MAX};
    const struct command_input inputs[] = {{.name = "empty"},
                                           {.name = "a/b",
                                            .bytes = {.slices = &passwd, .n_slices = 1}}};
    command->inputs = inputs;
    command->n_inputs = command->stdin_input = 2;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    char *text = text_of(&result->output[0]);
    assert_string_equal(text, "root\nroot");
    free(text);
    command_result_free(result);
}

/* A file of the node; `at` NULL: of spaces. Returns its path, until it is made again. */
static const char *own_file(const char *name, const char *at, size_t len)
{
    static char paths[2][DATADIR_PATH_ROOM];
    char *path = paths[!at];
    text_format(path, sizeof paths[0], "%s", datadir_path(name));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct blob *bytes = blob_new(len);
    if (at)
        memcpy(bytes->at, at, len);
    else
        memset(bytes->at, ' ', len);
    assert_int_equal(scratch_write(fd, bytes->at, len), 0);
    blob_drop(&bytes);
    close(fd);
    return path;
}

static void files_are_there_and_lead_nowhere_else(void **state)
{
    (void)state;
    commands_up();
    static const char script[] = "#!/bin/sh\nhead -c 10 data/in.txt; wc -c < data/in.txt; "
                                 "cat passwd | head -c 4";
    struct blob *tool = blob_copy(script, sizeof script - 1);
    const struct command_slice passwd = {"/etc/passwd", 0, UINT64_MAX},
                               data[] = {{own_file("one", "#hello big ", 11), 1, 10},
                                         {own_file("two", NULL, 8000000), 0, 8000000}};
    struct command_input inputs[] = {
        {.name = "tool", .bytes.blob = tool, .executable = true},
        {.name = "data/in.txt", .bytes = {.slices = data, .n_slices = 2}},
        {.name = "passwd", .bytes = {.slices = &passwd, .n_slices = 1}},
    };
    struct command *command = script_of("./tool", 1);
    command->inputs = inputs;
    command->n_inputs = 3;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    char *text = text_of(&result->output[0]);
    assert_ended(result, COMMAND_EXIT, 0);
    assert_string_equal(text, "hello big 8000010\nroot");
    free(text);
    command_result_free(result);
    static const char *const bad[] = {"../x", "/tmp/x", "a/../../x", "",
                                      ".",    "a//b",   "a/",        "a/./b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        inputs[1].name = bad[i];
        command = script_of("./tool", 1);
        command->inputs = inputs;
        command->n_inputs = 3;
        commands_run(the_commands, command);
        result = result_within(30);
        assert_ended(result, COMMAND_NOT_STARTED, -1);
        assert_non_null(strstr(result->error, "Invalid argument"));
        command_result_free(result);
    }
    inputs[1].name = "data/in.txt";
    static const struct command_slice gone[] = {{"/not/there", 0, 1}, {"/etc/passwd", 1 << 20, 1}};
    for (size_t i = 0; i < 2; i++) {
        inputs[2].bytes.slices = &gone[i];
        command = script_of("./tool", 1);
        command->inputs = inputs;
        command->n_inputs = 3;
        commands_run(the_commands, command);
        result = result_within(30);
        assert_ended(result, COMMAND_NOT_STARTED, -1);
        assert_non_null(strstr(result->error, i ? "Input/output error" : "No such file"));
        command_result_free(result);
    }
    commands_run(the_commands, script_of("true", 2));
    command_result_free(result_within(30));
    blob_drop(&tool);
    assert_nothing_left();
}

/* The command has that input, so many bytes, whole: in the environment, or in the file. */
static void assert_input(struct command *command, size_t len, bool file)
{
    char *input = mem_new(len + 1, 1), expected[64];
    memset(input, 'x', len);
    command->input = input;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    char *text = text_of(&result->output[0]);
    text_format(expected, sizeof expected, "%d\n%zu\n", file, len);
    assert_ended(result, COMMAND_EXIT, 0);
    assert_string_equal(text, expected);
    free(text);
    free(input);
    command_result_free(result);
}

static const char tell_input[] =
    "ls -A | wc -l; echo $((${#CONCLAVE_INPUT} + $(cat $CONCLAVE_INPUT_FILE /dev/null | wc -c)))";

/* A variable has 128 KiB at most, with its name. */
static void a_long_input_is_in_the_environment_or_a_file(void **state)
{
    (void)state;
    commands_up();
    assert_input(script_of(tell_input, 1), COMMAND_INPUT_MAX_BYTES, false);
    assert_input(script_of(tell_input, 1), COMMAND_INPUT_MAX_BYTES + 1, true);
    assert_input(script_of(tell_input, 1), TASK_RECORD_MAX, true);
    const struct command_input taken = {.name = ".conclave-input"};
    struct command *command = script_of("head -c 1 $CONCLAVE_INPUT_FILE; ls -A | tr '\\n' ' '", 1);
    char *input = mem_new(200001, 1);
    memset(input, 'x', 200000);
    command->inputs = &taken;
    command->n_inputs = 1;
    command->input = input;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    char *text = text_of(&result->output[0]);
    assert_string_equal(text, "x.conclave-input .conclave-input-1 ");
    free(text);
    free(input);
    command_result_free(result);
    assert_nothing_left();
}

/* A quarter of the stack, which is the user's to limit, holds both. */
static void an_input_that_does_not_fit_beside_the_arguments_is_in_a_file(void **state)
{
    (void)state;
    struct rlimit before, small;
    getrlimit(RLIMIT_STACK, &before);
    small = before;
    small.rlim_cur = 512 * KIB_BYTES;
    setrlimit(RLIMIT_STACK, &small);
    commands_up();
    char *argument = mem_new(100001, 1);
    memset(argument, 'y', 100000);
    const char *const argv[] = {"/bin/sh", "-c", tell_input, argument, NULL};
    struct command *command = script_of("", 1);
    command->argv = argv;
    assert_input(command, 1000, false);
    assert_input(command, 100000, true);
    free(argument);
    assert_nothing_left();
    setrlimit(RLIMIT_STACK, &before);
}

/* It is many segments: the next look at the node is never far. */
static void a_cancel_ends_the_copying_of_files(void **state)
{
    (void)state;
    enum { SLICES = 30000 };
    commands_up();
    const char *path = own_file("some", NULL, MIB_BYTES);
    struct command_slice *slices = mem_new(SLICES, sizeof *slices);
    for (size_t i = 0; i < SLICES; i++) /* 29 GiB */
        slices[i] = (struct command_slice){path, 0, MIB_BYTES};
    const struct command_input input = {.name = "all",
                                        .bytes = {.slices = slices, .n_slices = SLICES}};
    struct command *command = script_of("echo begun", 1);
    command->inputs = &input;
    command->n_inputs = 1;
    commands_run(the_commands, command);
    struct command_id id = command->id;
    for (uint64_t end_us = clock_now_us() + 10 * SECOND_US;
         !entries_of(own_path("scratch")) && clock_now_us() < end_us;)
        usleep(1000);
    commands_cancel(the_commands, id);
    struct command_result *result = result_within(6);
    assert_non_null(result);
    assert_ended(result, COMMAND_CANCELLED, -1);
    assert_int_equal(result->output[0].total, 0);
    command_result_free(result);
    free(slices);
    assert_nothing_left();
}

/* Segments that the last life had there. */
static void files_of_the_last_life_are_removed(void **state)
{
    (void)state;
    commands_up();
    char path[DATADIR_PATH_ROOM];
    text_format(path, sizeof path, "%s/1-2-3", commands_files(the_commands));
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    commands_destroy(&the_commands);
    commands_up();
    assert_int_equal(entries_of(commands_files(the_commands)), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        COMMANDS_TEST(stdin_is_what_it_is_given),
        COMMANDS_TEST(files_are_there_and_lead_nowhere_else),
        COMMANDS_TEST(a_long_input_is_in_the_environment_or_a_file),
        COMMANDS_TEST(an_input_that_does_not_fit_beside_the_arguments_is_in_a_file),
        COMMANDS_TEST(a_cancel_ends_the_copying_of_files),
        COMMANDS_TEST(files_of_the_last_life_are_removed),
    };
    return commands_main(argc, argv, "command", tests);
}
