/* monitor.h - what happens to the connections of a socket, as ZeroMQ tells it.
 *
 * A monitor that nobody reads freezes every socket of the process after 2,000 events: whoever opens
 * one reads it until it is closed. */
#ifndef CONCLAVE_BUS_MONITOR_H
#define CONCLAVE_BUS_MONITOR_H

#include <stdint.h>
#include <zmq.h>

#define MONITOR_FAILED                                                            \
    (ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

/* Begins to watch a socket for these events, before it binds or connects. Returns the socket to
 * read them from, NULL when there is no descriptor for it. */
void *monitor_open(void *context, void *socket, int events);

/* Ends the watch of a socket that is still open, and closes what the events came from. */
void monitor_close(void *socket, void **monitor);

/* Takes the next event without waiting; 0: there is none. `value` (may be NULL): what comes with
 * it. */
unsigned monitor_next(void *monitor, uint32_t *value);

#endif
