#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nodes/work/spawner_run.h"
#include "nodes/work/survivors.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

#define NEVER          UINT64_MAX
#define LAST_OUTPUT_US SECOND_US /* for what is still in a pipe when all have ended */

/* --- before it starts --- */

static void prepare(struct run *run)
{
    const struct spawner *spawner = run->spawner;
    const struct account *account = &spawner->account;
    /* The process, too: what one that was killed has left must not stand in the way of the next. */
    text_format(run->prefix, sizeof run->prefix, "%016" PRIx64 "-%" PRIu64 "-%d-%" PRIu64,
                spawner->config.nonce, spawner->config.slot, (int)getpid(), spawner->serial);
    text_format(run->path, sizeof run->path, "%s/%s", spawner->config.scratch, run->prefix);
    run->scratch.fd = -1;
    if (!survivors_note(spawner->record_fd, 0, run->path))
        run_fail(run, COMMAND_NOT_STARTED, "cannot write the record of what runs", errno);
    int error =
        scratch_make(&run->scratch, run->path, account->uid, account->gid, account->foreign);
    if (error)
        run_fail(run, COMMAND_NOT_STARTED, "cannot make its scratch directory", error);
    inputs_prepare(run);
}

/* --- starting --- */

/* At least 3: descriptors 0 to 2 of the spawner are open. */
static void start(struct run *run)
{
    int pipes[COMMAND_STREAMS][2] = {{-1, -1}, {-1, -1}};
    static const char *const names[] = {"out", "err"};
    const struct command_limits *limits = &run->order.command.limits;
    for (int i = 0; i < COMMAND_STREAMS; i++) {
        struct stream *stream = &run->streams[i];
        if (pipe2(pipes[i], O_CLOEXEC))
            run_fail(run, COMMAND_NOT_STARTED, "cannot make its pipes", errno);
        stream->held = run->spawner->held[i];
        stream->outputs = run->spawner->config.outputs;
        text_format(stream->prefix, sizeof stream->prefix, "%s.%s", run->prefix, names[i]);
        stream_begin(stream, pipes[i][0], limits->output_max_bytes, &run->result->output[i]);
    }
    run->start_us = clock_now_us();
    if (run->result->end == COMMAND_EXIT) {
        run->result->started_ms = clock_wall_ms();
        const int fds[] = {run->stdin_fd, pipes[0][1], pipes[1][1]};
        if (!launch(run, fds))
            run->result->started_ms = 0;
        else if (limits->time_us && limits->time_us < NEVER - run->start_us)
            run->limit_at_us = run->start_us + limits->time_us;
    }
    for (int i = 0; i < COMMAND_STREAMS; i++)
        if (pipes[i][1] >= 0)
            close(pipes[i][1]);
    if (run->stdin_fd >= 0)
        close(run->stdin_fd);
}

/* --- while it runs --- */

static void kill_now(struct run *run)
{
    kill(-run->pid, SIGKILL); /* its leader is not reaped, so the group is its own */
    if (run->kill_at_us > run->start_us)
        run->give_up_at_us = clock_now_us() + COMMAND_KILL_PATIENCE_US;
    run->kill_at_us = NEVER;
}

/* TERM, which it may catch; CONT, so that what was stopped hears of it. */
static void ask_to_end(struct run *run, enum command_end end)
{
    if (run->result->end != COMMAND_EXIT)
        return;
    run->result->end = end;
    run->limit_at_us = NEVER;
    run->kill_at_us = clock_now_us() + COMMAND_GRACE_US;
    kill(-run->pid, SIGTERM);
    kill(-run->pid, SIGCONT);
}

/* Reaps orphans that have ended; true: the command itself has, and is left as it is. */
static bool look_for_end(struct run *run)
{
    for (;;) {
        siginfo_t info = {0};
        struct rusage used;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || !info.si_pid)
            return false;
        if (info.si_pid == run->pid)
            return true;
        if (wait4(info.si_pid, NULL, WNOHANG, &used) == info.si_pid)
            children_usage_add(&run->usage, &used);
    }
}

static void look_at_clock(struct run *run, uint64_t now_us)
{
    for (int i = 0; i < COMMAND_STREAMS; i++)
        if (run->streams[i].error && run->result->end == COMMAND_EXIT) {
            run_fail(run, COMMAND_UNCOLLECTED, "cannot write its output", run->streams[i].error);
            kill_now(run);
        }
    if (now_us >= run->limit_at_us)
        ask_to_end(run, COMMAND_TIME_LIMIT);
    if (now_us >= run->kill_at_us)
        kill_now(run);
}

static void take_node(struct run *run)
{
    uint64_t serial = 0;
    bool cancel = spawner_take_cancel(run->spawner, &serial);
    if (cancel && serial == run->spawner->serial) {
        ask_to_end(run, COMMAND_CANCELLED);
    } else if (!cancel) {
        run->node_gone = true;
        kill_now(run);
    }
}

