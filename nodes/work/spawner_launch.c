#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/work/spawner_internal.h"
#include "shared/base/memory.h"
#include "shared/base/urgency.h"

/* The first that the system kills when memory runs out: before any node. */
#define OOM_SCORE "1000"

/* All that the child needs, made before: between vfork(2) and execve(2) it shares this process's
 * memory, and calls nothing but the kernel. */
struct launch {
    const struct account *account;
    const struct command *command;
    int dir;        /* to run in */
    const int *fds; /* stdin, stdout, stderr: all above 2 */
    rlim_t files_soft;
    int nice;
    char *const *argv, *const *env;
    char *const *programs; /* what argv[0] may be, in turn */
    /* The child says what it could not do, and why; volatile, as for the compiler it then ends. */
    const char *volatile failed_at;
    volatile int error;
};

static _Noreturn void give_up(struct launch *launch, const char *at)
{
    launch->error = errno;
    launch->failed_at = at;
    _exit(127);
}

static bool set_limit(__rlimit_resource_t which, rlim_t most, bool hard)
{
    struct rlimit limit;
    if (getrlimit(which, &limit))
        return false;
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    if (hard)
        limit.rlim_max = limit.rlim_cur;
    return !setrlimit(which, &limit);
}

static void set_limits(struct launch *launch)
{
    const struct command_limits *limits = &launch->command->limits;
    if (!set_limit(RLIMIT_NOFILE, launch->files_soft, false) ||
        (limits->memory_bytes && !set_limit(RLIMIT_AS, limits->memory_bytes, true)) ||
        (limits->processes && !set_limit(RLIMIT_NPROC, limits->processes, true)))
        give_up(launch, "set its limits");
    urgency_normal(); /* the spawner's turns are short: it has little to do, and soon */
    if (launch->command->nice && setpriority(PRIO_PROCESS, 0, launch->nice))
        give_up(launch, "make it nice");
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, OOM_SCORE, sizeof OOM_SCORE - 1) < 0)
        errno = 0; /* a container may forbid it: then it is as likely as others */
}

/* The calls themselves: the C library would tell its threads, and their list is the parent's. */
static void become(struct launch *launch)
{
    const struct account *account = launch->account;
    if (account->foreign &&
        (syscall(SYS_setgroups, (size_t)account->n_groups, account->groups) ||
         syscall(SYS_setgid, account->gid) || syscall(SYS_setuid, account->uid)))
        give_up(launch, "become its account");
    /* A node that is not root's has its capabilities as ambient ones, which outlive setuid and
     * execve. */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL)
        give_up(launch, "give up capabilities");
    /* Nothing that it starts is more than it is itself: so all of it can be killed. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        give_up(launch, "keep its rights");
}

static _Noreturn void child(struct launch *launch)
{
    int error = ENOENT;
    sigset_t none;
    sigemptyset(&none); /* what they do is the default already (shed() in spawner.c) */
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (setsid() < 0)
        give_up(launch, "make its session");
    set_limits(launch);
    if (fchdir(launch->dir))
        give_up(launch, "enter its scratch directory");
    for (int fd = 0; fd < 3; fd++)
        if (dup2(launch->fds[fd], fd) < 0)
            give_up(launch, "give it its streams");
    if (syscall(SYS_close_range, 3u, ~0u, 0u))
        give_up(launch, "close what is not its own");
    become(launch);
    for (size_t i = 0; launch->programs[i]; i++) {
        execve(launch->programs[i], launch->argv, launch->env);
        if (errno != ENOENT && errno != ENOTDIR && error != EACCES)
            error = errno; /* as execvp(3) tells it */
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
            break;
    }
    errno = error;
    give_up(launch, NULL);
}

/* In a function of its own: the child runs on in it, and must not leave it. */
static pid_t start(struct launch *launch)
{
    pid_t pid = vfork();
    if (!pid)
        child(launch);
    return pid;
}

/* --- where the program is --- */

static const char *path_of(char *const *env)
{
    for (size_t i = 0; env[i]; i++)
        if (!strncmp(env[i], "PATH=", 5))
            return env[i] + 5;
    return "";
}

static char *joined(const char *dir, size_t len, const char *name)
{
    size_t bytes = len + strlen(name) + 4;
    char *at = mem_new(1, bytes);
    text_format(at, bytes, "%.*s/%s", len ? (int)len : 1, len ? dir : ".", name);
    return at;
}

/* Each directory of PATH with that name; what has a slash is itself. */
static char **find_programs(const char *name, const char *path)
{
    size_t n = 0, room = 2;
    for (const char *at = path; *at; at++)
        room += *at == ':';
    char **list = mem_new(room + 1, sizeof *list);
    if (strchr(name, '/') || !*name) {
        list[0] = mem_string(name);
        return list;
    }
    for (const char *at = path;; at++) {
        size_t len = strcspn(at, ":");
        list[n++] = joined(at, len, name);
        at += len;
        if (!*at)
            return list;
    }
}

/* --- the parent --- */

void run_fail(struct run *run, enum command_end end, const char *what, int error)
{
    struct command_result *result = run->result;
    if (result->error[0] || result->end != COMMAND_EXIT)
        return;
    bool full = error == ENOSPC || error == EDQUOT;
    result->end = full ? COMMAND_DISK_FULL : end;
    text_format(result->error, sizeof result->error, "%s%s%s", what, error ? ": " : "",
                error ? strerror(error) : "");
}

/* Returns the child's, or -1; launch->error: it has become no program. */
static pid_t launch_once(struct run *run, struct launch *launch)
{
    char **env = environment_make(run);
    launch->env = env;
    launch->programs = find_programs(launch->command->argv[0], path_of(env));
    launch->error = 0;
    pid_t pid = start(launch);
    environment_free((char **)launch->programs);
    environment_free(env);
    return pid;
}

/* With the input in a file, when arguments and environment together are more than the kernel takes:
 * that depends on the user's limit of the stack. */
static pid_t launch_again(struct run *run, struct launch *launch, pid_t pid)
{
    if (pid < 0 || launch->error != E2BIG || !launch->command->input || run->input_name[0])
        return pid;
    waitpid(pid, NULL, 0);
    if (!input_to_file(run))
        return 0;
    return launch_once(run, launch);
}

bool launch(struct run *run, const int fds[3])
{
    const struct command *command = &run->order.command;
    char what[TEXT_MAX];
    struct launch launch = {.account = &run->spawner->account,
                            .command = command,
                            .dir = run->scratch.fd,
                            .fds = fds,
                            .files_soft = run->spawner->config.files_soft,
                            .nice =
                                command->nice ? getpriority(PRIO_PROCESS, 0) + command->nice : 0,
                            .argv = (char *const *)(const void *)command->argv};
    if (command->input && strlen(command->input) > COMMAND_INPUT_MAX_BYTES && !input_to_file(run))
        return false;
    pid_t pid = launch_again(run, &launch, launch_once(run, &launch));
    if (pid < 0) {
        run_fail(run, COMMAND_NOT_STARTED, "cannot make a process", errno);
    } else if (launch.error && launch.failed_at) {
        text_format(what, sizeof what, "cannot %s", launch.failed_at);
        run_fail(run, COMMAND_NOT_STARTED, what, launch.error);
    } else if (launch.error) {
        /* The reason first: a task's keeps TASK_REASON_MAX bytes, and its command is known. */
        text_format(what, sizeof what, "%s: %.300s", strerror(launch.error), command->argv[0]);
        run_fail(run, COMMAND_NOT_STARTED, what, 0);
    }
    run->pid = pid > 0 ? pid : 0;
    return pid > 0 && !launch.error;
}
