/* monitor_top.h - `monitor --top`: the screen, its keys, and the jobs that it asks for. */
#ifndef CONCLAVE_CLIENTS_MONITOR_TOP_H
#define CONCLAVE_CLIENTS_MONITOR_TOP_H

#include "clients/cli.h"
#include "clients/show/top.h"

/* Redrawn so often, and after every key. */
#define TOP_MS 500

struct monitor_top {
    struct cli *cli;
    struct top top;
    bool screen;            /* a terminal that obeys: else tables one after the other, or JSON */
    bool asking;            /* a call about jobs is under way */
    job_id_t after;         /* of the page that is asked for */
    uint64_t drawn_us;      /* the last table */
    uint64_t asked_us;      /* jobs, and the open one */
    struct message *opened; /* the job that is open, until its explanation comes; owned */
    bool ended;             /* somebody pressed q */
    bool failed;            /* the screen cannot be written to */
};

void monitor_top_begin(struct monitor_top *it, struct cli *cli, uint64_t now_us);
void monitor_top_end(struct monitor_top *it);

/* What is due: keys, answers, requests, a new drawing. Returns how many tables it drew: 0 or 1. */
unsigned monitor_top_turn(struct monitor_top *it, uint64_t now_us);

#endif
