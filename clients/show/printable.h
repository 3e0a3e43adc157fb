/* printable.h - bytes that may be anything, as JSON: inputs, names of files, outputs. */
#ifndef CONCLAVE_CLIENTS_PRINTABLE_H
#define CONCLAVE_CLIENTS_PRINTABLE_H

#include <jansson.h>

#include "shared/base/types.h"

/* Returns the bytes as a string of JSON (caller owns): UTF-8 as it is, with U+FFFD for each byte
 * that is none. */
json_t *printable_json(struct slice bytes);

#endif
