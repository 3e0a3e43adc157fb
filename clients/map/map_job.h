/* map_job.h - a job of commands on its way to the cluster: its tasks become a stored value, which
 * the job names. */
#ifndef CONCLAVE_CLIENTS_MAP_JOB_H
#define CONCLAVE_CLIENTS_MAP_JOB_H

#include "clients/ask/connection.h"
#include "clients/input/content.h"
#include "clients/map/inputs.h"
#include "clients/map/task_choice.h"
#include "clients/map/task_files.h"

/* What rides in the details of tasks, of each stream: more, and files, only nodes of this release
 * keep. */
#define MAP_ROW_BYTES (64 * KIB_BYTES)

/* Makes the content of a stored value of the format "tasks" (caller clears in any case): the
 * specification, and a record for each input, whose files are added to `files` (it has the
 * uploads). OK, or an error with one line in `why`; none when a signal came. */
int map_job_content(const struct message *spec, struct inputs *inputs, struct task_files *files,
                    struct content *content, struct text *why);

/* What a submit says of the execution, as the specification has it. */
struct wire_task_options map_job_options(const struct wire_task_spec *spec);

/* A submit of a job of tasks. */
struct map_submit {
    const char *kind, *spec, *key; /* borrowed */
    bool commands;                 /* it runs some: the request is another one */
    job_id_t values[INPUTS_MAX];   /* the tasks, and their files */
    size_t n_values;
    job_id_t parent;                  /* JOB_NONE: none */
    const struct task_choice *choice; /* of the parent's tasks; NULL: all */
    struct wire_task_options options;
};

/* Submits it. EXIT_OK and its row (caller drops), or a code and the connection's reason: also when
 * the key belongs to another job. */
int map_job_submit(struct conclave *cluster, const struct map_submit *what, struct message **job);

#endif
