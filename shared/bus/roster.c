#include "shared/bus/roster.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/map.h"
#include "shared/base/memory.h"
#include "shared/base/text.h"

struct connection {
    node_id_t node; /* NODE_NONE: there is none */
    incarnation_t incarnation;
    uint64_t number; /* the HELLO's `connection` */
    uint8_t routing_id[ROUTING_ID_MAX];
    size_t len;
};

struct peer {
    incarnation_t current; /* 0: none yet */
    incarnation_t fenced[ROSTER_FENCED_MAX];
    size_t n_fenced; /* ever; the newest replaces the oldest */
    struct connection connections[PLANE_COUNT];
};

struct roster {
    const char *cluster;
    node_id_t self;
    uint32_t n_nodes;
    struct peer *peers;            /* by node id */
    struct map by_id[PLANE_COUNT]; /* hash of the routing id -> struct connection */
};

struct roster *roster_new(const char *cluster, node_id_t self, uint32_t n_nodes)
{
    struct roster *roster = mem_new(1, sizeof *roster);
    roster->cluster = cluster;
    roster->self = self;
    roster->n_nodes = n_nodes;
    roster->peers = mem_new(n_nodes + 1, sizeof *roster->peers);
    return roster;
}

void roster_destroy(struct roster **roster)
{
    struct roster *it = *roster;
    *roster = NULL;
    if (!it)
        return;
    for (int plane = 0; plane < PLANE_COUNT; plane++)
        map_clear(&it->by_id[plane]);
    free(it->peers);
    free(it);
}

static struct map_key key_of(struct slice routing_id)
{
    return (struct map_key){map_hash(routing_id.at, routing_id.len), routing_id.len};
}

static struct connection *connection_of(const struct roster *roster, enum plane plane,
                                        struct slice routing_id)
{
    struct connection *connection = map_get(&roster->by_id[plane], key_of(routing_id));
    bool same = connection &&
                slice_same((struct slice){connection->routing_id, connection->len}, routing_id);
    return same ? connection : NULL;
}

static void forget(struct roster *roster, enum plane plane, struct connection *connection)
{
    if (connection->node == NODE_NONE)
        return;
    struct slice id = {connection->routing_id, connection->len};
    if (map_get(&roster->by_id[plane], key_of(id)) == connection)
        map_remove(&roster->by_id[plane], key_of(id));
    connection->node = NODE_NONE;
}

static bool is_fenced(const struct peer *peer, incarnation_t incarnation)
{
    size_t n = peer->n_fenced < ROSTER_FENCED_MAX ? peer->n_fenced : ROSTER_FENCED_MAX;
    for (size_t i = 0; i < n; i++)
        if (peer->fenced[i] == incarnation)
            return true;
    return false;
}

static void fence_current(struct roster *roster, struct peer *peer)
{
    if (peer->current)
        peer->fenced[peer->n_fenced++ % ROSTER_FENCED_MAX] = peer->current;
    for (int plane = 0; plane < PLANE_COUNT; plane++)
        forget(roster, (enum plane)plane, &peer->connections[plane]);
}

static int judge(const struct roster *roster, enum plane plane, struct slice routing_id,
                 const struct wire_hello *hello, struct text *why)
{
    char shown[64];
    if (!slice_equals(hello->cluster, roster->cluster)) {
        text_add(why, "HELLO of cluster '%s', not of '%s'",
                 text_escape(shown, sizeof shown, hello->cluster), roster->cluster);
        return ERR_MALFORMED;
    }
    bool peer = hello->src >= 1 && hello->src <= roster->n_nodes && hello->src != roster->self;
    if (!peer || hello->dst != roster->self || hello->plane != (uint64_t)plane ||
        !hello->incarnation || routing_id.len > ROUTING_ID_MAX) {
        text_add(why, "HELLO from node %u to node %u for the plane %u is not meant for this socket",
                 (unsigned)hello->src, (unsigned)hello->dst, (unsigned)hello->plane);
        return ERR_MALFORMED;
    }
    const struct peer *known = &roster->peers[hello->src];
    const struct connection *before = &known->connections[plane];
    /* The same HELLO again on the same connection asks for its WELCOME once more. */
    bool repeated =
        before == connection_of(roster, plane, routing_id) && hello->connection == before->number;
    bool older = hello->incarnation == known->current && before->node != NODE_NONE && !repeated &&
                 hello->connection <= before->number;
    if (older || is_fenced(known, hello->incarnation)) {
        text_add(why, "HELLO of node %u from %s", (unsigned)hello->src,
                 older ? "an older connection" : "an incarnation that has ended");
        return ERR_STALE;
    }
    return OK;
}

int roster_hello(struct roster *roster, enum plane plane, struct slice routing_id,
                 const struct wire_hello *hello, bool *first, struct text *why)
{
    int error = judge(roster, plane, routing_id, hello, why);
    if (error)
        return error;
    struct peer *peer = &roster->peers[hello->src];
    /* A smaller boot counter than the present one is a wiped disk: another incarnation
     * nevertheless. */
    *first = hello->incarnation != peer->current;
    if (*first)
        fence_current(roster, peer);
    peer->current = hello->incarnation;
    struct connection *connection = &peer->connections[plane];
    forget(roster, plane, connection);
    struct connection *same_id = connection_of(roster, plane, routing_id);
    if (same_id)
        forget(roster, plane, same_id); /* a connection that changes its mind about who it is */
    connection->node = (node_id_t)hello->src;
    connection->incarnation = hello->incarnation;
    connection->number = hello->connection;
    connection->len = routing_id.len;
    slice_copy(connection->routing_id, routing_id);
    map_put(&roster->by_id[plane], key_of(routing_id), connection);
    return OK;
}

bool roster_find(const struct roster *roster, enum plane plane, struct slice routing_id,
                 node_id_t *node, incarnation_t *incarnation)
{
    const struct connection *connection = connection_of(roster, plane, routing_id);
    if (!connection)
        return false;
    *node = connection->node;
    *incarnation = connection->incarnation;
    return true;
}

incarnation_t roster_incarnation(const struct roster *roster, node_id_t node)
{
    return node <= roster->n_nodes ? roster->peers[node].current : 0;
}
