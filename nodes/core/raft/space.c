#include "nodes/core/raft/space.h"

#include <inttypes.h>

#include "nodes/core/raft/election.h"

bool space_peer_is_full(const struct raft *raft, node_id_t id)
{
    const struct peer *peer = &raft->links->peers[id];
    return peer->alive && peer->heartbeat && peer->heartbeat->as.heartbeat.full;
}

static bool is_full(const struct raft *raft, node_id_t id)
{
    return id == raft->step->config.id ? raft->full : space_peer_is_full(raft, id);
}

bool space_suffices(const struct raft *raft, struct text *reason)
{
    uint32_t n_full = 0, n_writing = 0, n_voters = raft->step->config.n_voters;
    for (node_id_t id = 1; id <= n_voters; id++) {
        bool full = is_full(raft, id),
             alive = id == raft->step->config.id || raft->links->peers[id].alive;
        n_full += full;
        n_writing += alive && !full;
    }
    /* Where no disk is full, a lack of living voters is the election's business. */
    if (!n_full || n_writing >= election_quorum(raft))
        return true;
    if (!reason)
        return false;
    text_add(reason, "disk full on node%s", n_full == 1 ? "" : "s");
    for (node_id_t id = 1, nth = 0; id <= n_voters; id++)
        if (is_full(raft, id))
            text_add(reason, "%s%u", nth++ ? ", " : " ", (unsigned)id);
    text_add(reason, ": %u of %u can write, %u needed", (unsigned)n_writing, (unsigned)n_voters,
             (unsigned)election_quorum(raft));
    return false;
}

void space_event(struct raft *raft, bool full)
{
    if (raft->full == full)
        return;
    raft->full = full;
    raft->step->news = true;
    if (full)
        step_event(raft->step, "disk_full", raft->step->config.id, JOB_NONE,
                   "the disk of node %u is full: it accepts nothing new", raft->step->config.id);
    else
        step_event(raft->step, "disk_free", raft->step->config.id, JOB_NONE,
                   "the disk of node %u has room again", raft->step->config.id);
    election_space(raft);
}
