/* inputs_internal.h - what each form of inputs is: a row of functions. */
#ifndef CONCLAVE_CLIENTS_INPUTS_INTERNAL_H
#define CONCLAVE_CLIENTS_INPUTS_INTERNAL_H

#include <stdio.h>

#include "clients/map/inputs.h"

struct inputs_form {
    const char *option; /* for messages */
    int (*open)(struct inputs *inputs, const struct inputs_request *request, struct text *why);
    int (*next)(struct inputs *inputs, struct task_record *out, struct text *why);
    void (*close)(struct inputs *inputs);
};

extern const struct inputs_form inputs_sources, inputs_csv, inputs_array, inputs_files,
    inputs_given;

struct inputs {
    const struct inputs_form *form;
    void *own; /* of the form */
    size_t n_inputs;
    struct slice *names;  /* as many; NULL: none */
    uint64_t count;       /* tasks that were read */
    const char *path;     /* of the last one's file */
    char where[TEXT_MAX]; /* the last one came from, for messages: "list.txt:3: "; may be empty */
    char what[TEXT_MAX / 4]; /* they are, with their number before it: "files *.csv" */
};

/* --- lines of a file --- */

struct lines {
    FILE *file;
    const char *name; /* borrowed; "stdin" for - */
    uint64_t line;
    char *at; /* the last line */
    size_t size;
};

/* Opens a file, "-" for stdin. OK, or ERR_IO with one line in `why`. */
int lines_open(struct lines *lines, const char *path, struct text *why);

/* Reads the next line; borrows it until the next call. ERR_NOT_FOUND at the end. */
int lines_next(struct lines *lines, struct slice *out, struct text *why);

void lines_close(struct lines *lines);

#endif
