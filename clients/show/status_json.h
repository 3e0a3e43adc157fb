/* status_json.h - a cluster's status as JSON: of `conclave status --json` and of /api/status. */
#ifndef CONCLAVE_CLIENTS_STATUS_JSON_H
#define CONCLAVE_CLIENTS_STATUS_JSON_H

#include <jansson.h>

#include "clients/ask/cluster.h"

/* What the coordinator says, or without one what the first broker knows. */
struct status_summary {
    uint64_t coordinator, term, quorum;
    bool healthy;
};

struct status_summary status_summarize(const struct cluster_view *view);

/* Returns a new object. The brokers are those that the view is of; `dir`: of a cluster that `up`
 * started, for its troubles; NULL: .conclave, if its brokers are these. */
json_t *status_json(const struct cluster_view *view, const struct addresses *brokers,
                    const char *dir);

#endif
