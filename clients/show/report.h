/* report.h - what a job came to, on stdout and as an exit code. */
#ifndef CONCLAVE_CLIENTS_REPORT_H
#define CONCLAVE_CLIENTS_REPORT_H

#include "clients/cli.h"
#include "clients/ask/submission.h"

/* Prints how a submission ended: "10!=3628800", or the job's object with --json, or the digits into
 * `output` (NULL: stdout). A result of more than TEXT_INLINE_DIGITS is shortened on a terminal.
 * Returns the exit code. */
int report_submission(struct cli *cli, const struct submission *submission, const char *output);

/* Why --output, or `job result`, is of no use with a job of tasks. */
#define REPORT_NO_RESULT "a job of tasks has no result of its own"

/* Returns the exit code of a finished job after one line on stderr unless it is done. */
int report_state(const struct wire_job_row *row);

#endif
