#include "shared/bus/monitor.h"

#include <stdbool.h>
#include <stdatomic.h>
#include <string.h>

#include "shared/base/text.h"
#include "shared/bus/bus.h"

#define NAME_MAX_BYTES   48
#define EVENT_PART_BYTES 6 /* 16 bits of event, 32 of value */

void *monitor_open(void *context, void *socket, int events)
{
    static _Atomic unsigned count; /* names of inproc endpoints are shared by the whole context */
    char name[NAME_MAX_BYTES];
    text_format(name, sizeof name, "inproc://monitor-%u", count++);
    void *monitor = zmq_socket(context, ZMQ_PAIR);
    if (monitor && !zmq_socket_monitor(socket, name, events) && !zmq_connect(monitor, name))
        return monitor;
    monitor_close(socket, &monitor);
    return NULL;
}

void monitor_close(void *socket, void **monitor)
{
    /* First, or the I/O thread may wait for the PAIR forever. */
    zmq_socket_monitor(socket, NULL, 0);
    bus_socket_close(monitor, 0);
}

unsigned monitor_next(void *monitor, uint32_t *value)
{
    unsigned event = 0;
    bool more = true;
    /* A part with the event's number, a part with the address. */
    for (int i = 0; more; i++) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        if (zmq_msg_recv(&part, monitor, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&part);
            return event;
        }
        if (i == 0 && zmq_msg_size(&part) >= EVENT_PART_BYTES) {
            const uint8_t *at = zmq_msg_data(&part);
            uint16_t number;
            memcpy(&number, at, sizeof number);
            event = number;
            if (value)
                memcpy(value, at + sizeof number, sizeof *value);
        }
        more = zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
    return event;
}
