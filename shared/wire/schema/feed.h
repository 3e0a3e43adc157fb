/* feed.h - the heartbeat plane and the broker's feed: published, never answered. */
#ifndef CONCLAVE_WIRE_SCHEMA_FEED_H
#define CONCLAVE_WIRE_SCHEMA_FEED_H

#include "shared/wire/schema/fields.h"

#define HEARTBEAT_FIELDS(U64, BOOL, STR, BIN, LIST)                                              \
    PUBLISHED_FIELDS(U64)                                                                        \
    STR(REQ, role, 16, "coordinator, worker or candidate")                                       \
    U64(REQ, coordinator, NODES_MAX, "which node it follows; 0: none")                           \
    BOOL(OPT, serving, "it is a coordinator that accepts requests")                              \
    U64(REQ, operations, U64_ANY, "operations it executed in this incarnation")                  \
    U64(OPT, conversions, U64_ANY, "conversions to text it executed in this incarnation")        \
    U64(OPT, queued, U64_ANY, "operations waiting or executing here")                            \
    U64(OPT, executing_job, U64_ANY, "the operation that it executes now: its job, ...")         \
    U64(OPT, executing_op, OP_MAX, "... and its number; 0: none")                                \
    U64(OPT, executing_starved_us, U64_ANY, "for so long that waited for a processor")           \
    U64(OPT, delay_us, U64_ANY, "simulated time that it adds to every operation")                \
    HELD_FIELDS(U64, BOOL)                                                                       \
    COUNT_FIELDS(U64, REQ)                                                                       \
    U64(OPT, jobs, U64_ANY, "unfinished jobs, when it is the coordinator")                       \
    HEALTH_FIELDS(U64, BOOL, STR)                                                                \
    U64(OPT, fetched, U64_ANY, "bytes of values that came while log entries waited")             \
    U64(OPT, disk_ms, U64_ANY, "for so long its disk is at one piece of work")                   \
    BIN(OPT, syncs, HISTOGRAM_BYTES, "how long its disk took: counts of buckets, and their sum") \
    PROCESS_FIELDS(U64, STR)                                                                     \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "its disk's cluster; absent: none, it is new")        \
    U64(OPT, birth, U64_ANY, "the first incarnation on its disk")                                \
    BOOL(OPT, voter, "its disk is admitted as a voter's")                                        \
    U64(OPT, entries, U64_ANY, "newest kinds of log entries that it knows, by number")           \
    U64(OPT, access_version, ACCESS_VERSION_MAX, "of the list of keys in its log")               \
    BIN(OPT, access_hash, HASH_BYTES, "SHA-256 of that list; absent: there is none")             \
    U64(OPT, slots, U64_ANY, "commands that it runs at a time; 0: none")                         \
    U64(OPT, operation_slots, U64_ANY,                                                           \
        "operations that it executes at a time, commands included; 0: one, beside them")         \
    U64(OPT, slots_used, U64_ANY, "slots that operations and commands have now")                 \
    BOOL(OPT, bundles, "it takes requests in bundles, and answers those in bundles")             \
    U64(OPT, voters, NODES_MAX, "how many nodes of its disk's cluster vote")                     \
    STR(REQ, version, 32, "of its program")

#define EVENT_FIELDS(U64, BOOL, STR, BIN, LIST)                                            \
    PUBLISHED_FIELDS(U64)                                                                  \
    STR(REQ, event, 32,                                                                    \
        "node_started, elected, stepped_down, node_up, node_suspected, job_accepted, ...") \
    U64(OPT, subject, NODES_MAX, "the node that it is about")                              \
    U64(OPT, job, U64_ANY, "the job that it is about")                                     \
    STR(REQ, text, TEXT_FIELD_MAX, "the same for people, one line")

#define FEED_MESSAGES(M)                                  \
    M(HEARTBEAT, heartbeat, HEARTBEAT_FIELDS, PLACE_FEED, \
      "every node, every 50 to 250 ms by default")        \
    M(EVENT, event, EVENT_FIELDS, PLACE_FEED, "something that a reader of the feed wants to know")

#endif
