/* record_json.h - rows of messages as JSON objects and back, by their descriptions in schema.h.
 *
 * Every field is there, optional ones as null when they are zero or empty. Incarnations and epochs
 * are strings of 16 hexadecimal digits, jobs are TERM-INDEX, bytes are base64. Lists are left out:
 * they are the caller's. */
#ifndef CONCLAVE_CLIENTS_RECORD_JSON_H
#define CONCLAVE_CLIENTS_RECORD_JSON_H

#include <jansson.h>

#include "shared/base/text.h"
#include "shared/wire/message.h"

/* A field's name in JSON, where it is another one; a table of them ends with {0}. A field without a
 * name is left out. */
struct record_alias {
    const char *field, *name;
};

/* Returns the description of the rows in a message's list. */
const struct record *record_of_rows(enum message_type type, const char *list);

/* Returns a new object. `at` has passed model_check_record(). */
json_t *record_json(const struct record *record, const void *at, const struct record_alias *as);

/* Reads an object into the zeroed struct at `at`; texts go into the arena. ERR_MALFORMED with a
 * line in `why` that names the field. */
int record_json_read(const json_t *object, const struct record *record, void *at,
                     const struct record_alias *as, struct arena *arena, struct text *why);

/* Bytes as a string of base64 (RFC 4648), and back: ERR_MALFORMED. */
json_t *record_json_base64(struct slice bytes);
int record_json_read_base64(const json_t *value, struct arena *arena, struct slice *out);

/* A number of 64 bits as 16 hexadecimal digits, and back: ERR_MALFORMED. */
json_t *record_json_hex(uint64_t number);
int record_json_read_hex(const json_t *value, uint64_t *out);

#endif
