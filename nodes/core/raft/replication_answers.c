/* What followers answer: how far their logs and ours are equal, and what to send them next. */
#include "nodes/core/raft/election.h"
#include "nodes/core/raft/health.h"
#include "nodes/core/raft/log.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/replication_internal.h"
#include "shared/base/mutant.h"

/* False when the answer is not to us as coordinator of this term. */
static bool is_current(struct raft *raft, node_id_t from, term_t term, uint64_t round)
{
    if (term > raft->step->term) {
        election_see_term(raft, from, term);
        return false;
    }
    if (!election_leads(raft) || term != raft->step->term)
        return false;
    if (round > raft->replication.round) {
        step_reject(raft->step, from, "it answers a request that was never sent");
        return false;
    }
    struct replica *replica = &raft->replicas[from];
    replica->answered = true;
    if (round > replica->answered_round)
        replica->answered_round = round;
    return true;
}

/* What the answer says about what to send next. */
static void follow_answer(struct raft *raft, struct replica *replica,
                          const struct wire_append_reply *reply)
{
    if (!reply->ok) {
        replica_refused(replica, reply->match);
        replication_doubt(raft, replica);
        return;
    }
    if (reply->wait) {
        replica->sent_us = raft->step->now_us; /* it has got it, and will answer again */
        return;
    }
    replica_answered(replica, raft->step->now_us);
    replica_agreed(replica);
}

/* What is committed anywhere is in the log of every later coordinator (Raft 5.4.3), so one that has
 * gone back to its checkpoint need not count again. It may not even be able to: who has applied an
 * entry, and has a checkpoint of that on disk, keeps the values no more that a slower follower
 * needs before it acknowledges. */
static bool learn_commit(struct raft *raft, node_id_t from, log_index_t commit)
{
    term_t term;
    if (commit <= raft->log.commit)
        return true;
    /* What is of our own term, nobody but we can have committed. */
    if (raft_log_term(raft, commit, &term) && term == raft->step->term && !MUTANT(commit_of_one)) {
        step_reject(raft->step, from, "it says that more is committed than we have committed");
        return false;
    }
    raft_log_commit(raft, commit);
    return true;
}

void replication_append_reply(struct raft *raft, node_id_t from,
                              const struct wire_append_reply *reply)
{
    struct replica *replica = &raft->replicas[from];
    if (!is_current(raft, from, reply->term, reply->round))
        return;
    members_claims(raft, from, reply->voter);
    if ((reply->match > raft->log.last && reply->ok) || reply->commit > raft->log.last) {
        step_reject(raft->step, from, "it acknowledges more entries than there are");
        return;
    }
    if (!learn_commit(raft, from, reply->commit))
        return;
    /* Values that an older checkpoint refers to may be gone by now, too. */
    bool anew = replica->checkpoint && replica->checkpoint->index < raft->log.applied;
    if (reply->install && (replica->state != REPLICA_INSTALL || anew)) {
        replica->useless = anew ? replica->checkpoint->index : replica->useless;
        replication_begin_install(raft, from);
    }
    if (replica->state == REPLICA_INSTALL)
        return;
    if (reply->ok && replica_matched(replica, reply->match))
        health_moved(raft, from);
    if (replica->state != REPLICA_PROBE || reply->round >= replica->probe_round)
        follow_answer(raft, replica, reply);
    replication_advance(raft);
}

void replication_install_reply(struct raft *raft, node_id_t from,
                               const struct wire_install_reply *reply)
{
    struct replica *replica = &raft->replicas[from];
    if (!is_current(raft, from, reply->term, reply->round) || !replica->checkpoint ||
        reply->index != replica->checkpoint->index)
        return;
    members_claims(raft, from, reply->voter);
    if (reply->next > replica->checkpoint->n) {
        step_reject(raft->step, from, "it acknowledges more parts than there are");
        return;
    }
    replica_answered(replica, raft->step->now_us);
    if (reply->next > replica->acked_parts)
        health_moved(raft, from);
    replica->acked_parts = reply->next;
    if (reply->next < replica->checkpoint->n) {
        /* With the last part it waits until it has fetched all values. */
        if (!replica->in_flight && reply->next + 1 < replica->checkpoint->n)
            replica->sent_parts = reply->next;
        return;
    }
    replica_installed(replica, reply->index);
    replication_advance(raft);
}
