/* task_view.h - one task of a job as people and programs see it: a row of `job tasks`, an object of
 * JSON, a line of a joblog. */
#ifndef CONCLAVE_CLIENTS_TASK_VIEW_H
#define CONCLAVE_CLIENTS_TASK_VIEW_H

#include <jansson.h>
#include <stdio.h>

#include "shared/base/hash.h"
#include "shared/base/text.h"

/* X(symbol, name): in what state a task is. */
#define TASK_VIEW_STATES(X)    \
    X(VIEW_QUEUED, "queued")   \
    X(VIEW_RUNNING, "running") \
    X(VIEW_DONE, "done")       \
    X(VIEW_FAILED, "failed")   \
    X(VIEW_LOST, "lost")       \
    X(VIEW_CANCELLED, "cancelled")

enum task_view_state {
#define X(symbol, name) symbol,
    TASK_VIEW_STATES(X)
#undef X
        TASK_VIEW_STATES_COUNT
};

enum task_stream_kind { TASK_STDOUT, TASK_STDERR, TASK_STREAMS };

/* What a task wrote to one stream. */
struct task_view_output {
    uint64_t bytes, kept;       /* that it wrote; and of these, what was not cut */
    uint8_t sha256[HASH_BYTES]; /* of what was kept */
};

/* Whether a second worker executed the same attempt: its outcome counts, or that of the first. */
enum task_view_copy { COPY_NONE, COPY_RUNS, COPY_COUNTS, COPY_STOPPED };

struct task_view {
    uint64_t task;        /* from 1 */
    struct slice input;   /* all inputs, with spaces between them; any bytes */
    struct slice command; /* as it was executed, quoted, one line; empty: not known */
    enum task_view_state state;
    uint64_t node, attempt; /* 0: none yet */
    enum task_view_copy copy;
    int exit;                         /* -1: it did not exit */
    int signal;                       /* that ended it; 0: none */
    bool time_limit;                  /* ended it */
    struct slice reason;              /* more, for people */
    uint64_t started_ms, finished_ms; /* since 1970 UTC; 0: not yet */
    uint64_t wall_us, cpu_us, max_rss;
    struct task_view_output output[TASK_STREAMS];
    uint64_t files;         /* collected */
    struct slice last_line; /* of stderr, without its line end */
};

/* Returns a constant. */
const char *task_view_state_name(enum task_view_state state);

/* True for a task of which nothing more will come. */
bool task_view_is_end(enum task_view_state state);

/* Returns what ended the last attempt, in words: "exit 1", "signal 9", "time limit". */
const char *task_ended_by(const struct task_view *view, char at[TEXT_MAX]);

/* Writes the head of the table, and a row of it. `total`: tasks of the job, for the width of their
 * numbers. 80 columns; `wide`: whole inputs and lines. */
void task_table_head(uint64_t total, FILE *out);
void task_table_row(const struct task_view *view, uint64_t total, bool wide, FILE *out);

/* Returns the object of JSON (caller owns). What is not known is null. */
json_t *task_view_json(const struct task_view *view);

/* Writes the head of a log as GNU parallel writes it, and a line of it. */
void joblog_head(FILE *out);
void joblog_line(const struct task_view *view, FILE *out);

#endif
