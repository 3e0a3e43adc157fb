#include "nodes/core/raft/health.h"

#include <inttypes.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/replication.h"
#include "nodes/core/raft/space.h"
#include "shared/base/mutant.h"

static uint64_t stall_us(const struct node *node)
{
    return STALL_TIMEOUTS * node->step.config.election_timeout_us;
}

static bool is_within(uint64_t since_us, uint64_t for_us, uint64_t now_us)
{
    return now_us < since_us + for_us;
}

/* --- what moves --- */

void health_note(struct node *node, const struct event *event)
{
    if (node->follower.n_needs && event->value_bytes > node->value_bytes)
        node->follower.fetched += event->value_bytes - node->value_bytes;
    node->value_bytes = event->value_bytes;
    node->disk_busy_us = event->disk_busy_us;
}

void health_moved(struct node *node, node_id_t peer)
{
    node->replicas[peer].moved_us = node->step.now_us;
}

void health_heartbeat(struct node *node, node_id_t from, const struct wire_heartbeat *heartbeat)
{
    struct replica *replica = &node->replicas[from];
    if (replica->heard && heartbeat->fetched > replica->fetched)
        health_moved(node, from);
    replica->heard = true;
    replica->fetched = heartbeat->fetched;
}

/* --- a coordinator whose entries stand still (R35) --- */

/* Entries that wait for room on full disks are known to wait, and no other coordinator would do
 * better: see space.h. */
static void watch_waiting(struct node *node)
{
    struct replication *replication = &node->replication;
    bool waits = node->journal.last > node->journal.commit && space_suffices(node, NULL);
    if (!waits)
        replication->waits_us = 0;
    else if (!replication->waits_us || replication->waits_for != node->journal.commit)
        replication->waits_us = node->step.now_us;
    replication->waits_for = node->journal.commit;
}

/* The same for reads, which wait until a majority has answered a round. */
static void watch_reads(struct node *node)
{
    struct replication *replication = &node->replication;
    uint64_t confirmed = replication_confirmed(node);
    if (confirmed >= replication->asked)
        replication->unconfirmed_us = 0;
    else if (!replication->unconfirmed_us || replication->unconfirmed != confirmed)
        replication->unconfirmed_us = node->step.now_us;
    replication->unconfirmed = confirmed;
}

/* Nothing is wanted of a voter that has acknowledged all. */
static bool is_moving(const struct node *node, node_id_t id)
{
    const struct replica *replica = &node->replicas[id];
    uint64_t since_us = node->replication.waits_us;
    if (id == node->step.config.id)
        return node->journal.durable == node->journal.last || node->disk_busy_us < stall_us(node);
    if (replica->moved_us > since_us)
        since_us = replica->moved_us;
    /* the checkpoint for it, slice by slice */
    bool builds = replica->install && !replica->image && node->journal.build;
    return replica->match == node->journal.last || builds ||
           is_within(since_us, stall_us(node), node->step.now_us);
}

const char *health_stall(const struct node *node)
{
    uint32_t moving = 0;
    if (MUTANT(leads_without_acks))
        return NULL;
    if (node->disk_busy_us >= stall_us(node))
        return "its disk finishes nothing";
    uint64_t reads_us = node->replication.unconfirmed_us;
    if (reads_us && !is_within(reads_us, stall_us(node), node->step.now_us))
        return "no majority confirms what is read";
    if (!node->replication.waits_us)
        return NULL;
    for (node_id_t id = 1; id <= node->step.config.n_voters; id++)
        moving += members_counts(node, id) && is_moving(node, id);
    return moving < election_quorum(node) ? "no majority acknowledges what waits" : NULL;
}

bool health_rests(const struct node *node)
{
    return node->step.now_us < node->election.rests_until_us ||
           node->disk_busy_us >= stall_us(node);
}

/* --- who is level (R36) --- */

