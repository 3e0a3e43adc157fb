/* timing.h - where the time of a job went, for `job show --timing`. */
#ifndef CONCLAVE_CLIENT_TIMING_H
#define CONCLAVE_CLIENT_TIMING_H

#include <jansson.h>
#include <stdio.h>

#include "shared/wire/message.h"

/* {"total_us", "since", "computing_us", ...}; null: it is not known. The caller owns it. */
json_t *timing_json(const struct wire_job *answer);

/* Lines about it. */
void timing_text(const struct wire_job *answer, FILE *out);

#endif
