/* follow.h - writes a log and the files of tasks while their job runs: of each task as it ends, so
 * that what is there when the command is ended is of use.
 *
 * It stands before a task source: whoever reads from `source` instead, and waits there, has all of
 * it written on the way. The files of a task are there before its line in a log is. */
#ifndef CONCLAVE_CLIENTS_FOLLOW_H
#define CONCLAVE_CLIENTS_FOLLOW_H

#include "clients/local/local.h"
#include "clients/local/outfile.h"
#include "clients/map/outputs.h"
#include "shared/base/ranges.h"

struct follow {
    struct task_source source; /* context: this */
    const struct task_source *inner;
    const struct task_choice *choice;
    const char *dir;
    struct outfile logs[2];        /* --joblog, and the directory's; no file: none */
    char log_path[LOCAL_PATH_MAX]; /* of that */
    struct outputs_saved saved;
    struct ranges told; /* tasks of which all is written */
};

/* Before anything is submitted: whether outputs can be written to that directory, which is made
 * where it is missing. EXIT_OK, or EXIT_USAGE after one line on stderr. */
int follow_check_dir(const char *dir);

/* Begins (borrows all): makes the directory, and the logs with their heads. joblog, dir: NULL for
 * none. An exit code, after one line on stderr. Caller ends it in any case. */
int follow_begin(struct follow *follow, const struct task_source *inner,
                 const struct task_choice *choice, const char *joblog, const char *dir);

/* When nothing more will end: what has not been told of on the way. OK, or an error as
 * outputs_save() has it. */
int follow_rest(struct follow *follow, struct text *why);

/* Closes the logs. Returns `code`, or another one after one line. */
int follow_end(struct follow *follow, int code);

#endif
