#include "nodes/core/raft/election.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "nodes/core/raft/follower.h"
#include "nodes/core/raft/health.h"
#include "nodes/core/raft/journal.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/link/peers.h"
#include "nodes/core/raft/replication.h"
#include "nodes/core/service/requests.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/raft/space.h"
#include "nodes/core/worker/worker.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define QUICK_RETRIES \
    10 /* pre-votes in a row after a disconnect: others may learn of it a little later */

uint32_t election_quorum(const struct node *node)
{
    return node->step.config.n_voters / 2 + 1;
}

static bool is_voter(const struct node *node, node_id_t id)
{
    return id >= 1 && id <= node->step.config.n_voters;
}

const char *election_role_name(const struct node *node)
{
    switch (node->election.role) {
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

static void reset_timeout(struct node *node)
{
    uint64_t timeout_us = node->step.config.election_timeout_us;
    node->election.timeout_us =
        node->step.now_us + timeout_us + step_random(&node->step, timeout_us);
}

void election_rest(struct node *node)
{
    reset_timeout(node);
}

void election_hurry(struct node *node, uint64_t after_us)
{
    node->election.timeout_us = node->step.now_us + after_us;
}

void election_init(struct node *node, const struct node_durable *durable)
{
    node->step.term = durable->term;
    node->election.vote = durable->vote;
    node->election.voter = durable->voter;
    node->election.began_us = node->step.now_us;
    reset_timeout(node);
}

void election_write(struct node *node)
{
    const struct election *election = &node->election;
    outbox_write_vote(&node->step.out, &(struct node_durable){.term = node->step.term,
                                                              .vote = election->vote,
                                                              .voter = election->voter,
                                                              .birth = node->step.birth,
                                                              .identity = node->step.identity});
}

/* --- changing role --- */

static void leave_role(struct node *node)
{
    if (node->election.role != ROLE_COORDINATOR)
        return;
    node->election.role = ROLE_FOLLOWER;
    node->election.serving = false;
    step_event(&node->step, "stepped_down", node->step.config.id, JOB_NONE,
               "node %u coordinates no more (term %" PRIu64 ")", node->step.config.id,
               node->step.term);
    requests_step_down(node);
    schedule_stop(node);
    replication_stop(node);
}

static void become_follower(struct node *node, node_id_t coordinator)
{
    struct election *election = &node->election;
    leave_role(node);
    election->role = ROLE_FOLLOWER;
    election->lost = false;
    election->retries = 0;
    if (coordinator != node->step.coordinator)
        follower_begin(node);
    if (coordinator && coordinator != node->step.coordinator)
        outbox_log(&node->step.out, LOG_INFO, "follows node %u in term %" PRIu64, coordinator,
                   node->step.term);
    node->step.coordinator = coordinator;
    election->began_us = node->step.now_us;
    node->step.news = true;
}

/* Enters a higher term, with no vote in it yet. */
static void enter_term(struct node *node, term_t term)
{
    assert(term > node->step.term);
    unsigned retries = node->election.retries;
    become_follower(node, NODE_NONE);
    node->election.retries = retries; /* the coordinator is as dead in the new term */
    node->step.term = term;
    node->election.vote = NODE_NONE;
    election_write(node);
}

/* True when a term that somebody names may be entered: not absurdly far ahead. */
static bool is_plausible(struct node *node, node_id_t from, term_t term)
{
    if (term <= node->step.term + TERM_JUMP_MAX && term <= TERM_MAX)
        return true;
    step_reject(&node->step, from, "it names an absurd term");
    return false;
}

static void become_coordinator(struct node *node)
{
    struct election *election = &node->election;
    election->role = ROLE_COORDINATOR;
    node->step.coordinator = node->step.config.id;
    election->serving = false;
    election->began_us = node->step.now_us;
    node->step.news = true;
    worker_reset(node, node->step.term);
    follower_begin(node);
    replication_start(node);
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++) {
        node->links.peers[id].follows_us = 0;
        members_claims(node, id, election->voted_for_us[id]); /* until it answers */
    }
    if (MUTANT(no_noop)) {
        election_serve(node);
        return;
    }
    struct message *entry = message_new(MESSAGE_ENTRY_NOOP);
    entry->as.entry_noop.node = node->step.config.id;
    journal_propose(node, entry);
}

void election_serve(struct node *node)
{
    if (!node_is_coordinator(node) || node->election.serving)
        return;
    node->election.serving = true;
    node->step.news = true;
    step_event(&node->step, "elected", node->step.config.id, JOB_NONE,
               "node %u is coordinator of term %" PRIu64, node->step.config.id, node->step.term);
    schedule_start(node);
}

/* --- asking for votes --- */

static unsigned count_votes(const struct node *node)
{
    unsigned votes = 0;
    for (node_id_t id = 1; id <= node->step.config.n_voters; id++)
        votes += node->election.voted_for_us[id] && members_is_named(node, id);
    return votes;
}

static void ask_for_votes(struct node *node, bool pre)
{
    struct election *election = &node->election;
    memset(election->voted_for_us, 0, sizeof election->voted_for_us);
    election->voted_for_us[node->step.config.id] = true;
    for (node_id_t id = 1; id <= node->step.config.n_voters; id++) {
        if (!step_is_peer(&node->step, id))
            continue;
        struct message *message = message_new(MESSAGE_VOTE_REQUEST);
        message->as.vote_request = (struct wire_vote_request){
            .pre = pre,
            .term = node->step.term + pre,
            .last_index = node->journal.last,
            .last_term = journal_last_term(node),
            .cluster_id = message_copy(message, step_cluster_id(&node->step)),
        };
        /* What it claims of our log must be durable, too. */
        peers_send_control(&node->links, id, message);
    }
}

/* After a disconnect all ask at nearly the same time, and votes may split: no full timeout then. */
static void wait_for_winner(struct node *node)
{
    struct election *election = &node->election;
    reset_timeout(node);
    if (election->retries)
        election->timeout_us =
            node->step.now_us + ELECTION_SPLIT_US + step_random(&node->step, ELECTION_SPLIT_US);
}

static void become_candidate(struct node *node)
{
    struct election *election = &node->election;
    if (node->step.term >= TERM_MAX)
        return; /* a job id could not hold it; 16 million elections are not reached in practice */
    election->role = ROLE_CANDIDATE;
    election->began_us = node->step.now_us;
    node->step.term++;
    election->vote = node->step.config.id;
    election_write(node);
    outbox_log(&node->step.out, LOG_INFO, "is a candidate in term %" PRIu64, node->step.term);
    wait_for_winner(node);
    ask_for_votes(node, false);
    if (count_votes(node) >= election_quorum(node))
        become_coordinator(node);
}

static void begin_pre_vote(struct node *node)
{
    struct election *election = &node->election;
    election->role = ROLE_PRE_CANDIDATE;
    election->began_us = node->step.now_us;
    node->step.coordinator = NODE_NONE;
    reset_timeout(node);
    if (election->retries) {
        election->retries--;
        election->timeout_us =
            node->step.now_us + ELECTION_RANK_DELAY_US + step_random(&node->step, 4 * MS_US);
    }
    outbox_log(&node->step.out, LOG_DEBUG,
               "hears no coordinator: asks for pre-votes for term %" PRIu64, node->step.term + 1);
    ask_for_votes(node, true);
    if (count_votes(node) >= election_quorum(node))
        become_candidate(node);
}

void election_vote_reply(struct node *node, node_id_t from, const struct wire_vote_reply *reply)
{
    struct election *election = &node->election;
    if (!is_voter(node, from))
        return;
    if (!members_accepts(node, from, reply->cluster_id))
        return;
    if (!reply->granted) {
        election_see_term(node, from, reply->term);
        return;
    }
    bool expected = reply->pre
                        ? election->role == ROLE_PRE_CANDIDATE && reply->term == node->step.term + 1
                        : election->role == ROLE_CANDIDATE && reply->term == node->step.term;
    if (!expected) {
        outbox_log(&node->step.out, LOG_DEBUG,
                   "%s of %u for term %" PRIu64 " comes late: does not count",
                   reply->pre ? "pre-vote" : "vote", from, reply->term);
        return;
    }
    if (!reply->voter && !MUTANT(empty_disk_votes))
        return;
    while (MUTANT(votes_per_message) && election->voted_for_us[from] &&
           from < node->step.config.n_voters)
        from++;
    election->voted_for_us[from] = true;
    outbox_log(&node->step.out, LOG_DEBUG, "%s of %u counts: has %u of %u",
               reply->pre ? "pre-vote" : "vote", from, count_votes(node), election_quorum(node));
    if (count_votes(node) < election_quorum(node))
        return;
    if (reply->pre)
        become_candidate(node);
    else
        become_coordinator(node);
}

/* --- giving votes --- */

/* The candidate's log beside ours (Raft 5.4.1): negative when it is less complete. */
static int compare_logs(const struct node *node, const struct wire_vote_request *request)
{
    term_t term = journal_last_term(node);
    log_index_t last = node->journal.last;
    if (request->last_term != term)
        return request->last_term > term ? 1 : -1;
    return request->last_index == last ? 0 : request->last_index > last ? 1 : -1;
}

/* Stickiness: who heard from a live coordinator within the minimum timeout helps nobody to replace
 * it. */
static bool has_coordinator(const struct node *node)
{
    const struct election *election = &node->election;
    if (election->role == ROLE_COORDINATOR)
        return true;
    return election->role == ROLE_FOLLOWER && node->step.coordinator && !election->lost &&
           node->step.now_us < election->contact_us + node->step.config.election_timeout_us;
}

/* Why a request is refused before terms and logs are compared; NULL: it is not. */
static const char *refuses(const struct node *node, const struct wire_vote_request *request)
{
    if (node->election.role == ROLE_COORDINATOR)
        return "we coordinate";
    if (has_coordinator(node))
        return "the coordinator lives";
    if (request->term < node->step.term)
        return "an old term";
    /* A disk that is new, or was wiped, may have promised what it no longer knows (R22, R31). */
    return members_counts(node, node->step.config.id) ? NULL : "our disk is not admitted";
}

/* A pre-vote asks whether the vote would be given, and changes nothing. */
static const char *refuses_vote(const struct node *node, node_id_t from,
                                const struct wire_vote_request *request)
{
    const struct election *election = &node->election;
    if (compare_logs(node, request) < 0 && !MUTANT(vote_without_log))
        return "log less complete";
    if (request->pre)
        return request->term > node->step.term ? NULL : "no higher term";
    if (election->vote != NODE_NONE && election->vote != from && !MUTANT(vote_twice))
        return "our vote is another's";
    return election->role == ROLE_FOLLOWER ? NULL : "we are a candidate";
}

static void reply_vote(struct node *node, node_id_t to, const struct wire_vote_request *request,
                       term_t ours, const char *refused)
{
    struct message *message = message_new(MESSAGE_VOTE_REPLY);
    bool echo = !refused && request->pre;
    message->as.vote_reply =
        (struct wire_vote_reply){.pre = request->pre,
                                 .term = echo ? request->term : node->step.term,
                                 .granted = !refused,
                                 .voter = members_counts(node, node->step.config.id),
                                 .cluster_id = message_copy(message, step_cluster_id(&node->step))};
    int sign = request->term < ours ? '<' : request->term > ours ? '>' : '=';
    const char *log = compare_logs(node, request) ? "log more complete" : "log equal";
    outbox_log(&node->step.out, LOG_DEBUG,
               "%s request from %u: term %" PRIu64 " %c %" PRIu64 ", %s -> %s",
               request->pre ? "pre-vote" : "vote", to, request->term, sign, ours,
               refused ? refused : log, refused ? "refuse" : "grant");
    peers_send_control(&node->links, to, message);
}

void election_vote_request(struct node *node, node_id_t from,
                           const struct wire_vote_request *request)
{
    struct election *election = &node->election;
    if (!is_voter(node, from) || !is_voter(node, node->step.config.id) ||
        !is_plausible(node, from, request->term))
        return;
    if (!members_accepts(node, from, request->cluster_id))
        return;
    term_t ours = node->step.term;
    const char *refused = refuses(node, request);
    bool raises = !request->pre || MUTANT(pre_vote_raises_term);
    if (!refused && raises && request->term > ours)
        enter_term(node, request->term);
    if (!refused)
        refused = refuses_vote(node, from, request);
    if (!refused && !request->pre) {
        if (election->vote == NODE_NONE) {
            election->vote = from;
            election_write(node);
        }
        wait_for_winner(node);
    }
    reply_vote(node, from, request, ours, refused);
}

void election_admitted(struct node *node)
{
    node->election.voter = true;
    /* Whom the disk before it voted for in this term is forgotten: it can only be for the one who
     * was elected. */
    if (node->election.vote == NODE_NONE && node->step.coordinator != node->step.config.id)
        node->election.vote = node->step.coordinator;
    election_write(node);
    node->step.news = true;
    outbox_log(&node->step.out, LOG_INFO, "is admitted as a voter");
}

/* --- the coordinator's life --- */

void election_see_term(struct node *node, node_id_t from, term_t term)
{
    if (step_is_founded(&node->step) && term > node->step.term && is_plausible(node, from, term))
        enter_term(node, term);
}

bool election_accept_coordinator(struct node *node, node_id_t from, term_t term)
{
    struct election *election = &node->election;
    if (!step_is_founded(&node->step) || term < node->step.term || !is_plausible(node, from, term))
        return false;
    if (term > node->step.term)
        enter_term(node, term);
    if (election->role == ROLE_COORDINATOR) {
        step_reject(&node->step, from, "it claims to coordinate our own term");
        return false;
    }
    if (node->step.coordinator != from || election->role != ROLE_FOLLOWER)
        become_follower(node, from);
    worker_reset(node, term);
    election->lost = false;
    election->retries = 0;
    election->contact_us = node->step.now_us;
    reset_timeout(node);
    return true;
}

void election_heartbeat(struct node *node, node_id_t from, const struct wire_heartbeat *heartbeat)
{
    const struct peer *peer = &node->links.peers[from];
    if (peer->incarnation != heartbeat->incarnation || node->step.now_us < peer->distrust_until_us)
        return;
    if (slice_equals(heartbeat->role, "coordinator"))
        election_accept_coordinator(node, from, heartbeat->term);
    else
        election_see_term(node, from, heartbeat->term);
}

/* Voters start in turn, not all at once: the lowest living id first. */
static unsigned rank_of(const struct node *node)
{
    unsigned rank = 0;
    for (node_id_t id = 1; id < node->step.config.id && rank < ELECTION_RANK_MAX; id++)
        rank += is_voter(node, id) && node->links.peers[id].alive;
    return rank;
}

void election_peer_lost(struct node *node, node_id_t peer)
{
    struct election *election = &node->election;
    if (election->role != ROLE_FOLLOWER || node->step.coordinator != peer || election->lost)
        return;
    election->lost = true;
    outbox_log(&node->step.out, LOG_INFO, "lost the connection of the coordinator, node %u", peer);
    if (!is_voter(node, node->step.config.id))
        return;
    election->retries = QUICK_RETRIES;
    election->timeout_us = node->step.now_us + rank_of(node) * ELECTION_RANK_DELAY_US +
                           step_random(&node->step, 2 * MS_US);
}

static unsigned count_followers(const struct node *node)
{
    const struct election *election = &node->election;
    unsigned followers = members_counts(node, node->step.config.id);
    for (node_id_t id = 1; id <= node->step.config.n_voters; id++) {
        if (!step_is_peer(&node->step, id) || !members_may_count(node, id))
            continue;
        uint64_t last = node->links.peers[id].follows_us;
        if (last < election->began_us)
            last = election->began_us;
        followers += node->step.now_us < last + node->step.config.election_timeout_us;
    }
    return followers;
}

void election_space(struct node *node)
{
    if (node->election.role != ROLE_COORDINATOR || !node->full || !space_suffices(node, NULL))
        return;
    outbox_log(&node->step.out, LOG_WARN, "steps down: its disk is full");
    become_follower(node, NODE_NONE);
    reset_timeout(node);
}

/* R35: heartbeats alone do not make a coordinator. Whoever led without any progress is not the one
 * to be elected next: its own disk or plane may be the reason. */
static void make_way(struct node *node)
{
    const char *stall = node_is_coordinator(node) ? health_stall(node) : NULL;
    if (!stall)
        return;
    outbox_log(&node->step.out, LOG_WARN, "steps down: %s for %u election timeouts", stall,
               (unsigned)STALL_TIMEOUTS);
    become_follower(node, NODE_NONE);
    node->election.rests_until_us =
        node->step.now_us + STALL_REST_TIMEOUTS * node->step.config.election_timeout_us;
    reset_timeout(node);
}

void election_tick(struct node *node)
{
    struct election *election = &node->election;
    election_space(node);
    make_way(node);
    if (election->role == ROLE_COORDINATOR) {
        /* Check-quorum: who cannot be followed by a majority must not go on accepting work. */
        if (count_followers(node) < election_quorum(node)) {
            outbox_log(&node->step.out, LOG_WARN, "steps down: no majority follows");
            become_follower(node, NODE_NONE);
            reset_timeout(node);
        }
        return;
    }
    if (node->step.now_us < election->timeout_us || !is_voter(node, node->step.config.id))
        return;
    bool makes_way = health_rests(node) || (node->full && space_suffices(node, NULL));
    if (members_counts(node, node->step.config.id) && !makes_way)
        begin_pre_vote(node);
    else
        reset_timeout(node);
}

uint64_t election_deadline(const struct node *node)
{
    bool waits = node->election.role != ROLE_COORDINATOR && is_voter(node, node->step.config.id);
    return waits ? node->election.timeout_us : UINT64_MAX;
}

void election_late(struct node *node, uint64_t late_us)
{
    if (node_is_coordinator(node) && late_us >= node->step.config.election_timeout_us) {
        outbox_log(&node->step.out, LOG_WARN, "was stopped for %" PRIu64 " ms: steps down",
                   late_us / MS_US);
        become_follower(node, NODE_NONE);
    }
    reset_timeout(node);
}

void election_check_invariants(const struct node *node)
{
    const struct election *election = &node->election;
    bool leads = election->role == ROLE_COORDINATOR;
    assert(!leads || (node->step.coordinator == node->step.config.id &&
                      election->vote == node->step.config.id));
    assert(leads || !election->serving);
    assert(leads || node->step.coordinator != node->step.config.id);
    assert(election->role == ROLE_FOLLOWER || is_voter(node, node->step.config.id));
}
