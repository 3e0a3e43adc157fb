/* sockets.h - what tests of sockets share. */
#ifndef CONCLAVE_TESTS_SOCKETS_H
#define CONCLAVE_TESTS_SOCKETS_H

#include "shared/bus/bus.h"

/* Receives the next message, which must come within some seconds. */
void receive(void *socket, struct bus_parts *parts);

#endif
