/* op.c - conclave op check. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients/ask/interrupt.h"
#include "clients/command/commands.h"
#include "clients/local/local.h"
#include "clients/local/outfile.h"
#include "clients/map/fold.h"
#include "clients/map/named.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

/* A program that takes longer for a few small files hangs; --time-limit says otherwise. */
#define TIME_LIMIT_DEFAULT_US OPERATOR_TIME_DEFAULT_US

extern char **environ;

static struct {
    uint64_t time_limit_us;
} options = {TIME_LIMIT_DEFAULT_US};

const struct option_spec op_check_options[] = {
    {"time-limit", OPTION_DURATION, &options.time_limit_us, 100 * MS_US, TIME_NEVER_US, "TIME",
     "how long one run of the program may take (default 1m)"},
    {0}};

/* --- one run --- */

static int start(const char *path, char *const *argv, int out, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults, none;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    sigaddset(&defaults, SIGTERM);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setsigmask(&attributes, &none);
    int number = posix_spawn(pid, path, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return number;
}

/* Waits until the program ends by itself, its time is over or a signal comes; then its whole group
 * is killed. */
static int await(pid_t pid, int *status)
{
    uint64_t deadline_us = clock_now_us() + options.time_limit_us;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0), error = fd < 0 ? ERR_IO : OK;
    for (bool ended = false; !ended && !error;) {
        struct pollfd polled[] = {{fd, POLLIN, 0}, {interrupt_fd(), POLLIN, 0}};
        uint64_t now_us = clock_now_us();
        uint64_t left_ms = deadline_us > now_us ? (deadline_us - now_us) / MS_US + 1 : 0;
        int wait_ms = left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
        int n = poll(polled, 2, wait_ms);
        if (interrupt_seen())
            error = ERR_INTERRUPTED;
        else if (n == 0 && clock_now_us() >= deadline_us)
            error = ERR_TIMEOUT;
        else
            ended = n > 0 && polled[0].revents;
    }
    kill(-pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR) {
    }
    if (fd >= 0)
        close(fd);
    return error;
}

