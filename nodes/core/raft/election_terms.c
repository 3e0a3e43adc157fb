/* Terms that others say they are in, and whom they say they follow: what a node that lies can make
 * of that, and what it cannot.
 *
 * A term is entered for one of these reasons only:
 *   - an election: ours, by one; or one that we take part in by answering a vote request, by one;
 *   - so many voters say that they are in it that one of them is honest, as long as a majority is;
 *   - our own election timeout has run out without result, no majority follows anybody, and there
 * is none without voters that say they are in a higher term: then up to the lowest term that has
 *     one, by TERM_CLIMB_MAX at most each time;
 *   - our coordinator itself asks for votes (see recall below).
 * So in a cluster in which a majority lives no message of one node moves a term by more than one,
 * and none at all while that majority has a coordinator. */
#include <assert.h>
#include <inttypes.h>

#include "nodes/core/link/link.h"
#include "nodes/core/raft/election_internal.h"
#include "nodes/core/raft/members.h"
#include "shared/base/mutant.h"
#include "shared/base/quorum.h"

/* --- what is said of terms --- */

/* So many voters are not all among the minority that may lie. Of two voters, one that lies keeps
 * any majority from coming about, but its word alone must not be the last term of a disk. */
static unsigned witnesses_needed(const struct raft *raft)
{
    uint32_t n = raft->step->config.n_voters;
    unsigned needed = n - quorum_of(n) + 1;
    return needed < 2 && n > 1 ? 2 : needed;
}

static unsigned count_in(const struct raft *raft, term_t term)
{
    unsigned n = 0;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++)
        n += step_is_peer(raft->step, id) && raft->election.stated[id] >= term;
    return n;
}

/* The greatest term that enough voters say they have reached; 0: none above ours. */
static term_t confirmed(const struct raft *raft)
{
    unsigned needed = witnesses_needed(raft);
    term_t best = 0;
    if (count_in(raft, raft->step->term + 1) < needed)
        return 0;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++) {
        term_t term = raft->election.stated[id];
        if (step_is_peer(raft->step, id) && term > best && count_in(raft, term) >= needed)
            best = term;
    }
    return best;
}

bool election_note_term(struct raft *raft, node_id_t from, term_t term)
{
    if (term > TERM_MAX) {
        step_reject(raft->step, from, "it names a term that is out of range");
        return false;
    }
    if (term > raft->election.stated[from])
        raft->election.stated[from] = term;
    return true;
}

void election_see_term(struct raft *raft, node_id_t from, term_t term)
{
    if (!step_is_founded(raft->step) || !election_note_term(raft, from, term) ||
        term <= raft->step->term)
        return;
    term_t known = MUTANT(term_of_one) ? term : confirmed(raft);
    if (known <= raft->step->term)
        return;
    election_enter_term(raft, known);
    raft->election.told_us = raft->step->now_us;
}

void election_forget_stated(struct raft *raft, node_id_t peer)
{
    raft->election.stated[peer] = 0;
}

/* --- where too few are heard --- */

/* Voters that live and say, in whatever term, that they follow that node. We are none of them. */
static unsigned count_living(const struct raft *raft, node_id_t following)
{
    unsigned n = 0;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++) {
        const struct peer *peer = &raft->links->peers[id];
        n += step_is_peer(raft->step, id) && peer->alive && peer->heartbeat &&
             peer->heartbeat->as.heartbeat.coordinator == following;
    }
    return n;
}

/* The terms of others who live and whose disks are admitted, the lowest first; `named`: by our log,
 * which may be behind. Returns how many. */
static unsigned sort_terms(const struct raft *raft, bool named, term_t terms[NODES_MAX])
{
    unsigned n = 0;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++) {
        const struct peer *peer = &raft->links->peers[id];
        bool lives = step_is_peer(raft->step, id) && peer->alive && peer->heartbeat;
        if (!lives || !peer->heartbeat->as.heartbeat.voter ||
            (named && !members_is_named(raft, id)))
            continue;
        unsigned at = n++;
        for (; at && terms[at - 1] > raft->election.stated[id]; at--)
            terms[at] = terms[at - 1];
        terms[at] = raft->election.stated[id];
    }
    return n;
}

/* The lowest term from which an election could succeed: that of so many others as make a majority
 * with us. Who says that it is further is not needed, and not asked, as long as a majority is
 * honest. 0: there is no majority; or it follows somebody, and nobody needs our vote: we wait for
 * that coordinator to recall us. */
