/* broker.h - the front door of a cluster: requests go to the coordinator or a named node, the
 * nodes' feed goes to whoever subscribes. Keeps no state but what the heartbeats tell, so any
 * number of brokers may run. */
#ifndef CONCLAVE_BROKER_BROKER_H
#define CONCLAVE_BROKER_BROKER_H

#include "shared/base/limits.h"
#include "shared/base/types.h"

struct broker_config {
    const char *access; /* the key file; NULL: only with `insecure` */
    bool insecure;      /* run without keys */
    const char *bind;
    uint32_t port;  /* the cluster's: node i binds at port + 100 + 10 i */
    uint32_t front; /* ROUTER of the front door; the feed's XPUB is the next port */
    uint32_t n_nodes, n_voters;
    uint64_t silence_us;
    uint64_t quota_rate;              /* requests a second of one key; 0: any number */
    const char *peers[NODES_MAX + 1]; /* host of node i, from 1 */
};

/* Runs until SIGTERM or SIGINT, which the caller has blocked; returns an exit code.
 * EXIT_ENVIRONMENT or EXIT_USAGE, after one line on stderr, when a port cannot be bound: it is in
 * use, or --bind is no address of this machine. */
int broker_run(const struct broker_config *config);

#endif