static int complain(struct text *why, int error, int status, char *const *argv)
{
    char shown[TEXT_MAX / 8];
    for (size_t i = 0; argv[i]; i++)
        text_add(why, "%s%s", i ? " " : "", text_escape(shown, sizeof shown, slice_of(argv[i])));
    if (error == ERR_TIMEOUT)
        text_add(why, ": longer than --time-limit");
    else if (error)
        text_add(why, ": %s", error == ERR_INTERRUPTED ? "interrupted" : "cannot be waited for");
    else if (WIFSIGNALED(status))
        text_add(why, ": ended by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status))
        text_add(why, ": exit code %d", WEXITSTATUS(status));
    else
        return OK;
    return error ? error : ERR_IO;
}

static int run_program(void *context, size_t n, const char *const *files, const char *to,
                       struct text *why)
{
    char *argv[FOLD_ARITY_MAX + 2] = {context};
    struct outfile out;
    pid_t pid = 0;
    int status = 0, number = 0;
    for (size_t i = 0; i < n; i++)
        argv[i + 1] = mem_string(files[i]);
    int error = outfile_open(&out, "op check", to) ? ERR_IO : OK;
    if (error)
        text_add(why, "no file can be written in %s", to);
    else if ((number = start(context, argv, fileno(out.file), &pid)))
        text_add(why, "%s cannot be executed: %s", argv[0], strerror(number));
    else
        error = await(pid, &status);
    if (pid)
        error = complain(why, error, status, argv);
    else
        error = ERR_IO;
    if (out.file && outfile_close(&out, error ? EXIT_FAILED : EXIT_OK) && !error)
        error = ERR_IO;
    for (size_t i = 0; i < n; i++)
        free(argv[i + 1]);
    return error;
}

/* --- the check --- */

static void explain(const char *dir, const struct fold_result *a, const struct fold_result *b,
                    size_t shape)
{
    char one[LOCAL_PATH_MAX], other[LOCAL_PATH_MAX], hash_a[HASH_TEXT_MAX], hash_b[HASH_TEXT_MAX];
    uint64_t offset = 0, line = 0;
    if (!local_path(dir, a->path, one) && !local_path(dir, b->path, other))
        fold_compare(one, other, &offset, &line);
    cli_note("the results differ: %s %.12s... (%" PRIu64 " bytes), %s %.12s... (%" PRIu64
             " bytes); from byte %" PRIu64 ", line %" PRIu64 " on",
             fold_shape_name(0), hash_text(a->sha256, hash_a), a->bytes, fold_shape_name(shape),
             hash_text(b->sha256, hash_b), b->bytes, offset, line);
}

static json_t *shapes_json(const struct fold_result *results, size_t n)
{
    json_t *rows = json_array();
    char hash[HASH_TEXT_MAX];
    for (size_t i = 0; i < n; i++)
        json_array_append_new(rows, json_pack("{s:s, s:s, s:I, s:I}", "shape", fold_shape_name(i),
                                              "sha256", hash_text(results[i].sha256, hash), "bytes",
                                              (json_int_t)results[i].bytes, "runs",
                                              (json_int_t)results[i].runs));
    return rows;
}

static int check(struct cli *cli, char *program, size_t n, const char *const *files,
                 const char *dir)
{
    struct fold_result results[FOLD_SHAPES];
    struct text why = {0};
    size_t done = 0;
    bool equal = true;
    for (; done < FOLD_SHAPES && equal; done++) {
        int error = fold_run(run_program, program, done, n, files, dir, &results[done], &why);
        if (error == ERR_INTERRUPTED)
            return cli_interrupted();
        if (error)
            return cli_fail(EXIT_FAILED, "%s", why.at);
        equal = !memcmp(results[done].sha256, results[0].sha256, HASH_BYTES);
    }
    if (!equal)
        explain(dir, &results[0], &results[done - 1], done - 1);
    if (cli->json)
        cli_print_json(cli, json_pack("{s:b, s:o}", "equal", equal, "shapes",
                                      shapes_json(results, done)));
    else if (equal)
        printf("%d shapes, one result of %" PRIu64 " bytes\n", FOLD_SHAPES, results[0].bytes);
    return equal ? EXIT_OK : EXIT_FAILED;
}

/* An operator of the cluster, with its own time limit unless another one is given. */
static int fetch(struct cli *cli, const char *word, const char *dir, char path[LOCAL_PATH_MAX])
{
    struct message *page = NULL, *spec = NULL;
    const struct wire_value_row *row;
    char why[TEXT_MAX];
    int code = named_find(cli, word, &page, &row);
    if (!code)
        code = named_read(cli, row, &spec);
    if (!code && (local_path(dir, "program", path) ||
                  outfile_put(path, message_frame(spec, 1)->at, message_frame(spec, 1)->len, why) ||
                  chmod(path, 0700)))
        code = cli_fail(EXIT_FAILED, "the program cannot be written to %s", dir);
    if (!code && options.time_limit_us == TIME_LIMIT_DEFAULT_US &&
        spec->as.operator_spec.time_limit_us)
        options.time_limit_us = spec->as.operator_spec.time_limit_us;
    message_drop(&spec);
    message_drop(&page);
    return code;
}

int op_check_run(struct cli *cli, int n_words, char **words)
{
    char dir[LOCAL_PATH_MAX], program[LOCAL_PATH_MAX], shown[TEXT_MAX / 4];
    const char *parent = getenv("TMPDIR");
    if (n_words < 3)
        return cli_fail(EXIT_USAGE,
                        "a program and two or more files are needed: op check ./merge.sh a b c");
    text_escape(shown, sizeof shown, slice_of(words[0]));
    bool stored = !strchr(words[0], '/');
    if (!stored && access(words[0], X_OK))
        return cli_fail(EXIT_USAGE, "%s cannot be executed: %s", shown, strerror(errno));
    for (int i = 1; i < n_words; i++)
        if (access(words[i], R_OK))
            return cli_fail(EXIT_USAGE, "%s: %s",
                            text_escape(shown, sizeof shown, slice_of(words[i])), strerror(errno));
    if (local_path(parent && *parent ? parent : "/tmp", "conclave-op.XXXXXX", dir) || !mkdtemp(dir))
        return cli_fail(EXIT_FAILED, "no temporary directory could be made: %s", strerror(errno));
    int code = stored ? fetch(cli, words[0], dir, program) : EXIT_OK;
    if (!code)
        code = check(cli, stored ? program : words[0], (size_t)n_words - 1,
                     (const char *const *)(words + 1), dir);
    local_remove(dir);
    return code;
}
