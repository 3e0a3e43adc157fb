/* secret.h - key pairs, and the memory that secret keys are kept in: locked, left out of core
 * files, cleared when it is given back (libsodium's sodium_malloc). */
#ifndef CONCLAVE_BUS_SECRET_H
#define CONCLAVE_BUS_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* A CURVE key as text (Z85: RFC 32 of ZeroMQ), with its end. */
#define KEY_TEXT_LEN 40
#define KEY_TEXT_MAX (KEY_TEXT_LEN + 1)
#define KEY_BYTES    32

/* Zeroed memory for secrets; never NULL. secret_free() accepts NULL, nulls the pointer. */
char *secret_new(size_t len);
void secret_free(char **secret);

/* Makes a new key pair: the public key into `public_key`, the secret one, in memory for secrets,
 * into *secret_key. Opens no socket and starts no thread, so the caller may fork afterwards. */
void secret_make_pair(char public_key[KEY_TEXT_MAX], char **secret_key);

/* The public key that belongs to a secret one. */
void secret_derive(const char *secret_key, char public_key[KEY_TEXT_MAX]);

/* The same for keys that sign (Ed25519); the secret one is the seed. */
void secret_make_signing_pair(char public_key[KEY_TEXT_MAX], char **secret_key);
void secret_derive_signing(const char *secret_key, char public_key[KEY_TEXT_MAX]);

/* Whether the text is that of a key: 40 characters of Z85, and a number of 32 bytes. */
bool key_is_valid(const char *text, size_t len);

/* From now on core files of this process have no memory in them, only registers and what is mapped
 * where: libzmq keeps copies of a secret key with every socket and connection, in ordinary memory.
 */
void secret_hide_memory(void);

#endif
