#include "clients/supervisor.h"

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

#include "clients/child.h"
#include "clients/interrupt.h"
#include "clients/local.h"
#include "clients/outfile.h"
#include "clients/ports.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/text.h"

#define END_US        (3 * SECOND_US) /* each ends within 2 s of SIGTERM; later it is killed */
#define CHILDREN_MAX  (NODES_MAX + BROKERS_LOCAL_MAX + 1)
#define SILENCE_BEATS 4 /* to a broker a node is dead after so many; after 500 ms at least */

struct supervisor {
    const struct supervisor_config *config;
    int lock, children_fd;
    size_t n;
    struct child children[CHILDREN_MAX];
};

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
    else if (config->election_us < 2 * config->heartbeat_us)
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
    fprintf(stderr, "%s up: %s\n", clock_text(clock_wall_ms(), when), line.at);
}

/* --- the processes --- */

static struct child *add_child(struct supervisor *supervisor, const char *program, char *why)
{
    struct child *child = &supervisor->children[supervisor->n];
    if (child_find(program, child->program)) {
        text_format(why, TEXT_MAX, "the program %s is neither beside this one nor in PATH",
                    program);
        return NULL;
    }
    supervisor->n++;
    child_add(child, "%s", program);
    return child;
}

static int name_child(struct child *child, const char *dir, const char *name, char *why)
{
    char log[64];
    text_format(child->name, sizeof child->name, "%s", name);
    text_format(log, sizeof log, "%s.log", name);
    if (!local_path(dir, log, child->log))
        return OK;
    text_format(why, TEXT_MAX, "--dir: the name is too long");
    return ERR_TOO_BIG;
}

static void add_chance(struct child *child, const char *name, uint64_t ppm)
{
    child_add(child, "--%s=%" PRIu64 ".%06" PRIu64, name, ppm / 1000000, ppm % 1000000);
}

static void add_failures(struct child *child, const struct supervisor_config *config)
{
    add_chance(child, "fail-exit", config->fail_exit_ppm);
    add_chance(child, "fail-stall", config->fail_stall_ppm);
    child_add(child, "--stall=%" PRIu64 "us", config->stall_us);
    child_add(child, "--fail-seed=%" PRIu64, config->fail_seed);
    if (config->fail_on)
        child_add(child, "--fail-on=%s", config->fail_on);
}

static int plan_node(struct supervisor *supervisor, uint64_t id, char *why)
{
    const struct supervisor_config *config = supervisor->config;
    char name[32], data[LOCAL_PATH_MAX];
    struct child *child = add_child(supervisor, "conclave-node", why);
    text_format(name, sizeof name, "node%" PRIu64, id);
    if (!child || name_child(child, config->dir, name, why) || local_path(config->dir, name, data))
        return ERR_NOT_FOUND;
    child_add(child, "--id=%" PRIu64, id);
    child_add(child, "--dir=%s", data);
    child_add(child, "--nodes=%" PRIu64, config->nodes);
    child_add(child, "--voters=%" PRIu64, config->voters ? config->voters : config->nodes);
    child_add(child, "--port=%" PRIu64, config->port);
    child_add(child, "--heartbeat=%" PRIu64 "us", config->heartbeat_us);
    child_add(child, "--election-timeout=%" PRIu64 "us", config->election_us);
    child_add(child, "--delay=%" PRIu64 "us", config->delay_us);
    child_add(child, "--max-result=%" PRIu64, config->max_result);
    child_add(child, "--checkpoint-interval=%" PRIu64 "us", config->checkpoint_us);
    child_add(child, "--checkpoint-bytes=%" PRIu64, config->checkpoint_bytes);
    child_add(child, "--compact-entries=%" PRIu64, config->compact_entries);
    child_add(child, "--snapshot-timeout=%" PRIu64 "us", config->snapshot_timeout_us);
    child_add(child, "--snapshot-every=%" PRIu64 "us", config->snapshot_every_us);
    child_add(child, "--snapshot-keep=%" PRIu64, config->snapshot_keep);
    child_add(child, "--durability=%s", config->durability);
    add_failures(child, config);
    child_add(child, "--log-level=%s", config->log_level);
    return OK;
}

static int plan_broker(struct supervisor *supervisor, uint64_t i, char *why)
{
    const struct supervisor_config *config = supervisor->config;
    uint64_t silence_us = SILENCE_BEATS * config->heartbeat_us;
    char name[32] = "broker";
    if (i)
        text_format(name, sizeof name, "broker%" PRIu64, i + 1);
    struct child *child = add_child(supervisor, "conclave-broker", why);
    if (!child || name_child(child, config->dir, name, why))
        return ERR_NOT_FOUND;
    child_add(child, "--nodes=%" PRIu64, config->nodes);
    child_add(child, "--voters=%" PRIu64, config->voters ? config->voters : config->nodes);
    child_add(child, "--port=%" PRIu64, config->port);
    child_add(child, "--front=%" PRIu64, config->port + 2 * i);
    child_add(child, "--silence=%" PRIu64 "us",
              silence_us > ELECTION_TIMEOUT_DEFAULT_US ? silence_us : ELECTION_TIMEOUT_DEFAULT_US);
    child_add(child, "--log-level=%s", config->log_level);
    return OK;
}

