#include "shared/bus/gauge.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

/* Forgotten at a time: more than strangers can connect until the next time. */
#define SWEEP_MAX 4096

struct gauge {
    atomic_size_t refs;
    atomic_uint_fast64_t bytes;
    struct gauge *all; /* owned reference, or NULL */
};

/* What a counted message stands for. */
struct holder {
    struct gauge *gauge; /* owned reference */
    zmq_msg_t content;
};

static struct gauge *ref(struct gauge *gauge)
{
    atomic_fetch_add(&gauge->refs, 1);
    return gauge;
}

struct gauge *gauge_new(struct gauge *all)
{
    struct gauge *gauge = mem_new(1, sizeof *gauge);
    atomic_init(&gauge->refs, 1);
    atomic_init(&gauge->bytes, 0);
    gauge->all = all ? ref(all) : NULL;
    return gauge;
}

void gauge_drop(struct gauge **gauge)
{
    struct gauge *it = *gauge;
    *gauge = NULL;
    if (!it || atomic_fetch_sub(&it->refs, 1) > 1)
        return;
    gauge_drop(&it->all);
    free(it);
}

uint64_t gauge_bytes(const struct gauge *gauge)
{
    return gauge ? atomic_load(&gauge->bytes) : 0;
}

static void add(struct gauge *gauge, uint64_t bytes)
{
    for (; gauge; gauge = gauge->all)
        atomic_fetch_add(&gauge->bytes, bytes);
}

/* Called by ZeroMQ, on whatever thread. */
static void release(void *data, void *hint)
{
    struct holder *holder = hint;
    (void)data;
    for (struct gauge *it = holder->gauge; it; it = it->all)
        atomic_fetch_sub(&it->bytes, zmq_msg_size(&holder->content));
    zmq_msg_close(&holder->content);
    gauge_drop(&holder->gauge);
    free(holder);
}

void gauge_count(struct gauge *gauge, zmq_msg_t *part)
{
    size_t len = zmq_msg_size(part);
    if (len < GAUGE_MIN_BYTES)
        return;
    struct holder *holder = mem_new(1, sizeof *holder);
    zmq_msg_init(&holder->content);
    zmq_msg_move(&holder->content, part);
    holder->gauge = ref(gauge);
    add(gauge, len);
    zmq_msg_close(part);
    if (zmq_msg_init_data(part, zmq_msg_data(&holder->content), len, release, holder))
        panic("out of memory for a message of %zu bytes", len);
}

/* --- of peers --- */

/* Peers choose their ids: none of them can choose one that is counted as another's. */
static struct map_key key_of(struct slice id)
{
    uint8_t hash[HASH_BYTES];
    struct map_key key;
    hash_bytes(id.at, id.len, hash);
    memcpy(&key.a, hash, sizeof key.a);
    memcpy(&key.b, hash + sizeof key.a, sizeof key.b);
    return key;
}

struct gauge *gauges_find(const struct gauges *gauges, struct slice id)
{
    return gauges->map.count ? map_get(&gauges->map, key_of(id)) : NULL;
}

struct gauge *gauges_get(struct gauges *gauges, struct slice id)
{
    struct map_key key = key_of(id);
    struct gauge *gauge = map_get(&gauges->map, key);
    if (!gauge) {
        gauge = gauge_new(gauges->all);
        map_put(&gauges->map, key, gauge);
    }
    return gauge;
}

void gauges_sweep(struct gauges *gauges)
{
    struct map_key keys[SWEEP_MAX], key;
    size_t n = 0, at = 0;
    for (struct gauge *it; n < SWEEP_MAX && (it = map_next(&gauges->map, &at, &key));)
        if (!gauge_bytes(it))
            keys[n++] = key;
    while (n) {
        struct gauge *gauge = map_remove(&gauges->map, keys[--n]);
        gauge_drop(&gauge);
    }
}

void gauges_clear(struct gauges *gauges)
{
    size_t at = 0;
    for (struct gauge *it; (it = map_next(&gauges->map, &at, NULL));)
        gauge_drop(&it);
    map_clear(&gauges->map);
    gauge_drop(&gauges->all);
}
