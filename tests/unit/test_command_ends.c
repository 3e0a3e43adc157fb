/* Commands: how one ends, and that nothing of it goes on (T18): whatever it has started, however it
 * was told to end, and whoever was killed meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nodes/work/processes.h"
#include "nodes/work/survivors.h"
#include "shared/base/clock.h"
#include "tests/harness/commands.h"
#include "tests/harness/datadir.h"

#define NAP "sleep 1000"

static char mark[64]; /* in the environment of all that a test starts */

/* A command that has that mark, and writes the pid of what shall not survive to PIDS. */
static struct command *marked(const char *script, uint64_t task)
{
    static const char *env[3];
    static char pids[DATADIR_PATH_ROOM];
    text_format(mark, sizeof mark, "CONCLAVE_TEST_MARK=%d", (int)getpid());
    text_format(pids, sizeof pids, "PIDS=%s", datadir_path("pids"));
    env[0] = mark;
    env[1] = pids;
    struct command *command = script_of(script, task);
    command->env = env;
    return command;
}

static void assert_none_left(void)
{
    assert_int_equal(processes_with(mark), 0);
    assert_int_equal(entries_of(own_path("scratch")), 0);
}

/* Runs it, and then nothing of it is there any more. */
static void ends_with_all(const char *script)
{
    char pids[DATADIR_PATH_ROOM];
    text_format(pids, sizeof pids, "%s", datadir_path("pids"));
    unlink(pids);
    commands_run(the_commands, marked(script, 1));
    struct command_result *result = result_within(30);
    assert_ended(result, COMMAND_EXIT, 0);
    assert_false(result->survived);
    assert_true(result->wall_us < 20 * SECOND_US);
    command_result_free(result);
    assert_gone((pid_t)number_in(pids));
    assert_none_left();
}

/* --- what it leaves running --- */

static void what_runs_in_the_background_ends_with_it(void **state)
{
    (void)state;
    commands_up();
    ends_with_all(NAP " & echo $! > $PIDS");
}

static void what_has_its_own_session_ends_with_it_T18(void **state)
{
    (void)state;
    commands_up();
    ends_with_all("setsid " NAP " & echo $! > $PIDS");
    ends_with_all("setsid sh -c '(trap \"\" TERM HUP; echo $$ > $PIDS; exec " NAP
                  ") &'; sleep 0.2");
}

/* The way of daemons, without a word of where they come from in their environment. */
static void a_daemon_ends_with_it_T18(void **state)
{
    (void)state;
    commands_up();
    ends_with_all("env -i PIDS=$PIDS setsid sh -c '(setsid sh -c \"echo \\$\\$ > $PIDS; exec " NAP
                  "\" </dev/null >/dev/null 2>&1 &) &' &"
                  "while ! [ -s $PIDS ]; do sleep 0.01; done");
}

static void all_that_goes_on_starting_others_ends_with_it(void **state)
{
    (void)state;
    commands_up();
    /* Each starts the next one in a session of its own, and ends. */
    ends_with_all(
        "echo 'i=$1; [ $i -gt 0 ] || exit 0; setsid sh ./chain $((i-1)) & exit 0' > chain;"
        "setsid sh ./chain 100000 & echo $! > $PIDS; sleep 0.3");
}

/* A tree of 2^9 shells that each wait: many at a time, and none is left. */
static void a_fork_bomb_ends_with_it(void **state)
{
    (void)state;
    commands_up();
    ends_with_all("echo 'i=$1; [ $i -gt 0 ] || exec " NAP "; sh ./bomb $((i-1)) &"
                  " sh ./bomb $((i-1)); wait' > bomb;"
                  "sh ./bomb 9 & echo $! > $PIDS; sleep 0.5");
}

/* --- limits and cancels --- */

static void a_time_limit_asks_first(void **state)
{
    (void)state;
    commands_up();
    struct command *command = marked("trap 'echo cleaned; exit 4' TERM; echo $$ > $PIDS;"
                                     " while :; do sleep 0.01; done",
                                     1);
    command->limits.time_us = 300 * MS_US;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    char *text = text_of(&result->output[0]);
    assert_ended(result, COMMAND_TIME_LIMIT, 4);
    assert_string_equal(text, "cleaned\n");
    assert_true(result->wall_us >= 300 * MS_US && result->wall_us < 4 * SECOND_US);
    free(text);
    command_result_free(result);
    assert_none_left();
}

