/* Sends followers what they lack: appends, or a checkpoint part by part. */
#include "nodes/core/link/link.h"
#include "nodes/core/raft/election.h"
#include "nodes/core/raft/log.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/replication_internal.h"
#include "nodes/core/raft/runs.h"
#include "nodes/core/raft/space.h"

/* --- messages --- */

static void send_append(struct raft *raft, node_id_t id)
{
    struct replica *replica = &raft->replicas[id];
    struct message *message = message_new(MESSAGE_APPEND);
    struct wire_append *append = &message->as.append;
    size_t bytes = 0, n = 0, most = raft->step->config.append_entries;
    if (!most || most > APPEND_ENTRIES_MAX)
        most = APPEND_ENTRIES_MAX;
    append->term = raft->step->term;
    append->round = raft->replication.round;
    append->prev_index = replica_prev(replica);
    append->commit = raft->log.commit;
    append->cluster_id = message_copy(message, step_cluster_id(raft->step));
    raft_log_term(raft, append->prev_index, &append->prev_term);
    append->entries.at = message_room(message, most, sizeof *append->entries.at);
    while (replica->state != REPLICA_PROBE && replica->next <= raft->log.last && n < most) {
        size_t len = raft_log_at(raft, replica->next)->packed->len;
        if (n && bytes + (len < RUN_BYTES ? RUN_BYTES : len) > APPEND_BYTES_MAX)
            break;
        size_t added = runs_add(raft, id, replica->next, most - n, message);
        bytes += message->frames[message->n_frames - 1]->len;
        replica->next += added;
        n += added;
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
            (struct wire_log_item){.term = checkpoint->term,
                                   .frame = message_add_frame(message, part)};
        replica->sent_parts++;
    }
    replica->sent_round = raft->replication.round;
    replica->sent_us = raft->step->now_us;
    replica->in_flight++;
    outbox_send(&raft->step->out, PLANE_CHECKPOINT, id, message);
}

/* --- checkpoints --- */

/* A checkpoint that the log goes on from, and whose values are not known to be gone. */
static bool is_useful(const struct raft *raft, const struct replica *replica,
                      const struct checkpoint *checkpoint)
{
    return checkpoint && checkpoint->index >= raft->log.base &&
           checkpoint->index > replica->useless;
}

/* Followers that are behind at the same time share one checkpoint; else the one under way is
 * theirs, or a new one. */
static void take_checkpoint(struct raft *raft, node_id_t id)
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

void replication_begin_install(struct raft *raft, node_id_t id)
{
    struct replica *replica = &raft->replicas[id];
    replica_install(replica);
    take_checkpoint(raft, id);
}

/* --- who is sent something --- */

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
        replication_doubt(raft, replica);
    } else if (replica->checkpoint) {
        replica->sent_parts = replica->acked_parts;
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

/* Nobody waits for a node that never votes and keeps up. */
static bool is_waited_for(const struct raft *raft, node_id_t id)
{
    return id <= raft->step->config.n_voters || raft->replicas[id].state != REPLICA_PIPELINE;
}

/* Until then such a node gets nothing new: what comes meanwhile goes to it, and onto its disk,
 * together. */
static uint64_t paced_until_us(const struct raft *raft, node_id_t id)
{
    uint64_t sent_us = raft->replicas[id].sent_us;
    return is_waited_for(raft, id) || !sent_us ? 0 : sent_us + LEARNER_APPEND_US;
}

static bool has_entries_for(const struct raft *raft, const struct replica *replica)
{
    return replica->next <= raft->log.last || replica->sent_commit < raft->log.commit;
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
        replication_begin_install(raft, id);
    else if (replica->state == REPLICA_INSTALL && !replica->checkpoint)
        take_checkpoint(raft, id);
    if (replica->state == REPLICA_INSTALL) {
        pump_install(raft, id);
        return;
    }
    if (raft->step->now_us < paced_until_us(raft, id))
        return;
    /* While it can take nothing in, one at a time. */
    unsigned window = space_peer_is_full(raft, id) ? 1 : replica_window(replica);
    while (replica->next <= raft->log.last && replica->in_flight < window)
        send_append(raft, id);
    bool news = (is_waited_for(raft, id) && replica->sent_round < raft->replication.asked) ||
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
        uint64_t paced_us = paced_until_us(raft, id);
        bool paced = raft->step->now_us < paced_us && step_is_peer(raft->step, id);
        if (paced && paced_us < at && is_reached(raft, id) && has_entries_for(raft, replica))
            at = paced_us;
        if (due >= at || !step_is_peer(raft->step, id) || !is_reached(raft, id))
            continue;
        bool waits = replica->state == REPLICA_INSTALL && !replica->checkpoint; /* for a slice */
        if (!waits && !has_no_room(raft, id) && is_unanswered(raft, id))
            at = due;
    }
    return at;
}
