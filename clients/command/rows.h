/* rows.h - what a list prints: rows as JSON, or a table of them. */
#ifndef CONCLAVE_COMMAND_ROWS_H
#define CONCLAVE_COMMAND_ROWS_H

#include "clients/cli.h"
#include "clients/show/table.h"

/* Prints what is there, or nothing when `code` is not EXIT_OK, and ends both; one of them is NULL.
 * Returns the code. */
int rows_end(const struct cli *cli, json_t *rows, struct table *table, int code);

#endif
