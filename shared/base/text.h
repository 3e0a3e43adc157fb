/* text.h - text in fixed buffers, parsing of what people type, and escaping of
 * what strangers send. */
#ifndef CONCLAVE_BASE_TEXT_H
#define CONCLAVE_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/slice.h"

#define TEXT_MAX 512 /* a line of the log or the feed; longer ones are cut */

/* A line under construction: always terminated, cut at its end when full. Zero-initialize. */
struct text {
    size_t len;
    char at[TEXT_MAX];
};

/* Appends formatted text. */
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_v(struct text *text, const char *format, va_list args);

/* Formats into `at` of `size` bytes, cutting at the end; returns the length written. */
size_t text_format(char *at, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes the bytes with everything but printable ASCII as \xNN, cut at size - 1; returns `at`. */
char *text_escape(char *at, size_t size, struct slice bytes);

/* True for UTF-8 (RFC 3629) without NUL. */
bool text_is_utf8(struct slice bytes);

/* Parses a whole decimal number, digits only; ERR_MALFORMED, or ERR_RANGE when it exceeds `max`. */
int parse_u64(struct slice text, uint64_t max, uint64_t *out);

/* Parses "250ms", "1.5s", "10m", "1h", "30d", "500us" or "0" into microseconds. */
int parse_duration_us(struct slice text, uint64_t max_us, uint64_t *out);

/* Parses "4096", "64KiB", "64K", "1.5GiB" and "64KB", which is 64000, into bytes. */
int parse_size(struct slice text, uint64_t max, uint64_t *out);

#define MEASURE_TEXT_MAX 32

/* Writes them as these read them, without loss: "90s", "64KiB"; returns `at`. */
char *text_duration(uint64_t us, char at[MEASURE_TEXT_MAX]);
char *text_size(uint64_t bytes, char at[MEASURE_TEXT_MAX]);

/* True when the candidate may be meant by the word, and is nearer to it than `*slips`, which it
 * sets: letters that are wrong, missing, too many or changed for each other. Begins with TEXT_FAR.
 */
#define TEXT_FAR SIZE_MAX
bool text_nearer(struct slice word, struct slice candidate, size_t *slips);

/* Parses a probability, "0", "0.02" or "1", into millionths; at most six digits
 * after the point. */
int parse_probability(struct slice text, uint64_t *out_ppm);

/* A job id as people type it: "TERM-INDEX". */
#define JOB_TEXT_MAX 24
int parse_job_id(struct slice text, job_id_t *out);
char *job_id_text(job_id_t job, char at[JOB_TEXT_MAX]);

/* Copies into a terminated array of `size` bytes, cutting at its end. */
void text_copy(char *at, size_t size, struct slice text);

#endif
