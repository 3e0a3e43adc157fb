/* inputs.h - what a command is to be run over: words, lines of files, rows of a table, numbers,
 * files. Read one task at a time, so that a million of them take no more memory than one; but the
 * second and further sources of a product are kept.
 *
 * A line is an input whatever it holds, also nothing; its line end is none of it. */
#ifndef CONCLAVE_CLIENTS_INPUTS_H
#define CONCLAVE_CLIENTS_INPUTS_H

#include "shared/base/options.h"
#include "shared/tasks/record.h"

/* Of a source of a product that comes from a file: it is read as often as the one before it has
 * inputs, so it is kept. */
#define INPUTS_KEPT_BYTES_MAX (256 * MIB_BYTES)

struct inputs_request {
    char **sources; /* from the first ::: or :::: on; borrowed */
    size_t n_sources;
    bool link; /* the sources go side by side, instead of each with each */
    const char *csv, *array;
    struct option_list files; /* patterns */

    const char *const
        *given; /* by a program, borrowed; NULL: none. The inputs of the first task, */
    size_t n_given, per_task; /* then those of the next; n_given is a multiple of per_task */
};

struct inputs;

/* Opens them; without any request the lines of stdin. OK and inputs (caller destroys), or
 * ERR_MALFORMED, ERR_IO, ERR_NOT_FOUND, ERR_TOO_BIG with one line in `why`. */
int inputs_open(const struct inputs_request *request, struct inputs **out, struct text *why);

/* How many inputs a task has, and how they are called: as many names, or NULL. */
size_t inputs_per_task(const struct inputs *inputs);
const struct slice *inputs_names(const struct inputs *inputs);

/* True when each input is the path of a file that goes with its task; inputs_path() says where the
 * file of the task that was read last is on this machine. */
bool inputs_are_files(const struct inputs *inputs);
const char *inputs_path(const struct inputs *inputs);

/* Reads the next task's inputs; borrows them until the next call. ERR_NOT_FOUND after the last one;
 * other errors with one line in `why` that says where. */
int inputs_next(struct inputs *inputs, struct task_record *out, struct text *why);

/* Appends what they are, for people, once all are read: "200 files *.csv". */
void inputs_describe(const struct inputs *inputs, struct text *out);

/* The same without their number, before any is read: "files *.csv". */
const char *inputs_what(const struct inputs *inputs);

/* How many tasks were read. */
uint64_t inputs_count(const struct inputs *inputs);

void inputs_destroy(struct inputs **inputs);

#endif