static void who_ignores_it_is_killed_after_the_grace(void **state)
{
    (void)state;
    commands_up();
    struct command *command = marked("trap '' TERM; while :; do sleep 0.05; done", 1);
    command->limits.time_us = 100 * MS_US;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    assert_ended(result, COMMAND_TIME_LIMIT, -1);
    assert_int_equal(result->signal, SIGKILL);
    assert_true(result->wall_us >= COMMAND_GRACE_US && result->wall_us < 9 * SECOND_US);
    command_result_free(result);
    assert_none_left();
}

static void a_stopped_command_hears_of_its_limit(void **state)
{
    (void)state;
    commands_up();
    struct command *command = marked("kill -STOP $$", 1);
    command->limits.time_us = 200 * MS_US;
    commands_run(the_commands, command);
    struct command_result *result = result_within(30);
    assert_ended(result, COMMAND_TIME_LIMIT, -1);
    assert_int_equal(result->signal, SIGTERM);
    assert_true(result->wall_us < 4 * SECOND_US);
    command_result_free(result);
}

static void a_cancel_ends_what_runs_and_what_waits(void **state)
{
    (void)state;
    the_config.slots = 1;
    commands_up();
    commands_run(the_commands, marked("echo $$ > $PIDS; (trap '' TERM; sleep 50) & " NAP, 1));
    commands_run(the_commands, marked("echo never", 2));
    commands_run(the_commands, marked("echo third", 3));
    pid_t pid = (pid_t)number_in(datadir_path("pids"));
    uint64_t begin_us = clock_now_us();
    struct command_id id = script_of("", 1)->id;
    commands_cancel(the_commands, (struct command_id){id.job, 2, 1});
    struct command_result *result = result_within(10);
    assert_true(result->id.task == 2 && result->output[0].len == 0);
    assert_ended(result, COMMAND_CANCELLED, -1);
    command_result_free(result);
    commands_cancel(the_commands, (struct command_id){id.job, 1, 2}); /* another attempt */
    commands_cancel(the_commands, (struct command_id){id.job, 1, 1});
    commands_cancel(the_commands, (struct command_id){id.job, 1, 1});
    result = result_within(10);
    assert_true(clock_now_us() - begin_us < 6 * SECOND_US);
    assert_true(result->id.task == 1 && result->signal == SIGTERM);
    assert_ended(result, COMMAND_CANCELLED, -1);
    command_result_free(result);
    assert_gone(pid);
    result = result_within(10);
    assert_true(result->id.task == 3);
    assert_ended(result, COMMAND_EXIT, 0);
    command_result_free(result);
    assert_none_left();
}

static void a_cancel_of_the_deaf_takes_less_than_six_seconds_T18(void **state)
{
    (void)state;
    commands_up();
    commands_run(the_commands,
                 marked("trap '' TERM; echo $$ > $PIDS; while :; do sleep 1; done", 1));
    number_in(datadir_path("pids"));
    uint64_t begin_us = clock_now_us();
    commands_cancel(the_commands, script_of("", 1)->id);
    struct command_result *result = result_within(30);
    assert_ended(result, COMMAND_CANCELLED, -1);
    assert_int_equal(result->signal, SIGKILL);
    assert_true(clock_now_us() - begin_us < COMMAND_GRACE_US + SECOND_US);
    command_result_free(result);
    assert_none_left();
}

/* --- several at a time --- */

static void slots_run_side_by_side_and_no_more(void **state)
{
    (void)state;
    the_config.slots = 3;
    commands_up();
    /* Each waits until it has seen three of them. */
    for (uint64_t task = 1; task <= 3; task++)
        commands_run(the_commands, marked("d=${PIDS%pids}/seen; mkdir -p $d; : > $d/$CONCLAVE_TASK;"
                                          "while [ $(ls $d | wc -l) -lt 3 ]; do sleep 0.01; done",
                                          task));
    for (int i = 0; i < 3; i++) {
        struct command_result *result = result_within(20);
        assert_ended(result, COMMAND_EXIT, 0);
        command_result_free(result);
    }
    for (uint64_t task = 1; task <= 200; task++)
        commands_run(the_commands, marked("echo $CONCLAVE_TASK", task));
    bool seen[201] = {false};
    for (int i = 0; i < 200; i++) {
        struct command_result *result = result_within(20);
        char *text = text_of(&result->output[0]);
        assert_int_equal(strtol(text, NULL, 10), result->id.task);
        assert_false(seen[result->id.task]);
        seen[result->id.task] = true;
        free(text);
        command_result_free(result);
    }
}

