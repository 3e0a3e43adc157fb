/* package.h - all that a job of commands takes to the cluster: its specification, its tasks, and
 * their files. All are read before anything is sent. For `conclave map` and for libconclave. */
#ifndef CONCLAVE_CLIENTS_PACKAGE_H
#define CONCLAVE_CLIENTS_PACKAGE_H

#include "clients/ask/upload.h"
#include "clients/map/map_job.h"

struct map_package {
    struct message *spec;  /* borrowed */
    struct inputs *inputs; /* borrowed */
    struct task_files task_files;
    struct content tasks, files; /* the job's stored values; `files` may be empty */
};

/* Reads the inputs and the files of --upload into a package (caller clears in any case). OK, or an
 * error with one line in `why`; none when a signal came. */
int map_package_make(struct map_package *package, struct message *spec, struct inputs *inputs,
                     const struct option_list *uploads, struct text *why);

/* Tasks in it. */
uint64_t map_package_tasks(const struct map_package *package);

/* Uploads it, and submits the job under that key; at least one task is in it. EXIT_OK and its row
 * (caller drops), or a code and the connection's reason. */
int map_package_send(struct conclave *cluster, const struct map_package *package, const char *name,
                     const char *key, const struct uploader *uploader, struct message **job);

void map_package_clear(struct map_package *package);

#endif
