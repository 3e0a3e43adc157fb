/* jobs.h - what libconclave does with jobs beside bringing them to their end (library.h), for the
 * command line, which shows more of their rows. Each returns EXIT_OK, or a code and the
 * connection's reason. */
#ifndef CONCLAVE_CLIENTS_LIBRARY_JOBS_H
#define CONCLAVE_CLIENTS_LIBRARY_JOBS_H

#include "clients/library/library.h"
#include "clients/map/task_choice.h"

/* Hands each job that the key may see to `take`, in the order of their ids, until that returns
 * false; the row is the answer's, which a reference keeps. `state`: only those that are in it;
 * NULL: all. */
int library_jobs_each(struct conclave *cluster, const char *state,
                      bool (*take)(void *context, struct message *page,
                                   const struct wire_job_row *row),
                      void *context);

/* Forgets finished jobs, FORGET_JOBS_MAX at a time: those all, or none of them. *forgotten: so many
 * are, also after an error; *last: what the last answer said, zeroed when none came. */
int library_forget(struct conclave *cluster, const job_id_t *jobs, size_t n, uint64_t *forgotten,
                   struct wire_jobs_forgotten *last);

/* Hands the operations of a job to `take`, in the order of their numbers. */
int library_operations_each(struct conclave *cluster, job_id_t job,
                            bool (*take)(void *context, const struct wire_trace_row *row),
                            void *context);

/* The lines about why a job is where it is: a job of commands is called by its command, if the key
 * may see it. */
int library_explain(struct conclave *cluster, job_id_t job,
                    bool (*take)(void *context, const char *line), void *context);

/* Whether the key may see the details of a job's tasks, there are some, and in so many segments at
 * most: nothing is said about it. */
bool library_has_details(struct conclave *cluster, job_id_t job, uint64_t segments_max);

/* How the tasks of a job that are not done are run once more. */
struct library_retry {
    const struct task_choice *choice; /* of its tasks; all when empty */
    uint64_t time_limit_us;           /* 0: the job's; TIME_NEVER_US: none */
    const char *key;                  /* valid */
};

/* Submits that, for a job's row. The new job's row (caller drops). */
int library_retry(struct conclave *cluster, const struct wire_job_row *row,
                  const struct library_retry *how, struct message **job);

#endif