static void the_end_of_one_is_no_business_of_another(void **state)
{
    (void)state;
    commands_up();
    commands_run(the_commands, marked("setsid " NAP " & echo $! > $PIDS; " NAP, 1));
    pid_t pid = (pid_t)number_in(datadir_path("pids"));
    struct process process;
    for (uint64_t task = 2; task < 12; task++)
        commands_run(the_commands, script_of("setsid sleep 100 & exit 0", task));
    for (int i = 0; i < 10; i++) {
        struct command_result *result = result_within(20);
        assert_int_not_equal(result->id.task, 1);
        command_result_free(result);
    }
    assert_true(process_read(pid, &process));
    commands_down();
    assert_gone(pid);
    assert_none_left();
}

/* --- spawners and nodes that are killed --- */

/* The parent of a command's process is its spawner. */
static pid_t spawner_of(pid_t pid)
{
    struct process process;
    assert_true(process_read(pid, &process));
    assert_int_not_equal(process.parent, getpid());
    return process.parent;
}

static void a_killed_spawner_takes_its_command_along_T18(void **state)
{
    (void)state;
    the_config.slots = 1;
    commands_up();
    for (int round = 0; round < 2; round++) {
        char pids[DATADIR_PATH_ROOM], deeper[DATADIR_PATH_ROOM];
        text_format(pids, sizeof pids, "%s", datadir_path("pids"));
        text_format(deeper, sizeof deeper, "%s", datadir_path("pids.deeper"));
        unlink(pids);
        unlink(deeper);
        commands_run(the_commands,
                     marked("env -i setsid " NAP " & echo $! > $PIDS.deeper; trap '' TERM;"
                            " echo $$ > $PIDS; while :; do sleep 1; done",
                            1));
        pid_t pid = (pid_t)number_in(pids), other = (pid_t)number_in(deeper);
        kill(spawner_of(pid), SIGKILL);
        struct command_result *result = result_within(10);
        assert_ended(result, COMMAND_KILLED, -1);
        command_result_free(result);
        assert_gone(pid);
        assert_gone(other); /* which nothing names any more */
        assert_none_left();
    }
    struct command_result *result = run_script("echo goes on");
    assert_ended(result, COMMAND_EXIT, 0);
    command_result_free(result);
}