static term_t term_of_majority(const struct raft *raft)
{
    term_t terms[NODES_MAX];
    unsigned needed = election_quorum(raft) - members_counts(raft, raft->step->config.id);
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++)
        if (count_living(raft, id) >= election_quorum(raft))
            return 0;
    if (!needed ||
        (sort_terms(raft, true, terms) < needed && sort_terms(raft, false, terms) < needed))
        return 0;
    return terms[needed - 1];
}

node_id_t election_led_below(const struct raft *raft)
{
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++) {
        const struct peer *peer = &raft->links->peers[id];
        if (step_is_peer(raft->step, id) && peer->alive && peer->heartbeat &&
            peer->heartbeat->as.heartbeat.term < raft->step->term &&
            count_living(raft, id) >= election_quorum(raft))
            return id;
    }
    return NODE_NONE;
}

static term_t at_most(term_t term, term_t most)
{
    return term < most ? term : most;
}

/* The lowest term above ours that a living voter says it is in. */
static term_t next_stated(const struct raft *raft)
{
    term_t next = TERM_MAX;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++) {
        term_t stated = raft->election.stated[id];
        if (raft->links->peers[id].alive && stated > raft->step->term && stated < next)
            next = stated;
    }
    return next;
}

/* Half of the times only, and to where the next one is: others must come to where we are, too,
 * while one that lies is always further. */
void election_climb(struct raft *raft)
{
    term_t ours = raft->step->term, theirs = term_of_majority(raft);
    if (!step_is_founded(raft->step) || theirs <= ours || step_random(raft->step, 2))
        return;
    term_t next = at_most(next_stated(raft), ours + TERM_CLIMB_MAX);
    if (MUTANT(climbs_at_once))
        next = theirs;
    outbox_log(&raft->step->out, LOG_INFO,
               "enters term %" PRIu64 ": there is no majority below term %" PRIu64
               ", and no election of ours has come to a result",
               next, theirs);
    election_enter_term(raft, next);
}

/* --- recall: somebody is alone in a higher term --- */

/* The greatest term of a voter that lives; `from`: who it is. */
static term_t greatest_stated(const struct raft *raft, node_id_t *from)
{
    term_t term = 0;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++) {
        bool heard = step_is_peer(raft->step, id) && raft->links->peers[id].alive;
        if (!heard || !members_is_member(raft, id) || raft->election.stated[id] <= term)
            continue;
        term = raft->election.stated[id];
        *from = id;
    }
    return term;
}

/* A voter that was cut off in the middle of an election that it could not win is in a higher term
 * than the coordinator, and can follow it only when the cluster has got there, too. A coordinator
 * that stepped down for whoever says so could be made to do it for ever; so it asks its followers
 * for pre-votes for that term, and when a majority would grant it has itself elected in it. How
 * often is bounded by time, which doubles. */
static bool recall_is_due(struct raft *raft, term_t theirs)
{
    struct election *election = &raft->election;
    uint64_t now_us = raft->step->now_us, timeout_us = raft->step->config.election_timeout_us;
    if (theirs <= raft->step->term || !election->serving) {
        election->ahead_us = 0;
        return false;
    }
    if (!election->ahead_us)
        election->ahead_us = now_us;
    return now_us >= election->ahead_us + timeout_us &&
           (now_us >= election->recall_us || MUTANT(recalls_without_end));
}

/* Followers count as well: one of them may coordinate next. */
void election_count_recall(struct raft *raft)
{
    struct election *election = &raft->election;
    uint64_t timeout_us = raft->step->config.election_timeout_us;
    uint64_t rests_us = timeout_us << election->recalls;
    if (raft->step->now_us > election->recall_us + 4 * rests_us) {
        election->recalls = 0;
        rests_us = timeout_us;
    }
    election->recall_us = raft->step->now_us + rests_us;
    if (election->recalls < RECALL_DOUBLINGS_MAX)
        election->recalls++;
}

void election_recall(struct raft *raft)
{
    struct election *election = &raft->election;
    node_id_t from = NODE_NONE;
    term_t theirs = greatest_stated(raft, &from);
    if (!recall_is_due(raft, theirs) || MUTANT(nobody_is_recalled))
        return;
    election_count_recall(raft);
    election->ahead_us = 0;
    election->recall_term = at_most(theirs, raft->step->term + TERM_CLIMB_MAX);
    outbox_log(&raft->step->out, LOG_INFO,
               "node %u is alone in term %" PRIu64 ": asks for pre-votes for term %" PRIu64
               ", for it to follow",
               from, theirs, election->recall_term);
    election_ask_for_votes(raft, true, election->recall_term);
}

