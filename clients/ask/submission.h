/* submission.h - one job on its way from a client to its end, over lost brokers and changing
 * coordinators.
 *
 *   SUBMITTING --accepted--> WAITING --finished--> ENDED
 *       ^                       |
 *       +-----not found---------+
 *
 * A new coordinator may not know the job: the same key makes it the same job. */
#ifndef CONCLAVE_CLIENTS_SUBMISSION_H
#define CONCLAVE_CLIENTS_SUBMISSION_H

#include "clients/ask/client.h"
#include "clients/ask/jobspec.h"

struct conclave;
struct uploader;

struct submission {
    struct jobspec spec;
    char key[JOB_KEY_TEXT_MAX];  /* empty: a job that somebody else submitted is only waited for */
    bool no_wait;                /* accepted is the end */
    const char *plan;            /* borrowed; NULL: whichever is faster */
    bool commands;               /* it needs a key that may run commands */
    job_id_t values[INPUTS_MAX]; /* stored values that it names */
    size_t n_values;
    uint64_t poll_us; /* how often to hear of progress */
    uint64_t deadline_us;
    uint64_t line; /* of the file it comes from; 0: none */

    job_id_t job;         /* JOB_NONE until it is accepted */
    struct message *last; /* owned: the last `job` answer; NULL before */
    bool ended;
    int exit_code; /* when ended; EXIT_OK also while the job's own end is still to be looked at */
    struct text reason; /* why not, one line */
};

/* Starts it: with a key it is submitted, else `job` is waited for. */
void submission_start(struct submission *submission, struct client *client);

/* Takes in its finished call (and drops it), starts the next one unless it ended. */
void submission_take(struct submission *submission, struct client *client,
                     struct client_call *call);

/* The job as last seen, or NULL. */
const struct wire_job_row *submission_row(const struct submission *submission);

/* Uploads what the job's inputs name, and so makes its spec complete: before it is started.
 * EXIT_OK, or a code and the connection's reason. */
int submission_prepare(struct submission *submission, struct conclave *cluster,
                       const struct uploader *uploader);

/* Drops what it owns. */
void submission_clear(struct submission *submission);

#endif