static void a_spawner_that_was_killed_idle_is_replaced(void **state)
{
    (void)state;
    the_config.slots = 1;
    commands_up();
    for (int round = 0; round < 3; round++) {
        struct command_result *result = run_script("echo $PPID; exit 0");
        char *text = text_of(&result->output[0]);
        assert_ended(result, COMMAND_EXIT, 0);
        kill((pid_t)strtol(text, NULL, 10), SIGKILL);
        free(text);
        command_result_free(result);
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
}

/* Nobody comes after it: its spawners do it. */
static void a_killed_node_takes_its_commands_along_T18(void **state)
{
    (void)state;
    char pids[DATADIR_PATH_ROOM], script[2048];
    text_format(pids, sizeof pids, "%s", datadir_path("pids"));
    text_format(script, sizeof script,
                "env -i setsid " NAP " & echo $! > %s.deeper; trap '' TERM; echo $$ > %s;"
                " while :; do sleep 1; done",
                pids, pids);
    pid_t node = other_node(datadir, script);
    pid_t pid = (pid_t)number_in(pids);
    char deeper[DATADIR_PATH_ROOM];
    text_format(deeper, sizeof deeper, "%s", datadir_path("pids.deeper"));
    pid_t other = (pid_t)number_in(deeper), spawner = spawner_of(pid);
    kill(node, SIGKILL);
    waitpid(node, NULL, 0);
    assert_gone(pid);
    assert_gone(other);
    assert_gone(spawner);
    assert_int_equal(entries_of(own_path("scratch")), 0);
}

/* Node and spawner at once: the next start of the node does it, by the record. */
static void the_next_start_ends_what_both_have_left_T18(void **state)
{
    (void)state;
    char pids[DATADIR_PATH_ROOM], script[2048];
    text_format(pids, sizeof pids, "%s", datadir_path("pids"));
    text_format(script, sizeof script,
                "setsid " NAP
                " & echo $! > %s.deeper; echo x > file; trap '' TERM HUP; echo $$ > %s;"
                " while :; do sleep 1; done",
                pids, pids);
    pid_t node = other_node(datadir, script);
    pid_t pid = (pid_t)number_in(pids);
    char deeper[DATADIR_PATH_ROOM];
    text_format(deeper, sizeof deeper, "%s", datadir_path("pids.deeper"));
    pid_t other = (pid_t)number_in(deeper), spawner = spawner_of(pid);
    kill(spawner, SIGSTOP); /* so that it cannot see the node's end before its own */
    kill(node, SIGKILL);
    waitpid(node, NULL, 0);
    kill(spawner, SIGKILL);
    assert_gone(spawner);
    struct process process;
    assert_true(process_read(pid, &process) && process_read(other, &process));
    assert_int_equal(entries_of(own_path("scratch")), 1);
    commands_up();
    assert_gone(pid);
    assert_gone(other);
    assert_int_equal(entries_of(own_path("scratch")), 0);
    assert_int_equal(entries_of(own_path("")), 3); /* three directories, and no record */
}

/* A record whose pid is somebody else's by now: begun at another time, in another boot. */
static void a_process_of_the_same_pid_is_left_alone_T18(void **state)
{
    (void)state;
    char record[DATADIR_PATH_ROOM], boot[BOOT_ID_MAX];
    struct process process;
    pid_t bystander = fork();
    if (!bystander) {
        setsid();
        pause();
        _exit(0);
    }
    while (!process_read(bystander, &process) || process.session != bystander)
        ;
    text_format(record, sizeof record, "%s", datadir_path("slot-1.running"));
    boot_id_read(boot);
    const struct {
        uint64_t start;
        const char *boot;
    } others[] = {{process.start - 1, boot}, {process.start, "another-boot"}};
    for (size_t i = 0; i < 2; i++) {
        FILE *file = fopen(record, "w");
        fprintf(file, "%d %llu %s %s/none\n", (int)bystander, (unsigned long long)others[i].start,
                others[i].boot, datadir);
        fclose(file);
        assert_int_equal(survivors_end_all(datadir), 0);
        assert_int_not_equal(access(record, F_OK), 0);
        assert_int_equal(waitpid(bystander, NULL, WNOHANG), 0);
    }
    static const char *const damaged[] = {"", "x", "1 2", "1 2 boot relative\n", "1 1 boot /x"};
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        FILE *file = fopen(record, "w");
        fputs(damaged[i], file);
        fclose(file);
        assert_int_equal(survivors_end_all(datadir), 0);
    }
    FILE *file = fopen(record, "w");
    fprintf(file, "%d %llu %s %s/none\n", (int)bystander, (unsigned long long)process.start, boot,
            datadir);
    fclose(file);
    assert_int_equal(survivors_end_all(datadir), 1);
    assert_int_equal(waitpid(bystander, NULL, 0), bystander);
}

static void an_end_of_the_node_ends_all_within_two_seconds(void **state)
{
    (void)state;
    commands_up();
    for (uint64_t task = 1; task <= 5; task++)
        commands_run(the_commands,
                     marked("trap '' TERM; echo $$ > $PIDS; setsid " NAP " & " NAP, task));
    number_in(datadir_path("pids"));
    uint64_t begin_us = clock_now_us();
    commands_down();
    assert_true(clock_now_us() - begin_us < 2 * SECOND_US);
    assert_none_left();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        COMMANDS_TEST(what_runs_in_the_background_ends_with_it),
        COMMANDS_TEST(what_has_its_own_session_ends_with_it_T18),
        COMMANDS_TEST(a_daemon_ends_with_it_T18),
        COMMANDS_TEST(all_that_goes_on_starting_others_ends_with_it),
        COMMANDS_TEST(a_fork_bomb_ends_with_it),
        COMMANDS_TEST(a_time_limit_asks_first),
        COMMANDS_TEST(who_ignores_it_is_killed_after_the_grace),
        COMMANDS_TEST(a_stopped_command_hears_of_its_limit),
        COMMANDS_TEST(a_cancel_ends_what_runs_and_what_waits),
        COMMANDS_TEST(a_cancel_of_the_deaf_takes_less_than_six_seconds_T18),
        COMMANDS_TEST(slots_run_side_by_side_and_no_more),
        COMMANDS_TEST(the_end_of_one_is_no_business_of_another),
        COMMANDS_TEST(a_killed_spawner_takes_its_command_along_T18),
        COMMANDS_TEST(a_spawner_that_was_killed_idle_is_replaced),
        COMMANDS_TEST(a_killed_node_takes_its_commands_along_T18),
        COMMANDS_TEST(the_next_start_ends_what_both_have_left_T18),
        COMMANDS_TEST(a_process_of_the_same_pid_is_left_alone_T18),
        COMMANDS_TEST(an_end_of_the_node_ends_all_within_two_seconds),
    };
    return commands_main(argc, argv, "command_ends", tests);
}
