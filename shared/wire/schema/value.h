/* value.h - the value plane: values in chunks, between nodes. */
#ifndef CONCLAVE_WIRE_SCHEMA_VALUE_H
#define CONCLAVE_WIRE_SCHEMA_VALUE_H

#include "shared/wire/schema/fields.h"

#define VALUE_GET_FIELDS(U64, BOOL, STR, BIN, LIST)            \
    U64(REQ, src, NODES_MAX, "who asks")                       \
    U64(REQ, job, U64_ANY, "names the value")                  \
    U64(REQ, op, VALUE_OP_MAX, "names the value")              \
    U64(REQ, offset, U64_ANY, "from which byte")               \
    U64(REQ, len, VALUE_CHUNK_BYTES, "how many bytes at most") \
    U64(OPT, index, LOG_INDEX_MAX, "the entry of the log that names it")

#define VALUE_CHUNK_FIELDS(U64, BOOL, STR, BIN, LIST)              \
    U64(REQ, src, NODES_MAX, "who answers")                        \
    U64(REQ, job, U64_ANY, "names the value")                      \
    U64(REQ, op, VALUE_OP_MAX, "names the value")                  \
    U64(REQ, offset, U64_ANY, "of the bytes in the further frame") \
    U64(REQ, total, U64_ANY, "the value's length")                 \
    BOOL(REQ, found, "false: the node does not hold it")           \
    BOOL(OPT, used, "it has applied the entry that named it, and nothing names it any more")

#define VALUE_MESSAGES(M)                                                                 \
    M(VALUE_GET, value_get, VALUE_GET_FIELDS, PLACE_VALUE, "asks for a chunk of a value") \
    M(VALUE_CHUNK, value_chunk, VALUE_CHUNK_FIELDS, PLACE_VALUE, "the chunk, as a further frame")

#endif
