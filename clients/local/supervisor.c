#include "clients/local/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients/local/child.h"
#include "clients/local/founded.h"
#include "clients/ask/interrupt.h"
#include "clients/local/keyring.h"
#include "clients/local/local.h"
#include "clients/local/outfile.h"
#include "clients/local/ports.h"
#include "clients/local/supervised.h"
#include "clients/local/supervisor_internal.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/heartbeat.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/log_file.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/base/quorum.h"
#include "shared/base/text.h"

#define END_US         (3 * SECOND_US) /* each ends within 2 s of SIGTERM; later it is killed */
#define UNFIT_TRIES    4               /* starts in a row: most of a second */
#define PROBE_PAUSE_US (150 * MS_US)   /* between two looks for a serving coordinator */

uint64_t supervisor_voters(const struct supervisor_config *config)
{
    return config->voters ? config->voters : quorum_voters_default(config->nodes);
}

uint64_t supervisor_heartbeat_us(const struct supervisor_config *config)
{
    return config->heartbeat_us ? config->heartbeat_us
                                : heartbeat_default_us(config->nodes, true, config->election_us);
}

int supervisor_check(const struct supervisor_config *config, char *why)
{
    enum log_level level;
    if (!ports_fit((unsigned)config->port, config->nodes))
        text_format(why, TEXT_MAX,
                    "--port %" PRIu64 ": the ports of %" PRIu64 " nodes would reach beyond %d",
                    config->port, config->nodes, PORT_LIMIT - 1);
    else if (config->voters > config->nodes)
        text_format(why, TEXT_MAX, "--voters %" PRIu64 ": there are only %" PRIu64 " nodes",
                    config->voters, config->nodes);
    else if (config->election_us < 2 * supervisor_heartbeat_us(config))
        text_format(why, TEXT_MAX, "--election-timeout must be at least twice the --heartbeat");
    else if (strcmp(config->durability, "fsync") && strcmp(config->durability, "os") &&
             strcmp(config->durability, "off"))
        text_format(why, TEXT_MAX, "--durability takes fsync, os or off");
    else if (log_parse_level(slice_of(config->log_level), &level))
        text_format(why, TEXT_MAX, "--log-level takes error, warn, info or debug");
    else
        return OK;
    return ERR_MALFORMED;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    struct text line = {0};
    char when[CLOCK_TEXT_MAX];
    va_list args;
    va_start(args, format);
    text_add_v(&line, format, args);
    va_end(args);
    int len = fprintf(stderr, "%s up: %s\n", clock_text(clock_wall_ms(), when), line.at);
    if (len > 0)
        log_file_wrote((size_t)len);
}

/* --- keeping them running --- */

static bool is_voter(const struct supervisor *supervisor, const struct child *child)
{
    const struct supervisor_config *config = supervisor->config;
    return child->node && child->node <= supervisor_voters(config);
}

/* Something outside keeps it from starting: not for a moment only, as when its predecessor is just
 * about to end. */
static bool is_unfit(const struct child *child)
{
    return child->exit_code == EXIT_ENVIRONMENT && child->tries >= UNFIT_TRIES;
}

/* Before a coordinator has served: whether none ever will. A wrong configuration is wrong at the
 * next start, too; without a majority of the voters, or without a broker, nothing is served. */
static int find_hopeless(const struct supervisor *supervisor, char *why)
{
    const struct supervisor_config *config = supervisor->config;
    uint64_t voters = supervisor_voters(config), unfit = 0, doors = 0;
    const char *trouble = NULL;
    for (size_t i = 0; i < supervisor->n; i++) {
        const struct child *child = &supervisor->children[i];
        bool voter = is_voter(supervisor, child), door = child->log[0] && !child->node;
        if (child->log[0] && !child->pid && child->exit_code == EXIT_USAGE) {
            text_format(why, TEXT_MAX, "%s", child->trouble);
            return EXIT_USAGE;
        }
        if (!is_unfit(child) || !child->trouble[0])
            continue;
        unfit += voter;
        doors += door;
        trouble = voter || (door && !trouble) ? child->trouble : trouble;
    }
    if (voters - unfit > voters / 2 && doors < config->brokers)
        return EXIT_OK;
    if (voters - unfit > voters / 2)
        text_format(why, TEXT_MAX, "no broker can start; %s", trouble);
    else
        text_format(why, TEXT_MAX, "%" PRIu64 " of %" PRIu64 " voters cannot start; %s", unfit,
                    voters, trouble);
    return EXIT_FAILED;
}

