#include "nodes/work/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "nodes/work/spawner_run.h"
#include "nodes/work/survivors.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/urgency.h"

#define TAKE_BYTES    (64 * KIB_BYTES)
#define CORE_AS_USUAL "0x33" /* core(5) */

bool spawner_is_called(int argc, char **argv)
{
    return argc == 2 && !strcmp(argv[1], SPAWNER_WORD);
}

/* --- the socket: it waits for the node, whose thread always goes on reading and writing --- */

static bool read_all(int fd, void *at, size_t len)
{
    for (size_t have = 0; have < len;) {
        ssize_t n = read(fd, (uint8_t *)at + have, len - have);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        have += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool send_all(int fd, const uint8_t *at, size_t len)
{
    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return false;
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool take_header(struct spawner *spawner, enum command_frame *kind, uint64_t *len)
{
    uint8_t header[COMMAND_HEADER_BYTES];
    return read_all(spawner->fd, header, sizeof header) && command_header_read(header, kind, len);
}

/* Takes a frame into spawner->frame; false: the node is gone, or says what it should not. */
static bool take_frame(struct spawner *spawner, enum command_frame *kind, struct slice *body)
{
    uint64_t len;
    if (!take_header(spawner, kind, &len) || *kind == FRAME_BYTES)
        return false;
    free(spawner->frame);
    spawner->frame = mem_new(1, (size_t)len + 1);
    *body = (struct slice){spawner->frame, (size_t)len};
    return read_all(spawner->fd, spawner->frame, (size_t)len);
}

/* Of all exits the one in the middle of a command that has not begun. */
static _Noreturn void leave(struct spawner *spawner)
{
    close(spawner->fd);
    exit(EXIT_OK);
}

int spawner_take_bytes(struct spawner *spawner, uint64_t len, int fd)
{
    static uint8_t buffer[TAKE_BYTES];
    enum command_frame kind;
    uint64_t given;
    int error = 0;
    if (!take_header(spawner, &kind, &given) || kind != FRAME_BYTES || given != len)
        leave(spawner);
    while (len) {
        size_t n = len < sizeof buffer ? (size_t)len : sizeof buffer;
        if (!read_all(spawner->fd, buffer, n))
            leave(spawner);
        for (size_t at = 0; at < n && fd >= 0 && !error;) {
            ssize_t written = write(fd, buffer + at, n - at);
            error = written < 0 && errno != EINTR ? errno : 0;
            at += written > 0 ? (size_t)written : 0;
        }
        len -= n;
    }
    return error;
}

static bool read_cancel(enum command_frame kind, struct slice body, uint64_t *serial)
{
    struct unpacked in = {body, true};
    *serial = unpacked_u64(&in, UINT64_MAX);
    return kind == FRAME_CANCEL && unpacked_end(&in);
}

bool spawner_take_cancel(struct spawner *spawner, uint64_t *serial)
{
    uint8_t header[COMMAND_HEADER_BYTES], body[8];
    enum command_frame kind;
    uint64_t len;
    return read_all(spawner->fd, header, sizeof header) &&
           command_header_read(header, &kind, &len) && len == sizeof body &&
           read_all(spawner->fd, body, sizeof body) &&
           read_cancel(kind, (struct slice){body, sizeof body}, serial);
}

/* --- its life --- */

/* Nothing of the node is its own but the socket, and where panic() goes. */
static void shed(void)
{
    /* The kernel's struct sigaction: SIG_DFL, no flags, an empty mask. */
    uint64_t plain[8] = {0};
    sigset_t all;
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        panic("cannot open /dev/null: %s", strerror(errno));
    syscall(SYS_close_range, SPAWNER_FD + 1u, ~0u, 0u);
    /* Not even TERM ends it: what it runs would be left behind. It ends with the node. As all are
     * blocked, all can be as commands shall have them, those of the C library as well. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int number = 1; number < NSIG; number++)
        syscall(SYS_rt_sigaction, number, plain, NULL, sizeof(uint64_t)); /* KILL refuses */
    urgency_high();
    /* A node leaves its memory, which has keys in it, out of core files; commands have none of it.
     */
    int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    if (filter >= 0 && write(filter, CORE_AS_USUAL, sizeof CORE_AS_USUAL - 1) < 0)
        errno = 0;
    if (filter >= 0)
        close(filter);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
        panic("cannot reap orphans: %s", strerror(errno));
    prctl(PR_SET_NAME, "conclave-spawn", 0, 0, 0);
}

static bool configure(struct spawner *spawner)
{
    struct packed answer = {0};
    struct text why = {0};
    enum command_frame kind;
    struct slice body;
    if (!take_frame(spawner, &kind, &body) || kind != FRAME_CONFIG ||
        !spawner_config_unpack(body, &spawner->config))
        return false;
    spawner->config_frame = spawner->frame;
    spawner->frame = NULL;
    bool ready = account_find(&spawner->account, &spawner->config, &why);
    spawner->record_fd =
        open(spawner->config.record, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (ready && spawner->record_fd < 0) {
        text_add(&why, "cannot open %s: %s", spawner->config.record, strerror(errno));
        ready = false;
    }
    packed_text(&answer, why.at);
    packed_end(&answer, ready ? FRAME_READY : FRAME_REFUSED);
    bool sent = send_all(spawner->fd, answer.at, answer.len);
    free(answer.at);
    return ready && sent;
}

/* Its files are the node's now. */
static void hand_over(struct command_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(files[i].path);
        files[i].path = NULL;
    }
}

static void hand_over_all(struct command_result *result)
{
    hand_over(result->files, result->n_files);
    hand_over(result->bundle.all.pieces, result->bundle.all.n_pieces);
    for (int stream = 0; stream < COMMAND_STREAMS; stream++)
        hand_over(result->output[stream].pieces, result->output[stream].n_pieces);
}

static bool serve_one(struct spawner *spawner, struct slice body)
{
    struct run *run = mem_new(1, sizeof *run);
    struct packed answer = {0};
    run->spawner = spawner;
    run->result = mem_new(1, sizeof *run->result);
    spawner->serial++;
    bool going_on = command_unpack(body, &run->order);
    if (going_on) {
        run_command(run);
        command_result_pack(&answer, run->result);
        going_on = !run->node_gone && answer.len <= COMMAND_FRAME_MAX_BYTES &&
                   send_all(spawner->fd, answer.at, answer.len);
    }
    bool survived = run->result->survived;
    if (going_on)
        hand_over_all(run->result);
    command_result_free(run->result);
    command_order_clear(&run->order);
    free(answer.at);
    free(run);
    return going_on && !survived; /* its children are the node's to see to */
}

static bool serve(struct spawner *spawner)
{
    enum command_frame kind;
    struct slice body;
    uint64_t serial;
    if (!take_frame(spawner, &kind, &body))
        return false;
    if (kind == FRAME_RUN)
        return serve_one(spawner, body);
    return read_cancel(kind, body, &serial); /* what it was for has just ended */
}

int spawner_main(void)
{
    struct spawner spawner = {.fd = SPAWNER_FD, .record_fd = -1};
    sigset_t child;
    shed();
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    spawner.signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (spawner.signal_fd < 0)
        panic("cannot make a signalfd: %s", strerror(errno));
    fcntl(spawner.fd, F_SETFD, FD_CLOEXEC);
    for (int i = 0; i < COMMAND_STREAMS; i++)
        spawner.held[i] = mem_new(1, COMMAND_INLINE_MAX_BYTES);
    if (configure(&spawner))
        while (serve(&spawner))
            ;
    for (int i = 0; i < COMMAND_STREAMS; i++)
        free(spawner.held[i]);
    free(spawner.account.home);
    free(spawner.account.name);
    free(spawner.account.shell);
    free(spawner.config_frame);
    free(spawner.frame);
    if (spawner.record_fd >= 0)
        close(spawner.record_fd);
    close(spawner.fd);
    return EXIT_OK;
}
