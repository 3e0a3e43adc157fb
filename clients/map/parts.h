/* parts.h - what is to be folded: files, outputs of tasks, results, each a part of one stored value
 * (nodes/core/kinds/reduce.c). */
#ifndef CONCLAVE_CLIENTS_PARTS_H
#define CONCLAVE_CLIENTS_PARTS_H

#include "clients/cli.h"
#include "clients/input/content.h"
#include "clients/map/task_source.h"

struct parts {
    struct spool spool;
    uint64_t *ends; /* of each part, in the spool; owned */
    size_t n, room;
};

/* Caller clears. */
void parts_begin(struct parts *parts);
void parts_clear(struct parts *parts);

/* One more part; `name` is for people. An exit code, after one line on stderr: it is too long, or
 * there are too many. */
int parts_add(struct parts *parts, const char *name, struct slice bytes);

/* A file, or stdin for "-". */
int parts_add_file(struct parts *parts, const char *path);

/* What each task wrote to stdout, in input order. EXIT_FAILED when one of them is not done, or its
 * output was cut. */
int parts_add_outputs(struct parts *parts, const struct task_source *source);

/* A job: the outputs of its tasks, or its result. */
int parts_add_job(struct parts *parts, struct cli *cli, job_id_t job);

/* Makes them content (caller clears it in any case), in their order; `sorted`: by their sizes, so
 * that short ones are folded with short ones. */
int parts_content(struct parts *parts, bool sorted, struct content *out);

#endif
