/* owners.h - with whose key each accepted connection was opened, so that it can be ended when the
 * key is not allowed any more.
 *
 * ZAP is asked once a connection, and is not told which. libzmq 4.3 opens what a client shows of
 * itself (the vouch of RFC 26's INITIATE) by crypto_box_open(), right after it has read it: this
 * file stands in for that function, and so learns the key, for ROUTERs and for feeds alike. It
 * stands in for close(), too: a descriptor that is used again is not mistaken for the one before,
 * neither here nor by intake.h.
 */
#ifndef CONCLAVE_BUS_OWNERS_H
#define CONCLAVE_BUS_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/bus/secret.h"

/* A connection to a port of ours was accepted; nobody has shown a key there yet. */
void owners_begin(int fd, unsigned port);

/* Ends each connection of which `stays` says no, as if the other side had hung up: what it has
 * subscribed to goes with it. Returns how many. Any thread; `stays` is called under a lock. */
size_t owners_end(bool (*stays)(void *context, unsigned port, const uint8_t key[KEY_BYTES]),
                  void *context);

#endif
