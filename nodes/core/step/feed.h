/* feed.h - what the node publishes: heartbeats and events. A feed is never the truth, but it is for
 * everybody. */
#ifndef CONCLAVE_CORE_FEED_H
#define CONCLAVE_CORE_FEED_H

#include "nodes/core/state.h"

/* Publishes an event and writes the same line to the log. `subject` NODE_NONE, `job` JOB_NONE:
 * about none. */
void feed_event(struct node *node, const char *event, node_id_t subject, job_id_t job,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Publishes a heartbeat when one is due, or when something changed. */
void feed_tick(struct node *node);

#endif
