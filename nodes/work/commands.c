#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/work/commands_internal.h"
#include "nodes/work/scratch.h"
#include "nodes/work/survivors.h"
#include "nodes/work/thread.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/urgency.h"

#define STACK_BYTES (1u << 20)
#define NEVER       UINT64_MAX
#define DIR_MAX     400 /* paths of outputs are in frames: COMMAND_FRAME_MAX_BYTES */
#define DIR_OWN     "commands"
#define FILES_END   "-files"

/* --- the thread: ends --- */

static void put_result(struct commands *commands, struct command_result *result)
{
    mailbox_put(commands->results, &result->mail);
}

/* One that a spawner does not tell of. */
static void end_without(struct commands *commands, struct ask *ask, enum command_end end,
                        const char *why)
{
    struct command_result *result = mem_new(1, sizeof *result);
    result->id = ask->id;
    result->end = end;
    result->exit = -1;
    text_format(result->error, sizeof result->error, "%s", why);
    for (int i = 0; i < COMMAND_STREAMS; i++) {
        result->output[i].bytes = blob_new(0);
        hash_bytes(NULL, 0, result->output[i].hash);
    }
    put_result(commands, result);
    ask_free(ask);
}

/* The spawner is gone, or is to go, and with it what it runs. */
static void slot_lost(struct commands *commands, struct slot *slot, const char *why)
{
    struct ask *ask = slot->ask;
    slot->ask = NULL;
    slot_close(commands, slot);
    if (!ask)
        return;
    log_write(LOG_WARN, "the process that runs commands in slot %td has ended: %s",
              slot - commands->slots + 1, why);
    if (ask->cancelled)
        end_without(commands, ask, COMMAND_CANCELLED, why);
    else
        end_without(commands, ask, COMMAND_KILLED, why);
}

/* --- the thread: what it is asked for --- */

static void take_ask(struct commands *commands, struct ask *ask)
{
    if (ask->kind == ASK_RUN && commands->n_waiting < COMMANDS_WAITING_MAX && !ask->error) {
        *commands->last = ask;
        commands->last = &ask->next;
        commands->n_waiting++;
        return;
    }
    if (ask->kind == ASK_RUN) {
        end_without(commands, ask, COMMAND_NOT_STARTED,
                    ask->error ? error_text(ask->error) : "too many commands wait");
        return;
    }
    commands->stopping = commands->stopping || ask->kind == ASK_STOP;
    if (ask->kind == ASK_CANCEL) {
        for (struct ask *it = commands->first; it; it = it->next)
            it->cancelled = it->cancelled || !memcmp(&it->id, &ask->id, sizeof it->id);
        for (unsigned i = 0; i < commands->config.slots; i++) {
            struct slot *slot = &commands->slots[i];
            if (!slot->ask || memcmp(&slot->ask->id, &ask->id, sizeof ask->id) != 0)
                continue;
            slot->ask->cancelled = true;
            slot_cancel(slot);
        }
    }
    ask_free(ask);
}

static struct ask *next_waiting(struct commands *commands)
{
    struct ask *ask = commands->first;
    commands->first = ask->next;
    ask->next = NULL;
    if (!commands->first)
        commands->last = &commands->first;
    commands->n_waiting--;
    return ask;
}

/* Those that were cancelled end even when no slot is free. */
static void drop_cancelled(struct commands *commands)
{
    for (struct ask *it, **at = &commands->first; (it = *at);) {
        if (!it->cancelled) {
            at = &it->next;
            continue;
        }
        *at = it->next;
        if (commands->last == &it->next)
            commands->last = at;
        commands->n_waiting--;
        end_without(commands, it, COMMAND_CANCELLED, "");
    }
}

static void hand_out(struct commands *commands)
{
    for (unsigned i = 0; i < commands->config.slots && commands->first; i++) {
        struct slot *slot = &commands->slots[i];
        struct text why = {0};
        if (slot->ask)
            continue;
        struct ask *ask = next_waiting(commands);
        if (!slot->pid && !slot_open(commands, slot, &why)) {
            end_without(commands, ask, COMMAND_NOT_STARTED, why.at);
            continue;
        }
        slot_run(slot, ask);
        if (!slot_send(slot))
            slot_lost(commands, slot, "its process has ended");
    }
}

/* --- the thread: its turns --- */

static void look_at_slot(struct commands *commands, struct slot *slot, short happened)
{
    struct command_result *result = NULL;
    struct text why = {0};
    bool alive = true;
    if (slot->pid && happened & (POLLIN | POLLHUP | POLLERR))
        alive = slot_receive(slot, &result, &why);
    if (result) {
        if (slot->ask->part)
            (void)command_result_join(result); /* it says what became of it */
        ask_free(slot->ask);
        slot->ask = NULL;
        slot->kill_at_us = NEVER;
        put_result(commands, result);
    }
    if (slot->pid && alive)
        alive = slot_send(slot);
    if (slot->pid && !alive)
        slot_lost(commands, slot, why.at[0] ? why.at : "its process was killed");
    else if (slot->pid && clock_now_us() >= slot->kill_at_us)
        slot_lost(commands, slot, "its process did not answer");
}

