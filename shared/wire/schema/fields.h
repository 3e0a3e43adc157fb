/* fields.h - how the schema is written, its limits, and the runs of fields that several messages
 * and rows have in common.
 *
 * A message or row is a macro NAME_FIELDS(U64, BOOL, STR, BIN, LIST), and each of its fields is
 * KIND(need, name, limit, doc): U64's limit is its greatest value; STR's and BIN's their greatest
 * length in bytes; BOOL has none; LIST(need, name, row, limit, doc) is an array of maps of that
 * row. need is REQ (its absence is an error) or OPT (absent means zero, false or empty).
 *
 * The headers of this folder each end with PLACE_MESSAGES(M), the messages that may stand there:
 * M(SYMBOL, name, FIELDS, place, doc), place being a word of enum message_place; and
 * PLACE_RECORDS(R), the rows first used there: R(name, FIELDS). A row comes before the rows and
 * messages that hold lists of it. */
#ifndef CONCLAVE_WIRE_SCHEMA_FIELDS_H
#define CONCLAVE_WIRE_SCHEMA_FIELDS_H

#include "shared/base/hash.h"
#include "shared/base/histogram.h"
#include "shared/base/limits.h"

#define U64_ANY UINT64_MAX
#define OP_MAX  ((uint64_t)1 << 40)
#define VALUE_OP_MAX                                                             \
    ((uint64_t)1 << 62) /* of a value: pieces of bundles have names of their own \
                         */
#define TEXT_FIELD_MAX 400

#define TRACE_BYTES_MAX     ((uint64_t)4 * TRACE_OPS_MAX)
#define FORGOTTEN_BYTES_MAX ((uint64_t)48 * 1024) /* of hashes, or sessions, in one message */
#define PROGRESS_BYTES_MAX  ((uint64_t)48 * 1024) /* of marks in one message */

/* A segment of a stored value in a checkpoint: three numbers, and its SHA-256. */
#define VALUE_SEGMENT_BYTES  (3 * 8 + HASH_BYTES)
#define VALUE_SEGMENTS_BYTES ((uint64_t)VALUE_SEGMENT_BYTES * VALUE_SEGMENTS_MAX)

/* The process behind a node id. */
#define PROCESS_FIELDS(U64, STR)    \
    STR(OPT, host, 64, "host name") \
    U64(OPT, pid, U64_ANY, "process id on that host")

/* What a node says of its own health, in its heartbeats and in the rows of status. */
#define HEALTH_FIELDS(U64, BOOL, STR)                                                     \
    BOOL(OPT, full, "its disk is full: it takes in no new log entries")                   \
    U64(OPT, turn_us, U64_ANY, "the longest turn of its event loop in the last minute")   \
    STR(OPT, turn_in, 16, "what most of that turn was in")                                \
    U64(OPT, turn_own_us, U64_ANY, "the longest, without what it waited for a processor") \
    STR(OPT, turn_own_in, 16, "what most of that one was in")                             \
    U64(OPT, turn_faults, U64_ANY, "pages that were made for it, when it was long")       \
    U64(OPT, turn_blocked, U64_ANY, "how often it waited, for a lock or a disk")          \
    U64(OPT, refused, U64_ANY, "connections refused for their keys")                      \
    U64(OPT, forbidden, U64_ANY, "requests refused for what their keys may not do")       \
    BOOL(OPT, insecure, "it runs without keys")                                           \
    U64(OPT, committed, U64_ANY, "last log entry that it knows to be committed")

/* What a worker holds, in its heartbeats and in the rows of status. */
#define HELD_FIELDS(U64, BOOL)                                                    \
    U64(OPT, held_bytes, U64_ANY, "bytes of the values held in memory")           \
    U64(OPT, spilled_bytes, U64_ANY, "bytes of the others, which it has spilled") \
    BOOL(OPT, unspillable, "its disk had no room for the last one to be spilled") \
    BOOL(                                                                         \
        OPT, pressed,                                                             \
        "in memory is more than its --memory-limit, and cannot be spilled: it should get no work")

/* What a node counts, in its heartbeats (where all are required) and in the rows of status. */
#define COUNT_FIELDS(U64, need)                           \
    U64(need, held, U64_ANY, "values held in memory")     \
    U64(need, applied, U64_ANY, "last log entry applied") \
    U64(need, rejected, U64_ANY, "malformed or foreign messages dropped")

/* How all that a node publishes begins. */
#define PUBLISHED_FIELDS(U64)                                             \
    U64(REQ, node, NODES_MAX, "who publishes")                            \
    U64(REQ, incarnation, U64_ANY, "its incarnation")                     \
    U64(REQ, seq, U64_ANY, "counts what this incarnation published")      \
    U64(REQ, time_ms, U64_ANY, "milliseconds since 1970 UTC, for people") \
    U64(REQ, term, TERM_MAX, "its term")

/* The text of a result, or its ends. */
#define TEXT_FIELDS(U64, STR)                                                 \
    STR(OPT, text, TEXT_INLINE_DIGITS, "the decimal text, up to 1000 digits") \
    STR(OPT, head, TEXT_EDGE_DIGITS, "its first digits, when it is longer")   \
    STR(OPT, tail, TEXT_EDGE_DIGITS, "its last digits, when it is longer")    \
    U64(OPT, converter, NODES_MAX, "the node that converted the result to text")

/* Names a snapshot. */
#define SNAPSHOT_ID_FIELDS(U64)                              \
    U64(REQ, initiator, NODES_MAX, "who takes the snapshot") \
    U64(REQ, incarnation, U64_ANY, "its incarnation")        \
    U64(REQ, counter, U64_ANY, "counts its snapshots")

#endif
