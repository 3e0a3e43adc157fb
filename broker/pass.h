/* pass.h - messages that a broker passes on as they are, without decoding them. */
#ifndef CONCLAVE_BROKER_PASS_H
#define CONCLAVE_BROKER_PASS_H

#include "shared/bus/bus.h"

/* Readies a received part to wait: a small one lies within a buffer that ZeroMQ received it in, and
 * would keep all of that; it is copied out. The gauge, if there is one, counts it. */
void pass_settle(zmq_msg_t *part, struct gauge *gauge);

/* Moves `n` parts on after `n_envelope` slices; the gauge, if there is one, counts them. Only the
 * first part of a message can meet a full queue: ERR_FULL; ERR_NOT_FOUND: nobody is there. */
int pass_on(void *socket, const struct slice *envelope, size_t n_envelope, zmq_msg_t *parts,
            size_t n, struct gauge *gauge);

#endif
