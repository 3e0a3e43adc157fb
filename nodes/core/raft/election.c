#include "nodes/core/raft/election.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "nodes/core/raft/follower.h"
#include "nodes/core/raft/health.h"
#include "nodes/core/raft/log.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/link/link.h"
#include "nodes/core/raft/replication.h"
#include "nodes/core/raft/space.h"
#include "shared/base/mutant.h"
#include "shared/base/quorum.h"
#include "shared/base/text.h"

/* Pre-votes in a row after a disconnect: others may learn of it a little later. */
#define QUICK_RETRIES 10

bool election_leads(const struct raft *raft)
{
    return raft->election.role == ROLE_COORDINATOR;
}

uint32_t election_quorum(const struct raft *raft)
{
    return quorum_of(raft->step->config.n_voters);
}

static bool is_voter(const struct raft *raft, node_id_t id)
{
    return id >= 1 && id <= raft->step->config.n_voters;
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

static void reset_timeout(struct raft *raft)
{
    uint64_t timeout_us = raft->step->config.election_timeout_us;
    raft->election.timeout_us =
        raft->step->now_us + timeout_us + step_random(raft->step, timeout_us);
}

void election_rest(struct raft *raft)
{
    reset_timeout(raft);
}

void election_hurry(struct raft *raft, uint64_t after_us)
{
    raft->election.timeout_us = raft->step->now_us + after_us;
}

void election_init(struct raft *raft, const struct node_durable *durable)
{
    raft->step->term = durable->term;
    raft->election.vote = durable->vote;
    raft->election.voter = durable->voter;
    raft->election.began_us = raft->step->now_us;
    reset_timeout(raft);
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

static void become_follower(struct raft *raft, node_id_t coordinator)
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
static void enter_term(struct raft *raft, term_t term)
{
    assert(term > raft->step->term);
    unsigned retries = raft->election.retries;
    become_follower(raft, NODE_NONE);
    raft->election.retries = retries; /* the coordinator is as dead in the new term */
    raft->step->term = term;
    raft->election.vote = NODE_NONE;
    election_write(raft);
}

/* True when a term that somebody names may be entered: not out of range. */
static bool is_plausible(struct raft *raft, node_id_t from, term_t term)
{
    if (term <= raft->step->term + TERM_JUMP_MAX && term <= TERM_MAX)
        return true;
    step_reject(raft->step, from, "it names a term that is out of range");
    return false;
}

static void become_coordinator(struct raft *raft)
{
    struct election *election = &raft->election;
    election->role = ROLE_COORDINATOR;
    raft->step->coordinator = raft->step->config.id;
    election->serving = false;
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

/* --- asking for votes --- */

static unsigned count_votes(const struct raft *raft)
{
    unsigned votes = 0;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++)
        votes += raft->election.voted_for_us[id] && members_is_named(raft, id);
    return votes;
}

static void ask_for_votes(struct raft *raft, bool pre)
{
    struct election *election = &raft->election;
    memset(election->voted_for_us, 0, sizeof election->voted_for_us);
    election->voted_for_us[raft->step->config.id] = true;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++) {
        if (!step_is_peer(raft->step, id))
            continue;
        struct message *message = message_new(MESSAGE_VOTE_REQUEST);
        message->as.vote_request = (struct wire_vote_request){
            .pre = pre,
            .term = raft->step->term + pre,
            .last_index = raft->log.last,
            .last_term = raft_log_last_term(raft),
            .cluster_id = message_copy(message, step_cluster_id(raft->step)),
        };
        /* What it claims of our log must be durable, too. */
        peers_send_control(raft->links, id, message);
    }
}

/* After a disconnect all ask at nearly the same time, and votes may split: no full timeout then. */
static void wait_for_winner(struct raft *raft)
{
    struct election *election = &raft->election;
    reset_timeout(raft);
    if (election->retries)
        election->timeout_us =
            raft->step->now_us + ELECTION_SPLIT_US + step_random(raft->step, ELECTION_SPLIT_US);
}

static void become_candidate(struct raft *raft)
{
    struct election *election = &raft->election;
    if (raft->step->term >= TERM_MAX)
        return; /* a job id could not hold it; 16 million elections are not reached in practice */
    election->role = ROLE_CANDIDATE;
    election->began_us = raft->step->now_us;
    raft->step->term++;
    election->vote = raft->step->config.id;
    election_write(raft);
    outbox_log(&raft->step->out, LOG_INFO, "is a candidate in term %" PRIu64, raft->step->term);
    wait_for_winner(raft);
    ask_for_votes(raft, false);
    if (count_votes(raft) >= election_quorum(raft))
        become_coordinator(raft);
}

static void begin_pre_vote(struct raft *raft)
{
    struct election *election = &raft->election;
    election->role = ROLE_PRE_CANDIDATE;
    election->began_us = raft->step->now_us;
    raft->step->coordinator = NODE_NONE;
    reset_timeout(raft);
    if (election->retries) {
        election->retries--;
        election->timeout_us =
            raft->step->now_us + ELECTION_RANK_DELAY_US + step_random(raft->step, 4 * MS_US);
    }
    outbox_log(&raft->step->out, LOG_DEBUG,
               "hears no coordinator: asks for pre-votes for term %" PRIu64, raft->step->term + 1);
    ask_for_votes(raft, true);
    if (count_votes(raft) >= election_quorum(raft))
        become_candidate(raft);
}

void election_vote_reply(struct raft *raft, node_id_t from, const struct wire_vote_reply *reply)
{
    struct election *election = &raft->election;
    if (!is_voter(raft, from))
        return;
    if (!members_accepts(raft, from, reply->cluster_id))
        return;
    if (!reply->granted) {
        election_see_term(raft, from, reply->term);
        return;
    }
    bool expected =
        reply->pre ? election->role == ROLE_PRE_CANDIDATE && reply->term == raft->step->term + 1
                   : election->role == ROLE_CANDIDATE && reply->term == raft->step->term;
    if (!expected) {
        outbox_log(&raft->step->out, LOG_DEBUG,
                   "%s of %u for term %" PRIu64 " comes late: does not count",
                   reply->pre ? "pre-vote" : "vote", from, reply->term);
        return;
    }
    if (!reply->voter && !MUTANT(empty_disk_votes))
        return;
    while (MUTANT(votes_per_message) && election->voted_for_us[from] &&
           from < raft->step->config.n_voters)
        from++;
    election->voted_for_us[from] = true;
    outbox_log(&raft->step->out, LOG_DEBUG, "%s of %u counts: has %u of %u",
               reply->pre ? "pre-vote" : "vote", from, count_votes(raft), election_quorum(raft));
    if (count_votes(raft) < election_quorum(raft))
        return;
    if (reply->pre)
        become_candidate(raft);
    else
        become_coordinator(raft);
}

/* --- giving votes --- */

/* The candidate's log beside ours (Raft 5.4.1): negative when it is less complete. */
static int compare_logs(const struct raft *raft, const struct wire_vote_request *request)
{
    term_t term = raft_log_last_term(raft);
    log_index_t last = raft->log.last;
    if (request->last_term != term)
        return request->last_term > term ? 1 : -1;
    return request->last_index == last ? 0 : request->last_index > last ? 1 : -1;
}

/* Stickiness: who heard from a live coordinator within the minimum timeout helps nobody to replace
 * it. */
static bool has_coordinator(const struct raft *raft)
{
    const struct election *election = &raft->election;
    if (election->role == ROLE_COORDINATOR)
        return true;
    return election->role == ROLE_FOLLOWER && raft->step->coordinator && !election->lost &&
           raft->step->now_us < election->contact_us + raft->step->config.election_timeout_us;
}

/* Why a request is refused before terms and logs are compared; NULL: it is not. */
static const char *refuses(const struct raft *raft, const struct wire_vote_request *request)
{
    if (raft->election.role == ROLE_COORDINATOR)
        return "we coordinate";
    if (has_coordinator(raft))
        return "the coordinator lives";
    if (request->term < raft->step->term)
        return "an old term";
    /* A disk that is new, or was wiped, may have promised what it no longer knows (R22, R31). */
    return members_counts(raft, raft->step->config.id) ? NULL : "our disk is not admitted";
}

/* A pre-vote asks whether the vote would be given, and changes nothing. */
static const char *refuses_vote(const struct raft *raft, node_id_t from,
                                const struct wire_vote_request *request)
{
    const struct election *election = &raft->election;
    if (compare_logs(raft, request) < 0 && !MUTANT(vote_without_log))
        return "log less complete";
    if (request->pre)
        return request->term > raft->step->term ? NULL : "no higher term";
    if (election->vote != NODE_NONE && election->vote != from && !MUTANT(vote_twice))
        return "our vote is another's";
    return election->role == ROLE_FOLLOWER ? NULL : "we are a candidate";
}

static void reply_vote(struct raft *raft, node_id_t to, const struct wire_vote_request *request,
                       term_t ours, const char *refused)
{
    struct message *message = message_new(MESSAGE_VOTE_REPLY);
    bool echo = !refused && request->pre;
    message->as.vote_reply =
        (struct wire_vote_reply){.pre = request->pre,
                                 .term = echo ? request->term : raft->step->term,
                                 .granted = !refused,
                                 .voter = members_counts(raft, raft->step->config.id),
                                 .cluster_id = message_copy(message, step_cluster_id(raft->step))};
    int sign = request->term < ours ? '<' : request->term > ours ? '>' : '=';
    const char *log = compare_logs(raft, request) ? "log more complete" : "log equal";
    outbox_log(&raft->step->out, LOG_DEBUG,
               "%s request from %u: term %" PRIu64 " %c %" PRIu64 ", %s -> %s",
               request->pre ? "pre-vote" : "vote", to, request->term, sign, ours,
               refused ? refused : log, refused ? "refuse" : "grant");
    peers_send_control(raft->links, to, message);
}

void election_vote_request(struct raft *raft, node_id_t from,
                           const struct wire_vote_request *request)
{
    struct election *election = &raft->election;
    if (!is_voter(raft, from) || !is_voter(raft, raft->step->config.id) ||
        !is_plausible(raft, from, request->term))
        return;
    if (!members_accepts(raft, from, request->cluster_id))
        return;
    term_t ours = raft->step->term;
    const char *refused = refuses(raft, request);
    bool raises = !request->pre || MUTANT(pre_vote_raises_term);
    if (!refused && raises && request->term > ours)
        enter_term(raft, request->term);
    if (!refused)
        refused = refuses_vote(raft, from, request);
    if (!refused && !request->pre) {
        if (election->vote == NODE_NONE) {
            election->vote = from;
            election_write(raft);
        }
        wait_for_winner(raft);
    }
    reply_vote(raft, from, request, ours, refused);
}

void election_admitted(struct raft *raft)
{
    raft->election.voter = true;
    /* Whom the disk before it voted for in this term is forgotten: it can only be for the one who
     * was elected. */
    if (raft->election.vote == NODE_NONE && raft->step->coordinator != raft->step->config.id)
        raft->election.vote = raft->step->coordinator;
    election_write(raft);
    raft->step->news = true;
    outbox_log(&raft->step->out, LOG_INFO, "is admitted as a voter");
}

/* --- the coordinator's life --- */

void election_see_term(struct raft *raft, node_id_t from, term_t term)
{
    if (step_is_founded(raft->step) && term > raft->step->term && is_plausible(raft, from, term))
        enter_term(raft, term);
}

bool election_accept_coordinator(struct raft *raft, node_id_t from, term_t term)
{
    struct election *election = &raft->election;
    if (!step_is_founded(raft->step) || term < raft->step->term || !is_plausible(raft, from, term))
        return false;
    if (term > raft->step->term)
        enter_term(raft, term);
    if (election->role == ROLE_COORDINATOR) {
        step_reject(raft->step, from, "it claims to coordinate our own term");
        return false;
    }
    if (raft->step->coordinator != from || election->role != ROLE_FOLLOWER)
        become_follower(raft, from);
    raft_report(raft, RAFT_FOLLOWS, term);
    election->lost = false;
    election->retries = 0;
    election->contact_us = raft->step->now_us;
    reset_timeout(raft);
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

/* Voters start in turn, not all at once: the lowest living id first. */
static unsigned rank_of(const struct raft *raft)
{
    unsigned rank = 0;
    for (node_id_t id = 1; id < raft->step->config.id && rank < ELECTION_RANK_MAX; id++)
        rank += is_voter(raft, id) && raft->links->peers[id].alive;
    return rank;
}

void election_peer_lost(struct raft *raft, node_id_t peer)
{
    struct election *election = &raft->election;
    if (election->role != ROLE_FOLLOWER || raft->step->coordinator != peer || election->lost)
        return;
    election->lost = true;
    outbox_log(&raft->step->out, LOG_INFO, "lost the connection of the coordinator, node %u", peer);
    if (!is_voter(raft, raft->step->config.id))
        return;
    election->retries = QUICK_RETRIES;
    election->timeout_us = raft->step->now_us + rank_of(raft) * ELECTION_RANK_DELAY_US +
                           step_random(raft->step, 2 * MS_US);
}

static unsigned count_followers(const struct raft *raft)
{
    const struct election *election = &raft->election;
    unsigned followers = members_counts(raft, raft->step->config.id);
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++) {
        if (!step_is_peer(raft->step, id) || !members_may_count(raft, id))
            continue;
        uint64_t last = raft->links->peers[id].follows_us;
        if (last < election->began_us)
            last = election->began_us;
        followers += raft->step->now_us < last + raft->step->config.election_timeout_us;
    }
    return followers;
}

void election_space(struct raft *raft)
{
    if (raft->election.role != ROLE_COORDINATOR || !raft->full || !space_suffices(raft, NULL))
        return;
    outbox_log(&raft->step->out, LOG_WARN, "steps down: its disk is full");
    become_follower(raft, NODE_NONE);
    reset_timeout(raft);
}

/* R35: heartbeats alone do not make a coordinator. Whoever led without any progress is not the one
 * to be elected next: its own disk or plane may be the reason. */
static void make_way(struct raft *raft)
{
    const char *stall = election_leads(raft) ? health_stall(raft) : NULL;
    if (!stall)
        return;
    outbox_log(&raft->step->out, LOG_WARN, "steps down: %s for %u election timeouts", stall,
               (unsigned)STALL_TIMEOUTS);
    become_follower(raft, NODE_NONE);
    raft->election.rests_until_us =
        raft->step->now_us + STALL_REST_TIMEOUTS * raft->step->config.election_timeout_us;
    reset_timeout(raft);
}

void election_tick(struct raft *raft)
{
    struct election *election = &raft->election;
    election_space(raft);
    make_way(raft);
    if (election->role == ROLE_COORDINATOR) {
        /* Check-quorum: who cannot be followed by a majority must not go on accepting work. */
        if (count_followers(raft) < election_quorum(raft)) {
            outbox_log(&raft->step->out, LOG_WARN, "steps down: no majority follows");
            become_follower(raft, NODE_NONE);
            reset_timeout(raft);
        }
        return;
    }
    if (raft->step->now_us < election->timeout_us || !is_voter(raft, raft->step->config.id))
        return;
    bool makes_way = health_rests(raft) || (raft->full && space_suffices(raft, NULL));
    if (members_counts(raft, raft->step->config.id) && !makes_way)
        begin_pre_vote(raft);
    else
        reset_timeout(raft);
}

uint64_t election_deadline(const struct raft *raft)
{
    bool waits = raft->election.role != ROLE_COORDINATOR && is_voter(raft, raft->step->config.id);
    return waits ? raft->election.timeout_us : UINT64_MAX;
}

void election_late(struct raft *raft, uint64_t late_us)
{
    if (election_leads(raft) && late_us >= raft->step->config.election_timeout_us) {
        outbox_log(&raft->step->out, LOG_WARN, "was stopped for %" PRIu64 " ms: steps down",
                   late_us / MS_US);
        become_follower(raft, NODE_NONE);
    }
    reset_timeout(raft);
}

void election_check_invariants(const struct raft *raft)
{
    const struct election *election = &raft->election;
    bool leads = election->role == ROLE_COORDINATOR;
    assert(!leads || (raft->step->coordinator == raft->step->config.id &&
                      election->vote == raft->step->config.id));
    assert(leads || !election->serving);
    assert(leads || raft->step->coordinator != raft->step->config.id);
    assert(election->role == ROLE_FOLLOWER || is_voter(raft, raft->step->config.id));
}
