#include "clients/show/top.h"

#include <inttypes.h>

#define SILENT_US (1000 * MS_US)

void top_hear(struct top *top, const struct message *message, uint64_t now_us)
{
    if (message->type == MESSAGE_EVENT) {
        struct text line = {0};
        feed_line(message, &line);
        text_format(top->last_event, sizeof top->last_event, "%s", line.at);
        return;
    }
    const struct wire_heartbeat *beat = &message->as.heartbeat;
    struct top_row *row = &top->rows[beat->node];
    if (row->incarnation != beat->incarnation)
        *row = (struct top_row){.incarnation = beat->incarnation,
                                .drawn_operations = beat->operations};
    row->heard_us = now_us;
    row->term = beat->term;
    row->coordinator = beat->coordinator;
    row->queued = beat->queued;
    row->held = beat->held;
    row->rejected = beat->rejected;
    row->jobs = beat->jobs;
    row->pid = beat->pid;
    row->operations = beat->operations;
    text_escape(row->role, sizeof row->role, beat->role);
    text_escape(row->host, sizeof row->host, beat->host);
}

void top_draw(struct top *top, uint64_t now_us, bool clear, FILE *out)
{
    double seconds = (double)(now_us - top->drawn_us) / SECOND_US;
    fprintf(out, "%s%-5s %-12s %-7s %6s %8s %11s %10s %8s %6s %9s  %s\n",
            clear ? "\033[H\033[J" : "", "NODE", "ROLE", "SILENT", "TERM", "FOLLOWS", "OPERATIONS",
            "PER SECOND", "QUEUED", "HELD", "REJECTED", "HOST");
    for (node_id_t id = 1; id <= NODES_MAX; id++) {
        struct top_row *row = &top->rows[id];
        uint64_t silent_us = now_us - row->heard_us;
        char silent[16] = "";
        if (!row->heard_us)
            continue;
        if (silent_us > SILENT_US)
            text_format(silent, sizeof silent, "%" PRIu64 "s", silent_us / SECOND_US);
        double rate =
            top->drawn_us ? (double)(row->operations - row->drawn_operations) / seconds : 0;
        fprintf(out,
                "%-5" PRIu32 " %-12s %-7s %6" PRIu64 " %8" PRIu64 " %11" PRIu64 " %10.0f %8" PRIu64
                " %6" PRIu64 " %9" PRIu64 "  %s\n",
                id, row->role, silent, row->term, row->coordinator, row->operations, rate,
                row->queued, row->held, row->rejected, row->host);
        row->drawn_operations = row->operations;
    }
    fprintf(out, "%s%s\n", top->last_event[0] ? "last event: " : "", top->last_event);
    fflush(out);
    top->drawn_us = now_us;
}
