#include "tests/harness/sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/clock.h"
#include "shared/base/error.h"

#define PATIENCE_US (10 * SECOND_US)

void receive(void *socket, struct bus_parts *parts)
{
    uint64_t deadline_us = clock_now_us() + PATIENCE_US;
    int error;
    while ((error = bus_receive(socket, parts)) == ERR_NOT_FOUND && clock_now_us() < deadline_us)
        zmq_poll(&(zmq_pollitem_t){.socket = socket, .events = ZMQ_POLLIN}, 1, 100);
    assert_int_equal(error, OK);
}