static int wait_ms(const struct run *run)
{
    uint64_t now_us = clock_now_us(), at_us = run->limit_at_us;
    at_us = run->kill_at_us < at_us ? run->kill_at_us : at_us;
    at_us = run->give_up_at_us < at_us ? run->give_up_at_us : at_us;
    if (at_us == NEVER)
        return -1;
    uint64_t ms = at_us > now_us ? (at_us - now_us + MS_US - 1) / MS_US : 0;
    return ms < 3600 * 1000 ? (int)ms : 3600 * 1000;
}

/* Until the command's own process has ended, or cannot be made to. */
static void watch(struct run *run)
{
    enum { NODE, CHILD, OUT, ERR, ITEMS };
    while (!run->ended && clock_now_us() < run->give_up_at_us) {
        struct signalfd_siginfo info[8];
        struct pollfd items[ITEMS] = {
            [NODE] = {.fd = run->node_gone ? -1 : run->spawner->fd, .events = POLLIN},
            [CHILD] = {.fd = run->spawner->signal_fd, .events = POLLIN},
            [OUT] = {.fd = run->streams[0].fd, .events = POLLIN},
            [ERR] = {.fd = run->streams[1].fd, .events = POLLIN},
        };
        if (poll(items, ITEMS, wait_ms(run)) < 0 && errno != EINTR)
            panic("cannot poll: %s", strerror(errno));
        if (items[OUT].revents)
            stream_read(&run->streams[0]);
        if (items[ERR].revents)
            stream_read(&run->streams[1]);
        if (items[CHILD].revents && read(run->spawner->signal_fd, info, sizeof info) > 0)
            run->ended = look_for_end(run);
        if (items[NODE].revents)
            take_node(run);
        look_at_clock(run, clock_now_us());
    }
}

/* --- after it --- */

static void note_status(struct command_result *result, int status)
{
    result->exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    result->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (result->end == COMMAND_EXIT && result->signal)
        result->end = COMMAND_SIGNAL;
}

/* All that it has started ends with it. */
static void end_descendants(struct run *run)
{
    struct rusage used;
    int status;
    kill(-run->pid, SIGKILL);
    if (run->ended && wait4(run->pid, &status, 0, &used) == run->pid) {
        children_usage_add(&run->usage, &used);
        note_status(run->result, status);
    }
    if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
        return; /* there are no others */
    /* Who starts processes faster than they are killed must not have more of the processor than who
     * kills them. Only root may. */
    if (MUTANT(descendants_spared))
        return;
    int nice = getpriority(PRIO_PROCESS, 0);
    setpriority(PRIO_PROCESS, 0, nice - 10);
    run->result->survived = !children_end(NULL, 0, COMMAND_KILL_PATIENCE_US, &run->usage);
    setpriority(PRIO_PROCESS, 0, nice);
}

static void drain(struct run *run)
{
    uint64_t end_us = clock_now_us() + LAST_OUTPUT_US;
    for (int i = 0; i < COMMAND_STREAMS; i++) {
        struct stream *stream = &run->streams[i];
        while (stream->fd >= 0 && clock_now_us() < end_us) {
            struct pollfd item = {.fd = stream->fd, .events = POLLIN};
            if (poll(&item, 1, 100) > 0)
                stream_read(stream);
        }
        stream_end(stream);
        if (stream->error)
            run_fail(run, COMMAND_UNCOLLECTED, "cannot write its output", stream->error);
    }
}

static void collect(struct run *run)
{
    const struct command *command = &run->order.command;
    const struct command_result *result = run->result;
    bool worth = result->end == COMMAND_EXIT || result->end == COMMAND_SIGNAL ||
                 result->end == COMMAND_TIME_LIMIT;
    char prefix[80];
    text_format(prefix, sizeof prefix, "%s.file", run->prefix);
    if (run->pid && worth && command->collect && command->collect[0] && !result->survived)
        scratch_collect(&run->scratch, command->collect, command->limits.files_max_bytes,
                        run->spawner->config.outputs, prefix, run->result);
    if (command->bundle)
        bundle_make(run);
}

void run_command(struct run *run)
{
    run->limit_at_us = run->kill_at_us = run->give_up_at_us = NEVER;
    run->result->exit = -1;
    prepare(run);
    start(run);
    if (run->pid && run->result->end == COMMAND_EXIT) {
        if (!survivors_note(run->spawner->record_fd, run->pid, run->path)) {
            run_fail(run, COMMAND_NOT_STARTED, "cannot write the record of what runs", errno);
            kill_now(run);
        }
        watch(run);
        run->result->wall_us = clock_now_us() - run->start_us;
        end_descendants(run);
        run->result->cpu_us = run->usage.cpu_us;
        run->result->max_rss_bytes = run->usage.max_rss_bytes;
    } else if (run->pid) {
        waitpid(run->pid, NULL, 0); /* it has become no program */
        run->pid = 0;
    }
    drain(run);
    collect(run);
    if (run->scratch.fd >= 0)
        close(run->scratch.fd);
    if (!scratch_remove(run->path) && !run->result->error[0])
        text_format(run->result->error, sizeof run->result->error,
                    "its scratch directory could not be removed");
    if (!run->result->survived)
        survivors_clear(run->spawner->record_fd);
}
