#include "nodes/work/survivors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "nodes/work/processes.h"
#include "nodes/work/scratch.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/mutant.h"

#define PATIENCE_US (3 * SECOND_US) /* until what was killed is gone */
#define PAUSE_US    (5 * MS_US)
#define VARIABLE    "CONCLAVE_SCRATCH="

bool survivors_note(int fd, pid_t pid, const char *scratch)
{
    static char boot[BOOT_ID_MAX]; /* a spawner's: it has one thread, and lives in one boot */
    char text[SURVIVOR_TEXT_MAX];
    struct process process = {0};
    if (pid && !process_read(pid, &process))
        return false;
    if (!boot[0])
        boot_id_read(boot);
    size_t len = text_format(text, sizeof text, "%d %" PRIu64 " %s %s\n", (int)pid, process.start,
                             boot[0] ? boot : "-", scratch);
    return pwrite(fd, text, len, 0) == (ssize_t)len; /* what is after the line means nothing */
}

void survivors_clear(int fd)
{
    /* A record that stays names what is gone: nothing is found. */
    if (pwrite(fd, "\n", 1, 0) != 1)
        return;
}

/* What a record says. */
struct survivor {
    pid_t pid;
    uint64_t start;
    char boot[BOOT_ID_MAX];
    char variable[SURVIVOR_TEXT_MAX]; /* CONCLAVE_SCRATCH=... */
    bool leads;                       /* that very process is there */
    unsigned found;
};

static const char *scratch_of(const struct survivor *survivor)
{
    return survivor->variable + strlen(VARIABLE);
}

static bool read_record(const char *path, struct survivor *survivor)
{
    char text[SURVIVOR_TEXT_MAX];
    int pid, at = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (len <= 0)
        return false;
    text[len] = '\0';
    char *end = strchr(text, '\n');
    *survivor = (struct survivor){0};
    if (end)
        *end = '\0';
    if (!end ||
        sscanf(text, "%d %" SCNu64 " %63s %n", &pid, &survivor->start, survivor->boot, &at) != 3 ||
        !at || text[at] != '/')
        return false; /* nothing runs, or it was being written: nothing had been started */
    survivor->pid = pid;
    text_format(survivor->variable, sizeof survivor->variable, VARIABLE "%s", text + at);
    return true;
}

static void kill_if_it_is(void *context, const struct process *process)
{
    struct survivor *survivor = context;
    bool is = (survivor->leads && process->session == survivor->pid) ||
              (process->pid == survivor->pid &&
               (process->start == survivor->start || MUTANT(survivors_by_pid))) ||
              process_has(process->pid, survivor->variable);
    if (!is || process->state == 'Z' || process->pid == getpid())
        return;
    survivor->found++;
    process_kill(process);
}

/* Returns how many there were in this round. */
static unsigned kill_round(struct survivor *survivor)
{
    struct process leader;
    survivor->leads = survivor->pid && process_read(survivor->pid, &leader) &&
                      leader.start == survivor->start && leader.session == survivor->pid;
    survivor->found = 0;
    processes_each(kill_if_it_is, survivor);
    return survivor->found;
}

unsigned survivors_end(const char *record)
{
    struct survivor survivor;
    char boot[BOOT_ID_MAX];
    unsigned first = 0;
    if (read_record(record, &survivor)) {
        uint64_t end_us = clock_now_us() + PATIENCE_US;
        boot_id_read(boot);
        bool same_boot = !strcmp(survivor.boot, boot[0] ? boot : "-");
        first = same_boot ? kill_round(&survivor) : 0;
        for (unsigned n = first; n && clock_now_us() < end_us; n = kill_round(&survivor))
            nanosleep(&(struct timespec){.tv_nsec = (long)(PAUSE_US * 1000)}, NULL);
        scratch_remove(scratch_of(&survivor));
    }
    unlink(record);
    return first;
}

unsigned survivors_end_all(const char *dir)
{
    DIR *records = opendir(dir);
    unsigned n = 0;
    for (struct dirent *entry; records && (entry = readdir(records));) {
        char path[4096];
        const char *end = strrchr(entry->d_name, '.');
        if (!end || strcmp(end, ".running") != 0)
            continue;
        text_format(path, sizeof path, "%s/%s", dir, entry->d_name);
        n += survivors_end(path);
    }
    if (records)
        closedir(records);
    return n;
}
