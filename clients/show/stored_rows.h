/* stored_rows.h - stored values as JSON and as a table. */
#ifndef CONCLAVE_CLIENTS_STORED_ROWS_H
#define CONCLAVE_CLIENTS_STORED_ROWS_H

#include <jansson.h>

#include "clients/show/table.h"
#include "shared/wire/message.h"

/* {value, id, sha256, format, name, owner, whole, bytes, uploaded, segments, items, age_ms, jobs};
 * a new reference. */
json_t *stored_row_json(const struct wire_value_row *row);

/* An empty table of such rows, which `wide` shows with the id, the owner and the jobs; and a row of
 * it. */
struct table *stored_rows_table(bool wide);
void stored_rows_add(struct table *table, const struct wire_value_row *row);

#endif
