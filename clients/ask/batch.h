/* batch.h - one job or many, in flight together, reported in their order as they end. */
#ifndef CONCLAVE_CLIENTS_BATCH_H
#define CONCLAVE_CLIENTS_BATCH_H

#include "clients/ask/jobfile.h"
#include "clients/ask/submission.h"
#include "clients/show/report.h"

struct batch {
    struct cli *cli;
    struct jobfile *file;        /* where jobs come from; NULL: only what batch_add() was given */
    const char *key;             /* NULL: each job gets a new one */
    const char *plan;            /* of all jobs; NULL: whichever is faster */
    struct report_choice report; /* how results are told */
    bool no_wait;
    bool temporary;  /* the cluster ends with the command */
    uint64_t n_jobs; /* for the progress bar; 0: unknown */
};

/* Works through all jobs of the file, or the one given (`single`: a spec with a key, or a job to
 * wait for, made by the caller and taken). Returns the exit code of the first job in order that did
 * not go well. */
int batch_run(const struct batch *batch, struct submission *single);

#endif
