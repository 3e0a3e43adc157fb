/* request.h - what `conclave map` is asked for, as its options and words say it. */
#ifndef CONCLAVE_CLIENTS_MAP_REQUEST_H
#define CONCLAVE_CLIENTS_MAP_REQUEST_H

#include "clients/map/inputs.h"
#include "shared/wire/message.h"

struct map_request {
    struct inputs_request inputs;
    const char *shell; /* of --sh; NULL: argv */
    char **argv;       /* borrowed */
    size_t n_argv;

    const char *name;      /* for people; NULL: none */
    const char *max_fails; /* N or N%; NULL: any number */
    uint64_t retries, retry_delay_us, time_limit_us, slots, max_output;
    bool on_stdin, at_most_once, speculate;
    struct option_list env, uploads, collect;
};

/* Takes the words apart: the command, then its inputs from the first ::: on. Without a "--" before
 * the command a last --csv F, --array RANGE or --files GLOB is read as inputs, too. OK, or
 * ERR_MALFORMED with one line in `why`. */
int map_words(struct map_request *request, size_t n_words, char **words, struct text *why);

/* Makes the specification for tasks with these inputs, without the uploads that go with them: where
 * these stand is known once they are read (task_files.h). OK and a checked message (caller drops),
 * or an error with one line in `why`. */
int map_spec(const struct map_request *request, const struct inputs *inputs, struct message **out,
             struct text *why);

/* Where records go: what an upload is. Both return OK, or an error with one line in `why`, but
 * never ERR_NOT_FOUND. */
struct map_sink {
    int (*put)(void *context, struct slice record, struct text *why);
    /* Takes in a task's own file, whose name is the record's input, and says in the record where it
     * stands in the job's second input. */
    int (*file)(void *context, const char *path, struct task_record *record, struct text *why);
    void *context;
};

/* Puts every record of a value of the format "tasks": the specification, then each task, as bytes
 * of whole parts (shared/tasks/record.h). Stops at the first error. */
int map_records(const struct message *spec, struct inputs *inputs, const struct map_sink *sink,
                struct text *why);

#endif
