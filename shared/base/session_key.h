/* session_key.h - the keys that a client's program makes for its requests: a session that a node
 * has opened for it, and a number that counts up.
 *
 *     session-000001000000002a-9f86d081884c7d65-17
 *             id               token            sequence, from 1
 *
 * Everything that does not look exactly like this is a free key, chosen by somebody. */
#ifndef CONCLAVE_BASE_SESSION_KEY_H
#define CONCLAVE_BASE_SESSION_KEY_H

#include <stdbool.h>

#include "shared/base/types.h"

#define SESSION_KEY_MAX 63 /* the longest one: fits a key of JOB_KEY_MAX */

struct session_key {
    uint64_t id;       /* given by who opened the session, greater for each one */
    uint64_t token;    /* random: an id that comes again in another life of a cluster is not it */
    uint64_t sequence; /* >= 1 */
};

/* Writes the key, terminated. */
void session_key_write(char at[SESSION_KEY_MAX + 1], struct session_key key);

/* False: it is a free key. */
bool session_key_parse(struct slice text, struct session_key *out);

#endif
