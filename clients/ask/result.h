/* result.h - a job's result, fetched in chunks and checked against its SHA-256: for the command
 * line (digits.h) and libconclave. */
#ifndef CONCLAVE_CLIENTS_RESULT_H
#define CONCLAVE_CLIENTS_RESULT_H

#include "clients/ask/connection.h"

/* What comes at once of a result from an offset on, at most the rest of it, in *bytes, which an
 * answer holds (caller drops). EXIT_OK, or a code and the connection's reason. */
int result_chunk(struct conclave *cluster, const struct wire_job_row *row, uint64_t offset,
                 struct message **answer, struct slice *bytes);

/* Hands all of it to `take`, in order, until that returns a code other than EXIT_OK, which is then
 * returned. EXIT_FAILED and the reason also when what came is not what the row promises: what was
 * taken is then wrong. */
int result_each(struct conclave *cluster, const struct wire_job_row *row,
                int (*take)(void *context, struct slice bytes), void *context);

/* The same for the bytes from offset `from` up to before `to`, at most the end: only the chunks
 * that hold them are fetched. No hash is known of a part, so nothing is checked but its length. */
int result_part(struct conclave *cluster, const struct wire_job_row *row, uint64_t from,
                uint64_t to, int (*take)(void *context, struct slice bytes), void *context);

/* EXIT_OK for a job that is done, else the code of its state and the reason. */
int result_state(struct conclave *cluster, const struct wire_job_row *row);

#endif
