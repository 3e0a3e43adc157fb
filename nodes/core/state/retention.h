/* retention.h - how much of finished jobs is remembered.
 *
 * A limit is part of the state, because all nodes must forget the same jobs at the same entry: each
 * compares after every entry, and no node's own option counts but the coordinator's, which it puts
 * into the log (schedule_pump()). Until an entry says so the limit is that of releases which knew
 * no other one, and jobs go in the order of their ids, as with them. */
#ifndef CONCLAVE_CORE_RETENTION_H
#define CONCLAVE_CORE_RETENTION_H

#include <stdint.h>

struct retention {
    uint64_t jobs;  /* finished ones; 0: the log has not said anything */
    uint64_t bytes; /* of their results; the last job's is kept in any case */
};

#endif
