#include "clients/local/launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients/ask/cluster.h"
#include "clients/ask/interrupt.h"
#include "clients/local/supervised.h"

#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"

/* Six nodes elect in less than a second; each connects to all others, so many of them on a machine
 * that has other work need longer. --timeout says otherwise. */
#define READY_US      (30 * SECOND_US)
#define READY_NODE_US (3 * SECOND_US) /* and this for each node */
#define LOOK_US       (500 * MS_US)
#define LOOK_PAUSE_MS 50
#define END_US        (8 * SECOND_US)

/* What this process inherited, a pipe to `make` say, must not stay open as long as the cluster
 * lives. */
static void close_inherited(int keep)
{
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        uint64_t fd;
        if (!parse_u64(slice_of(entry->d_name), 1 << 30, &fd) && fd > STDERR_FILENO &&
            (int)fd != keep && (int)fd != dirfd(dir))
            close((int)fd);
    }
    if (dir)
        closedir(dir);
}

static void leave_terminal(void)
{
    int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    dup2(nothing, STDERR_FILENO);
    if (nothing > STDERR_FILENO)
        close(nothing);
}

static _Noreturn void supervise(const struct supervisor_config *config, bool bound, pid_t parent,
                                int pipe)
{
    struct supervisor_config detached = *config;
    char why[TEXT_MAX] = "";
    setsid();
    if (bound && (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent))
        _exit(EXIT_FAILED);
    close_inherited(pipe);
    interrupt_open();
    leave_terminal();
    detached.detached = true;
    int code = supervisor_run(&detached, why);
    ssize_t written = write(pipe, why, strlen(why));
    (void)written; /* whoever launched us may be gone by now */
    exit(code);
}

int launch_start(const struct supervisor_config *config, bool bound, struct launch *launch)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC))
        return ERR_IO;
    fflush(NULL);
    launch->pid = fork();
    if (launch->pid == 0)
        supervise(config, bound, parent, ends[1]);
    close(ends[1]);
    launch->pipe = ends[0];
    if (launch->pid < 0)
        close(ends[0]);
    return launch->pid < 0 ? ERR_IO : OK;
}

void launch_end(struct launch *launch)
{
    uint64_t until_us = clock_now_us() + END_US;
    if (launch->pid <= 0)
        return;
    kill(launch->pid, SIGTERM);
    /* The pipe closes with the supervisor: no need to look again and again. */
    struct pollfd item = {.fd = launch->pipe, .events = POLLIN};
    while (clock_now_us() < until_us && poll(&item, 1, 100) <= 0)
        continue;
    if (clock_now_us() >= until_us)
        kill(launch->pid, SIGKILL);
    waitpid(launch->pid, NULL, 0);
    close(launch->pipe);
    launch->pid = 0;
}

/* The supervisor ended by itself: its exit code, its words. */
static int take_last_words(struct launch *launch, struct text *why)
{
    char words[TEXT_MAX];
    int status = 0;
    ssize_t len = read(launch->pipe, words, sizeof words - 1);
    words[len > 0 ? len : 0] = '\0';
    close(launch->pipe);
    waitpid(launch->pid, &status, 0);
    launch->pid = 0;
    *why = (struct text){0};
    text_add(why, "%s", len > 0 ? words : "the supervisor ended without an error message");
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

/* The supervisor has to know it, too: from then on it ends the cluster for no node's sake, and DIR
 * says which cluster it is. */
static bool has_seen_it(const char *dir)
{
    json_t *supervised = supervised_read(dir, NULL);
    bool served = supervised_served(supervised);
    json_decref(supervised);
    return served;
}

static void add_troubles(const char *dir, struct text *why)
{
    char line[TEXT_MAX];
    bool runs;
    json_t *supervised = supervised_read(dir, NULL);
    for (size_t at = 0; supervised_next(supervised, &at, line, &runs);)
        text_add(why, "%s%s", why->len ? "; " : "", line);
    json_decref(supervised);
}

int launch_wait(struct cli *cli, const struct supervisor_config *config, struct launch *launch,
                struct message **status, struct text *why)
{
    uint64_t limit_us = cli->timeout_given ? cli->connection.timeout_us
                                           : READY_US + config->nodes * READY_NODE_US,
             until_us = clock_now_us() + limit_us;
    cli->connection.brokers =
        (struct addresses){.n = 1, .at = {{.host = "127.0.0.1", .port = (unsigned)config->port}}};
    cli->connection.insecure = config->insecure;
    cli_use_dir(cli, config->dir);
    for (;;) {
        struct pollfd items[] = {{.fd = launch->pipe, .events = POLLIN},
                                 {.fd = interrupt_fd(), .events = POLLIN}};
        if (poll(items, 2, LOOK_PAUSE_MS) > 0 && items[0].revents)
            return take_last_words(launch, why);
        if (interrupt_seen()) {
            launch_end(launch);
            return cli_interrupted();
        }
        struct cluster_view view;
        message_drop(status);
        if (!cluster_look(&cli->connection, CLIENT_ONCE, LOOK_US, &view)) {
            *status = view.status;
            view.status = NULL;
        }
        *why = view.reason;
        cluster_view_clear(&view);
        if (view.outcome == ERR_MALFORMED) /* the supervisor is about to make the keys */
            cli_forget_key(cli);
        if (*status && has_seen_it(config->dir))
            return EXIT_OK;
        if (clock_now_us() < until_us)
            continue;
        message_drop(status);
        add_troubles(config->dir, why);
        launch_end(launch);
        return EXIT_UNREACHABLE;
    }
}
