#include "tests/harness/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nodes/work/processes.h"
#include "nodes/work/spawner.h"
#include "shared/base/clock.h"
#include "shared/base/memory.h"
#include "tests/harness/datadir.h"

#define WAIT_US (20 * SECOND_US)

struct commands *the_commands;
struct commands_config the_config;
int commands_code;

static const char *script_argv[4] = {"/bin/sh", "-c"};

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)(ms * 1000000)}, NULL);
}

/* --- being a node --- */

static int be_a_node(const char *dir, const char *script)
{
    struct text why = {0};
    the_config = (struct commands_config){.dir = dir, .node = 3, .slots = 2};
    if (commands_start(&the_config, &the_commands, &why)) {
        fprintf(stderr, "%s\n", why.at);
        return 1;
    }
    commands_run(the_commands, script_of(script, 1));
    for (;;)
        pause();
}

bool commands_called(int argc, char **argv)
{
    bool node = argc == 4 && !strcmp(argv[1], "node");
    if (!node && !spawner_is_called(argc, argv))
        return false;
    commands_code = node ? be_a_node(argv[2], argv[3]) : spawner_main();
    return true;
}

pid_t other_node(const char *dir, const char *script)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        execl("/proc/self/exe", "test", "node", dir, script, (char *)NULL);
        _exit(1);
    }
    return pid;
}

/* --- setup --- */

int commands_setup(void **state)
{
    int error = datadir_make(state);
    the_config = (struct commands_config){.dir = datadir, .node = 3, .slots = 2};
    return error;
}

int commands_teardown(void **state)
{
    commands_down();
    return datadir_remove(state);
}

void commands_up(void)
{
    struct text why = {0};
    if (commands_start(&the_config, &the_commands, &why))
        fail_msg("%s", why.at);
}

void commands_down(void)
{
    commands_destroy(&the_commands);
}

const char *own_path(const char *name)
{
    static char path[DATADIR_PATH_ROOM + 64];
    text_format(path, sizeof path, "%s/commands/%s", datadir, name);
    return path;
}

/* --- running --- */

struct command *script_of(const char *script, uint64_t task)
{
    static struct command command;
    script_argv[2] = script;
    command = (struct command){.id = {.job = ((uint64_t)4 << JOB_INDEX_BITS) + 17,
                                      .task = task,
                                      .attempt = 1},
                               .argv = script_argv,
                               .limits = {.output_max_bytes = COMMAND_OUTPUT_DEFAULT_BYTES,
                                          .files_max_bytes = COMMAND_FILES_DEFAULT_BYTES}};
    return &command;
}

struct command_result *result_within(unsigned seconds)
{
    static struct command_result *more; /* what came along with the last one */
    uint64_t end_us = clock_now_us() + seconds * SECOND_US;
    struct command_result *result = more;
    while (!result && clock_now_us() < end_us) {
        struct pollfd item = {.fd = commands_fd(the_commands), .events = POLLIN};
        poll(&item, 1, 100);
        result = commands_poll(the_commands);
    }
    if (!result)
        fail_msg("no result within %u s", seconds);
    more = command_result_next(result);
    return result;
}

struct command_result *run_script(const char *script)
{
    commands_run(the_commands, script_of(script, 1));
    return result_within(30);
}

char *text_of(const struct command_output *output)
{
    assert_non_null(output->bytes);
    assert_int_equal(output->bytes->len, output->len);
    char *text = mem_new(1, output->len + 1);
    memcpy(text, output->bytes->at, output->len);
    return text;
}

void assert_ended_at(const struct command_result *result, enum command_end end, int exit_code,
                     const char *file, int line)
{
    if (result->end == end && result->exit == exit_code)
        return;
    print_error("%s, exit %d, signal %d: %s\n", command_end_text(result->end), result->exit,
                result->signal, result->error);
    if (result->output[COMMAND_STDERR].bytes)
        print_error("%.*s\n", (int)result->output[COMMAND_STDERR].len,
                    (const char *)result->output[COMMAND_STDERR].bytes->at);
    _assert_int_equal((LargestIntegralType)(long)result->end, (LargestIntegralType)(long)end, file,
                      line);
    _assert_int_equal((LargestIntegralType)(long)result->exit, (LargestIntegralType)(long)exit_code,
                      file, line);
}

/* --- looking --- */

long number_in(const char *path)
{
    for (uint64_t end_us = clock_now_us() + WAIT_US; clock_now_us() < end_us; pause_ms(5)) {
        char line[64] = "";
        FILE *file = fopen(path, "r");
        bool read = file && fgets(line, sizeof line, file);
        if (file)
            fclose(file);
        if (read && strchr(line, '\n'))
            return strtol(line, NULL, 10);
    }
    fail_msg("%s is not there", path);
    return 0;
}

void assert_gone(pid_t pid)
{
    struct process process;
    for (uint64_t end_us = clock_now_us() + WAIT_US; clock_now_us() < end_us; pause_ms(5))
        if (!process_read(pid, &process) || process.state == 'Z')
            return;
    kill(pid, SIGKILL);
    fail_msg("process %d is still there", (int)pid);
}

struct count {
    const char *variable;
    unsigned n;
};

static void count_one(void *context, const struct process *process)
{
    struct count *count = context;
    count->n += process->state != 'Z' && process_has(process->pid, count->variable);
}

unsigned processes_with(const char *variable)
{
    struct count count = {.variable = variable};
    processes_each(count_one, &count);
    return count.n;
}

unsigned entries_of(const char *path)
{
    unsigned n = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (dir)
        closedir(dir);
    return n;
}

void assert_nothing_left(void)
{
    assert_int_equal(entries_of(own_path("scratch")), 0);
    assert_int_equal(entries_of(own_path("outputs")), 0);
}
