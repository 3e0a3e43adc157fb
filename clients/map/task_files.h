/* task_files.h - the files that go with tasks: those of --upload for all, then each task's own, one
 * after another, as a job's second stored value. Where each stands is said in its first one
 * (shared/tasks). All are read before anything is sent. */
#ifndef CONCLAVE_CLIENTS_TASK_FILES_H
#define CONCLAVE_CLIENTS_TASK_FILES_H

#include "clients/input/content.h"
#include "shared/base/options.h"
#include "shared/tasks/record.h"

struct task_files {
    struct spool spool;
    const struct wire_task_spec *spec; /* borrowed: with the uploads */
    uint64_t uploads_len;
};

/* Caller clears. */
void task_files_begin(struct task_files *files);
void task_files_clear(struct task_files *files);

/* Reads the uploads, and adds them to the specification (borrowed from then on), which is checked
 * again. All of these return OK, or an error with one line in `why` that names the file; no line
 * when a signal came. */
int task_files_upload(struct task_files *files, const struct option_list *uploads,
                      struct message *spec, struct text *why);

/* Reads a task's own file, whose name in its scratch directory is the record's input; fills in the
 * rest of the record. */
int task_files_add(struct task_files *files, const char *path, struct task_record *record,
                   struct text *why);

/* Makes all of them content (caller clears in any case), as a value of the format "bytes". Of no
 * bytes at all there is none. */
int task_files_content(struct task_files *files, struct content *out, struct text *why);

#endif
