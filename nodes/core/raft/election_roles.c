/* Terms and roles: who coordinates, and what a change of that changes here. */
#include <assert.h>
#include <inttypes.h>

#include "nodes/core/link/link.h"
#include "nodes/core/raft/election_internal.h"
#include "nodes/core/raft/follower.h"
#include "nodes/core/raft/log.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/replication.h"
#include "shared/base/mutant.h"
#include "shared/base/quorum.h"

bool election_leads(const struct raft *raft)
{
    return raft->election.role == ROLE_COORDINATOR;
}

uint32_t election_quorum(const struct raft *raft)
{
    return quorum_of(raft->step->config.n_voters);
}

const char *election_role_name(const struct raft *raft)
{
    switch (raft->election.role) {
    case ROLE_COORDINATOR:
        return "coordinator";
    case ROLE_PRE_CANDIDATE:
    case ROLE_CANDIDATE:
        return "candidate";
    case ROLE_FOLLOWER:
        break;
    }
    return "worker";
}

void election_init(struct raft *raft, const struct node_durable *durable)
{
    raft->step->term = durable->term;
    raft->election.vote = durable->vote;
    raft->election.voter = durable->voter;
    raft->election.began_us = raft->election.entered_us = raft->step->now_us;
    election_rest(raft);
}

void election_write(struct raft *raft)
{
    const struct election *election = &raft->election;
    outbox_write_vote(&raft->step->out, &(struct node_durable){.term = raft->step->term,
                                                               .vote = election->vote,
                                                               .voter = election->voter,
                                                               .birth = raft->step->birth,
                                                               .identity = raft->step->identity});
}

/* --- changing role --- */

static void leave_role(struct raft *raft)
{
    if (raft->election.role != ROLE_COORDINATOR)
        return;
    raft->election.role = ROLE_FOLLOWER;
    raft->election.serving = false;
    step_event(raft->step, "stepped_down", raft->step->config.id, JOB_NONE,
               "node %u is no longer coordinator (term %" PRIu64 ")", raft->step->config.id,
               raft->step->term);
    raft_report(raft, RAFT_ENDED, raft->step->term);
    replication_stop(raft);
}

void election_become_follower(struct raft *raft, node_id_t coordinator)
{
    struct election *election = &raft->election;
    leave_role(raft);
    election->role = ROLE_FOLLOWER;
    election->lost = false;
    election->retries = 0;
    if (coordinator != raft->step->coordinator)
        follower_begin(raft);
    if (coordinator && coordinator != raft->step->coordinator)
        outbox_log(&raft->step->out, LOG_INFO, "follows node %u in term %" PRIu64, coordinator,
                   raft->step->term);
    raft->step->coordinator = coordinator;
    election->began_us = raft->step->now_us;
    raft->step->news = true;
}

/* Enters a higher term, with no vote in it yet. */
void election_enter_term(struct raft *raft, term_t term)
{
    assert(term > raft->step->term);
    unsigned retries = raft->election.retries;
    election_become_follower(raft, NODE_NONE);
    raft->election.retries = retries; /* the coordinator is as dead in the new term */
    raft->step->term = term;
    raft->election.vote = raft->election.leader = NODE_NONE;
    raft->election.entered_us = raft->step->now_us;
    election_write(raft);
}

void election_become_coordinator(struct raft *raft)
{
    struct election *election = &raft->election;
    election->role = ROLE_COORDINATOR;
    raft->step->coordinator = election->leader = raft->step->config.id;
    election->serving = false;
    election->ahead_us = election->recall_term = 0;
    election->began_us = raft->step->now_us;
    raft->step->news = true;
    raft_report(raft, RAFT_FOLLOWS, raft->step->term);
    follower_begin(raft);
    replication_start(raft);
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++) {
        raft->links->peers[id].follows_us = 0;
        members_claims(raft, id, election->voted_for_us[id]); /* until it answers */
    }
    if (MUTANT(no_noop)) {
        election_serve(raft);
        return;
    }
    struct message *entry = message_new(MESSAGE_ENTRY_NOOP);
    entry->as.entry_noop.node = raft->step->config.id;
    raft_log_propose(raft, entry);
}

void election_serve(struct raft *raft)
{
    if (!election_leads(raft) || raft->election.serving)
        return;
    raft->election.serving = true;
    raft->step->news = true;
    step_event(raft->step, "elected", raft->step->config.id, JOB_NONE,
               "node %u is coordinator of term %" PRIu64, raft->step->config.id, raft->step->term);
    raft_report(raft, RAFT_SERVES, raft->step->term);
}

/* --- the coordinator's life --- */

bool election_accept_coordinator(struct raft *raft, node_id_t from, term_t term)
{
    struct election *election = &raft->election;
    election_see_term(raft, from, term);
    if (!step_is_founded(raft->step) || term != raft->step->term)
        return false;
    if (election->role == ROLE_COORDINATOR) {
        step_reject(raft->step, from, "it claims to coordinate our own term");
        return false;
    }
    if (!election_may_lead(raft, from)) {
        if (election->leader)
            step_reject(raft->step, from, "it claims a term that another node coordinates");
        return false;
    }
    election->leader = from;
    if (raft->step->coordinator != from || election->role != ROLE_FOLLOWER)
        election_become_follower(raft, from);
    raft_report(raft, RAFT_FOLLOWS, term);
    election->lost = false;
    election->retries = 0;
    election->contact_us = raft->step->now_us;
    election_rest(raft);
    return true;
}

void election_heartbeat(struct raft *raft, node_id_t from, const struct wire_heartbeat *heartbeat)
{
    const struct peer *peer = &raft->links->peers[from];
    if (peer->incarnation != heartbeat->incarnation || raft->step->now_us < peer->distrust_until_us)
        return;
    if (slice_equals(heartbeat->role, "coordinator"))
        election_accept_coordinator(raft, from, heartbeat->term);
    else
        election_see_term(raft, from, heartbeat->term);
}

void election_check_invariants(const struct raft *raft)
{
    const struct election *election = &raft->election;
    bool leads = election->role == ROLE_COORDINATOR;
    assert(!leads || (raft->step->coordinator == raft->step->config.id &&
                      election->vote == raft->step->config.id));
    assert(leads || !election->serving);
    assert(leads || raft->step->coordinator != raft->step->config.id);
    assert(election->role == ROLE_FOLLOWER || members_is_voter(raft, raft->step->config.id));
}
