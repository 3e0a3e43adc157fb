/* report.h - what a job came to, on stdout and as an exit code. */
#ifndef CONCLAVE_CLIENTS_REPORT_H
#define CONCLAVE_CLIENTS_REPORT_H

#include "clients/cli.h"
#include "clients/ask/submission.h"

struct report_choice {
    const char *output; /* a file for the result alone; NULL: stdout, with what it is of */
    bool exit_status;   /* of batch-gcd: EXIT_FAILED when a factor is shared */
};

/* Prints how a submission ended: "10!=3628800", the rows of batch-gcd, or an object with --json, or
 * the result alone into a file. A result of more than TEXT_INLINE_DIGITS is shortened on a
 * terminal. Returns the exit code. */
int report_submission(struct cli *cli, const struct submission *submission,
                      const struct report_choice *choice);

/* Why --output, or `job result`, is of no use with a job of tasks. */
#define REPORT_NO_RESULT "a job of tasks has no result of its own"

/* Returns the exit code of a finished job after one line on stderr unless it is done. */
int report_state(struct cli *cli, const struct wire_job_row *row);

#endif
