/* cluster.h - the cluster as its coordinator and its brokers see it, for `status`, `check` and
 * `up`. */
#ifndef CONCLAVE_CLIENTS_CLUSTER_H
#define CONCLAVE_CLIENTS_CLUSTER_H

#include "clients/ask/connection.h"
#include "shared/base/text.h"

struct cluster_view {
    int outcome;            /* OK: the coordinator answered; else why not, as a call's */
    struct text reason;     /* one line, when it did not */
    struct message *status; /* owned; the coordinator's answer, or NULL */
    struct message *brokers[BROKERS_MAX]; /* owned; each broker's answer, NULL where it is silent */
};

/* Asks the coordinator, as patiently as `need` says, and every broker, `within_us` at most each.
 * EXIT_OK; EXIT_UNREACHABLE when no coordinator answered; another code when the key was refused, or
 * is over its quota: then no broker is asked. Says nothing. Clear the view. */
int cluster_look(struct conclave *connection, enum client_need need, uint64_t within_us,
                 struct cluster_view *view);

/* The same for who looks how the cluster stands: that there is no coordinator is an answer, and the
 * silence of one that is busy is not. Who `waits` (a person who gave a timeout) asks until there is
 * a coordinator, or that time is over. */
int cluster_look_or_wait(struct conclave *connection, bool waits, struct cluster_view *view);

/* Asks the coordinator alone, as patiently as `need` says. The same codes. Clear the view. */
int cluster_ask_status(struct conclave *connection, enum client_need need, uint64_t deadline_us,
                       struct cluster_view *view);

/* The first half of both: takes in how the call of a `status_get` ended, into a zeroed view (takes
 * the reply, NULL unless the outcome is OK). The same codes. */
int cluster_take_status(struct cluster_view *view, const struct client *client, int outcome,
                        struct message *reply);

/* Returns the nodes as the coordinator, else the first broker that answered, sees them. False:
 * nobody answered. */
bool cluster_nodes(const struct cluster_view *view, const struct wire_node_row **rows, size_t *n);

/* Asks whichever broker is connected whether it is there, and takes our key. The outcome of the
 * call, which the client explains: any answer is OK. */
int cluster_knock(struct conclave *connection, uint64_t within_us);

/* Asks the broker how many nodes the cluster has. A code, and the connection's reason. */
int cluster_count_nodes(struct conclave *connection, uint64_t *out);

void cluster_view_clear(struct cluster_view *view);

#endif