/* The feed is read by a process of its own: this one must stay without ZeroMQ. */
static int plan_monitor(struct supervisor *supervisor, char *why)
{
    struct child *child = add_child(supervisor, "conclave", why);
    if (!child)
        return ERR_NOT_FOUND;
    text_format(child->name, sizeof child->name, "monitor");
    child_add(child, "monitor");
    child_add(child, "--events");
    child_add(child, "--broker=tcp://127.0.0.1:%" PRIu64, supervisor->config->port);
    return OK;
}

static int plan(struct supervisor *supervisor, char *why)
{
    const struct supervisor_config *config = supervisor->config;
    int error = OK;
    for (uint64_t i = 0; i < config->brokers && !error; i++)
        error = plan_broker(supervisor, i, why);
    if (config->follow && !error)
        error = plan_monitor(supervisor, why);
    for (uint64_t id = 1; id <= config->nodes && !error; id++)
        error = plan_node(supervisor, id, why);
    return error;
}

/* --- keeping them running --- */

/* Exit code 2 means that the next try would end the same way: the whole cluster ends, with the
 * child's words. */
static bool refused(const struct child *child, int status, char *why)
{
    struct text words = {0};
    if (!child->log[0] || !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_USAGE)
        return false;
    child_last_words(child, &words);
    text_format(why, TEXT_MAX, "%s cannot run: %s", child->name,
                words.len ? words.at : "it does not say why");
    return true;
}

/* A failure on purpose says nothing about how the next life will go. */
static bool is_meant(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_INJECTED;
}

/* Returns whether the cluster can go on. */
static bool reap(struct supervisor *supervisor, char *why)
{
    struct signalfd_siginfo ignored;
    int status;
    bool good = true;
    while (read(supervisor->children_fd, &ignored, sizeof ignored) > 0)
        continue;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (size_t i = 0; i < supervisor->n; i++) {
            struct child *child = &supervisor->children[i];
            struct text fate = {0};
            if (child->pid != pid)
                continue;
            uint64_t now_us = clock_now_us();
            child_ended(child, now_us, is_meant(status));
            child_fate(status, &fate);
            if (refused(child, status, why))
                good = false;
            else if (child->log[0])
                say("%s %s; it starts again in %" PRIu64 " ms", child->name, fate.at,
                    (child->due_us - now_us) / MS_US);
        }
    return good;
}

/* Starts what is due. Returns how long nothing else is, in milliseconds; -1: for ever. */
static int start_due(struct supervisor *supervisor)
{
    uint64_t now_us = clock_now_us();
    int wait_ms = -1;
    for (size_t i = 0; i < supervisor->n; i++) {
        struct child *child = &supervisor->children[i];
        if (child->pid)
            continue;
        if (child->due_us <= now_us) {
            if (!child_start(child, now_us)) {
                if (child->log[0])
                    say("%s started, pid %d", child->name, (int)child->pid);
                continue;
            }
            say("%s could not be started: %s", child->name, strerror(errno));
            child_ended(child, now_us, false);
        }
        int due_ms = (int)((child->due_us - now_us) / MS_US) + 1;
        wait_ms = wait_ms < 0 || due_ms < wait_ms ? due_ms : wait_ms;
    }
    return wait_ms;
}

static int watch(struct supervisor *supervisor, char *why)
{
    for (;;) {
        int wait_ms = start_due(supervisor);
        struct pollfd items[] = {{.fd = interrupt_fd(), .events = POLLIN},
                                 {.fd = supervisor->children_fd, .events = POLLIN}};
        if (poll(items, 2, wait_ms) < 0 && errno != EINTR)
            panic("poll: %s", strerror(errno));
        if (interrupt_seen())
            return EXIT_OK;
        if (!reap(supervisor, why))
            return EXIT_USAGE;
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
    if (!plan(supervisor, why)) {
        say("%" PRIu64 " nodes in %s, broker at tcp://127.0.0.1:%" PRIu64 "%s", config->nodes,
            config->dir, config->port, config->detached ? "" : "; Ctrl-C ends them");
        if (local_describe(config->dir, (unsigned)config->port, config->nodes, config->brokers,
                           why))
            say("%s", why);
        why[0] = '\0';
        supervisor->children_fd = open_children_fd();
        code = watch(supervisor, why);
        say("the cluster ends");
        end_all(supervisor);
        close(supervisor->children_fd);
        local_forget(config->dir);
    }
    if (config->temporary)
        local_remove(config->dir);
    close(supervisor->lock);
    return code;
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
