/* allowed.h - the list of keys that a cluster knows, with what each is for. It holds no secret.
 *
 *   {"format": 1, "cluster": ID, "version": N, "keys": [{"name", "role", "node": N or null,
 *    "public": KEY, "expires": TIME or null, "signing": KEY or null}, ...]}
 *
 * Every node and every broker has a copy, allowed.json beside its key file. A list is never changed
 * in memory: a newer one takes its place (doors.h), which is one with a higher version. Lists of
 * releases that had no versions have version 0. A name may have several keys, an old and a new
 * one while it is being replaced. */
#ifndef CONCLAVE_BUS_ALLOWED_H
#define CONCLAVE_BUS_ALLOWED_H

#include "shared/bus/access.h"

#define ALLOWED_FILE       "allowed.json"
#define ALLOWED_KEYS_MAX   4096              /* keys of a cluster: people, nodes, old ones */
#define ALLOWED_FILE_BYTES (4 * 1024 * 1024) /* so many keys take less than a quarter of it */

/* Valid keys of one node that are looked at: a new one, an old one, and what a hurry leaves. */
#define ALLOWED_OF_NODE_MAX 8

struct allowed_key {
    char public_key[KEY_TEXT_MAX];
    char name[ACCESS_NAME_MAX];
    enum key_role role;
    node_id_t node;
    uint64_t expires_ms;            /* 0: never */
    char signing_key[KEY_TEXT_MAX]; /* of a person; empty: it cannot sign */
};

struct allowed {
    char cluster[ACCESS_CLUSTER_MAX];
    uint64_t version;
    size_t n;
    struct allowed_key at[]; /* in the order of their public keys */
};

/* Reads a list; caller frees with free(). Errors as access_load(). */
int allowed_load(const char *path, struct allowed **out, struct text *why);

/* The same from bytes. */
int allowed_parse(const char *bytes, size_t len, const char *shown, struct allowed **out,
                  struct text *why);

/* Reads the file as the log carries it: checked, without white space; caller frees with free(). */
int allowed_compact(const char *path, char **bytes, size_t *len, uint64_t *version,
                    struct text *why);

/* Finds a key that is valid now; NULL: there is none. Borrowed from the list. */
const struct allowed_key *allowed_find(const struct allowed *list, const char *public_key,
                                       uint64_t wall_ms);

/* Returns a valid key of the node; of several the `attempt`-th, in turn, the newest first. NULL: it
 * has none. */
const struct allowed_key *allowed_of_node(const struct allowed *list, node_id_t node,
                                          unsigned attempt, uint64_t wall_ms);

#endif
