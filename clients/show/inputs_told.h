/* inputs_told.h - the inputs of a job (clients/ask/job_inputs.h) for the command line: integers
 * that are wrong are told as they are read, each on its line, and uploads are shown. */
#ifndef CONCLAVE_CLIENTS_INPUTS_TOLD_H
#define CONCLAVE_CLIENTS_INPUTS_TOLD_H

#include "clients/ask/submission.h"
#include "clients/cli.h"
#include "clients/input/integers.h"

/* Tells a fault of struct integers_rule; and, when all is read, how many were not shown. */
void inputs_tell(const char *line, bool in_file);
void inputs_tell_faults(uint64_t faults);

/* What is wrong with them is told without a cluster; NULL: there are none. An exit code. */
int job_inputs_check_told(struct job_inputs *inputs);

/* submission_prepare(), told. An exit code. */
int submission_prepare_told(struct cli *cli, struct submission *submission);

#endif