static int wait_ms(const struct commands *commands)
{
    uint64_t now_us = clock_now_us(), at_us = NEVER;
    for (unsigned i = 0; i < commands->config.slots; i++)
        if (commands->slots[i].kill_at_us < at_us && commands->slots[i].pid)
            at_us = commands->slots[i].kill_at_us;
    if (at_us == NEVER)
        return -1;
    uint64_t ms = at_us > now_us ? (at_us - now_us + MS_US - 1) / MS_US : 0;
    return ms < 3600 * 1000 ? (int)ms : 3600 * 1000;
}

static void close_all(struct commands *commands)
{
    for (unsigned i = 0; i < commands->config.slots; i++) {
        struct slot *slot = &commands->slots[i];
        ask_free(slot->ask);
        slot->ask = NULL;
        slot_close(commands, slot);
        free(slot->in);
    }
    while (commands->first)
        ask_free(next_waiting(commands));
}

static void *commands_main(void *argument)
{
    struct commands *commands = argument;
    unsigned n = commands->config.slots;
    struct pollfd *items = mem_new(n + 1, sizeof *items);
    urgency_high();
    while (!commands->stopping) {
        items[n] = (struct pollfd){.fd = mailbox_fd(commands->requests), .events = POLLIN};
        for (unsigned i = 0; i < n; i++) {
            const struct slot *slot = &commands->slots[i];
            items[i] = (struct pollfd){.fd = slot->pid ? slot->fd : -1, .events = POLLIN};
            if (slot_wants_to_send(slot))
                items[i].events |= POLLOUT;
        }
        if (poll(items, n + 1, wait_ms(commands)) < 0 && errno != EINTR)
            panic("cannot poll: %s", strerror(errno));
        for (unsigned i = 0; i < n; i++)
            look_at_slot(commands, &commands->slots[i], items[i].revents);
        for (struct mail *next, *mail = mailbox_take(commands->requests); mail; mail = next) {
            next = mail->next;
            take_ask(commands, (struct ask *)(void *)mail);
        }
        drop_cancelled(commands);
        hand_out(commands);
        for (unsigned i = 0; i < n; i++)
            look_at_slot(commands, &commands->slots[i], 0);
    }
    close_all(commands);
    free(items);
    return NULL;
}

/* --- start --- */

static bool make_directory(const char *path, mode_t mode, struct text *why)
{
    if ((!mkdir(path, mode) || errno == EEXIST) && !chmod(path, mode))
        return true;
    text_add(why, "cannot make %s: %s", path, strerror(errno));
    return false;
}

/* Of the life before: outputs that nobody took, and scratch directories without a record. */
static void sweep(const char *path, bool all)
{
    char name[1024];
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        uint64_t nonce;
        if (entry->d_name[0] == '.' ||
            (!all && sscanf(entry->d_name, "%16" SCNx64 "-%*u-%*u", &nonce) != 1))
            continue;
        text_format(name, sizeof name, "%s/%s", path, entry->d_name);
        if (unlink(name))
            scratch_remove(name);
    }
    if (dir)
        closedir(dir);
}

static int prepare(struct commands *commands, struct text *why)
{
    const struct commands_config *config = &commands->config;
    char own[512], hash_at[HASH_TEXT_MAX];
    uint8_t hash[HASH_BYTES];
    if (strlen(config->dir) > DIR_MAX || (config->scratch && strlen(config->scratch) > DIR_MAX)) {
        text_add(why, "the path of a directory for commands is longer than %d bytes", DIR_MAX);
        return ERR_REFUSED;
    }
    text_format(own, sizeof own, "%s/" DIR_OWN, config->dir);
    text_format(commands->outputs, sizeof commands->outputs, "%s/outputs", own);
    /* Several nodes may be told the same place: each cleans up its own. */
    hash_bytes(own, strlen(own), hash);
    if (config->scratch)
        text_format(commands->scratch, sizeof commands->scratch, "%s/conclave-%.12s",
                    config->scratch, hash_text(hash, hash_at));
    else
        text_format(commands->scratch, sizeof commands->scratch, "%s/scratch", own);
    /* Beside it, on the same disk. */
    text_format(commands->files, sizeof commands->files, "%s%s", commands->scratch, FILES_END);
    if (!make_directory(own, 0700, why) || !make_directory(commands->outputs, 0700, why) ||
        !make_directory(commands->scratch, config->user ? 0711 : 0700, why) ||
        !make_directory(commands->files, 0700, why))
        return ERR_IO;
    unsigned left = survivors_end_all(own);
    if (left)
        log_write(LOG_WARN,
                  "ended %u processes of commands that the previous process of this node had left",
                  left);
    sweep(commands->outputs, true);
    sweep(commands->files, true);
    sweep(commands->scratch, false);
    for (unsigned i = 0; i < config->slots; i++)
        text_format(commands->slots[i].record, sizeof commands->slots[i].record,
                    "%s/slot-%u.running", own, i + 1);
    return OK;
}

