/* keys.h - the memory that keeps a request from being executed twice, for jobs, progress snaps and
 * ledgers alike (statement R29).
 *
 * Whoever executes requests remembers the outcomes of the latest ones, each by its whole key. When
 * an outcome is forgotten the key comes here, and from then on is refused:
 *
 *   a session's key (session_key.h)   raises its session's watermark. At or below it everything
 *                                     that has no outcome is forgotten, executed or not.
 *   a free key                        goes into the window of hashes (key_window.h).
 *
 * Only sessions in this table are served: it is a list of who may, not of who may not. So one that
 * was evicted, or belongs to another life of the cluster, is refused for ever without being
 * remembered: ids only grow, and a token tells those that were given twice apart. There are at most
 * `sessions_max`; a new one evicts the one that was not used for longest. */
#ifndef CONCLAVE_CORE_KEYS_H
#define CONCLAVE_CORE_KEYS_H

#include "nodes/core/state/key_window.h"
#include "nodes/core/node.h"

/* Equal free keys of different kinds of requests are different keys. */
enum key_use { KEY_OF_JOB, KEY_OF_SNAP, KEY_OF_CHANGE };

struct key_session {
    uint64_t id, token;
    uint64_t watermark; /* the greatest sequence whose outcome is forgotten */
    struct key_session *older, *newer;
};

/* Zero-initialize, then keys_init(). */
struct keys {
    struct key_limits limits; /* without zeros */
    struct key_window window;
    struct map by_id;                    /* id -> struct key_session; owned */
    struct key_session *oldest, *newest; /* in the order of their last use */
    uint64_t last;                       /* the greatest id ever opened here */
};

void keys_init(struct keys *keys, const struct key_limits *limits);

/* True when the key must not be executed. Only for a key that has no outcome. */
bool keys_is_forgotten(const struct keys *keys, enum key_use use, struct slice key);

/* Its outcome is forgotten. */
void keys_forget(struct keys *keys, enum key_use use, struct slice key);

/* The session of a key (borrows), and the key's sequence; NULL: it is a free key, or the session is
 * not remembered. */
const struct key_session *keys_session(const struct keys *keys, struct slice key,
                                       uint64_t *sequence);

/* The key was used: its session, if any, is the last one to be evicted. */
void keys_use(struct keys *keys, struct slice key);

/* Opens a session with an id greater than all before; evicts another one when there are too many:
 * fills in its id, or 0. */
struct key_session *keys_open(struct keys *keys, uint64_t id, uint64_t token, uint64_t *evicted);

/* Puts a session back, after those that were put back before. ERR_MALFORMED when it is there, or
 * there are too many. */
int keys_load_session(struct keys *keys, struct key_session session);

/* As few bytes as a session has in a checkpoint or record. */
#define KEY_SESSION_BYTES 24
void keys_pack_session(const struct key_session *session, uint8_t at[KEY_SESSION_BYTES]);
struct key_session keys_unpack_session(const uint8_t at[KEY_SESSION_BYTES]);

/* The hash of a free key. */
uint64_t keys_hash(enum key_use use, struct slice key);

/* Forgets everything but the limits. */
void keys_clear(struct keys *keys);

void keys_check_invariants(const struct keys *keys);

#endif
