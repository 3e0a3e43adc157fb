/* What a majority has acknowledged: commits, and reads confirmed. */
#include "nodes/core/raft/replication.h"

#include <inttypes.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/log.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/replication_internal.h"
#include "nodes/core/raft/runs.h"
#include "shared/base/mutant.h"
#include "shared/base/quorum.h"

/* --- followers --- */

void replication_probe(struct raft *raft, node_id_t peer)
{
    replica_reconnected(&raft->replicas[peer]);
}

void replication_followed(struct raft *raft, node_id_t peer)
{
    const struct replica *replica = &raft->replicas[peer];
    if (election_leads(raft) && raft->links->peers[peer].begins && replica->sent_us &&
        !replica->answered)
        replication_probe(raft, peer);
}

void replication_forget(struct raft *raft, node_id_t peer)
{
    replica_forget(&raft->replicas[peer], raft->log.last);
}

void replication_start(struct raft *raft)
{
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++)
        replication_forget(raft, id);
    runs_forget(raft);
    raft->replication = (struct replication){0};
}

void replication_stop(struct raft *raft)
{
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++)
        replica_drop_checkpoint(&raft->replicas[id]);
    runs_forget(raft);
}

/* A probe needs a round of its own. */
void replication_doubt(struct raft *raft, struct replica *replica)
{
    if (replica_doubt(replica, raft->replication.round + 1))
        raft->replication.round++;
}

/* --- counting --- */

/* The greatest number that a majority of the voters has reached, of what `read` tells of each. */
static uint64_t majority(const struct raft *raft, uint64_t own,
                         uint64_t (*read)(const struct replica *replica))
{
    uint64_t reached[NODES_MAX];
    uint32_t n = raft->step->config.n_voters;
    for (node_id_t id = 1; id <= n; id++) {
        uint64_t value = id == raft->step->config.id ? own : read(&raft->replicas[id]);
        /* One whose disk is not admitted holds what it holds, but does not count (R31). */
        reached[id - 1] = members_counts(raft, id) ? value : 0;
    }
    return quorum_reached(reached, n);
}

static uint64_t read_match(const struct replica *replica)
{
    return replica->match;
}

static uint64_t read_round(const struct replica *replica)
{
    return replica->answered_round;
}

void replication_advance(struct raft *raft)
{
    term_t term;
    if (!election_leads(raft))
        return;
    log_index_t index = majority(raft, raft->log.durable, read_match);
    /* Raft 5.4.2, figure 8: only an entry of our own term commits by counting; older ones beneath
     * it. */
    if (index <= raft->log.commit || !raft_log_term(raft, index, &term))
        return;
    if (term == raft->step->term || MUTANT(old_term_counted)) {
        raft_log_commit(raft, index);
    } else if (index > raft->replication.reported) {
        raft->replication.reported = index;
        outbox_log(&raft->step->out, LOG_DEBUG,
                   "entry %" PRIu64 " is on a majority, but of term %" PRIu64 ", not %" PRIu64
                   ": does not commit by counting",
                   index, term, raft->step->term);
    }
}

uint64_t replication_confirm(struct raft *raft)
{
    raft->replication.round_wanted = true;
    return raft->replication.round + !MUTANT(old_ack_confirms);
}

uint64_t replication_confirmed(const struct raft *raft)
{
    return majority(raft, raft->replication.round, read_round);
}

/* --- the room --- */

void replication_clear(struct raft *raft)
{
    replication_stop(raft);
}

void replication_check_invariants(const struct raft *raft)
{
    for (node_id_t id = 1; election_leads(raft) && id <= raft->step->config.n_nodes; id++)
        if (step_is_peer(raft->step, id))
            replica_check_invariants(&raft->replicas[id], raft->log.last);
}
