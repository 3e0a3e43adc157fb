/* single.h - one job of the command line, on its way and reported: submitted or only waited for, as
 * libconclave does it (clients/library/library.h), with a bar. */
#ifndef CONCLAVE_CLIENTS_SINGLE_H
#define CONCLAVE_CLIENTS_SINGLE_H

#include "clients/ask/submission.h"
#include "clients/show/report.h"

struct single {
    struct cli *cli;
    const char *plan;            /* NULL: whichever is faster */
    struct report_choice report; /* how its result is told */
    bool no_wait;
    bool temporary; /* the cluster ends with the command */
};

/* Submits it, when it has a key, and waits for it; then reports. Takes the submission. Returns the
 * exit code. */
int single_run(const struct single *single, struct submission *submission);

/* Says after a signal that so many jobs go on without the command. */
void single_note_open(uint64_t jobs);

#endif
