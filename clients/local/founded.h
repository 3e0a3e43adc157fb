/* founded.h - what a local cluster is: how many nodes and voters, on which port. Written once into
 * DIR/founded.json before the first start, then when a coordinator served for the first time, and
 * kept when the cluster is down:
 *
 *   {"format": 1, "nodes", "voters", "port", "brokers", "founded": TIME, or null: not yet}
 *
 * `up` takes from there what its options do not say, and refuses what contradicts it: another size
 * would be another cluster over the stores of this one. */
#ifndef CONCLAVE_CLIENTS_FOUNDED_H
#define CONCLAVE_CLIENTS_FOUNDED_H

#include <stdbool.h>
#include <stdint.h>

struct founded {
    uint64_t nodes, voters, port, brokers; /* 0: not given */
};

/* Fills in what `is` does not say: from DIR's record; for a DIR of an older version the nodes from
 * its stores; else the defaults. Sets *record when DIR has no valid record yet. ERR_STALE after one
 * line in `why` (TEXT_MAX bytes) when the size contradicts what is there, or when the stores of a
 * founded cluster are all gone; ERR_CORRUPT when the record cannot be read. Changes nothing. */
int founded_settle(const char *dir, struct founded *is, bool *record, char *why);

/* Writes the record. `served`: a coordinator has served; false for a cluster that is prepared only
 * (restored from a snapshot, or about to be started for the first time). ERR_IO after one line in
 * `why`. */
int founded_write(const char *dir, const struct founded *is, bool served, char *why);

#endif
