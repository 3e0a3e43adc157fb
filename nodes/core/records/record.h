/* record.h - keys and values of the records on a node's disk. The first byte of a key names the
 * table; numbers are big-endian, so that the order of keys is that of numbers. */
#ifndef CONCLAVE_CORE_RECORD_H
#define CONCLAVE_CORE_RECORD_H

#include "shared/base/limits.h"
#include "shared/base/types.h"

/* In the order in which they come back from disk: what a table refers to is there before it. */
enum record_table {
    RECORD_ACCOUNT = 'a',   /* name -> balance */
    RECORD_EPOCH = 'e',     /* -> the ledger's own epoch */
    RECORD_FORGOTTEN = 'f', /* number -> a sealed block of the keys of jobs and snaps */
    RECORD_BLOCK = 'g',     /* number -> a block of the keys of the ledger; the last one is open */
    RECORD_VALUE = 'k',     /* name -> text */
    RECORD_MARK = 'm',      /* source -> its epoch, the last number applied */
    RECORD_LAST = 'n',      /* destination -> the last number issued, when all were acknowledged */
    RECORD_OUTBOX = 'o',    /* destination, number -> a packed message, until it is acknowledged */
    RECORD_REQUEST = 'r',   /* slot -> a client's key, and how the request was answered */
    RECORD_SESSION = 't',   /* id -> a session of the ledger's clients */
    RECORD_FLOOR = 'u' /* -> requests up to this number have their keys in blocks and sessions */
};

struct record_key {
    uint8_t at[RECORD_KEY_MAX];
    size_t len;
};

/* A key begins with its table; names and numbers are appended. */
struct record_key record_key(enum record_table table);
void record_key_name(struct record_key *key, struct slice name);
void record_key_u32(struct record_key *key, uint32_t number);
void record_key_u64(struct record_key *key, uint64_t number);

/* Reads a number out of a key or value; false when there are not enough bytes. */
bool record_u32(struct slice bytes, size_t offset, uint32_t *out);
bool record_u64(struct slice bytes, size_t offset, uint64_t *out);

#endif
