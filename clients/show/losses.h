/* losses.h - what a job had to compute again because values were lost with the workers that alone
 * held them: for people, and as JSON. */
#ifndef CONCLAVE_CLI_LOSSES_H
#define CONCLAVE_CLI_LOSSES_H

#include <jansson.h>
#include <stdio.h>

#include "shared/wire/message.h"

/* A list with an object for each node, empty when nothing was lost. Caller drops. */
json_t *losses_json(const struct wire_job *answer);

/* A line for each node; none when nothing was lost. */
void losses_text(const struct wire_job *answer, FILE *out);

#endif
