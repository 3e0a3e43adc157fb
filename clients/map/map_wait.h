/* map_wait.h - waits for a job of commands, and shows what its tasks write. */
#ifndef CONCLAVE_CLIENTS_MAP_WAIT_H
#define CONCLAVE_CLIENTS_MAP_WAIT_H

#include "clients/cli.h"
#include "clients/input/content.h"
#include "clients/map/parts.h"

struct map_wait {
    const char *dir, *joblog; /* NULL: none */
    bool tag, unordered;
    const struct content *content; /* borrowed: the job's tasks */
    struct parts *parts;           /* borrowed: gets the outputs of all, instead of stdout; NULL */
};

/* Whether the files can be written, looked at before anything is submitted. An exit code. */
int map_wait_check(const struct map_wait *wait);

/* Waits until the job is finished: outputs go to stdout as soon as they can, or into files, and
 * the last line to stderr. With --json the job goes to stdout, instead of its outputs. Returns the
 * exit code; after Ctrl-C and --timeout it says that the job goes on. */
int map_wait(struct cli *cli, job_id_t job, const struct map_wait *wait);

#endif
