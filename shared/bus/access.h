/* access.h - key files: who a process or a person is, and what it needs to be believed.
 *
 *   {"format": 1, "cluster": ID, "name", "role", "node": N or null, "expires": TIME or null,
 *    "public": KEY, "secret": KEY, "brokers_public": KEY, "brokers": [ADDRESS, ...]}
 *
 * in a broker's also "brokers_secret", in a person's "signing_public" and "signing_secret"
 * (signature.h). docs/security.md explains them. A file that others may
 * read or write, or that is not whole, is refused. The bytes are not to be trusted: what is read is
 * checked before it is used. */
#ifndef CONCLAVE_BUS_ACCESS_H
#define CONCLAVE_BUS_ACCESS_H

#include "shared/base/key_role.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/bus/secret.h"

#define ACCESS_FORMAT      1
#define ACCESS_NAME_MAX    (OWNER_MAX + 1) /* with its end */
#define ACCESS_CLUSTER_MAX 17              /* 16 hexadecimal digits, and the end */
#define ACCESS_BROKERS_MAX 16
#define ACCESS_ADDRESS_MAX 272
#define ACCESS_FILE_BYTES  (64 * 1024) /* a key file is 2 KiB; a longer one is none */

struct access {
    char cluster[ACCESS_CLUSTER_MAX];
    char name[ACCESS_NAME_MAX];
    enum key_role role;
    node_id_t node;      /* of a node's key, else NODE_NONE */
    uint64_t expires_ms; /* since 1970; 0: never */
    char public_key[KEY_TEXT_MAX], *secret_key;
    char brokers_key[KEY_TEXT_MAX]; /* the public key of all brokers' front doors */
    char *brokers_secret;           /* of a broker; else NULL */
    char signing_key[KEY_TEXT_MAX], *signing_secret; /* of a person; NULL: it cannot sign */
    size_t n_brokers;
    char brokers[ACCESS_BROKERS_MAX][ACCESS_ADDRESS_MAX];
};

/* Reads a key file; caller destroys. `at`: the directory that a relative path begins in, or
 * AT_FDCWD; `shown`: how the path is called in messages. Errors with one line in `why` that names
 * the file: ERR_NOT_FOUND: there is none; ERR_STALE: it has expired; ERR_MALFORMED. Once one was
 * read, core files have no memory of this process in them. */
int access_load(int at, const char *path, const char *shown, struct access **out, struct text *why);

/* The same from bytes, which are cleared of secrets on the way. */
int access_parse(char *bytes, size_t len, const char *shown, struct access **out, struct text *why);

/* Accepts NULL, nulls the pointer. */
void access_destroy(struct access **access);

/* 1 to 32 of a-z, A-Z, 0-9, '-', '_', '.'; none begins with '.' or '-'. */
bool access_name_is_valid(const char *name);

/* Reads a file of at most ACCESS_FILE_BYTES that nobody but its owner, who must be the caller or
 * root, may read or write, into memory for secrets. Errors as access_load(). */
int access_read_private(int at, const char *path, const char *shown, size_t most, char **bytes,
                        size_t *len, struct text *why);

/* Whether what lies in a directory can be believed: it belongs to the caller or to root, and nobody
 * else may write there. ERR_MALFORMED after one line. */
int access_check_dir(int fd, const char *shown, struct text *why);

/* "2026-12-27T04:00:00.000Z" as milliseconds since 1970; 0 when it is none. */
uint64_t access_time_ms(const char *text);

#endif
