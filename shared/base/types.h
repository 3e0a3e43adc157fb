/* types.h - the words of the field as types, and the few shapes that everything shares. */
#ifndef CONCLAVE_BASE_TYPES_H
#define CONCLAVE_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A node's static id, 1..NODES_MAX; it survives the node's death. NODE_NONE is no node. */
typedef uint32_t node_id_t;
#define NODE_NONE ((node_id_t)0)

/* Raft's term and log index (Ongaro & Ousterhout 2014, section 5.1). Both start at 1;
 * 0 is "none". */
typedef uint64_t term_t;
typedef uint64_t log_index_t;

/* One incarnation of a node: the boot counter from its disk in the upper 32 bits, a nonce in the
 * lower. */
typedef uint64_t incarnation_t;

/* A job: the term and the log index of the entry that accepted it, as one number (job_id.h). */
typedef uint64_t job_id_t;
#define JOB_INDEX_BITS 40
#define JOB_NONE       ((job_id_t)0)

/* The number of an operation in its job's plan, from 1 ("R1"); total + 1 is the
 * conversion to text. */
typedef uint64_t op_id_t;

/* Bytes that somebody else owns. Not terminated. With no bytes, `at` may be NULL, which memcpy and
 * memcmp must not be given whatever the length: slice.h has what takes such slices. */
struct slice {
    const uint8_t *at;
    size_t len;
};

/* The kinds of traffic; each has its own sockets. The value is the offset from a
 * node's base port. */
enum plane {
    PLANE_CONTROL = 0, /* votes, client requests */
    PLANE_CHANNEL = 1, /* tasks, results, later transfers and markers: one FIFO per ordered pair */
    PLANE_CHECKPOINT = 2, /* log appends and checkpoints */
    PLANE_HEARTBEAT = 3,  /* PUB: heartbeats and events */
    PLANE_VALUE = 4,      /* big values in chunks */
    PLANE_COUNT = 5
};

/* Returns the plane's name, a constant. */
const char *plane_name(enum plane plane);

#endif
