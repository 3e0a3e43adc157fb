/* Timers and candidacy: when a voter asks for votes, and when it waits. */
#include "nodes/core/raft/election.h"

#include <inttypes.h>

#include "nodes/core/raft/election_internal.h"
#include "nodes/core/raft/health.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/space.h"

/* Pre-votes in a row after a disconnect: others may learn of it a little later. */
#define QUICK_RETRIES 10

/* --- timers --- */

void election_rest(struct raft *raft)
{
    uint64_t timeout_us = raft->step->config.election_timeout_us;
    raft->election.timeout_us =
        raft->step->now_us + timeout_us + step_random(raft->step, timeout_us);
}

void election_hurry(struct raft *raft, uint64_t after_us)
{
    raft->election.timeout_us = raft->step->now_us + after_us;
}

/* After a disconnect all ask at nearly the same time, and votes may split: no full timeout then. */
void election_wait_for_winner(struct raft *raft)
{
    struct election *election = &raft->election;
    election_rest(raft);
    if (election->retries)
        election->timeout_us =
            raft->step->now_us + ELECTION_SPLIT_US + step_random(raft->step, ELECTION_SPLIT_US);
}

/* --- candidacy --- */

void election_become_candidate(struct raft *raft, term_t term)
{
    struct election *election = &raft->election;
    if (term > TERM_MAX)
        return; /* not reached in a million years */
    election->role = ROLE_CANDIDATE;
    election->began_us = election->entered_us = raft->step->now_us;
    election->leader = NODE_NONE;
    raft->step->term = term;
    election->vote = raft->step->config.id;
    election_write(raft);
    outbox_log(&raft->step->out, LOG_INFO, "is a candidate in term %" PRIu64, raft->step->term);
    election_wait_for_winner(raft);
    election_ask_for_votes(raft, false, term);
    if (election_count_votes(raft) >= election_quorum(raft))
        election_become_coordinator(raft);
}

static void begin_pre_vote(struct raft *raft)
{
    struct election *election = &raft->election;
    bool failed = election->role != ROLE_FOLLOWER;
    if (failed && !election->retries)
        election_climb(raft);
    election->role = ROLE_PRE_CANDIDATE;
    election->began_us = raft->step->now_us;
    raft->step->coordinator = NODE_NONE;
    election_rest(raft);
    if (election->retries) {
        election->retries--;
        election->timeout_us =
            raft->step->now_us + ELECTION_RANK_DELAY_US + step_random(raft->step, 4 * MS_US);
    }
    outbox_log(&raft->step->out, LOG_DEBUG,
               "hears no coordinator: asks for pre-votes for term %" PRIu64, raft->step->term + 1);
    election_ask_for_votes(raft, true, raft->step->term + 1);
    if (election_count_votes(raft) >= election_quorum(raft))
        election_become_candidate(raft, raft->step->term + 1);
}

/* Voters start in turn, not all at once: the lowest living id first. */
static unsigned rank_of(const struct raft *raft)
{
    unsigned rank = 0;
    for (node_id_t id = 1; id < raft->step->config.id && rank < ELECTION_RANK_MAX; id++)
        rank += members_is_voter(raft, id) && raft->links->peers[id].alive;
    return rank;
}

void election_peer_lost(struct raft *raft, node_id_t peer)
{
    struct election *election = &raft->election;
    if (election->role != ROLE_FOLLOWER || raft->step->coordinator != peer || election->lost)
        return;
    election->lost = true;
    outbox_log(&raft->step->out, LOG_INFO, "lost the connection of the coordinator, node %u", peer);
    if (!members_is_voter(raft, raft->step->config.id))
        return;
    election->retries = QUICK_RETRIES;
    election->timeout_us = raft->step->now_us + rank_of(raft) * ELECTION_RANK_DELAY_US +
                           step_random(raft->step, 2 * MS_US);
}

/* --- time --- */

void election_tick(struct raft *raft)
{
    struct election *election = &raft->election;
    election_space(raft);
    election_make_way(raft);
    if (election->role == ROLE_COORDINATOR) {
        election_check_quorum(raft);
        if (election->role == ROLE_COORDINATOR)
            election_recall(raft);
        return;
    }
    if (raft->step->now_us < election->timeout_us)
        return;
    bool makes_way = health_rests(raft) || (raft->full && space_suffices(raft, NULL));
    if (members_counts(raft, raft->step->config.id) && !makes_way) {
        begin_pre_vote(raft);
        return;
    }
    election_climb(raft);
    election_rest(raft);
}

uint64_t election_deadline(const struct raft *raft)
{
    if (election_leads(raft))
        return election_followed_until_us(raft);
    bool may_climb = members_is_voter(raft, raft->step->config.id) || step_is_founded(raft->step);
    return may_climb ? raft->election.timeout_us : UINT64_MAX;
}
