/* limits_sockets.h - the part of limits.h about sockets. Include limits.h. */
#ifndef CONCLAVE_LIMITS_SOCKETS_H
#define CONCLAVE_LIMITS_SOCKETS_H

/* --- sockets (why: ZeroMQ's behaviour, docs/design.md "Sockets") --- */

#define SOCKET_HWM       8192 /* above every credit window; counts messages, not bytes */
#define FRONT_HWM        4096 /* of a client: as many as the widest window of ours */
#define FEED_HWM         64   /* a subscriber that was stopped reads a short burst, not an hour */
#define RECONNECT_MS     50
#define RECONNECT_MAX_MS 1000
#define CONNECT_MS       1500
/* Connections that were made and not accepted yet; beyond, the system ignores them for a second.
 * ZeroMQ's 100 are too few when all clients come back at once. */
#define CONNECTIONS_PENDING 4096
/* Of a connection that is made: 40 nodes that start at once on two processors need seconds for
 * their 6,240; who gives up and connects again makes it worse for all. */
#define HANDSHAKE_MS 5000
#define TCP_MAXRT_MS 5000
/* Backstops only: the failure detector is the application's. TCP of who connects asks the other
 * side's system when a connection was silent for so long, and gives it up two seconds later. The
 * side that accepts does so after a minute. */
#define KEEPALIVE_ASK_IDLE_S     5
#define KEEPALIVE_ASK_INTERVAL_S 2
#define KEEPALIVE_IDLE_S         30
#define KEEPALIVE_INTERVAL_S     10
#define KEEPALIVE_COUNT          3
/* What answers for the other side may be something between. To ask through it wakes two threads on
 * each side: with 2.5 s that was a third of what an idle node of 25 did, for 240 connections. */
#define ZMTP_HEARTBEAT_MS         20000
#define ZMTP_HEARTBEAT_TIMEOUT_MS 5000
#define LINGER_CLEAN_MS           500
#define DRAIN_MAX                 256 /* messages read from one socket in one turn of the loop */
/* Nor longer: 256 chunks of values would take 100 ms. */
#define DRAIN_US (5 * MS_US)
/* Descriptors that a process of N nodes needs (descriptors.h): a link is a socket, the two of its
 * monitor and a connection; four planes have links, the fifth a socket and a connection. */
/* The store, values, eventfds, listening sockets, ZeroMQ's, and some more. */
#define FILES_OWN            64
#define FILES_COMPUTE        3  /* of a compute thread: its mailbox, and how long it waited */
#define FILES_PEER           18 /* of a node, for each other node: four links and its feed's two */
#define FILES_FROM_PEER      5  /* and as many connections come from it */
#define FILES_BROKERS        32 /* two connections of each of 16 brokers to a node */
#define FILES_LINK_OF_BROKER 4  /* of a broker, for each node: two sockets, two connections */
#define FILES_HALF_OPEN      16 /* connections that have not brought a key yet, at least */
#define FILES_CLIENTS        64 /* two connections of each of 32 clients, at least */
/* Of the descriptors beyond what a process needs, connections that have not brought a key yet may
 * have a part: a handshake takes milliseconds, so nobody with a key needs more. Beyond, the oldest
 * is ended, and after HANDSHAKE_MS each. */
#define FILES_HALF_OPEN_PART 4
/* RLIMIT_NOFILE: out of descriptors, accept spins and bind aborts. */
#define FILES_MIN 8192
/* Of connections, whatever RLIMIT_NOFILE is: each takes memory. Beyond, they are refused. */
#define FILES_MAX 65536
/* Of one message that is received: more than twice what is dropped and counted. Beyond, its
 * connection is ended. */
#define INTAKE_PARTS_MAX 1024
/* What CURVE adds to a frame (RFC 26): a command's name, a nonce, a seal, flags. */
#define SEAL_BYTES       33
#define INTAKE_BYTES_MAX (4 * MIB_BYTES)
/* Of all topics that a subscriber names while its connection lasts, with so much for each: ours
 * name one, the empty one. Beyond, its connection is ended. */
#define INTAKE_TOPICS_BYTES KIB_BYTES
#define INTAKE_TOPIC_BYTES  16
/* ZeroMQ's limits count messages; answers have 40 bytes or 1 MiB. Smaller parts are
 * left to them. */
#define GAUGE_MIN_BYTES KIB_BYTES
/* Of answers that wait in a broker for one client to read them: 16 pieces of a result. Beyond, the
 * newest are dropped, and its requests are refused as "busy". */
#define CLIENT_WAITING_BYTES (8 * MIB_BYTES)
/* For all clients of a broker: beyond, only those for whom nothing waits get another answer. */
#define BROKER_WAITING_BYTES (64 * MIB_BYTES)
/* Of requests that wait in a broker for one node: beyond, "busy". */
#define LINK_WAITING_BYTES (16 * MIB_BYTES)
/* Of requests that were passed on to one node and are not answered (broker/waiting.h): beyond, and
 * for a client beyond its share, "busy". One alone may have half of them, the widest window of
 * ours. */
#define LINK_WAITING_REQUESTS (2 * FRONT_HWM)
/* Of requests that were passed on to one node and that it may not have read (broker/unread.h): what
 * it answers in some four milliseconds, which is how long whoever comes next waits for a key that
 * asks without end. With 64 a flood of reads alone got a quarter less through (28,000 a second),
 * with 256 whoever came next waited twice as long. */
#define UNREAD_MAX   128
#define UNREAD_BYTES (256 * KIB_BYTES) /* likewise; one request may be longer, and goes alone */
/* Nothing is answered for so long: they count as read, and wait for something else. Longer than a
 * node's turn; a disk or a network that takes so long for an answer still gets 6,400 a second. Up
 * to the latter for a node that stands still: else its queue would grow meanwhile. */
#define UNREAD_SILENT_US     (20 * MS_US)
#define UNREAD_SILENT_MAX_US (320 * MS_US)
/* Of requests that wait in a broker for their turn, for all nodes and keys (broker/fair.h); one key
 * alone may have half of them, the widest window of ours. Beyond, and for a key beyond its share,
 * "busy". */
#define FAIR_REQUESTS_MAX (2 * FRONT_HWM)
#define FAIR_BYTES_MAX    (32 * MIB_BYTES)
/* Of answers that wait in a node for one broker: beyond, they are dropped and asked for again. */
#define REPLIES_WAITING_BYTES (32 * MIB_BYTES)
/* For all that connect to a node: beyond, only those for whom nothing waits get another answer. */
#define REPLIES_WAITING_ALL_BYTES (128 * MIB_BYTES)
/* Of answers that a node holds back until its disk is done, pieces of results most of all: beyond,
 * they are dropped and asked for again. */
#define GATE_HELD_BYTES (128 * MIB_BYTES)
/* No WELCOME for this long (and at least an election timeout): make a new socket and say HELLO
 * again. Twice as long each time, up to 16 times: a peer that is slow is not helped by more. */
#define HELLO_RETRY_MS        1000
#define HELLO_RETRY_DOUBLINGS 4
/* A feed that was heard and is silent for so many election timeouts is connected again: after a cut
 * the node has given the connection up, and its subscriber, who sends nothing, does not know. */
#define FEED_SILENT_TIMEOUTS 4
#define FEED_SILENT_MS       2000 /* at least: whoever is late on a busy machine is not cut off */
/* A feed that is connected and not heard is connected again, at a HELLO, no sooner than this. */
#define FEED_RETRY_MS 10000

#endif
