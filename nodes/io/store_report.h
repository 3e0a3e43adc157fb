/* store_report.h - what the store thread has done, and what the core learns of it.
 *
 * Apart from store.h, and without a thread or a disk: the simulator's disks report likewise. */
#ifndef CONCLAVE_IO_STORE_REPORT_H
#define CONCLAVE_IO_STORE_REPORT_H

#include "nodes/core/node.h"
#include "nodes/work/mailbox.h"

enum store_report_kind {
    STORE_PERSISTED,
    STORE_KEPT,
    STORE_READ,
    STORE_LISTED,
    STORE_SCRUBBED,
    STORE_SPILLED,
    STORE_SPACE
};

struct store_report {
    struct mail mail; /* first: reports come as a list of these */
    enum store_report_kind kind;
    uint64_t seq;         /* PERSISTED: everything up to it; SPILLED: as it was asked with */
    enum spill_step step; /* SPILLED: WRITE or READ */
    enum value_user user; /* KEPT: who asked */
    struct value_id id;   /* KEPT, READ, SPILLED; SCRUBBED: job 0, a round has ended */
    int error;            /* READ: as disk_read_kept(); KEPT: ERR_NOT_FOUND, nothing to keep, or
                             it was dropped first; SCRUBBED: the value is gone or damaged */
    struct blob *blob;    /* READ; SPILLED, of a READ: owned */
    uint64_t total;       /* READ: the value's length; SCRUBBED: bytes that were read */
    struct value_id *ids; /* LISTED: owned */
    size_t n;             /* LISTED */
    bool end;             /* LISTED: there are no more */
    void *cookie;         /* READ: as it was asked with */
    bool full;            /* SPACE: the disk has become full, or has room again */
};

/* READ, SCRUBBED: the value that a record names is gone or damaged. A read that begins after its
 * end says nothing of the value. */
bool store_report_is_lost(const struct store_report *report);

/* What the core of node `self` is to learn of it, true; false: nothing. The event borrows from the
 * report. */
bool store_report_event(const struct store_report *report, node_id_t self, struct event *event);

#endif
