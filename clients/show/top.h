/* top.h - a table of the nodes, redrawn from their heartbeats. */
#ifndef CONCLAVE_CLIENTS_TOP_H
#define CONCLAVE_CLIENTS_TOP_H

#include <stdio.h>

#include "clients/show/feed.h"

struct top_row {
    uint64_t heard_us; /* 0: never */
    incarnation_t incarnation;
    uint64_t term, coordinator, queued, held, rejected, jobs, pid;
    uint64_t operations,
        drawn_operations; /* now, and when the table was last drawn: their difference is the rate */
    char role[4 * 16 + 1], host[4 * 64 + 1];
};

struct top {
    uint64_t drawn_us;
    struct top_row rows[NODES_MAX + 1];
    char last_event[TEXT_MAX];
};

void top_hear(struct top *top, const struct message *message, uint64_t now_us);

/* Draws the table; `clear` first empties the screen. */
void top_draw(struct top *top, uint64_t now_us, bool clear, FILE *out);

#endif
