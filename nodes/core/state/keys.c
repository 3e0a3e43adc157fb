#include "nodes/core/state/keys.h"

#include <assert.h>
#include <stdlib.h>

#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/base/random.h"
#include "shared/base/session_key.h"
#include "shared/base/text.h"

static uint64_t or_default(uint64_t given, uint64_t otherwise)
{
    return given ? given : otherwise;
}

void keys_init(struct keys *keys, const struct key_limits *limits)
{
    keys->limits = (struct key_limits){
        .snaps = or_default(limits->snaps, SNAP_KEYS_MAX),
        .requests = or_default(limits->requests, LEDGER_KEYS_MAX),
        .sessions = or_default(limits->sessions, SESSIONS_MAX),
        .block = or_default(limits->block, KEY_BLOCK_HASHES),
        .blocks = or_default(limits->blocks, KEY_BLOCKS_MAX),
    };
    keys->window.block_hashes = (size_t)keys->limits.block;
    keys->window.blocks_max = (size_t)keys->limits.blocks;
}

/* --- sessions --- */

static struct key_session *find(const struct keys *keys, struct session_key key)
{
    struct key_session *session = map_get(&keys->by_id, (struct map_key){key.id, 0});
    return session && session->token == key.token ? session : NULL;
}

static void unlink_session(struct keys *keys, struct key_session *session)
{
    *(session->older ? &session->older->newer : &keys->oldest) = session->newer;
    *(session->newer ? &session->newer->older : &keys->newest) = session->older;
}

static void link_newest(struct keys *keys, struct key_session *session)
{
    session->older = keys->newest;
    session->newer = NULL;
    *(keys->newest ? &keys->newest->newer : &keys->oldest) = session;
    keys->newest = session;
}

static struct key_session *add(struct keys *keys, struct key_session session)
{
    struct key_session *added = mem_new(1, sizeof *added);
    *added = session;
    map_put(&keys->by_id, (struct map_key){session.id, 0}, added);
    link_newest(keys, added);
    if (session.id > keys->last)
        keys->last = session.id;
    return added;
}

void keys_use(struct keys *keys, struct slice key)
{
    struct session_key named;
    struct key_session *session = session_key_parse(key, &named) ? find(keys, named) : NULL;
    if (!session || session == keys->newest)
        return;
    unlink_session(keys, session);
    link_newest(keys, session);
}

struct key_session *keys_open(struct keys *keys, uint64_t id, uint64_t token, uint64_t *evicted)
{
    *evicted = 0;
    if (keys->by_id.count >= keys->limits.sessions) {
        struct key_session *oldest = keys->oldest;
        *evicted = oldest->id;
        unlink_session(keys, oldest);
        map_remove(&keys->by_id, (struct map_key){oldest->id, 0});
        free(oldest);
    }
    return add(keys, (struct key_session){.id = id, .token = token});
}

/* --- keys --- */

uint64_t keys_hash(enum key_use use, struct slice key)
{
    /* A job's is the plain hash, as in stores that remember hashes only of jobs. */
    return map_hash(key.at, key.len) ^ use * RANDOM_GAMMA;
}

bool keys_is_forgotten(const struct keys *keys, enum key_use use, struct slice key)
{
    struct session_key named;
    if (!session_key_parse(key, &named))
        return key_window_has(&keys->window, keys_hash(use, key));
    const struct key_session *session = find(keys, named);
    if (!session)
        return !MUTANT(evicted_executes);
    return named.sequence <= session->watermark && !MUTANT(watermark_ignored);
}

void keys_forget(struct keys *keys, enum key_use use, struct slice key)
{
    struct session_key named;
    if (!session_key_parse(key, &named)) {
        key_window_add(&keys->window, keys_hash(use, key));
        return;
    }
    struct key_session *session = find(keys, named);
    if (session && session->watermark < named.sequence)
        session->watermark = named.sequence;
}

const struct key_session *keys_session(const struct keys *keys, struct slice key,
                                       uint64_t *sequence)
{
    struct session_key named;
    if (!session_key_parse(key, &named))
        return NULL;
    *sequence = named.sequence;
    return find(keys, named);
}

/* --- checkpoints and records --- */

int keys_load_session(struct keys *keys, struct key_session session)
{
    if (!session.id || keys->by_id.count >= keys->limits.sessions ||
        map_get(&keys->by_id, (struct map_key){session.id, 0}))
        return ERR_MALFORMED;
    add(keys, session);
    return OK;
}

void keys_pack_session(const struct key_session *session, uint8_t at[KEY_SESSION_BYTES])
{
    bytes_put_le64(at, session->id);
    bytes_put_le64(at + 8, session->token);
    bytes_put_le64(at + 16, session->watermark);
}

struct key_session keys_unpack_session(const uint8_t at[KEY_SESSION_BYTES])
{
    return (struct key_session){.id = bytes_get_le64(at),
                                .token = bytes_get_le64(at + 8),
                                .watermark = bytes_get_le64(at + 16)};
}

void keys_clear(struct keys *keys)
{
    while (keys->oldest) {
        struct key_session *session = keys->oldest;
        unlink_session(keys, session);
        free(session);
    }
    map_clear(&keys->by_id);
    key_window_clear(&keys->window);
    keys->last = 0;
}

void keys_check_invariants(const struct keys *keys)
{
    size_t n = 0;
    for (const struct key_session *it = keys->oldest; it; it = it->newer, n++) {
        assert(it->newer ? it->newer->older == it : keys->newest == it);
        assert(it->id <= keys->last);
        assert(n < keys->by_id.count);
    }
    assert(n == keys->by_id.count && n <= keys->limits.sessions);
    assert(keys->window.n <= keys->window.blocks_max);
}
