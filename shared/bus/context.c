/* context.c - the one context of a program. Apart from the sockets (bus.c), which a library uses in
 * a context of its own, in a process whose signals and limits are none of its business. */
#include <czmq.h>
#include <errno.h>

#include "shared/base/error.h"
#include "shared/bus/bus.h"
#include "shared/bus/descriptors.h"

#define SOCKETS_MAX 4096 /* 100 nodes: 400 DEALERs, each with both ends of a monitor */

void *bus_open(void)
{
    descriptors_raise();
    zsys_handler_set(NULL); /* before zsys_init(), which would take SIGINT and SIGTERM */
    zsys_set_max_sockets(SOCKETS_MAX);
    zsys_set_io_threads(1);
    zsys_set_ipv6(0);
    void *context = zsys_init();
    if (!context)
        panic("cannot make the ZeroMQ context: %s", zmq_strerror(errno));
    return context;
}

void bus_close(void *context)
{
    (void)context; /* CZMQ keeps the only one */
    zsys_shutdown();
    bus_thread_ends();
}
