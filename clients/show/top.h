/* top.h - what `monitor --top` knows and shows: nodes by their heartbeats, the latest jobs. */
#ifndef CONCLAVE_CLIENTS_TOP_H
#define CONCLAVE_CLIENTS_TOP_H

#include <stdio.h>

#include "clients/ask/jobspec.h"
#include "clients/show/feed.h"
#include "clients/show/table.h"

#define TOP_JOBS_MAX    100 /* the latest, and what is not finished as long as it is among them */
#define TOP_RESULT_MAX  96
#define TOP_DETAILS_MAX 32 /* lines about an open job */

struct top_row {
    uint64_t heard_us; /* 0: never */
    incarnation_t incarnation;
    uint64_t term, coordinator, queued, held, rejected, jobs, pid;
    uint64_t operations, sampled_operations; /* now, and at the last sample */
    double rate;                             /* a second, between the last two samples */
    char role[4 * 16 + 1], host[4 * 64 + 1];
};

struct top_job {
    job_id_t job;
    bool finished;
    uint64_t submitted_ms, finished_ms, done, total;
    char state[JOB_KIND_MAX + 1], label[JOBSPEC_LABEL_MAX], result[TOP_RESULT_MAX];
};

enum top_order { TOP_BY_NODE, TOP_BY_OPERATIONS, TOP_BY_RATE, TOP_BY_QUEUED, TOP_BY_HELD };

struct top {
    uint64_t sampled_us;
    struct top_row rows[NODES_MAX + 1];
    char last_event[TEXT_MAX];

    enum top_order order;
    bool reversed;

    struct top_job jobs[TOP_JOBS_MAX]; /* ascending */
    size_t n_jobs;
    job_id_t chosen; /* 0: the newest */
    job_id_t opened; /* 0: none */
    char details[TOP_DETAILS_MAX][TEXT_MAX];
    size_t n_details;
};

void top_hear(struct top *top, const struct message *message, uint64_t now_us);

/* Takes the rates since the last sample. */
void top_sample(struct top *top, uint64_t now_us);

/* Takes a job as it is now; the oldest makes room. */
void top_take_job(struct top *top, const struct wire_job_row *row);

/* After which job to ask: all later ones may be new, or not as they were. */
job_id_t top_after(const struct top *top);

/* Takes the lines about the job that is open. */
void top_take_details(struct top *top, const struct wire_job_row *row, struct slice explanation);

/* A key was pressed: a character, or one of KEY_... in keyboard.h. Returns false to end. */
bool top_press(struct top *top, int key);

/* Draws a screen of so many columns and rows: every line ends with a line end, but the last one. */
void top_draw(struct top *top, size_t columns, size_t rows, uint64_t now_us, FILE *out);

/* The nodes and the last event alone, for what is no terminal, as wide as a table is. */
void top_print(struct top *top, uint64_t now_us, FILE *out);

/* {nodes: [...], last_event}; a new reference. */
json_t *top_json(const struct top *top, uint64_t now_us);

#endif