static uint64_t behind_us(const struct node *node)
{
    return BEHIND_TIMEOUTS * node->step.config.election_timeout_us;
}

/* What a peer has both applied and acknowledged: a disk that hangs stops only the second. */
static log_index_t reached(const struct node *node, node_id_t id)
{
    const struct message *heartbeat = node->links.peers[id].heartbeat;
    log_index_t applied = heartbeat ? heartbeat->as.heartbeat.applied : 0;
    return applied < node->replicas[id].match ? applied : node->replicas[id].match;
}

static void say_level(struct node *node, node_id_t id, const char *event)
{
    const struct level *level = &node->replicas[id].level;
    if (level->behind)
        step_event(&node->step, event, id, JOB_NONE,
                   "node %u is behind: it has entry %" PRIu64 " of %" PRIu64 ", and %" PRIu64
                   " ms ago there were %" PRIu64 " already",
                   id, reached(node, id), node->journal.commit,
                   (node->step.now_us - level->since_us) / MS_US, level->goal);
    else
        step_event(&node->step, event, id, JOB_NONE,
                   "node %u is level again: it has entry %" PRIu64, id, reached(node, id));
}

/* A node can be said to be behind only once in behind_us(), so the feed cannot be flooded. */
static void look_at(struct node *node, node_id_t id)
{
    const struct peer *peer = &node->links.peers[id];
    struct level *level = &node->replicas[id].level;
    if (!peer->alive) {
        *level = (struct level){0};
        return;
    }
    if (!level->since_us)
        *level = (struct level){.goal = node->journal.commit, .since_us = node->step.now_us};
    if (reached(node, id) >= level->goal || MUTANT(level_while_alive)) {
        bool was_behind = level->behind;
        *level = (struct level){.goal = node->journal.commit,
                                .since_us = node->step.now_us,
                                .reached = true};
        if (was_behind)
            say_level(node, id, "node_level");
    } else if (!level->behind && !is_within(level->since_us, behind_us(node), node->step.now_us)) {
        level->behind = true;
        say_level(node, id, "node_behind");
    }
}

void health_tick(struct node *node)
{
    if (!node_is_coordinator(node))
        return;
    watch_waiting(node);
    watch_reads(node);
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++)
        if (step_is_peer(&node->step, id))
            look_at(node, id);
}

/* --- what is said of it --- */

uint64_t health_behind_ms(const struct node *node, node_id_t id)
{
    const struct level *level = &node->replicas[id].level;
    return level->behind ? (node->step.now_us - level->since_us) / MS_US : 0;
}

uint64_t health_stalled_ms(const struct node *node, node_id_t id)
{
    const struct peer *peer = &node->links.peers[id];
    uint64_t ms = node->disk_busy_us / MS_US;
    if (id != node->step.config.id)
        ms = peer->alive && peer->heartbeat ? peer->heartbeat->as.heartbeat.disk_ms : 0;
    return ms * MS_US >= stall_us(node) ? ms : 0;
}

static bool is_alive(const struct node *node, node_id_t id)
{
    return id == node->step.config.id || node->links.peers[id].alive;
}

bool health_is_good(const struct node *node)
{
    bool good = node_serves(node);
    for (node_id_t id = 1; good && id <= node->step.config.n_nodes; id++)
        good = is_alive(node, id) && !health_behind_ms(node, id) && !health_stalled_ms(node, id) &&
               (id > node->step.config.n_voters || members_counts(node, id));
    return good;
}

uint32_t health_may_fail(const struct node *node)
{
    uint32_t good = 0, quorum = election_quorum(node);
    for (node_id_t id = 1; node_serves(node) && id <= node->step.config.n_voters; id++) {
        const struct level *level = &node->replicas[id].level;
        bool level_now = id == node->step.config.id || (level->reached && !level->behind);
        good += is_alive(node, id) && members_counts(node, id) && level_now &&
                !health_stalled_ms(node, id);
    }
    return good > quorum ? good - quorum : 0;
}
