/* Who is no use though its heartbeats arrive (R35, R36). What the cores decide by what they are
 * told, this decides by what is so. */
#include <inttypes.h>
#include <string.h>

#include "nodes/core/link/link.h"
#include "nodes/core/node.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/step/step.h"
#include "tests/harness/inside.h"
#include "shared/base/random.h"
#include "tests/sim/oracle_internal.h"

/* Beyond the core's own time: clocks run wrong by 5 %, and ticks, heartbeats and pauses come in
 * between. */
uint64_t oracle_late_us(const struct world *world, uint64_t timeouts)
{
    uint64_t timeout_us = world->options.election_timeout_us;
    timeout_us = timeout_us ? timeout_us : ELECTION_TIMEOUT_DEFAULT_US;
    return (timeouts * 11 / 10 + 2) * timeout_us + SECOND_US / 2;
}

/* Changes with whatever the voter acknowledges or takes in. The coordinator itself moves while the
 * log waits for its turn on its own disk, with whatever that finishes: a disk of this world that is
 * slow groups no transactions, so a ledger's may stand in front of it for seconds. */
static uint64_t progress_of(const struct world *world, const struct node *node, node_id_t voter)
{
    const struct node *peer = world->nodes[voter].core;
    const struct replica *replica = &inside_raft(node)->replicas[voter];
    if (voter == inside_step(node)->config.id)
        return random_fold(inside_raft(node)->log.durable, world->nodes[voter].disk_moved_us);
    uint64_t hash = random_fold(replica->match, replica->acked_parts);
    return random_fold(random_fold(hash, replica->fetched),
                       peer ? inside_raft(peer)->follower.fetched : 0);
}

/* Nothing is wanted of it, or the checkpoint that it shall get is being built. */
static bool has_all(const struct node *node, node_id_t voter)
{
    const struct replica *replica = &inside_raft(node)->replicas[voter];
    bool builds =
        replica->state == REPLICA_INSTALL && !replica->checkpoint && inside_raft(node)->log.build;
    if (voter == inside_step(node)->config.id)
        return inside_raft(node)->log.durable == inside_raft(node)->log.last;
    return builds || replica->match == inside_raft(node)->log.last;
}

/* R35 is about a majority: that one voter of three goes on, or the coordinator's own disk with what
 * clients still send, is no progress. */
static void check_leading(struct world *world, node_id_t id)
{
    struct ghost_health *ghost = &world->oracle->nodes[id].health;
    const struct node *node = world->nodes[id].core;
    const struct raft_log *log = &inside_raft(node)->log;
    uint64_t late_us = oracle_late_us(world, STALL_TIMEOUTS);
    uint32_t voters = world_voters(world), moving = 0;
    bool waits = election_leads(inside_raft(node)) && log->last > log->commit &&
                 space_suffices(inside_raft(node), NULL);
    bool anew = !waits || log->commit != ghost->committed;
    ghost->committed = log->commit;
    for (node_id_t voter = 1; voter <= voters; voter++) {
        struct ghost_move *move = &ghost->moves[voter];
        uint64_t progress = waits ? progress_of(world, node, voter) : 0;
        if (anew || progress != move->progress || has_all(node, voter))
            move->moved_us = world->now_us;
        move->progress = progress;
        moving += world->now_us <= move->moved_us + late_us;
    }
    if (moving <= voters / 2)
        world_fail(world, "R35: a coordinator that nobody acknowledges steps down",
                   "node %u leads, entry %" PRIu64 " waits, and only %u of %u voters move", id,
                   log->commit + 1, moving, voters);
}

static void check_peer(struct world *world, node_id_t id, node_id_t peer)
{
    struct ghost_level *level = &world->oracle->nodes[id].health.levels[peer];
    const struct node *node = world->nodes[id].core, *other = world->nodes[peer].core;
    log_index_t match = inside_raft(node)->replicas[peer].match, applied = 0;
    if (other)
        applied = inside_raft(other)->log.applied < match ? inside_raft(other)->log.applied : match;
    if (!node_coordinates(node) || !inside_links(node)->peers[peer].alive || !level->since_us ||
        applied >= level->goal || level->incarnation != world->nodes[peer].incarnation) {
        *level = (struct ghost_level){inside_raft(node)->log.commit, world->now_us,
                                      world->nodes[peer].incarnation};
        return;
    }
    if (world->now_us > level->since_us + oracle_late_us(world, BEHIND_TIMEOUTS) &&
        !health_behind_ms(inside_raft(node), peer))
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
    struct ghost_health *health = &world->oracle->nodes[id].health;
    term_t term = inside_step(world->nodes[id].core)->term;
    if (health->term != term)
        memset(health->levels, 0, sizeof health->levels);
    health->term = term;
    check_leading(world, id);
    for (node_id_t peer = 1; peer <= world->options.n_nodes; peer++)
        if (peer != id)
            check_peer(world, id, peer);
}
