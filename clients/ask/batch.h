/* batch.h - the jobs of a file, in flight together, reported in their order as they end. */
#ifndef CONCLAVE_CLIENTS_BATCH_H
#define CONCLAVE_CLIENTS_BATCH_H

#include "clients/ask/jobfile.h"
#include "clients/ask/submission.h"
#include "clients/show/report.h"

struct batch {
    struct cli *cli;
    struct jobfile *file;        /* where jobs come from */
    const char *plan;            /* of all jobs; NULL: whichever is faster */
    struct report_choice report; /* how results are told */
    bool no_wait;
    uint64_t n_jobs; /* for the progress bar; 0: unknown */
};

/* Works through all jobs of the file. Returns the exit code of the first job in order that did not
 * go well. */
int batch_run(const struct batch *batch);

#endif