static void record(const struct supervisor *supervisor)
{
    const struct supervisor_config *config = supervisor->config;
    char why[TEXT_MAX];
    struct founded is = {config->nodes, supervisor_voters(config), config->port, config->brokers};
    if (config->record && founded_write(config->dir, &is, supervisor->served, why))
        say("%s", why);
}

static void note_served(struct supervisor *supervisor)
{
    supervisor->served = supervisor->changed = true;
    record(supervisor);
}

static void note_end(struct supervisor *supervisor, struct child *child, int status)
{
    uint64_t now_us = clock_now_us();
    if (child == supervisor->probe) {
        bool good = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_OK;
        child->pid = 0;
        child->due_us = good ? UINT64_MAX : now_us + PROBE_PAUSE_US;
        if (good)
            note_served(supervisor);
        return;
    }
    child_ended(child, status, now_us);
    supervisor->changed = true;
    if (!child->log[0])
        return;
    uint64_t pause_ms = (child->due_us - now_us) / MS_US;
    if (child->trouble[0])
        say("%s; it starts again in %" PRIu64 " ms", child->trouble, pause_ms);
    else
        say("%s failed on purpose; it starts again in %" PRIu64 " ms", child->name, pause_ms);
}

static void reap(struct supervisor *supervisor)
{
    struct signalfd_siginfo ignored;
    int status;
    while (read(supervisor->children_fd, &ignored, sizeof ignored) > 0)
        continue;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (size_t i = 0; i < supervisor->n; i++)
            if (supervisor->children[i].pid == pid)
                note_end(supervisor, &supervisor->children[i], status);
}

static void start(struct supervisor *supervisor, struct child *child, uint64_t now_us)
{
    if (!child_start(child, now_us)) {
        supervisor->changed = child->log[0] || supervisor->changed;
        if (child->log[0])
            say("%s started, pid %d", child->name, (int)child->pid);
        return;
    }
    child_not_started(child, now_us);
    supervisor->changed = true;
    say("%s", child->trouble);
}

/* Starts what is due, forgets troubles that are over. Returns how long nothing else is due, in
 * milliseconds; -1: for ever. */
static int start_due(struct supervisor *supervisor)
{
    uint64_t now_us = clock_now_us(), wait_us = UINT64_MAX;
    for (size_t i = 0; i < supervisor->n; i++) {
        struct child *child = &supervisor->children[i];
        if (!child->pid && child->due_us <= now_us)
            start(supervisor, child, now_us);
        uint64_t settles_us = child_settle(child, now_us), due_us = UINT64_MAX;
        supervisor->changed = settles_us == 0 || supervisor->changed;
        if (!child->pid && child->due_us != UINT64_MAX)
            due_us = child->due_us - now_us;
        else if (settles_us)
            due_us = settles_us;
        wait_us = due_us < wait_us ? due_us : wait_us;
    }
    return wait_us == UINT64_MAX ? -1 : (int)(wait_us / MS_US) + 1;
}

static void report(struct supervisor *supervisor)
{
    const struct supervisor_config *config = supervisor->config;
    char why[TEXT_MAX];
    if (supervisor->changed &&
        supervised_write(config->dir, config->port, config->brokers, supervisor->served,
                         supervisor->children, supervisor->n, why))
        say("%s", why);
    supervisor->changed = false;
}

static int watch(struct supervisor *supervisor, char *why)
{
    for (;;) {
        bool decides = !supervisor->served || MUTANT(one_ends_all);
        int code = decides ? find_hopeless(supervisor, why) : EXIT_OK;
        if (code)
            return code;
        int wait_ms = start_due(supervisor);
        report(supervisor);
        struct pollfd items[] = {{.fd = interrupt_fd(), .events = POLLIN},
                                 {.fd = supervisor->children_fd, .events = POLLIN}};
        if (poll(items, 2, wait_ms) < 0 && errno != EINTR)
            panic("poll: %s", strerror(errno));
        if (interrupt_seen())
            return EXIT_OK;
        reap(supervisor);
    }
}

