/* ports.h - the ports of a local cluster, tried before anything is started. */
#ifndef CONCLAVE_CLIENTS_PORTS_H
#define CONCLAVE_CLIENTS_PORTS_H

#include <stdint.h>

/* Broker i (from 0) has its front door at port + 2 i and its feed at the next port. */
#define BROKERS_LOCAL_MAX 10

/* Returns the first port of the cluster that cannot be bound on 127.0.0.1, 0 when all can. */
unsigned ports_in_use(unsigned port, uint64_t nodes, uint64_t brokers);

/* Returns whether the last port is below PORT_LIMIT. */
int ports_fit(unsigned port, uint64_t nodes);

/* Returns a port with which all are free at the moment, 0 when none was found. */
unsigned ports_find(uint64_t nodes, uint64_t brokers);

#endif
