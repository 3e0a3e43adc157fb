/* slots.h - how much a node runs at a time. */
#ifndef CONCLAVE_BASE_SLOTS_H
#define CONCLAVE_BASE_SLOTS_H

#include <stdint.h>

/* Each is a process and a socket of the node's. More processors has no machine that we know. */
#define SLOTS_MAX 1024

/* The slots of each of so many nodes that share this machine, when nothing is said: its processors
 * (that this process may use), divided among them; 1 at least. */
uint64_t slots_default(uint64_t nodes);

#endif
