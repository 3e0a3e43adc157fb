/* Who is no use though its heartbeats arrive (R35, R36). What the cores decide by what they are
 * told, this decides by what is so. */
#include <inttypes.h>

#include "nodes/core/raft/health.h"
#include "nodes/core/raft/space.h"
#include "nodes/core/rooms.h"
#include "shared/base/random.h"
#include "tests/sim/oracle_internal.h"

/* Beyond the core's own time: clocks run wrong by 5 %, and ticks, heartbeats and pauses come in
 * between. */
static uint64_t late_us(const struct node *node, uint64_t timeouts)
{
    return (timeouts * 11 / 10 + 2) * node->step.config.election_timeout_us + SECOND_US / 2;
}

/* Changes with whatever any voter acknowledges or takes in, and while the log waits for its turn on
 * the coordinator's own disk, with whatever that finishes: a disk of this world that is slow groups
 * no transactions, so a ledger's may stand in front of it for seconds. */
static uint64_t progress_of(const struct world *world, const struct node *node)
{
    uint64_t hash = random_fold(node->raft.log.commit, node->raft.log.durable);
    if (node->raft.log.durable < node->raft.log.last)
        hash = random_fold(hash, world->nodes[node->step.config.id].disk_moved_us);
    for (node_id_t id = 1; id <= world_voters(world); id++) {
        const struct node *peer = world->nodes[id].core;
        hash = random_fold(hash, node->raft.replicas[id].match);
        hash = random_fold(hash, node->raft.replicas[id].acked_parts);
        hash = random_fold(hash, peer ? peer->raft.follower.fetched : 0);
    }
    return hash;
}

static void check_leading(struct world *world, node_id_t id)
{
    struct ghost_health *ghost = &world->oracle->nodes[id].health;
    const struct node *node = world->nodes[id].core;
    bool waits = node_is_coordinator(node) && node->raft.log.last > node->raft.log.commit &&
                 space_suffices(&node->raft, NULL);
    uint64_t progress = waits ? progress_of(world, node) : 0;
    if (!waits || progress != ghost->progress)
        ghost->still_us = world->now_us;
    ghost->progress = progress;
    if (waits && world->now_us > ghost->still_us + late_us(node, STALL_TIMEOUTS))
        world_fail(world, "R35: a coordinator that nobody acknowledges steps down",
                   "node %u leads, and nothing moves for %" PRIu64 " ms", id,
                   (world->now_us - ghost->still_us) / MS_US);
}

static void check_peer(struct world *world, node_id_t id, node_id_t peer)
{
    struct ghost_level *level = &world->oracle->nodes[id].health.levels[peer];
    const struct node *node = world->nodes[id].core, *other = world->nodes[peer].core;
    log_index_t match = node->raft.replicas[peer].match, applied = 0;
    if (other)
        applied = other->raft.log.applied < match ? other->raft.log.applied : match;
    if (!node_serves(node) || !node->links.peers[peer].alive || !level->since_us ||
        applied >= level->goal) {
        *level = (struct ghost_level){node->raft.log.commit, world->now_us};
        return;
    }
    if (world->now_us > level->since_us + late_us(node, BEHIND_TIMEOUTS) &&
        !health_behind_ms(&node->raft, peer))
        world_fail(world, "R36: a node that stands still is named",
                   "node %u calls node %u level: it has entry %" PRIu64 " of %" PRIu64
                   " for %" PRIu64 " ms",
                   id, peer, applied, level->goal, (world->now_us - level->since_us) / MS_US);
}

/* Only ticks look at the time. */
void oracle_health(struct world *world, node_id_t id, const struct event *event)
{
    if (event->kind != EVENT_TICK)
        return;
    check_leading(world, id);
    for (node_id_t peer = 1; peer <= world->options.n_nodes; peer++)
        if (peer != id)
            check_peer(world, id, peer);
}
