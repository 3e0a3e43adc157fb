/* commands.h - users' commands in tests: an executor over the directory of the present test
 * (datadir.h), and shell scripts that it runs. A test that uses it starts with commands_called().
 */
#ifndef CONCLAVE_HARNESS_COMMANDS_H
#define CONCLAVE_HARNESS_COMMANDS_H

#include <sys/types.h>

#include "nodes/work/command.h"

extern struct commands *the_commands;     /* of the present test */
extern struct commands_config the_config; /* may be changed before commands_up() */

/* The tests of a program, each with an executor's setup and teardown; what main() returns. When
 * this program was called to be a spawner, or a node that runs one script and waits to be killed,
 * it is that instead. */
#define COMMANDS_TEST(name) cmocka_unit_test_setup_teardown(name, commands_setup, commands_teardown)
#define commands_main(argc, argv, name, tests)   \
    (commands_called(argc, argv) ? commands_code \
                                 : cmocka_run_group_tests_name(name, tests, NULL, NULL))
bool commands_called(int argc, char **argv);
extern int commands_code; /* the exit code of one that was called */
int commands_setup(void **state);
int commands_teardown(void **state);

void commands_up(void);
void commands_down(void);

/* A script for /bin/sh, with usual limits, as task `task`. Valid until the next call. */
struct command *script_of(const char *script, uint64_t task);

/* Waits for one result; fails after `seconds`. Caller frees. */
struct command_result *result_within(unsigned seconds);

/* Runs one script and waits for it. Caller frees. */
struct command_result *run_script(const char *script);

/* The stream as a terminated text; caller frees. Fails when it is in pieces. */
char *text_of(const struct command_output *output);

/* Asserts how it ended, and on failure shows all that there is to see. */
#define assert_ended(result, end_, exit_) assert_ended_at(result, end_, exit_, __FILE__, __LINE__)
void assert_ended_at(const struct command_result *result, enum command_end end, int exit_code,
                     const char *file, int line);

/* Starts this program as a node that runs one script there. Caller reaps. */
pid_t other_node(const char *dir, const char *script);

/* Waits until the file is there and has a whole line; the number in it. */
long number_in(const char *path);

/* Waits until no process of that pid is there, but for one that ended and is not reaped. */
void assert_gone(pid_t pid);

/* Processes whose environment has that "NAME=VALUE". */
unsigned processes_with(const char *variable);

/* Entries of a directory, but for . and .. */
unsigned entries_of(const char *path);

/* Paths below the executor's own directory. */
const char *own_path(const char *name);

/* No directory of a command and no output that nobody took. */
void assert_nothing_left(void);

#endif
