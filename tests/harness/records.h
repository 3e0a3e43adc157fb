/* records.h - records in memory, in the order of their keys: what the disks of the simulator and of
 * the fuzzers hold. */
#ifndef CONCLAVE_HARNESS_RECORDS_H
#define CONCLAVE_HARNESS_RECORDS_H

#include "nodes/core/node.h"
#include "nodes/core/records/record.h"

struct kept_record {
    uint8_t key[RECORD_KEY_MAX];
    size_t key_len;
    struct blob *value; /* owned */
};

/* Zero-initialize: empty. */
struct records {
    struct kept_record *at;
    size_t n, size;
};

/* The record of that key; NULL: there is none. Borrowed. */
const struct kept_record *records_find(const struct records *records, const struct record_key *key);

/* Puts one in its place, with a new reference to its value; without a value it goes. */
void records_write(struct records *records, const struct write *write);

/* Gives a node that starts all of them. What node_restore_record() says of the first one that it
 * refuses, and which that is. */
int records_restore(const struct records *records, struct node *node,
                    const struct kept_record **refused);

/* Makes it empty. */
void records_clear(struct records *records);

#endif
