/* stored_rows.h - stored values as JSON and as a table. */
#ifndef CONCLAVE_CLIENTS_STORED_ROWS_H
#define CONCLAVE_CLIENTS_STORED_ROWS_H

#include <jansson.h>
#include <stdio.h>

#include "shared/wire/message.h"

/* {value, id, sha256, format, name, owner, whole, bytes, uploaded, segments, items, age_ms, jobs};
 * a new reference. */
json_t *stored_row_json(const struct wire_value_row *row);

/* The head of the table, and a line of it: 80 columns, or `wide` with the id, the owner, all of the
 * name and the jobs. */
void stored_rows_head(bool wide, FILE *out);
void stored_rows_line(const struct wire_value_row *row, bool wide, FILE *out);

#endif
