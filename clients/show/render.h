/* render.h - jobs and nodes as JSON and as lines for people. In JSON every name is always there;
 * what does not exist is null. */
#ifndef CONCLAVE_CLIENTS_RENDER_H
#define CONCLAVE_CLIENTS_RENDER_H

#include <jansson.h>
#include <stdio.h>

#include "clients/ask/job_row.h"
#include "shared/base/clock.h"
#include "shared/base/text.h"
#include "shared/wire/message.h"

/* Returns a new reference: bytes as a JSON string, escaped where they are not printable ASCII; null
 * when empty. */
json_t *render_text(struct slice text);

/* ISO 8601 UTC; null for 0. */
json_t *render_time(uint64_t wall_ms);

/* An incarnation: a string of 16 hexadecimal digits, for a number of 64 bits does not survive JSON;
 * null for 0. */
json_t *render_incarnation(incarnation_t incarnation);

/* null for 0. */
json_t *render_number(uint64_t number);

/* "3.1 MiB", "812 B"; returns `at`. */
#define RENDER_SIZE_MAX 32
char *render_size(uint64_t bytes, char at[RENDER_SIZE_MAX]);

/* "11-27 18:46:42", of the current age: in tables. Returns where it begins in `at`. */
const char *render_short_time(uint64_t wall_ms, char at[CLOCK_TEXT_MAX]);

json_t *render_job(const struct wire_job_row *row);
json_t *render_node(const struct wire_node_row *row);

/* The lines of a text as an array of strings. */
json_t *render_lines(struct slice text);

/* Takes the next line of it, escaped and cut to the room; false at the end. */
#define RENDER_LINE_MAX (4 * 1024)
bool render_line(struct slice *text, char at[RENDER_LINE_MAX]);

/* {"id", "details": [{"topic", "text"}, ...], "explanation": [LINE, ...]} of the lines (taken) of
 * an `explanation`. */
json_t *render_explanation(job_id_t job, json_t *lines);
json_t *render_operation(const struct wire_trace_row *row);

/* "0.120s", "1.5s", "3m 12s", "2h 03m": how long something took, for people. Returns `at`. */
#define RENDER_TOOK_MAX 32
char *render_took(uint64_t us, char at[RENDER_TOOK_MAX]);

/* "R4=R1*R2*R3", without a line end. */
void render_operation_text(const struct wire_trace_row *row, struct text *out);

/* Lines about a job, for `job show`. What a job of commands is called (NULL: by its kind), and the
 * name that a person gave it (NULL: none), stand in its stored value. */
void render_job_text(const struct wire_job_row *row, const char *given, const struct slice *name,
                     FILE *out);

#endif
