/* supervisor_internal.h - shared by the files of the supervisor. */
#ifndef CONCLAVE_CLIENTS_SUPERVISOR_INTERNAL_H
#define CONCLAVE_CLIENTS_SUPERVISOR_INTERNAL_H

#include "clients/local/child.h"
#include "clients/local/ports.h"
#include "clients/local/supervisor.h"

#define CHILDREN_MAX (NODES_MAX + BROKERS_LOCAL_MAX + 2)

struct supervisor {
    const struct supervisor_config *config;
    int lock, children_fd;
    bool served;  /* a coordinator has, since this supervisor started */
    bool changed; /* since DIR/supervisor.json was written */
    struct child *probe;
    size_t n;
    struct child children[CHILDREN_MAX];
};

/* Fills in the processes: brokers, the monitor of a cluster in the foreground, the probe, nodes.
 * ERR_NOT_FOUND after one line in `why`: a program is missing. */
int supervisor_plan(struct supervisor *supervisor, char *why);

#endif
