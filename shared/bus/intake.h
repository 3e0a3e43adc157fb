/* intake.h - what a connection that others made may send.
 *
 * ZMQ_MAXMSGSIZE bounds a frame. libzmq 4.3 collects all frames of a message before the program
 * sees anything of it, however many they are, and keeps every topic that a subscriber names,
 * however many. So this file stands in for recv(), which libzmq calls: it follows the frames of
 * accepted connections (ZMTP 3: RFC 23 and 37), and one that goes too far is ended, as if it had
 * been reset. Connections that we make go to peers that somebody configured; they are not followed.
 */
#ifndef CONCLAVE_BUS_INTAKE_H
#define CONCLAVE_BUS_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

/* Says what comes to a port of this process: subscriptions (INTAKE_TOPICS_BYTES), or messages
 * (INTAKE_PARTS_MAX, INTAKE_BYTES_MAX). */
void intake_listen(unsigned port, bool subscriptions);

/* Says that who connects there has to bring a key (CURVE); who greets without one is counted. */
void intake_expect_keys(unsigned port);
uint64_t intake_keyless(void);

/* Says that a port of this process is not ZeroMQ's, such as that of an HTTP server, whose thread is
 * another one: what is accepted there is not followed. */
void intake_leave(unsigned port);

/* A connection was accepted: it is followed from its first byte on. */
void intake_begin(int fd, int listener);

/* Of accepted connections that have said nothing with a key yet (without keys: no whole frame),
 * more than `max` are never kept: the oldest is ended. 0: any number. Before anything is bound. */
void intake_bound_half_open(int max);

/* A descriptor is about to be closed: what gets its number next is another thing, whatever it is.
 */
void intake_end(int fd);

/* The accepted connection that the calling thread has read last; -1: none. */
int intake_reading(void);

/* Has the thread of ZeroMQ call a function once, with what it reads next: what only that thread can
 * do, such as giving back what it has freed. Another call before that replaces it. */
void intake_call_once(void (*what)(void));

/* How many connections were ended so far. */
uint64_t intake_ended(void);

#endif
