/* child.h - a process that the supervisor keeps running. */
#ifndef CONCLAVE_CLIENTS_CHILD_H
#define CONCLAVE_CLIENTS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "clients/local/local.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

#define CHILD_ARGS_MAX 40
#define CHILD_ARG_TEXT 64
/* Whoever runs for so long has started: longer than a node needs to read a small store. Where the
 * last start took longer until it failed (a large store, a slow machine), twice that long; what
 * fails later than CHILD_START_MAX_US has run before. */
#define CHILD_SETTLED_US   (3 * SECOND_US)
#define CHILD_START_MAX_US (60 * SECOND_US)

#define CHILD_STREAMS 4 /* stdin, stdout, stderr, and one more file */

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
    uint64_t failing_us; /* how long it ran until it could not start; 0: it was something else */
    off_t log_from;      /* where its present life begins in the log */
    uint32_t node;       /* its id, 0: it is no node */
    bool quiet;          /* without a log: stdout goes nowhere, too */
    const int *streams;  /* borrowed: its first CHILD_STREAMS descriptors, instead of all that: -1
                            is nothing; NULL */
    int exit_code;       /* of its last end; -1: none, or a signal */
    unsigned tries;      /* ends in a row without a life that lasted between them */
    char trouble[TEXT_MAX]; /* why it does not run, in one line; empty: all is well */
};

/* Finds a program of ours: beside the running one, else in PATH. ERR_NOT_FOUND. */
int child_find(const char *name, char at[LOCAL_PATH_MAX]);

/* Appends an argument (copies). */
void child_add(struct child *child, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Starts it, detached from the terminal, with a default signal mask and without any CONCLAVE_
 * variable: its arguments say all. It is killed when this process dies. ERR_IO when it cannot. */
int child_start(struct child *child, uint64_t now_us);

/* Notes how it ended, and with which last words; sets when to start it again: after a pause that
 * doubles with each short life, unless it ended on purpose. */
void child_ended(struct child *child, int status, uint64_t now_us);

/* Notes that it could not be started, for the reason errno. */
void child_not_started(struct child *child, uint64_t now_us);

/* Forgets its trouble once it has run for so long that it has started. Returns how long until then,
 * 0: it has just been forgotten, UINT64_MAX: it is not running, or has no trouble. */
uint64_t child_settle(struct child *child, uint64_t now_us);

void child_clear(struct child *child);

#endif
