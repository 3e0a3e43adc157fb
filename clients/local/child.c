#include "clients/local/child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients/ask/interrupt.h"
#include "clients/local/outfile.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define LIVED_US       (10 * SECOND_US) /* a life this long makes the pause short again */
#define EXIT_NO_EXEC   127

extern char **environ;

int child_find(const char *name, char at[LOCAL_PATH_MAX])
{
    char self[LOCAL_PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len > 0) {
        self[len] = '\0';
        char *slash = strrchr(self, '/');
        if (slash) {
            *slash = '\0';
            if (!local_path(self, name, at) && !access(at, X_OK))
                return OK;
        }
    }
    const char *path = getenv("PATH");
    char *list = mem_string(path ? path : "/usr/local/bin:/usr/bin:/bin"), *rest = list;
    int error = ERR_NOT_FOUND;
    for (char *dir; error && (dir = strsep(&rest, ":"));)
        if (*dir && !local_path(dir, name, at) && !access(at, X_OK))
            error = OK;
    free(list);
    return error;
}

void child_add(struct child *child, const char *format, ...)
{
    char room[LOCAL_PATH_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(room, sizeof room, format, args);
    va_end(args);
    if (child->n_args + 1 >= CHILD_ARGS_MAX)
        panic("too many arguments for %s", child->name);
    child->args[child->n_args++] = mem_string(room);
}

void child_clear(struct child *child)
{
    for (size_t i = 0; i < child->n_args; i++)
        free(child->args[i]);
    *child = (struct child){0};
}

/* --- starting --- */

/* The environment without our own variables. Caller frees the table. */
static char **other_environment(void)
{
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **table = mem_new(n + 1, sizeof *table);
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "CONCLAVE_", strlen("CONCLAVE_")))
            table[kept++] = environ[i];
    return table;
}

/* Between fork and exec: only what a signal handler may call, too. */
static _Noreturn void become(const struct child *child, char **table, int log, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    interrupt_reset();
    /* Whoever loses its supervisor dies at once: no cluster is left without one, and the lock tells
     * the truth. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_NO_EXEC);
    setsid(); /* Ctrl-C is for the supervisor */
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int usual[] = {nothing,
                         log >= 0       ? log
                         : child->quiet ? nothing
                                        : STDOUT_FILENO,
                         log >= 0 ? log : nothing};
    const int *streams = child->streams ? child->streams : usual;
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        dup2(streams[i] >= 0 ? streams[i] : nothing, i);
    if (child->streams && streams[STDERR_FILENO + 1] >= 0)
        dup2(streams[STDERR_FILENO + 1], STDERR_FILENO + 1);
    execve(child->program, child->args, table);
    _exit(EXIT_NO_EXEC);
}

int child_start(struct child *child, uint64_t now_us)
{
    int log = -1;
    if (child->log[0]) {
        log = outfile_append(child->log);
        if (log < 0)
            return ERR_IO;
        child->log_from = lseek(log, 0, SEEK_END);
    }
    char **table = other_environment();
    pid_t parent = getpid();
    fflush(NULL);
    child->pid = fork();
    if (child->pid == 0)
        become(child, table, log, parent);
    free(table);
    if (log >= 0)
        close(log);
    if (child->pid < 0) {
        child->pid = 0;
        return ERR_IO;
    }
    child->started_us = now_us;
    return OK;
}

/* --- ends --- */

/* "node 3", "broker", "broker 2"; returns `at`. */
static char *title_of(const struct child *child, char at[sizeof child->name])
{
    size_t letters = strcspn(child->name, "0123456789");
    text_format(at, sizeof child->name, "%.*s%s%s", (int)letters, child->name,
                child->name[letters] ? " " : "", child->name + letters);
    return at;
}

/* "ended with exit code 1", "was killed by signal 9 (Killed)". */
static void add_fate(int status, struct text *out)
{
    if (WIFSIGNALED(status))
        text_add(out, "was killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        text_add(out, "ended with exit code %d%s", WEXITSTATUS(status),
                 WEXITSTATUS(status) == EXIT_INJECTED ? " (on purpose)" : "");
}

/* Appends the last line that its present life logged; nothing when there is none. */
static void add_last_words(const struct child *child, struct text *out)
{
    char tail[4096], shown[TEXT_MAX];
    int fd = open(child->log, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t end = lseek(fd, 0, SEEK_END), from = end - (off_t)sizeof tail;
    /* A shorter file is another one, begun since. */
    off_t life = child->log_from <= end ? child->log_from : 0;
    ssize_t len = pread(fd, tail, sizeof tail, from > life ? from : life);
    close(fd);
    while (len > 0 && tail[len - 1] == '\n')
        len--;
    ssize_t start = len;
    while (start > 0 && tail[start - 1] != '\n')
        start--;
    if (len > start)
        text_add(out, "%s",
                 text_escape(shown, sizeof shown,
                             (struct slice){(uint8_t *)tail + start, (size_t)(len - start)}));
}

static void plan_restart(struct child *child, uint64_t now_us, bool short_pause)
{
    uint32_t random;
    hash_random(&random, sizeof random);
    if (short_pause || child->backoff_ms < BACKOFF_MIN_MS)
        child->backoff_ms = BACKOFF_MIN_MS;
    /* Half to one and a half of the pause: what fell together does not rise together. */
    child->due_us = now_us + (child->backoff_ms / 2 + random % child->backoff_ms) * MS_US;
    child->backoff_ms =
        child->backoff_ms * 2 < BACKOFF_MAX_MS ? child->backoff_ms * 2 : BACKOFF_MAX_MS;
}

/* For how long it may try to start. */
static uint64_t start_us(const struct child *child)
{
    uint64_t seen_us = 2 * child->failing_us;
    return seen_us > CHILD_SETTLED_US ? seen_us : CHILD_SETTLED_US;
}

void child_ended(struct child *child, int status, uint64_t now_us)
{
    struct text fate = {0}, words = {0};
    char title[sizeof child->name];
    bool unfit = WIFEXITED(status) &&
                 (WEXITSTATUS(status) == EXIT_USAGE || WEXITSTATUS(status) == EXIT_ENVIRONMENT);
    /* A failure on purpose says nothing about how the next life will go. */
    bool meant = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_INJECTED;
    uint64_t lived_us = now_us - child->started_us;
    child->pid = 0;
    child->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    child->tries = meant ? 0 : child->tries + 1;
    child->trouble[0] = '\0';
    add_fate(status, &fate);
    if (child->log[0] && WIFEXITED(status))
        add_last_words(child, &words);
    if (!meant)
        text_format(child->trouble, sizeof child->trouble, "%s %s%s%s", title_of(child, title),
                    unfit && lived_us < start_us(child) ? "cannot start" : fate.at,
                    words.len ? ": " : "", words.at);
    child->failing_us = unfit && lived_us < CHILD_START_MAX_US ? lived_us : 0;
    plan_restart(child, now_us, meant || lived_us >= LIVED_US);
}

void child_not_started(struct child *child, uint64_t now_us)
{
    char title[sizeof child->name];
    child->pid = 0;
    child->exit_code = -1;
    child->tries++;
    text_format(child->trouble, sizeof child->trouble, "%s cannot start: %s",
                title_of(child, title), strerror(errno));
    plan_restart(child, now_us, false);
}

uint64_t child_settle(struct child *child, uint64_t now_us)
{
    uint64_t at_us = child->started_us + start_us(child);
    if (!child->pid || !child->tries)
        return UINT64_MAX;
    if (now_us < at_us)
        return at_us - now_us;
    child->tries = 0;
    child->trouble[0] = '\0';
    return 0;
}
