/* trace.h - literate traces: text files that say what is done to a few nodes, and what they do.
 *
 *   # Comments tell the reader what is to be seen.
 *   nodes 3
 *   start all
 *   campaign 1
 *   ----
 *   [ 10] 1 -> 2  pre-vote request: term 1, log up to 0 (term 0)
 *   ...
 *
 * Commands up to a line of four dashes are carried out; after it stands what they tell, up to an
 * empty line ("ok" when they tell nothing). trace.c has the table of the commands. */
#ifndef CONCLAVE_HARNESS_TRACE_H
#define CONCLAVE_HARNESS_TRACE_H

#include <stdbool.h>

/* Runs the trace; prints every place where it is told otherwise than the file says. False when
 * there is one. */
bool trace_check(const char *path);

/* Runs the trace and writes what it tells into the file. */
bool trace_rewrite(const char *path);

/* Carries out one command; false when it is none, or its words are wrong. `stage` is made again by
 * "nodes". */
struct stage;
bool trace_command(struct stage **stage, char *line);

#endif
