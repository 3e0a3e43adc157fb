/* printable.h - bytes that may be anything, for people and as JSON: inputs, names of files,
 * outputs.
 */
#ifndef CONCLAVE_CLIENTS_PRINTABLE_H
#define CONCLAVE_CLIENTS_PRINTABLE_H

#include <jansson.h>

#include "shared/base/types.h"

/* Returns the bytes as a string of JSON (caller owns): UTF-8 as it is, with U+FFFD for each byte
 * that is none. */
json_t *printable_json(struct slice bytes);

/* Writes the bytes, terminated, into `size` bytes and as so many columns, a character counting as
 * one: UTF-8 as it is, control bytes and what is none as \xNN, and "..." at the end when more was
 * there. Returns the columns. `columns` is 4 or more. */
size_t printable_text(struct slice bytes, char *at, size_t size, size_t columns);

#endif
