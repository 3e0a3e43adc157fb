/* link.h - what opens a connection between nodes, on every plane but heartbeat. */
#ifndef CONCLAVE_WIRE_SCHEMA_LINK_H
#define CONCLAVE_WIRE_SCHEMA_LINK_H

#include "shared/wire/schema/fields.h"

#define HELLO_FIELDS(U64, BOOL, STR, BIN, LIST)                                                    \
    STR(REQ, cluster, JOB_KIND_MAX, "the cluster's name")                                          \
    U64(REQ, plane, PLANE_COUNT, "the plane of this connection")                                   \
    U64(REQ, src, NODES_MAX, "who connects")                                                       \
    U64(REQ, incarnation, U64_ANY, "its incarnation")                                              \
    U64(REQ, dst, NODES_MAX, "whom it means to reach")                                             \
    U64(REQ, connection, U64_ANY, "counts the connections of this incarnation; the newest counts") \
    STR(OPT, version, 32, "of its program")                                                        \
    BIN(OPT, cluster_id, CLUSTER_ID_BYTES, "the cluster that its disk belongs to; absent: none")   \
    U64(OPT, birth, U64_ANY, "the first incarnation on its disk")                                  \
    U64(OPT, nodes, NODES_MAX, "how many nodes its cluster has")                                   \
    U64(OPT, voters, NODES_MAX, "and how many of them vote")

#define WELCOME_FIELDS(U64, BOOL, STR, BIN, LIST)                            \
    U64(REQ, plane, PLANE_COUNT, "the plane of the HELLO that this answers") \
    U64(REQ, src, NODES_MAX, "who answers")                                  \
    U64(REQ, incarnation, U64_ANY, "its incarnation")                        \
    U64(REQ, dst_incarnation, U64_ANY, "the incarnation that said HELLO")    \
    U64(OPT, connection, U64_ANY, "the HELLO's connection")                  \
    U64(OPT, last_delivered, U64_ANY, "channel: the last sequence delivered from that incarnation")

/* Goes back on the connection that said HELLO: there is no other way to reach that process. */
#define REFUSED_FIELDS(U64, BOOL, STR, BIN, LIST)                            \
    U64(REQ, plane, PLANE_COUNT, "the plane of the HELLO that this answers") \
    U64(REQ, src, NODES_MAX, "who answers")                                  \
    U64(REQ, incarnation, U64_ANY, "of the node of that id that lives")      \
    PROCESS_FIELDS(U64, STR)

#define LINK_MESSAGES(M)                                                              \
    M(HELLO, hello, HELLO_FIELDS, PLACE_LINK, "opens every connection between nodes") \
    M(WELCOME, welcome, WELCOME_FIELDS, PLACE_LINK,                                   \
      "answers a HELLO, over the answerer's own connection")                          \
    M(REFUSED, refused, REFUSED_FIELDS, PLACE_LINK,                                   \
      "answers a HELLO of an id whose other incarnation lives")

#endif
