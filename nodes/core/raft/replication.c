#include "nodes/core/raft/replication.h"

#include <inttypes.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/health.h"
#include "nodes/core/raft/log.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/space.h"

#include "shared/base/mutant.h"
#include "shared/base/quorum.h"

void replication_probe(struct raft *raft, node_id_t peer)
{
    replica_reconnected(&raft->replicas[peer]);
}

void replication_forget(struct raft *raft, node_id_t peer)
{
    replica_forget(&raft->replicas[peer], raft->log.last);
}

void replication_start(struct raft *raft)
{
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++)
        replication_forget(raft, id);
    raft->replication = (struct replication){0};
}

void replication_stop(struct raft *raft)
{
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++)
        replica_drop_image(&raft->replicas[id]);
}

/* A probe needs a round of its own. */
static void doubt(struct raft *raft, struct replica *replica)
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
    } else if (index > raft->replication.told) {
        raft->replication.told = index;
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

/* --- sending --- */

static void send_append(struct raft *raft, node_id_t id)
{
    struct replica *replica = &raft->replicas[id];
    struct message *message = message_new(MESSAGE_APPEND);
    struct wire_append *append = &message->as.append;
    size_t bytes = 0, most = raft->step->config.append_entries;
    if (!most || most > APPEND_ENTRIES_MAX)
        most = APPEND_ENTRIES_MAX;
    append->term = raft->step->term;
    append->round = raft->replication.round;
    append->prev_index = replica_prev(replica);
    append->commit = raft->log.commit;
    append->cluster_id = message_copy(message, step_cluster_id(raft->step));
    raft_log_term(raft, append->prev_index, &append->prev_term);
    append->entries.at = message_room(message, most, sizeof *append->entries.at);
    while (replica->state != REPLICA_PROBE && replica->next <= raft->log.last &&
           append->entries.n < most) {
        const struct log_entry *entry = raft_log_at(raft, replica->next);
        if (append->entries.n && bytes + entry->packed->len > APPEND_BYTES_MAX)
            break;
        bytes += entry->packed->len;
        append->entries.at[append->entries.n++] =
            (struct wire_log_item){entry->term, message_add_frame(message, entry->packed)};
        replica->next++;
    }
    replica->sent_round = raft->replication.round;
    replica->sent_commit = raft->log.commit;
    replica->sent_us = raft->step->now_us;
    replica->in_flight++;
    outbox_send(&raft->step->out, PLANE_CHECKPOINT, id, message);
}

static void send_parts(struct raft *raft, node_id_t id)
{
    struct replica *replica = &raft->replicas[id];
    struct checkpoint *checkpoint = replica->checkpoint;
    struct message *message = message_new(MESSAGE_INSTALL);
    struct wire_install *install = &message->as.install;
    size_t bytes = 0, most = raft->step->config.install_bytes;
    most = most ? most : INSTALL_BYTES_MAX;
    *install =
        (struct wire_install){.term = raft->step->term,
                              .round = raft->replication.round,
                              .index = checkpoint->index,
                              .index_term = checkpoint->term,
                              .part = replica->sent_parts,
                              .parts = checkpoint->n,
                              .cluster_id = message_copy(message, step_cluster_id(raft->step))};
    install->items.at = message_room(message, APPEND_ENTRIES_MAX, sizeof *install->items.at);
    while (replica->sent_parts < checkpoint->n && install->items.n < APPEND_ENTRIES_MAX) {
        struct blob *part = checkpoint->parts[replica->sent_parts];
        if (install->items.n && bytes + part->len > most)
            break;
        bytes += part->len;
        install->items.at[install->items.n++] =
            (struct wire_log_item){checkpoint->term, message_add_frame(message, part)};
        replica->sent_parts++;
    }
    replica->sent_round = raft->replication.round;
    replica->sent_us = raft->step->now_us;
    replica->in_flight++;
    outbox_send(&raft->step->out, PLANE_CHECKPOINT, id, message);
}

/* A checkpoint that the log goes on from, and whose values are not known to be gone. */
static bool is_useful(const struct raft *raft, const struct replica *replica,
                      const struct checkpoint *checkpoint)
{
    return checkpoint && checkpoint->index >= raft->log.base &&
           checkpoint->index > replica->useless;
}

/* Followers that are behind at the same time share one checkpoint; else the one under way is
 * theirs, or a new one. */
static void take_image(struct raft *raft, node_id_t id)
{
    struct replica *replica = &raft->replicas[id];
    struct raft_log *log = &raft->log;
    for (node_id_t other = 1; other <= raft->step->config.n_nodes && !replica->checkpoint; other++)
        if (other != id && is_useful(raft, replica, raft->replicas[other].checkpoint))
            replica->checkpoint = checkpoint_ref(raft->replicas[other].checkpoint);
    struct checkpoint *built = log->build ? raft->machine->saved(log->build) : NULL;
    if (!replica->checkpoint && built && !is_useful(raft, replica, built))
        raft->machine->end(raft->state, &log->build);
    if (!replica->checkpoint && !log->build)
        log->build = raft->machine->save(raft->state);
    built = log->build ? raft->machine->saved(log->build) : NULL;
    if (!replica->checkpoint && built && is_useful(raft, replica, built))
        replica->checkpoint = checkpoint_ref(built);
    if (replica->checkpoint)
        outbox_log(&raft->step->out, LOG_INFO, "sends node %u a checkpoint of %zu parts", id,
                   replica->checkpoint->n);
}

static void begin_install(struct raft *raft, node_id_t id)
{
    struct replica *replica = &raft->replicas[id];
    replica_install(replica);
    take_image(raft, id);
}

/* True when nothing shows that what was sent has arrived. Counting answers does not suffice: one
 * that comes twice, or unasked, counts for an append that was lost. */
static bool is_unanswered(const struct raft *raft, node_id_t id)
{
    const struct replica *replica = &raft->replicas[id];
    const struct message *heartbeat = raft->links->peers[id].heartbeat;
    if (replica->in_flight || replica_is_ahead(replica) || replica->checkpoint ||
        replica->answered_round < replica->sent_round)
        return true;
    /* The answer in which it first claimed to vote was lost: only answers count. */
    if (heartbeat && heartbeat->as.heartbeat.voter && !raft->members.of[id].voter &&
        id <= raft->step->config.n_voters && members_is_named(raft, id))
        return true;
    return heartbeat && heartbeat->as.heartbeat.applied < replica->sent_commit &&
           replica->match >= replica->sent_commit;
}

/* It takes messages, and belongs to our cluster. */
static bool is_reached(const struct raft *raft, node_id_t id)
{
    return raft->links->peers[id].links[PLANE_CHECKPOINT].state == LINK_WELCOMED &&
           members_is_member(raft, id);
}

/* What it lacks is a checkpoint, which takes room that its disk does not have. */
static bool has_no_room(const struct raft *raft, node_id_t id)
{
    const struct replica *replica = &raft->replicas[id];
    return space_peer_is_full(raft, id) &&
           (replica->state == REPLICA_INSTALL || replica_prev(replica) < raft->log.base);
}

static void check_silence(struct raft *raft, node_id_t id)
{
    struct replica *replica = &raft->replicas[id];
    if (raft->step->now_us < replica->sent_us + APPEND_RESEND_US || !is_unanswered(raft, id))
        return;
    if (replica->state != REPLICA_INSTALL) {
        doubt(raft, replica);
    } else if (replica->checkpoint) {
        replica->sent_parts = replica->told_parts;
        replica->in_flight = 0;
    }
}

static void pump_install(struct raft *raft, node_id_t id)
{
    struct replica *replica = &raft->replicas[id];
    while (replica->checkpoint && replica->sent_parts < replica->checkpoint->n &&
           replica->in_flight < INSTALL_WINDOW)
        send_parts(raft, id);
}

static void pump(struct raft *raft, node_id_t id)
{
    struct replica *replica = &raft->replicas[id];
    if (!is_reached(raft, id))
        return;
    check_silence(raft, id);
    if (has_no_room(raft, id))
        return;
    if (replica->state != REPLICA_INSTALL && replica_prev(replica) < raft->log.base)
        begin_install(raft, id);
    else if (replica->state == REPLICA_INSTALL && !replica->checkpoint)
        take_image(raft, id);
    if (replica->state == REPLICA_INSTALL) {
        pump_install(raft, id);
        return;
    }
    /* While it can take nothing in, one at a time. */
    unsigned window = space_peer_is_full(raft, id) ? 1 : replica_window(replica);
    while (replica->next <= raft->log.last && replica->in_flight < window)
        send_append(raft, id);
    bool news = replica->sent_round < raft->replication.asked ||
                replica->sent_commit < raft->log.commit || !replica->sent_us;
    if (news && replica->in_flight < window)
        send_append(raft, id);
}

void replication_pump(struct raft *raft)
{
    if (!election_leads(raft))
        return;
    if (raft->replication.round_wanted) {
        raft->replication.asked = ++raft->replication.round;
        raft->replication.round_wanted = false;
    }
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++)
        if (step_is_peer(raft->step, id))
            pump(raft, id);
    /* A cluster of one, or one whose only voter we are, hears no answer. */
    replication_advance(raft);
}

