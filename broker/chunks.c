#include "broker/chunks.h"

#include <stdlib.h>

#include "shared/base/memory.h"
#include "shared/base/mutant.h"

#define SWEEP_US SECOND_US

struct chunk {
    uint64_t request, sent_us;
    node_id_t node;
};

struct client_chunks {
    struct chunk at[VALUE_CHUNKS_CREDIT];
    size_t n; /* 1 at least */
};

static struct map_key key_of(struct slice client)
{
    return (struct map_key){map_hash(client.at, client.len), client.len};
}

static bool is_over(const struct chunk *chunk, uint64_t now_us)
{
    return now_us - chunk->sent_us >= CHUNK_SILENT_US;
}

/* Their order says nothing. */
static void remove_at(struct client_chunks *own, size_t i)
{
    own->at[i] = own->at[--own->n];
}

static void drop_over(struct client_chunks *own, uint64_t now_us)
{
    for (size_t i = 0; i < own->n;)
        if (is_over(&own->at[i], now_us))
            remove_at(own, i);
        else
            i++;
}

bool chunks_add(struct chunks *chunks, struct slice client, uint64_t request, node_id_t node,
                uint64_t now_us)
{
    struct map_key key = key_of(client);
    struct client_chunks *own = map_get(&chunks->clients, key);
    struct chunk chunk = {request, now_us, node};
    if (!own) {
        own = mem_new(1, sizeof *own);
        map_put(&chunks->clients, key, own);
    }
    drop_over(own, now_us);
    for (size_t i = 0; i < own->n; i++)
        if (own->at[i].request == request) {
            if (now_us - own->at[i].sent_us < CHUNK_AGAIN_US && !MUTANT(credit_unbounded))
                return false;
            own->at[i] = chunk;
            return true;
        }
    if (own->n == VALUE_CHUNKS_CREDIT)
        return MUTANT(credit_unbounded);
    own->at[own->n++] = chunk;
    return true;
}

void chunks_take(struct chunks *chunks, struct slice client, uint64_t request)
{
    struct map_key key = key_of(client);
    struct client_chunks *own = map_get(&chunks->clients, key);
    if (!own)
        return;
    for (size_t i = 0; i < own->n; i++)
        if (own->at[i].request == request) {
            remove_at(own, i);
            break;
        }
    if (!own->n)
        free(map_remove(&chunks->clients, key));
}

/* Drops those of the node (NODE_NONE: of none), and those that count no more; who has none left is
 * forgotten. */
static void drop(struct chunks *chunks, node_id_t node, uint64_t now_us)
{
    struct map left = {0};
    struct client_chunks *own;
    struct map_key key;
    for (size_t at = 0; (own = map_next(&chunks->clients, &at, &key));) {
        drop_over(own, now_us);
        for (size_t i = own->n; node && i-- > 0;)
            if (own->at[i].node == node)
                remove_at(own, i);
        if (own->n)
            map_put(&left, key, own);
        else
            free(own);
    }
    map_clear(&chunks->clients);
    chunks->clients = left;
}

void chunks_forget(struct chunks *chunks, node_id_t node, uint64_t now_us)
{
    drop(chunks, node, now_us);
}

void chunks_sweep(struct chunks *chunks, uint64_t now_us)
{
    if (now_us - chunks->swept_us < SWEEP_US)
        return;
    chunks->swept_us = now_us;
    drop(chunks, NODE_NONE, now_us);
}

void chunks_clear(struct chunks *chunks)
{
    struct client_chunks *own;
    for (size_t at = 0; (own = map_next(&chunks->clients, &at, NULL));)
        free(own);
    map_clear(&chunks->clients);
}
