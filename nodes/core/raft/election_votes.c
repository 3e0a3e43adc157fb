/* Votes and pre-votes: asked for, counted, given and refused. */
#include <inttypes.h>
#include <string.h>

#include "nodes/core/link/link.h"
#include "nodes/core/raft/election_internal.h"
#include "nodes/core/raft/log.h"
#include "nodes/core/raft/members.h"
#include "shared/base/mutant.h"

/* --- asking for votes --- */

unsigned election_count_votes(const struct raft *raft)
{
    unsigned votes = 0;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++)
        votes += raft->election.voted_for_us[id] && members_is_named(raft, id);
    return votes;
}

void election_ask_for_votes(struct raft *raft, bool pre, term_t term)
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
            .term = term,
            .last_index = raft->log.last,
            .last_term = raft_log_last_term(raft),
            .cluster_id = message_copy(message, step_cluster_id(raft->step)),
        };
        /* What it claims of our log must be durable, too. */
        peers_send_control(raft->links, id, message);
    }
}

/* An answer to what we ask for now. */
static bool is_expected(const struct raft *raft, const struct wire_vote_reply *reply)
{
    const struct election *election = &raft->election;
    if (!reply->pre)
        return election->role == ROLE_CANDIDATE && reply->term == raft->step->term;
    if (election->role == ROLE_COORDINATOR)
        return election->recall_term && reply->term == election->recall_term;
    return election->role == ROLE_PRE_CANDIDATE && reply->term == raft->step->term + 1;
}

void election_vote_reply(struct raft *raft, node_id_t from, const struct wire_vote_reply *reply)
{
    struct election *election = &raft->election;
    if (!members_is_voter(raft, from))
        return;
    if (!members_accepts(raft, from, reply->cluster_id))
        return;
    if (!reply->granted) {
        election_see_term(raft, from, reply->term);
        return;
    }
    if (!reply->pre)
        election_note_term(raft, from, reply->term);
    if (!is_expected(raft, reply)) {
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
               reply->pre ? "pre-vote" : "vote", from, election_count_votes(raft),
               election_quorum(raft));
    if (election_count_votes(raft) < election_quorum(raft))
        return;
    if (election->role == ROLE_COORDINATOR)
        election_recall_granted(raft);
    else if (reply->pre)
        election_become_candidate(raft, raft->step->term + 1);
    else
        election_become_coordinator(raft);
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
static const char *refuses(const struct raft *raft, node_id_t from,
                           const struct wire_vote_request *request)
{
    const struct election *election = &raft->election;
    if (election->role == ROLE_COORDINATOR)
        return "we coordinate";
    /* A coordinator that asks for votes itself is not to be protected from that. */
    if (has_coordinator(raft) && raft->step->coordinator != from)
        return "the coordinator lives";
    if (request->term < raft->step->term)
        return "an old term";
    /* A disk that is new, or was wiped, may have promised what it no longer knows (R22, R31). */
    if (!members_counts(raft, raft->step->config.id))
        return "our disk is not admitted";
    node_id_t led = election_led_below(raft);
    if (led && led != from)
        return "the others have a coordinator";
    if (request->term > election_reach(raft, from))
        return "a term that no election leads to from ours";
    if (request->term > raft->step->term && !election_may_raise(raft, from))
        return "it stands too often";
    /* Who was elected there will be heard in a moment. */
    bool recalls = election->recalled_by == from && election->recalled_term == request->term;
    if (request->term > raft->step->term && election->told_us && !recalls &&
        raft->step->now_us < election->told_us + raft->step->config.election_timeout_us)
        return "an election has just been held";
    return NULL;
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

/* A candidate's log is of terms before the one that it wants to lead. */
static bool is_in_range(struct raft *raft, node_id_t from, const struct wire_vote_request *request)
{
    if (request->term && request->term <= TERM_MAX && request->last_term < request->term &&
        request->last_index <= LOG_INDEX_MAX)
        return true;
    step_reject(raft->step, from, "its vote request names a term or an index that is out of range");
    return false;
}

void election_vote_request(struct raft *raft, node_id_t from,
                           const struct wire_vote_request *request)
{
    struct election *election = &raft->election;
    if (!members_is_voter(raft, from) || !members_is_voter(raft, raft->step->config.id))
        return;
    if (!members_accepts(raft, from, request->cluster_id) || !is_in_range(raft, from, request))
        return;
    if (!request->pre) /* a pre-vote says nothing for sure of the term of who asks */
        election_see_term(raft, from, request->term);
    term_t ours = raft->step->term;
    const char *refused = refuses(raft, from, request);
    bool raises = !request->pre || MUTANT(pre_vote_raises_term);
    if (!refused && raises && request->term > ours) {
        if (raft->step->coordinator == from || election->recalled_by == from)
            election_count_recall(raft);
        election_count_raise(raft, from);
        election_enter_term(raft, request->term);
    }
    if (!refused)
        refused = refuses_vote(raft, from, request);
    if (!refused && request->pre)
        election_grant_recall(raft, from, request->term);
    /* Whoever asks for the same vote again is not waited for again. */
    if (!refused && !request->pre && election->vote == NODE_NONE) {
        election->vote = from;
        election_write(raft);
        election_wait_for_winner(raft);
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
