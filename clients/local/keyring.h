/* keyring.h - the keys of a cluster, in its directory, where whoever runs it makes them:
 *
 *   DIR/access.json        the key of the local admin
 *   DIR/keys/allowed.json  all keys, without secrets (shared/bus/allowed.h): a copy for each node
 *   DIR/keys/NAME.json     the key files to hand out: node1, ..., broker, broker2, ..., and people
 *   DIR/keys/front.json    the key pair of the brokers' front doors; it stays here
 *
 * Files are made for their owner alone, directories too, and never in the place of others.
 * All functions: OK, or an error after one line in `why` (TEXT_MAX bytes). They use no ZeroMQ
 * socket and no thread, so that the caller may fork. */
#ifndef CONCLAVE_CLIENTS_KEYRING_H
#define CONCLAVE_CLIENTS_KEYRING_H

#include <jansson.h>

#include "clients/ask/address.h"
#include "clients/local/local.h"
#include "shared/bus/access.h"

#define KEYRING_DIR "keys"

/* Makes what is missing: the cluster's id, the key of the admin, of `nodes` nodes and of as many
 * brokers as there are addresses. Key files of people name these brokers. What is there is left as
 * it is, but for the brokers in the admin's file. */
int keyring_ensure(const char *dir, uint64_t nodes, const struct addresses *brokers, char *why);

/* Makes a key and its file, DIR/keys/NAME.json. `expires_ms`: since 1970, 0: never. A node's name
 * is nodeN. ERR_EXISTS: the name has a key. */
int keyring_add(const char *dir, const char *name, enum key_role role, uint64_t expires_ms,
                char path[LOCAL_PATH_MAX], char *why);

/* Takes all keys of this name out of the list. ERR_NOT_FOUND: it has none. */
int keyring_revoke(const char *dir, const char *name, char *why);

/* Gives the name a new key: its file is replaced, and the old key is valid until `until_ms`. */
int keyring_rotate(const char *dir, const char *name, uint64_t until_ms, char *why);

/* Makes a new key pair of the brokers' front doors, and puts it into the files of all names that
 * are in DIR; `brokers`: their addresses from now on, if any. When it fails half-way, it is to be
 * done again: then all have the same pair. */
int keyring_rotate_front(const char *dir, const struct addresses *brokers, char *why);

/* Takes a list over that the cluster has, in the place of an older one. */
int keyring_adopt(const char *dir, struct slice bytes, char *why);

/* Reads the list as the cluster takes it; caller frees. */
int keyring_compact(const char *dir, char **bytes, size_t *len, uint64_t *version, char *why);

/* Reads the rows of the list (caller decrefs). */
int keyring_list(const char *dir, json_t **rows, char *why);

#endif
