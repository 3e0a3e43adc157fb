#include "nodes/work/processes.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/text.h"

#define PATH_ROOM        64
#define STAT_ROOM        1024
#define ENVIRON_MAX      (4 * MIB_BYTES)
#define CHILDREN_AT_ONCE 4096 /* the others in the next round */
#define PAUSE_MIN_US     200  /* between two rounds; it doubles, up to ... */
#define PAUSE_MAX_US     (20 * MS_US)

/* Returns how many bytes it read into `at`, which it terminates; -1: none. */
static ssize_t read_file(const char *path, char *at, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && len < room - 1) {
        n = read(fd, at + len, room - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        close(fd);
    at[len] = '\0';
    return n < 0 && !len ? -1 : (ssize_t)len;
}

bool process_read(pid_t pid, struct process *out)
{
    char path[PATH_ROOM], text[STAT_ROOM];
    text_format(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (read_file(path, text, sizeof text) < 0)
        return false;
    const char *after = strrchr(text, ')'); /* the name before it may hold anything */
    int parent, group, session;
    *out = (struct process){.pid = pid};
    /* proc(5): state ppid pgrp session tty tpgid flags, 4 of faults, 4 of times, priority nice
     * threads, itrealvalue, starttime */
    if (!after || sscanf(after + 1,
                         " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d"
                         " %" SCNu64,
                         &out->state, &parent, &group, &session, &out->start) != 5)
        return false;
    out->parent = parent;
    out->group = group;
    out->session = session;
    return true;
}

bool process_has(pid_t pid, const char *variable)
{
    char path[PATH_ROOM];
    text_format(path, sizeof path, "/proc/%d/environ", (int)pid);
    char *all = mem_new(1, ENVIRON_MAX);
    ssize_t len = read_file(path, all, ENVIRON_MAX);
    bool found = false;
    for (ssize_t at = 0; at < len && !found; at += (ssize_t)strlen(all + at) + 1)
        found = !strcmp(all + at, variable);
    free(all);
    return found;
}

void processes_each(void (*each)(void *context, const struct process *process), void *context)
{
    DIR *dir = opendir("/proc");
    struct process process;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (isdigit((unsigned char)entry->d_name[0]) &&
            process_read((pid_t)strtol(entry->d_name, NULL, 10), &process))
            each(context, &process);
    if (dir)
        closedir(dir);
}

void process_kill(const struct process *process)
{
    struct process now;
    int fd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    bool same = process_read(process->pid, &now) && now.start == process->start;
    if (fd >= 0 && same)
        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    else if (same && errno == ENOSYS)
        kill(process->pid, SIGKILL); /* before Linux 5.3: as sure as it can be */
    if (fd >= 0)
        close(fd);
}

void boot_id_read(char at[BOOT_ID_MAX])
{
    read_file("/proc/sys/kernel/random/boot_id", at, BOOT_ID_MAX);
    at[strcspn(at, "\n")] = '\0';
}

/* --- children --- */

struct children {
    pid_t at[CHILDREN_AT_ONCE];
    size_t n;
    pid_t parent;
};

static void add_child(struct children *children, pid_t pid)
{
    if (children->n < CHILDREN_AT_ONCE)
        children->at[children->n++] = pid;
}

static void add_if_child(void *context, const struct process *process)
{
    struct children *children = context;
    if (process->parent == children->parent)
        add_child(children, process->pid);
}

/* Of all threads: orphans become children of any. False: this kernel has no such files. */
static bool list_by_thread(struct children *children)
{
    DIR *tasks = opendir("/proc/self/task");
    bool told = false;
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        char path[PATH_ROOM], text[16 * 1024], *at = text, *end;
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        text_format(path, sizeof path, "/proc/self/task/%.20s/children", entry->d_name);
        if (read_file(path, text, sizeof text) < 0)
            continue;
        told = true;
        /* A number that was cut off at the end of the room is of the next round. */
        for (long pid; (pid = strtol(at, &end, 10)) > 0 && end != at && *end == ' '; at = end)
            add_child(children, (pid_t)pid);
    }
    if (tasks)
        closedir(tasks);
    return told;
}

static bool is_in(pid_t pid, const pid_t *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == pid)
            return true;
    return false;
}

void children_usage_add(struct children_usage *usage, const struct rusage *used)
{
    const struct timeval *user = &used->ru_utime, *system = &used->ru_stime;
    uint64_t rss_bytes = (uint64_t)used->ru_maxrss * KIB_BYTES;
    usage->cpu_us += (uint64_t)(user->tv_sec + system->tv_sec) * SECOND_US +
                     (uint64_t)(user->tv_usec + system->tv_usec);
    if (rss_bytes > usage->max_rss_bytes)
        usage->max_rss_bytes = rss_bytes;
}

bool children_end(const pid_t *spared, size_t n_spared, uint64_t patience_us,
                  struct children_usage *usage)
{
    struct children *children = mem_new(1, sizeof *children);
    uint64_t end_us = clock_now_us() + patience_us, pause_us = PAUSE_MIN_US;
    size_t left;
    for (;;) {
        children->n = 0;
        children->parent = getpid();
        left = 0;
        if (!list_by_thread(children))
            processes_each(add_if_child, children);
        for (size_t i = 0; i < children->n; i++) {
            struct rusage used;
            pid_t pid = children->at[i];
            if (is_in(pid, spared, n_spared))
                continue;
            left++;
            kill(pid, SIGKILL); /* its pid is its own until it is reaped here */
            if (wait4(pid, NULL, WNOHANG, &used) == pid && usage)
                children_usage_add(usage, &used);
        }
        if (!left || clock_now_us() >= end_us)
            break;
        nanosleep(&(struct timespec){.tv_nsec = (long)(pause_us * 1000)}, NULL);
        pause_us = 2 * pause_us < PAUSE_MAX_US ? 2 * pause_us : PAUSE_MAX_US;
    }
    free(children);
    return !left;
}
