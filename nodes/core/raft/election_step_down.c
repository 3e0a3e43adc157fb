/* When a coordinator must not go on: no majority follows it, nothing that it sends is acknowledged,
 * its disk is full, or it was stopped for too long. */
#include <inttypes.h>

#include "nodes/core/link/link.h"
#include "nodes/core/raft/election_internal.h"
#include "nodes/core/raft/health.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/space.h"
#include "shared/base/quorum.h"

/* Until when a voter follows us, as far as its heartbeats have told; 0: it does not count. */
static uint64_t follows_until_us(const struct raft *raft, node_id_t id)
{
    if (id == raft->step->config.id)
        return members_counts(raft, id) ? UINT64_MAX : 0;
    if (!members_may_count(raft, id))
        return 0;
    uint64_t last = raft->links->peers[id].follows_us;
    if (last < raft->election.began_us)
        last = raft->election.began_us;
    return last + raft->step->config.election_timeout_us;
}

uint64_t election_followed_until_us(const struct raft *raft)
{
    uint64_t until[NODES_MAX];
    uint32_t n = raft->step->config.n_voters;
    for (node_id_t id = 1; id <= n; id++)
        until[id - 1] = follows_until_us(raft, id);
    return quorum_reached(until, n);
}

void election_space(struct raft *raft)
{
    if (raft->election.role != ROLE_COORDINATOR || !raft->full || !space_suffices(raft, NULL))
        return;
    outbox_log(&raft->step->out, LOG_WARN, "steps down: its disk is full");
    election_become_follower(raft, NODE_NONE);
    election_rest(raft);
}

/* R35: heartbeats alone do not make a coordinator. Whoever led without any progress is not the one
 * to be elected next: its own disk or plane may be the reason. */
void election_make_way(struct raft *raft)
{
    const char *stall = election_leads(raft) ? health_stall(raft) : NULL;
    if (!stall)
        return;
    outbox_log(&raft->step->out, LOG_WARN, "steps down: %s for %u election timeouts", stall,
               (unsigned)STALL_TIMEOUTS);
    election_become_follower(raft, NODE_NONE);
    raft->election.rests_until_us =
        raft->step->now_us + STALL_REST_TIMEOUTS * raft->step->config.election_timeout_us;
    election_rest(raft);
}

/* Check-quorum: who cannot be followed by a majority must not go on accepting work. */
void election_check_quorum(struct raft *raft)
{
    if (raft->step->now_us < election_followed_until_us(raft))
        return;
    outbox_log(&raft->step->out, LOG_WARN, "steps down: no majority follows");
    election_become_follower(raft, NODE_NONE);
    election_rest(raft);
}

void election_late(struct raft *raft, uint64_t late_us)
{
    if (election_leads(raft) && late_us >= raft->step->config.election_timeout_us) {
        outbox_log(&raft->step->out, LOG_WARN, "was stopped for %" PRIu64 " ms: steps down",
                   late_us / MS_US);
        election_become_follower(raft, NODE_NONE);
    }
    election_rest(raft);
}
