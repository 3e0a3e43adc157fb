/* metrics.h - /metrics: the status and the feed in the text format of Prometheus (version 0.0.4).
 * Each series is declared once, in a table of metrics.c. Pure. */
#ifndef CONCLAVE_CLIENTS_METRICS_H
#define CONCLAVE_CLIENTS_METRICS_H

#include <stdio.h>

#include "clients/ask/cluster.h"
#include "clients/web/events.h"
#include "clients/web/http.h"

struct metrics_source {
    const struct cluster_view *view;
    const struct addresses *brokers;
    const struct events *events;
    const struct http_counts *http;
    bool subscribed;
};

void metrics_write(const struct metrics_source *source, FILE *out);

#endif
