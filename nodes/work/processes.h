/* processes.h - other processes, by what /proc says of them: which there are, and an end to them.
 *
 * A pid alone names a process only while nobody has reaped it. A child that is not reaped keeps its
 * pid; any other process is signalled through a pidfd, after a second look. */
#ifndef CONCLAVE_WORK_PROCESSES_H
#define CONCLAVE_WORK_PROCESSES_H

#include <sys/types.h>

#include "shared/base/types.h"

struct process {
    pid_t pid, parent, group, session;
    char state;     /* 'Z': it has ended, and is not reaped */
    uint64_t start; /* in ticks since the boot: with the boot's id this names a process */
};

/* False: there is none of that pid. */
bool process_read(pid_t pid, struct process *out);

/* The environment that it was started with has exactly this "NAME=VALUE". False also when that
 * cannot be read. */
bool process_has(pid_t pid, const char *variable);

/* Calls back for each process of the system. */
void processes_each(void (*each)(void *context, const struct process *process), void *context);

/* Sends KILL to exactly this process, unless it has ended. */
void process_kill(const struct process *process);

#define BOOT_ID_MAX 64
/* Which boot of the machine this is; "" when the kernel does not say. */
void boot_id_read(char at[BOOT_ID_MAX]);

/* What was used by children that have ended. */
struct children_usage {
    uint64_t cpu_us, max_rss_bytes;
};

/* Kills all children of this process but the `spared`, and whatever becomes its child by that,
 * until there are none, for `patience_us` at most. `usage`: adds what they used, or NULL. False:
 * some are still there. */
bool children_end(const pid_t *spared, size_t n_spared, uint64_t patience_us,
                  struct children_usage *usage);

/* The same of one child that has ended or is about to. */
struct rusage;
void children_usage_add(struct children_usage *usage, const struct rusage *used);

#endif
