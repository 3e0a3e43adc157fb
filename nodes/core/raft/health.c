#include "nodes/core/raft/health.h"

#include <inttypes.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/replication.h"
#include "nodes/core/raft/space.h"
#include "shared/base/mutant.h"
#include "shared/base/quorum.h"

static uint64_t stall_us(const struct raft *raft)
{
    return STALL_TIMEOUTS * raft->step->config.election_timeout_us;
}

static bool is_within(uint64_t since_us, uint64_t for_us, uint64_t now_us)
{
    return now_us < since_us + for_us;
}

/* --- what moves --- */

void health_note(struct raft *raft, const struct event *event)
{
    if (raft->follower.n_needs && event->value_bytes > raft->value_bytes)
        raft->follower.fetched += event->value_bytes - raft->value_bytes;
    raft->value_bytes = event->value_bytes;
    raft->disk_busy_us = event->disk_busy_us;
}

void health_moved(struct raft *raft, node_id_t peer)
{
    raft->replicas[peer].moved_us = raft->step->now_us;
}

void health_heartbeat(struct raft *raft, node_id_t from, const struct wire_heartbeat *heartbeat)
{
    struct replica *replica = &raft->replicas[from];
    if (replica->heard && heartbeat->fetched > replica->fetched)
        health_moved(raft, from);
    replica->heard = true;
    replica->fetched = heartbeat->fetched;
}

/* --- a coordinator whose entries stand still (R35) --- */

/* Entries that wait for room on full disks are known to wait, and no other coordinator would do
 * better: see space.h. */
static void watch_waiting(struct raft *raft)
{
    struct replication *replication = &raft->replication;
    bool waits = raft->log.last > raft->log.commit && space_suffices(raft, NULL);
    if (!waits)
        replication->waits_us = 0;
    else if (!replication->waits_us || replication->waits_for != raft->log.commit)
        replication->waits_us = raft->step->now_us;
    replication->waits_for = raft->log.commit;
}

/* The same for reads, which wait until a majority has answered a round. */
static void watch_reads(struct raft *raft)
{
    struct replication *replication = &raft->replication;
    uint64_t confirmed = replication_confirmed(raft);
    if (confirmed >= replication->asked)
        replication->unconfirmed_us = 0;
    else if (!replication->unconfirmed_us || replication->unconfirmed != confirmed)
        replication->unconfirmed_us = raft->step->now_us;
    replication->unconfirmed = confirmed;
}

/* When our disk will have finished nothing for too long; UINT64_MAX: it has nothing to finish. What
 * it is about to begin it has not begun as of the last event. */
static uint64_t disk_until_us(const struct raft *raft)
{
    uint64_t busy_us = raft->disk_busy_us, most_us = stall_us(raft);
    if (!busy_us && raft->log.durable == raft->log.last)
        return UINT64_MAX;
    return raft->step->now_us + (busy_us < most_us ? most_us - busy_us : 0);
}

/* When a voter will not have moved for too long; UINT64_MAX: nothing is wanted of one that has
 * acknowledged all. */
static uint64_t moves_until_us(const struct raft *raft, node_id_t id)
{
    const struct replica *replica = &raft->replicas[id];
    uint64_t since_us = raft->replication.waits_us;
    if (id == raft->step->config.id)
        return raft->log.durable == raft->log.last ? UINT64_MAX : disk_until_us(raft);
    if (replica->moved_us > since_us)
        since_us = replica->moved_us;
    /* the checkpoint for it, slice by slice */
    bool builds = replica->state == REPLICA_INSTALL && !replica->checkpoint && raft->log.build;
    return replica->match == raft->log.last || builds ? UINT64_MAX : since_us + stall_us(raft);
}

/* When reads, or entries, will have waited for too long; UINT64_MAX: none wait. */
static uint64_t reads_until_us(const struct raft *raft)
{
    uint64_t since_us = raft->replication.unconfirmed_us;
    return since_us ? since_us + stall_us(raft) : UINT64_MAX;
}

static uint64_t entries_until_us(const struct raft *raft)
{
    uint64_t until[NODES_MAX];
    uint32_t n = raft->step->config.n_voters;
    if (!raft->replication.waits_us)
        return UINT64_MAX;
    for (node_id_t id = 1; id <= n; id++)
        until[id - 1] = members_counts(raft, id) ? moves_until_us(raft, id) : 0;
    return quorum_reached(until, n);
}

const char *health_stall(const struct raft *raft)
{
    uint64_t now_us = raft->step->now_us;
    if (MUTANT(leads_without_acks))
        return NULL;
    if (now_us >= disk_until_us(raft))
        return "its disk has finished nothing";
    if (now_us >= reads_until_us(raft))
        return "no majority confirms what is read";
    return now_us >= entries_until_us(raft) ? "no majority acknowledges what waits" : NULL;
}