uint64_t replication_deadline(const struct raft *raft)
{
    uint64_t at = UINT64_MAX;
    for (node_id_t id = 1; election_leads(raft) && id <= raft->step->config.n_nodes; id++) {
        const struct replica *replica = &raft->replicas[id];
        uint64_t due = replica->sent_us + APPEND_RESEND_US;
        if (due >= at || !step_is_peer(raft->step, id) || !is_reached(raft, id))
            continue;
        bool waits = replica->state == REPLICA_INSTALL && !replica->checkpoint; /* for a slice */
        if (!waits && !has_no_room(raft, id) && is_unanswered(raft, id))
            at = due;
    }
    return at;
}

/* --- answers --- */

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
        step_reject(raft->step, from, "it answers what was never asked");
        return false;
    }
    struct replica *replica = &raft->replicas[from];
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
        doubt(raft, replica);
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
static void learn_commit(struct raft *raft, log_index_t commit)
{
    if (commit > raft->log.commit)
        raft_log_commit(raft, commit);
}

void replication_append_reply(struct raft *raft, node_id_t from,
                              const struct wire_append_reply *reply)
{
    struct replica *replica = &raft->replicas[from];
    if (!is_current(raft, from, reply->term, reply->round))
        return;
    members_claims(raft, from, reply->voter);
    if ((reply->match > raft->log.last && reply->ok) || reply->commit > raft->log.last) {
        step_reject(raft->step, from, "it has more entries than there are");
        return;
    }
    learn_commit(raft, reply->commit);
    /* Values that an older checkpoint refers to may be gone by now, too. */
    bool anew = replica->checkpoint && replica->checkpoint->index < raft->log.applied;
    if (reply->install && (replica->state != REPLICA_INSTALL || anew)) {
        replica->useless = anew ? replica->checkpoint->index : replica->useless;
        begin_install(raft, from);
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
        step_reject(raft->step, from, "it has more parts than there are");
        return;
    }
    replica_answered(replica, raft->step->now_us);
    if (reply->next > replica->told_parts)
        health_moved(raft, from);
    replica->told_parts = reply->next;
    if (reply->next < replica->checkpoint->n) {
        /* With the last part it waits until it has fetched all values. */
        if (!replica->in_flight && reply->next + 1 < replica->checkpoint->n)
            replica->sent_parts = reply->next;
        return;
    }
    replica_installed(replica, reply->index);
    replication_advance(raft);
}

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
