/* library.h - what the files of libconclave share. What conclave_open() makes is a struct library;
 * the command line hands the connection that it has to the same functions. */
#ifndef CONCLAVE_CLIENTS_LIBRARY_H
#define CONCLAVE_CLIENTS_LIBRARY_H

#include "clients/ask/connection.h"
#include "clients/ask/jobspec.h"
#include "clients/library/conclave.h"
#include "shared/base/options.h"

struct library {
    struct conclave connection;   /* first */
    char *access, *dir, *brokers; /* owned; NULL: none */
};

/* Writes the key that was given, or a new one when it is NULL. A code and the reason for a bad one.
 */
int library_key(struct conclave *cluster, const char *given, char at[JOB_KEY_TEXT_MAX]);

/* Reads a job's id. Likewise. */
int library_id(struct conclave *cluster, const char *text, job_id_t *out);

/* What a row tells. */
void library_job(const struct wire_job_row *row, struct conclave_job *out);

#endif
