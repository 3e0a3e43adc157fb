/* host_internal.h - between the files of the host only. */
#ifndef CONCLAVE_FUZZ_HOST_INTERNAL_H
#define CONCLAVE_FUZZ_HOST_INTERNAL_H

#include "tests/fuzz/host.h"

/* The disk: a transaction that is asked for; all that is not durable is lost; a node gets back what
 * is; and everything is freed. */
void host_persist(struct host *host, const struct output *output);
void host_lose(struct host *host);
int host_restore(struct host *host);
void host_wipe(struct host *host);

#endif