static void free_all(struct commands *commands)
{
    free((char *)commands->config.dir);
    free((char *)commands->config.scratch);
    free((char *)commands->config.user);
    free((char *)commands->config.program);
    mailbox_destroy(&commands->requests);
    mailbox_destroy(&commands->results);
    free(commands->slots);
    free(commands);
}

static char *copy(const char *text)
{
    return text ? mem_string(text) : NULL;
}

/* Names in records and environments are what they are from anywhere. */
static char *absolute(const char *path)
{
    char *whole = path ? realpath(path, NULL) : NULL;
    return whole ? whole : copy(path);
}

int commands_start(const struct commands_config *config, struct commands **out, struct text *why)
{
    struct commands *commands = mem_new(1, sizeof *commands);
    struct rlimit files;
    *out = NULL;
    commands->config = *config;
    commands->config.dir = absolute(config->dir);
    commands->config.scratch = absolute(config->scratch);
    commands->config.user = copy(config->user);
    commands->config.program = copy(config->program);
    if (!commands->config.slots)
        commands->config.slots = 1;
    if (commands->config.slots > SLOTS_MAX)
        commands->config.slots = SLOTS_MAX;
    commands->slots = mem_new(commands->config.slots, sizeof *commands->slots);
    commands->last = &commands->first;
    commands->requests = mailbox_new();
    commands->results = mailbox_new();
    getrlimit(RLIMIT_NOFILE, &files);
    commands->files_soft = config->files_soft ? config->files_soft : files.rlim_cur;
    hash_random(&commands->nonce, sizeof commands->nonce);
    for (unsigned i = 0; i < commands->config.slots; i++)
        commands->slots[i].kill_at_us = NEVER;
    int error = prepare(commands, why);
    if (!error && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
        error = ERR_IO;
    /* With an account there is something to check: now, not at the first command. */
    if (!error && config->user &&
        (!slot_open(commands, &commands->slots[0], why) ||
         !slot_wait_ready(commands, &commands->slots[0], why)))
        error = ERR_REFUSED;
    if (error) {
        free(commands->slots[0].in);
        free_all(commands);
        return error;
    }
    commands->thread = thread_start("commands", STACK_BYTES, commands_main, commands);
    *out = commands;
    return OK;
}

/* --- the event loop's side --- */

static void add_bytes(struct ask *ask, const struct command_bytes *bytes)
{
    if (bytes->blob)
        ask->blobs[ask->n_blobs++] = blob_ref(bytes->blob);
}

static void add_inputs(struct ask *ask, const struct command *command)
{
    ask->blobs = mem_new(1 + command->n_inputs, sizeof *ask->blobs);
    add_bytes(ask, &command->stdin_bytes);
    for (size_t i = 0; i < command->n_inputs; i++)
        add_bytes(ask, &command->inputs[i].bytes);
}

void commands_run(struct commands *commands, const struct command *command)
{
    struct ask *ask = mem_new(1, sizeof *ask);
    ask->kind = ASK_RUN;
    ask->id = command->id;
    ask->time_us = command->limits.time_us;
    ask->part = command->part;
    ask->error = command_pack(&ask->frame, command);
    if (!ask->error)
        add_inputs(ask, command);
    mailbox_put(commands->requests, &ask->mail);
}

void commands_cancel(struct commands *commands, struct command_id id)
{
    struct ask *ask = mem_new(1, sizeof *ask);
    ask->kind = ASK_CANCEL;
    ask->id = id;
    mailbox_put(commands->requests, &ask->mail);
}

struct command_result *commands_poll(struct commands *commands)
{
    return (struct command_result *)(void *)mailbox_take(commands->results);
}

const char *commands_files(const struct commands *commands)
{
    return commands->files;
}

int commands_fd(const struct commands *commands)
{
    return mailbox_fd(commands->results);
}

void commands_destroy(struct commands **commands)
{
    struct commands *it = *commands;
    *commands = NULL;
    if (!it)
        return;
    struct ask *stop = mem_new(1, sizeof *stop);
    stop->kind = ASK_STOP;
    mailbox_put(it->requests, &stop->mail);
    pthread_join(it->thread, NULL);
    for (struct mail *next, *mail = mailbox_take(it->requests); mail; mail = next) {
        next = mail->next;
        ask_free((struct ask *)(void *)mail);
    }
    for (struct command_result *next, *result = commands_poll(it); result; result = next) {
        next = command_result_next(result);
        command_result_free(result);
    }
    free_all(it);
}
