#include "broker/pass.h"

#include <errno.h>
#include <string.h>

#include "shared/base/error.h"

/* libzmq 4.3 receives into buffers of 8 KiB, and messages that fit into one stay there. */
#define RECEIVE_BUFFER_BYTES 8192

void pass_settle(zmq_msg_t *part, struct gauge *gauge)
{
    size_t len = zmq_msg_size(part);
    zmq_msg_t copy;
    if (len <= RECEIVE_BUFFER_BYTES) {
        if (zmq_msg_init_size(&copy, len))
            panic("out of memory for a message of %zu bytes", len);
        if (len)
            memcpy(zmq_msg_data(&copy), zmq_msg_data(part), len);
        zmq_msg_move(part, &copy);
        zmq_msg_close(&copy);
    }
    if (gauge)
        gauge_count(gauge, part);
}

int pass_on(void *socket, const struct slice *envelope, size_t n_envelope, zmq_msg_t *parts,
            size_t n, struct gauge *gauge)
{
    for (size_t i = 0; i < n; i++)
        pass_settle(&parts[i], gauge);
    for (size_t i = 0; i < n_envelope; i++)
        if (zmq_send(socket, envelope[i].at, envelope[i].len, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0)
            return errno == EHOSTUNREACH ? ERR_NOT_FOUND : ERR_FULL;
    for (size_t i = 0; i < n; i++) {
        int more = i + 1 < n ? ZMQ_SNDMORE : 0;
        if (zmq_msg_send(&parts[i], socket, ZMQ_DONTWAIT | more) < 0)
            return errno == EHOSTUNREACH ? ERR_NOT_FOUND : ERR_FULL;
    }
    return OK;
}