void election_recall_granted(struct raft *raft)
{
    term_t term = raft->election.recall_term;
    election_become_follower(raft, NODE_NONE);
    election_become_candidate(raft, term);
}

/* --- candidates --- */

term_t election_reach(const struct raft *raft, node_id_t from)
{
    const struct election *election = &raft->election;
    term_t term = raft->step->term + (raft->step->coordinator == from ? TERM_CLIMB_MAX : 1);
    bool more = election->recalled_by == from && election->recalled_term > term;
    return more ? election->recalled_term : term;
}

/* What it says as a candidate may be all it takes for us to enter a term between the two. */
void election_grant_recall(struct raft *raft, node_id_t from, term_t term)
{
    if (raft->step->coordinator != from)
        return;
    raft->election.recalled_by = from;
    raft->election.recalled_term = term;
}

static uint64_t candidacy_interval_us(const struct raft *raft)
{
    return CANDIDACY_TIMEOUTS * raft->step->config.election_timeout_us;
}

bool election_may_raise(const struct raft *raft, node_id_t from)
{
    uint64_t ahead_us = (CANDIDACIES_MAX - 1) * candidacy_interval_us(raft);
    return raft->election.candidacies_us[from] <= raft->step->now_us + ahead_us ||
           MUTANT(candidacies_unlimited);
}

void election_count_raise(struct raft *raft, node_id_t from)
{
    uint64_t *until_us = &raft->election.candidacies_us[from];
    if (*until_us < raft->step->now_us)
        *until_us = raft->step->now_us;
    *until_us += candidacy_interval_us(raft);
}

/* --- who coordinates our term --- */

/* Voters who say that they follow it in our term, itself included, and we if we voted for it. */
static unsigned count_followers(const struct raft *raft, node_id_t of)
{
    unsigned n = 0;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++) {
        const struct peer *peer = &raft->links->peers[id];
        const struct wire_heartbeat *said = peer->heartbeat ? &peer->heartbeat->as.heartbeat : NULL;
        if (id == raft->step->config.id)
            n += raft->election.vote == of;
        else
            n += id == of ||
                 (peer->alive && said && said->term == raft->step->term && said->coordinator == of);
    }
    return n;
}

static bool is_followed(const struct raft *raft, node_id_t of)
{
    return count_followers(raft, of) >= election_quorum(raft);
}

/* A vote of ours can make a majority: we hear so many voters. */
static bool is_needed(const struct raft *raft)
{
    unsigned n = members_counts(raft, raft->step->config.id);
    if (!n)
        return false;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++)
        n += step_is_peer(raft->step, id) && raft->links->peers[id].alive;
    return n >= election_quorum(raft);
}

/* That it was elected is known by a majority that follows it, or by our own vote. Its own word does
 * only for whose vote makes no majority, in a chain of nodes: after a timeout in which nobody else
 * has claimed it. Else one that lies could hold up every election. There is one coordinator a term;
 * only a majority shows that we were wrong about whom. */
bool election_may_lead(const struct raft *raft, node_id_t from)
{
    const struct election *election = &raft->election;
    uint64_t since_us =
        election->contact_us > election->entered_us ? election->contact_us : election->entered_us;
    if (is_followed(raft, from) || MUTANT(coordinator_of_one))
        return true;
    if (election->leader)
        return election->leader == from;
    return election->vote == from ||
           (raft->step->now_us >= since_us + raft->step->config.election_timeout_us &&
            !is_needed(raft) && !election_led_below(raft));
}

/* A heartbeat of a follower may be the one that makes its coordinator's majority. */
void election_heard_follower(struct raft *raft, const struct wire_heartbeat *heartbeat)
{
    node_id_t claimed = (node_id_t)heartbeat->coordinator;
    if (heartbeat->term != raft->step->term || !step_is_peer(raft->step, claimed) ||
        raft->step->coordinator == claimed)
        return;
    const struct peer *peer = &raft->links->peers[claimed];
    const struct wire_heartbeat *said = peer->heartbeat ? &peer->heartbeat->as.heartbeat : NULL;
    if (said && peer->alive && said->term == raft->step->term &&
        slice_equals(said->role, "coordinator") && is_followed(raft, claimed))
        election_accept_coordinator(raft, claimed, raft->step->term);
}
