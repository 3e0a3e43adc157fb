/* outputs.h - what the tasks of a job wrote: one after another to a stream, or as files of a
 * directory. */
#ifndef CONCLAVE_CLIENTS_OUTPUTS_H
#define CONCLAVE_CLIENTS_OUTPUTS_H

#include "clients/map/task_choice.h"
#include "clients/map/task_source.h"

struct outputs {
    const struct task_source *source;
    const struct task_choice *choice;
    bool streams[TASK_STREAMS]; /* which; of a task stdout goes first */
    bool tag;                   /* each line begins with the task's input and a tab */
    bool unordered;             /* as tasks end, instead of by their numbers */
    bool wait;                  /* for tasks that have not ended */
    uint64_t shown, missing;    /* tasks, counted here */
};

/* Writes them to `out`, each checked by its SHA-256. Tasks that have not ended are waited for, or
 * counted as missing. OK, or an error with one line in `why`. */
int outputs_write(struct outputs *outputs, FILE *out, struct text *why);

/* Writes a log as GNU parallel does: its head, and a line for each task that was executed. Errors
 * as above. */
int outputs_log(const struct task_source *source, const struct task_choice *choice, FILE *out,
                struct text *why);

/* What outputs_save() did. */
struct outputs_saved {
    uint64_t written, present; /* files */
    uint64_t missing;          /* tasks that have not ended */
};

/* One line on stderr. */
void outputs_saved_note(const struct outputs_saved *saved, const char *dir);

/* Writes DIR/17.out, DIR/17.err if there is something in it, DIR/17/PATH for what was collected,
 * and DIR/joblog.tsv: each whole or not at all. What is there already, with the same bytes, stays.
 * Nothing is written outside of DIR, whatever the paths are. OK, or an error with one line in
 * `why`, which is empty when a file that cannot be written has its line on stderr already. */
int outputs_save(const struct task_source *source, const struct task_choice *choice,
                 const char *dir, struct outputs_saved *saved, struct text *why);

/* Saves what belongs to one task that has ended; outputs_save() does it for all. */
int outputs_save_task(const struct task_source *source, const struct task_view *view,
                      const char *dir, struct outputs_saved *saved, struct text *why);

#endif
