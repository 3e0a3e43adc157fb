/* samples.h - messages of any type, made and compared by their descriptions alone. */
#ifndef CONCLAVE_TESTS_SAMPLES_H
#define CONCLAVE_TESTS_SAMPLES_H

#include "shared/wire/message.h"

#define SAMPLE_FIELDS_MAX 64

/* Where the values of a message come from, field by field in the order of their description: of a
 * list first how many elements it has. Bytes: borrowed, and copied into the message. */
struct sample_source {
    void *context;
    uint64_t (*number)(void *context, const struct field *field);
    bool (*flag)(void *context);
    struct slice (*bytes)(void *context, const struct field *field);
    size_t (*elements)(void *context, const struct field *field);
};

/* Caller drops. */
struct message *sample_make(enum message_type type, const struct sample_source *source);

/* Returns a message with random values in all fields, lists of up to `elements_max` elements (never
 * more than a list may have) and texts of up to `bytes_max` bytes. Caller drops. */
struct message *sample_random(enum message_type type, uint64_t *random, size_t elements_max,
                              size_t bytes_max);

/* Returns a message with exactly one element in every list, and small values. Caller drops. */
struct message *sample_small(enum message_type type);

/* Writes all fields of the message and of the records in its lists; returns how many. */
size_t sample_fields(enum message_type type, const struct field *out[SAMPLE_FIELDS_MAX]);

/* Gives a field, wherever it occurs, the greatest value or length plus `over`; of a list: so many
 * elements, all zero. */
void sample_stretch(struct message *message, const struct field *field, uint64_t over);

/* Sets a field, wherever it occurs, to zero, false or empty. */
void sample_clear(struct message *message, const struct field *field);

/* True when both have the same type and values. */
bool sample_same(const struct message *a, const struct message *b);

#endif