bool health_rests(const struct raft *raft)
{
    return raft->step->now_us < raft->election.rests_until_us ||
           raft->disk_busy_us >= stall_us(raft);
}

/* --- who is level (R36) --- */

static uint64_t behind_us(const struct raft *raft)
{
    return BEHIND_TIMEOUTS * raft->step->config.election_timeout_us;
}

/* What a peer has both applied and acknowledged: a disk that hangs stops only the second. */
static log_index_t reached(const struct raft *raft, node_id_t id)
{
    const struct message *heartbeat = raft->links->peers[id].heartbeat;
    log_index_t applied = heartbeat ? heartbeat->as.heartbeat.applied : 0;
    return applied < raft->replicas[id].match ? applied : raft->replicas[id].match;
}

static void say_level(struct raft *raft, node_id_t id, const char *event)
{
    const struct level *level = &raft->replicas[id].level;
    if (level->behind)
        step_event(raft->step, event, id, JOB_NONE,
                   "node %u is behind: it has entry %" PRIu64 " of %" PRIu64 ", and %" PRIu64
                   " ms ago there were %" PRIu64 " already",
                   id, reached(raft, id), raft->log.commit,
                   (raft->step->now_us - level->since_us) / MS_US, level->goal);
    else
        step_event(raft->step, event, id, JOB_NONE, "node %u has caught up: it has entry %" PRIu64,
                   id, reached(raft, id));
}

/* A node can be said to be behind only once in behind_us(), so the feed cannot be flooded. */
static void look_at(struct raft *raft, node_id_t id)
{
    const struct peer *peer = &raft->links->peers[id];
    struct level *level = &raft->replicas[id].level;
    if (!peer->alive) {
        *level = (struct level){0};
        return;
    }
    if (!level->since_us)
        *level = (struct level){.goal = raft->log.commit, .since_us = raft->step->now_us};
    if (reached(raft, id) >= level->goal || MUTANT(level_while_alive)) {
        bool was_behind = level->behind;
        *level = (struct level){.goal = raft->log.commit,
                                .since_us = raft->step->now_us,
                                .reached = true};
        if (was_behind)
            say_level(raft, id, "node_level");
    } else if (!level->behind && !is_within(level->since_us, behind_us(raft), raft->step->now_us)) {
        level->behind = true;
        say_level(raft, id, "node_behind");
    }
}

void health_pump(struct raft *raft)
{
    if (!election_leads(raft))
        return;
    watch_waiting(raft);
    watch_reads(raft);
}

void health_tick(struct raft *raft)
{
    if (!election_leads(raft))
        return;
    health_pump(raft);
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++)
        if (step_is_peer(raft->step, id))
            look_at(raft, id);
}

uint64_t health_deadline(const struct raft *raft)
{
    uint64_t at = UINT64_MAX;
    if (!election_leads(raft))
        return at;
    if (!MUTANT(leads_without_acks))
        at = earlier_us(disk_until_us(raft),
                        earlier_us(reads_until_us(raft), entries_until_us(raft)));
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++) {
        const struct level *level = &raft->replicas[id].level;
        if (step_is_peer(raft->step, id) && level->since_us && !level->behind)
            at = earlier_us(at, level->since_us + behind_us(raft));
    }
    return at;
}

/* --- what is said of it --- */

uint64_t health_behind_ms(const struct raft *raft, node_id_t id)
{
    const struct level *level = &raft->replicas[id].level;
    return level->behind ? (raft->step->now_us - level->since_us) / MS_US : 0;
}

uint64_t health_stalled_ms(const struct raft *raft, node_id_t id)
{
    const struct peer *peer = &raft->links->peers[id];
    uint64_t ms = raft->disk_busy_us / MS_US;
    if (id != raft->step->config.id)
        ms = peer->alive && peer->heartbeat ? peer->heartbeat->as.heartbeat.disk_ms : 0;
    return ms * MS_US >= stall_us(raft) ? ms : 0;
}

static bool is_alive(const struct raft *raft, node_id_t id)
{
    return id == raft->step->config.id || raft->links->peers[id].alive;
}

bool health_is_good(const struct raft *raft)
{
    bool good = raft_serves(raft);
    for (node_id_t id = 1; good && id <= raft->step->config.n_nodes; id++)
        good = is_alive(raft, id) && !health_behind_ms(raft, id) && !health_stalled_ms(raft, id) &&
               (id > raft->step->config.n_voters || members_counts(raft, id));
    return good;
}

uint32_t health_may_fail(const struct raft *raft)
{
    uint32_t good = 0;
    for (node_id_t id = 1; raft_serves(raft) && id <= raft->step->config.n_voters; id++) {
        const struct level *level = &raft->replicas[id].level;
        bool level_now = id == raft->step->config.id || (level->reached && !level->behind);
        good += is_alive(raft, id) && members_counts(raft, id) && level_now &&
                !health_stalled_ms(raft, id);
    }
    return quorum_spare(raft->step->config.n_voters, good);
}
