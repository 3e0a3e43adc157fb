/* task_list.h - the inputs and commands of a job's tasks: a stored value of the format "tasks",
 * whole and on this machine, read at any task. */
#ifndef CONCLAVE_CLIENTS_TASK_LIST_H
#define CONCLAVE_CLIENTS_TASK_LIST_H

#include "clients/input/spool.h"
#include "clients/map/command_line.h"

/* From one place that is remembered to the next: so much is read to find a task. */
#define TASK_LIST_STEP 256

/* Zero-initialize. */
struct task_list {
    struct spool *spool; /* borrowed */
    struct message *spec;
    uint64_t total;
    uint64_t *places;           /* of each TASK_LIST_STEP-th record; owned */
    uint64_t next, at;          /* the task after the last one that was read, and where it is */
    struct task_record *record; /* owned; borrows from `bytes` */
    uint8_t *bytes;             /* owned */
    size_t size;
    struct task_command command;
    struct command_line line;
    char *input; /* owned */
    size_t input_size;
};

/* Begins with the bytes of the value (borrows): reads the specification, and where the tasks are.
 * OK, or an error with one line in `why`: it is no such value. Caller clears in any case. */
int task_list_open(struct task_list *list, struct spool *spool, struct text *why);

/* Reads a task, from 1: its inputs with spaces between them, and the command as one line, if that
 * is wanted (else NULL); both are borrowed until the next call. OK, or an error with one line. */
int task_list_read(struct task_list *list, uint64_t task, struct slice *input,
                   struct slice *command, struct text *why);

void task_list_clear(struct task_list *list);

#endif