/* --- the end --- */

static size_t signal_all(struct supervisor *supervisor, int number)
{
    size_t running = 0;
    for (size_t i = 0; i < supervisor->n; i++) {
        int status;
        struct child *child = &supervisor->children[i];
        if (child->pid && waitpid(child->pid, &status, WNOHANG) == child->pid)
            child->pid = 0;
        if (child->pid && number)
            kill(child->pid, number);
        running += child->pid != 0;
    }
    return running;
}

static void end_all(struct supervisor *supervisor)
{
    uint64_t until_us = clock_now_us() + END_US;
    size_t running = signal_all(supervisor, SIGTERM);
    while (running && clock_now_us() < until_us) {
        struct pollfd item = {.fd = supervisor->children_fd, .events = POLLIN};
        struct signalfd_siginfo ignored;
        if (poll(&item, 1, 100) > 0)
            while (read(supervisor->children_fd, &ignored, sizeof ignored) > 0)
                continue;
        running = signal_all(supervisor, 0);
    }
    if (running)
        say("%zu processes did not end and are killed", running);
    signal_all(supervisor, SIGKILL);
    for (size_t i = 0; i < supervisor->n; i++)
        if (supervisor->children[i].pid)
            waitpid(supervisor->children[i].pid, NULL, 0);
}

static int open_children_fd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        panic("signalfd: %s", strerror(errno));
    return fd;
}

static void redirect_remarks(const char *dir)
{
    char path[LOCAL_PATH_MAX];
    int log = local_path(dir, "supervisor.log", path) ? -1 : outfile_append(path);
    if (log < 0)
        return; /* then nobody hears them */
    dup2(log, STDERR_FILENO);
    close(log);
    log_file_limit(LOG_FILE_BYTES);
}

/* Those that are missing: all of them at the first start. */
static int make_keys(const struct supervisor_config *config, char *why)
{
    struct addresses brokers = {.n = config->brokers};
    for (size_t i = 0; i < brokers.n; i++)
        brokers.at[i] =
            (struct address){.host = "127.0.0.1", .port = (unsigned)(config->port + 2 * i)};
    return config->insecure ? OK : keyring_ensure(config->dir, config->nodes, &brokers, why);
}

static int claim_and_run(struct supervisor *supervisor, char *why)
{
    const struct supervisor_config *config = supervisor->config;
    unsigned port = ports_in_use((unsigned)config->port, config->nodes, config->brokers);
    int code = EXIT_USAGE;
    /* A cluster that runs there already explains the ports; otherwise nothing must have changed. */
    if (port && local_holder(config->dir) <= 0) {
        text_format(why, TEXT_MAX, "port %u is in use; choose others with --port", port);
        return EXIT_USAGE;
    }
    if (local_claim(config->dir, &supervisor->lock, why))
        return EXIT_USAGE;
    if (config->detached)
        redirect_remarks(config->dir);
    if (!make_keys(config, why) && !supervisor_plan(supervisor, why)) {
        say("%" PRIu64 " nodes in %s, broker at tcp://127.0.0.1:%" PRIu64 "%s", config->nodes,
            config->dir, config->port, config->detached ? "" : "; Ctrl-C ends them");
        if (local_describe(config->dir, (unsigned)config->port, config->nodes, config->brokers,
                           why))
            say("%s", why);
        why[0] = '\0';
        record(supervisor);
        supervisor->children_fd = open_children_fd();
        code = watch(supervisor, why);
        say("the cluster ends");
        end_all(supervisor);
        close(supervisor->children_fd);
        local_forget(config->dir);
        supervised_forget(config->dir);
    }
    if (config->temporary)
        local_remove(config->dir);
    return code; /* the lock goes with the process */
}

int supervisor_run(const struct supervisor_config *config, char *why)
{
    struct supervisor *supervisor = mem_new(1, sizeof *supervisor);
    supervisor->config = config;
    int code = claim_and_run(supervisor, why);
    for (size_t i = 0; i < supervisor->n; i++)
        child_clear(&supervisor->children[i]);
    free(supervisor);
    return code;
}
