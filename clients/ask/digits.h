/* digits.h - a job's result as text, decimal digits for most kinds, fetched in chunks and checked
 * against its SHA-256. */
#ifndef CONCLAVE_CLIENTS_DIGITS_H
#define CONCLAVE_CLIENTS_DIGITS_H

#include <stdio.h>

#include "clients/cli.h"

/* True for a result that is no text for people but what a program made: any bytes. A terminal gets
 * them only when they are text, and nothing is added to them. */
bool digits_are_bytes(const struct wire_job_row *row);

/* True for a result that is a table of lines, as that of batch-gcd. */
bool digits_are_rows(const struct wire_job_row *row);

/* True for what the text of any other result consists of: digits, a sign, a point; hexadecimal
 * digits in columns. */
bool digits_are_text(struct slice bytes);

/* Writes the digits of a finished job to `out`, no line end after them. EXIT_OK, or an exit code
 * after one line on stderr: EXIT_FAILED when what came is not what the row promises (what was
 * written is then wrong). */
int digits_write(struct cli *cli, const struct wire_job_row *row, FILE *out);

/* The same, and the connection has the reason. */
int digits_copy(struct conclave *cluster, const struct wire_job_row *row, FILE *out);

/* A part of a result: from the byte `from` up to before `to`. */
struct digits_part {
    uint64_t from, to;
};

/* Reads A:B; either may be left out. EXIT_USAGE after one line. */
int digits_part_read(const char *text, struct digits_part *part);

/* Whether the part begins in the result: EXIT_OK, or EXIT_USAGE after one line. */
int digits_part_check(const struct digits_part *part, const struct wire_job_row *row);

/* As digits_write(), and a line end behind digits; of a part (NULL: the whole), whose bytes no hash
 * is known of. */
int digits_line(struct cli *cli, const struct wire_job_row *row, const struct digits_part *part,
                FILE *out);

/* The same into a file, as outfile.h says; `-` is stdout. */
int digits_save(struct cli *cli, const struct wire_job_row *row, const struct digits_part *part,
                const char *path);

/* Whether digits_save() could make its file, looked at before anything is submitted: EXIT_OK, or an
 * exit code after one line on stderr. Leaves nothing behind. */
int digits_check(const struct cli *cli, const char *path);

#endif
