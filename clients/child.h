/* child.h - a process that the supervisor keeps running. */
#ifndef CONCLAVE_CLIENTS_CHILD_H
#define CONCLAVE_CLIENTS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "clients/local.h"
#include "shared/base/text.h"

#define CHILD_ARGS_MAX 40
#define CHILD_ARG_TEXT 64

struct child {
    char name[32];
    char program[LOCAL_PATH_MAX];
    char log[LOCAL_PATH_MAX]; /* stdout and stderr are appended there; empty: stdout is ours, stderr
                                 nowhere */
    char *args[CHILD_ARGS_MAX]; /* owned; ended by NULL */
    size_t n_args;
    pid_t pid;           /* 0: not running */
    uint64_t started_us; /* when it was last started */
    uint64_t due_us;     /* when to start it */
    uint64_t backoff_ms; /* before the next start */
    off_t log_from;      /* where its present life begins in the log */
};

/* Finds a program of ours: beside the running one, else in PATH. ERR_NOT_FOUND. */
int child_find(const char *name, char at[LOCAL_PATH_MAX]);

/* Appends an argument (copies). */
void child_add(struct child *child, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Starts it, detached from the terminal, with a default signal mask and without any CONCLAVE_
 * variable: its arguments say all. It is killed when this process dies. ERR_IO when it cannot. */
int child_start(struct child *child, uint64_t now_us);

/* Notes that it ended; sets when to start it again: after a pause that doubles with each short
 * life, unless that end was `meant`. */
void child_ended(struct child *child, uint64_t now_us, bool meant);

/* Appends the last line that its present life logged; nothing when there is none. */
void child_last_words(const struct child *child, struct text *out);

/* Appends how a process ended: "ended with exit code 1", "was killed by signal 9 (Killed)". */
void child_fate(int status, struct text *out);

void child_clear(struct child *child);

#endif
