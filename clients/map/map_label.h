/* map_label.h - what a job of commands is called: by the specification in its stored value. */
#ifndef CONCLAVE_CLIENTS_MAP_LABEL_H
#define CONCLAVE_CLIENTS_MAP_LABEL_H

#include "clients/ask/connection.h"

/* Fetches the specification (caller drops). NULL: the job runs no commands, or the key may not see
 * them; nothing is said about it. */
struct message *map_label_spec(struct conclave *cluster, const struct wire_job_row *row);

/* "map ./clean.sh x200", and "map ./clean.sh {} over 200 files *.csv". */
void map_label_short(const struct message *spec, uint64_t tasks, struct text *out);
void map_label_long(const struct message *spec, uint64_t tasks, struct text *out);

#endif
