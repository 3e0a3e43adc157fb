#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/work/commands_internal.h"
#include "nodes/work/processes.h"
#include "nodes/work/spawner.h"
#include "nodes/work/survivors.h"
#include "shared/base/bytes.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"

#define READY_MS        10000 /* a spawner of a loaded machine is there long before */
#define END_PATIENCE_US SECOND_US
#define PROGRAM         "/proc/self/exe"
#define NEVER           UINT64_MAX
/* What else a spawner may take to end a command after its limit: grace, kill, files to hash. */
#define ANSWER_US (600 * SECOND_US)

void ask_free(struct ask *ask)
{
    if (!ask)
        return;
    for (size_t i = 0; i < ask->n_blobs; i++)
        blob_drop(&ask->blobs[i]);
    free(ask->blobs);
    free(ask->frame.at);
    free(ask);
}

/* --- starting one --- */

/* In a session of its own: what the node's terminal sends is for the node. */
static int spawn(const char *program, int fd, pid_t *pid)
{
    char *argv[] = {(char[]){"conclave-node"}, (char[]){SPAWNER_WORD}, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_adddup2(&actions, fd, SPAWNER_FD);
    int error = posix_spawn(pid, program, &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

static bool send_config(struct commands *commands, struct slot *slot)
{
    struct packed frame = {0};
    struct spawner_config config = {.dir = commands->config.dir,
                                    .scratch = commands->scratch,
                                    .outputs = commands->outputs,
                                    .record = slot->record,
                                    .user = commands->config.user,
                                    .nonce = commands->nonce,
                                    .slot = (uint64_t)(slot - commands->slots),
                                    .node = commands->config.node,
                                    .files_soft = commands->files_soft};
    spawner_config_pack(&frame, &config);
    /* An empty socket takes a few paths at once. */
    bool sent = send(slot->fd, frame.at, frame.len, MSG_NOSIGNAL) == (ssize_t)frame.len;
    free(frame.at);
    return sent;
}

bool slot_open(struct commands *commands, struct slot *slot, struct text *why)
{
    const char *program = commands->config.program ? commands->config.program : PROGRAM;
    int ends[2], flags = SOCK_STREAM | SOCK_CLOEXEC;
    if (socketpair(AF_UNIX, flags, 0, ends)) {
        text_add(why, "cannot make a socket for commands: %s", strerror(errno));
        return false;
    }
    /* dup2() to itself would leave it closed at exec. */
    if (ends[1] == SPAWNER_FD) {
        int other = fcntl(ends[1], F_DUPFD_CLOEXEC, SPAWNER_FD + 1);
        close(ends[1]);
        ends[1] = other;
    }
    int error = spawn(program, ends[1], &slot->pid);
    close(ends[1]);
    slot->fd = ends[0];
    slot->serial = 0;
    slot->in_len = 0;
    slot->kill_at_us = NEVER;
    if (error) {
        close(slot->fd);
        slot->pid = 0;
        slot->fd = -1;
        text_add(why, "cannot start the process for commands: %s", strerror(error));
        return false;
    }
    fcntl(slot->fd, F_SETFL, O_NONBLOCK);
    if (send_config(commands, slot))
        return true;
    slot_close(commands, slot);
    text_add(why, "the process for commands has ended");
    return false;
}

bool slot_wait_ready(struct commands *commands, struct slot *slot, struct text *why)
{
    uint64_t end_us = clock_now_us() + READY_MS * MS_US;
    struct command_result *result = NULL;
    for (uint64_t now_us; (now_us = clock_now_us()) < end_us;) {
        struct pollfd item = {.fd = slot->fd, .events = POLLIN};
        if (poll(&item, 1, (int)((end_us - now_us) / MS_US) + 1) <= 0)
            continue;
        bool more = slot_receive(slot, &result, why);
        if (more && !slot->in_len)
            return true;
        if (!more)
            break;
    }
    if (!why->at[0])
        text_add(why, "the process for commands does not start");
    slot_close(commands, slot);
    return false;
}

/* Whatever it ran became a child of this process when it died (PR_SET_CHILD_SUBREAPER), and goes,
 * and so does what its record names. */
void slot_close(struct commands *commands, struct slot *slot)
{
    pid_t spared[SLOTS_MAX];
    size_t n = 0;
    if (!slot->pid)
        return;
    kill(slot->pid, SIGKILL);
    close(slot->fd);
    waitpid(slot->pid, NULL, 0);
    slot->pid = 0;
    slot->fd = -1;
    for (unsigned i = 0; i < commands->config.slots; i++)
        if (commands->slots[i].pid)
            spared[n++] = commands->slots[i].pid;
    children_end(spared, n, END_PATIENCE_US, NULL);
    survivors_end(slot->record);
}

/* --- sending --- */

void slot_run(struct slot *slot, struct ask *ask)
{
    slot->ask = ask;
    slot->serial++;
    slot->part = slot->offset = 0;
    slot->cancelling = false;
    slot->started_us = clock_now_us();
    slot->kill_at_us = NEVER;
    if (ask->time_us && ask->time_us < NEVER / 2)
        slot->kill_at_us = slot->started_us + ask->time_us + ANSWER_US;
}

void slot_cancel(struct slot *slot)
{
    uint64_t by_us = clock_now_us() + ANSWER_US;
    if (slot->cancelling)
        return;
    slot->cancelling = true;
    slot->cancel_offset = 0;
    command_header(slot->cancel, FRAME_CANCEL, 8);
    bytes_put_le64(slot->cancel + COMMAND_HEADER_BYTES, slot->serial);
    if (by_us < slot->kill_at_us)
        slot->kill_at_us = by_us;
}

/* The bytes that come next; false: all is sent. */
static bool next_bytes(struct slot *slot, struct slice *bytes)
{
    const struct ask *ask = slot->ask;
    size_t parts = ask ? 1 + 2 * ask->n_blobs : 0;
    if (slot->part < parts) {
        size_t i = slot->part ? (slot->part - 1) / 2 : 0;
        if (!slot->part)
            *bytes = (struct slice){ask->frame.at, ask->frame.len};
        else if (slot->part % 2)
            *bytes = (struct slice){slot->header, sizeof slot->header};
        else
            *bytes = (struct slice){ask->blobs[i]->at, ask->blobs[i]->len};
        if (slot->part % 2)
            command_header(slot->header, FRAME_BYTES, ask->blobs[i]->len);
        bytes->at += slot->offset;
        bytes->len -= slot->offset;
        return true;
    }
    *bytes = (struct slice){slot->cancel + slot->cancel_offset,
                            sizeof slot->cancel - slot->cancel_offset};
    return ask && slot->cancelling && bytes->len;
}

bool slot_wants_to_send(const struct slot *slot)
{
    const struct ask *ask = slot->ask;
    return ask && (slot->part < 1 + 2 * ask->n_blobs ||
                   (slot->cancelling && slot->cancel_offset < sizeof slot->cancel));
}

bool slot_send(struct slot *slot)
{
    struct slice bytes;
    while (next_bytes(slot, &bytes)) {
        ssize_t n = send(slot->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        if (slot->part >= 1 + 2 * slot->ask->n_blobs) {
            slot->cancel_offset += (size_t)n;
            continue;
        }
        slot->offset += (size_t)n;
        if ((size_t)n < bytes.len)
            continue;
        slot->part++;
        slot->offset = 0;
    }
    return true;
}

/* --- receiving --- */

static bool take_frame(struct slot *slot, enum command_frame kind, struct slice body,
                       struct command_result **result, struct text *why)
{
    struct unpacked in = {body, true};
    switch (kind) {
    case FRAME_READY:
        return true;
    case FRAME_REFUSED: {
        const char *text = unpacked_text(&in);
        text_add(why, "%s", text ? text : "the process for commands refuses to start");
        return false;
    }
    case FRAME_RESULT:
        if (!slot->ask || *result)
            return false; /* nobody asked */
        *result = mem_new(1, sizeof **result);
        if (command_result_unpack(body, *result)) {
            (*result)->id = slot->ask->id;
            return true;
        }
        command_result_free(*result);
        *result = NULL;
        return false;
    default:
        return false;
    }
}

bool slot_receive(struct slot *slot, struct command_result **result, struct text *why)
{
    for (;;) {
        enum command_frame kind;
        uint64_t len = 0;
        size_t wanted = COMMAND_HEADER_BYTES;
        if (slot->in_len >= COMMAND_HEADER_BYTES) {
            if (!command_header_read(slot->in, &kind, &len) || len > COMMAND_FRAME_MAX_BYTES)
                return false;
            wanted += (size_t)len;
        }
        if (slot->in_len >= COMMAND_HEADER_BYTES && slot->in_len == wanted) {
            struct slice body = {slot->in + COMMAND_HEADER_BYTES, (size_t)len};
            slot->in_len = 0;
            if (!take_frame(slot, kind, body, result, why))
                return false;
            continue;
        }
        if (slot->in_room < wanted)
            slot->in = mem_grow(slot->in, slot->in_room = wanted, 1);
        ssize_t n = recv(slot->fd, slot->in + slot->in_len, wanted - slot->in_len, 0);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        slot->in_len += n > 0 ? (size_t)n : 0;
    }
}
