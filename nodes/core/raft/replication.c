#include "nodes/core/raft/replication.h"

#include <assert.h>
#include <inttypes.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/health.h"
#include "nodes/core/state/checkpoint.h"
#include "nodes/core/raft/journal.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/raft/space.h"

#include "shared/base/mutant.h"

static void stop_install(struct replica *replica)
{
    image_drop(&replica->image);
    replica->install = false;
    replica->sent_parts = replica->told_parts = 0;
}

/* What is on its way may be lost: back to what the follower is known to have. While that is not
 * known the probe is repeated; nothing says yet that it lacks the log from the beginning. */
static void go_back(struct replica *replica)
{
    replica->next = replica->match ? replica->match + 1 : replica->probe;
}

void replication_probe(struct node *node, node_id_t peer)
{
    struct replica *replica = &node->replicas[peer];
    stop_install(replica);
    go_back(replica);
    replica->in_flight = 0;
    replica->probing = false;
    replica->sent_us = 0;
    replica->sent_commit = 0;
}

void replication_forget(struct node *node, node_id_t peer)
{
    struct replica *replica = &node->replicas[peer];
    stop_install(replica);
    log_index_t probe = node->journal.last + 1;
    *replica = (struct replica){.next = probe, .probe = probe};
}

void replication_start(struct node *node)
{
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++) {
        replication_forget(node, id);
    }
    node->replication = (struct replication){0};
}

void replication_stop(struct node *node)
{
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++)
        stop_install(&node->replicas[id]);
}

/* Nothing more is sent ahead before it agrees: a follower that is slow, or lacks an entry, would be
 * sent everything again and again, and only fall further behind. By the time it answers a probe it
 * has seen all that was sent before, so the answer tells what was lost; an answer to something
 * earlier is told apart by its round. While nothing is known of its log, one append at a time is on
 * its way in any case. */
static void start_probing(struct node *node, struct replica *replica)
{
    if (!replica->match)
        replica->next = replica->probe;
    else if (!replica->probing) {
        replica->probing = true;
        replica->probe_round = ++node->replication.round;
    }
    replica->in_flight = 0;
    replica->sent_us = 0; /* what it told may be lost, too: the commit index, a round */
}

/* --- counting --- */

/* The greatest number that a majority of the voters has reached, of what `read` tells of each. */
static uint64_t majority(const struct node *node, uint64_t own,
                         uint64_t (*read)(const struct replica *replica))
{
    uint64_t values[NODES_MAX];
    uint32_t n = 0;
    for (node_id_t id = 1; id <= node->step.config.n_voters; id++) {
        uint64_t value = id == node->step.config.id ? own : read(&node->replicas[id]);
        if (!members_counts(node, id))
            value = 0; /* it holds what it holds, but its disk is not admitted (R31) */
        uint32_t at = n++;
        for (; at && values[at - 1] < value; at--)
            values[at] = values[at - 1];
        values[at] = value;
    }
    return n ? values[election_quorum(node) - 1] : 0;
}

static uint64_t read_match(const struct replica *replica)
{
    return replica->match;
}

static uint64_t read_round(const struct replica *replica)
{
    return replica->answered_round;
}

void replication_advance(struct node *node)
{
    term_t term;
    if (!node_is_coordinator(node))
        return;
    log_index_t index = majority(node, node->journal.durable, read_match);
    /* Raft 5.4.2, figure 8: only an entry of our own term commits by counting; older ones beneath
     * it. */
    if (index <= node->journal.commit || !journal_term(node, index, &term))
        return;
    if (term == node->step.term || MUTANT(old_term_counted)) {
        journal_commit(node, index);
    } else if (index > node->replication.told) {
        node->replication.told = index;
        outbox_log(&node->step.out, LOG_DEBUG,
                   "entry %" PRIu64 " is on a majority, but of term %" PRIu64 ", not %" PRIu64
                   ": does not commit by counting",
                   index, term, node->step.term);
    }
}

uint64_t replication_confirm(struct node *node)
{
    node->replication.round_wanted = true;
    return node->replication.round + !MUTANT(old_ack_confirms);
}

uint64_t replication_confirmed(const struct node *node)
{
    return majority(node, node->replication.round, read_round);
}

/* --- sending --- */

static void send_append(struct node *node, node_id_t id)
{
    struct replica *replica = &node->replicas[id];
    struct message *message = message_new(MESSAGE_APPEND);
    struct wire_append *append = &message->as.append;
    size_t bytes = 0, most = node->step.config.append_entries;
    if (!most || most > APPEND_ENTRIES_MAX)
        most = APPEND_ENTRIES_MAX;
    append->term = node->step.term;
    append->round = node->replication.round;
    append->prev_index = replica->probing ? replica->match : replica->next - 1;
    append->commit = node->journal.commit;
    append->cluster_id = message_copy(message, step_cluster_id(&node->step));
    journal_term(node, append->prev_index, &append->prev_term);
    append->entries.at = message_room(message, most, sizeof *append->entries.at);
    while (!replica->probing && replica->next <= node->journal.last && append->entries.n < most) {
        const struct log_entry *entry = journal_at(node, replica->next);
        if (append->entries.n && bytes + entry->packed->len > APPEND_BYTES_MAX)
            break;
        bytes += entry->packed->len;
        append->entries.at[append->entries.n++] =
            (struct wire_log_item){entry->term, message_add_frame(message, entry->packed)};
        replica->next++;
    }
    replica->sent_round = node->replication.round;
    replica->sent_commit = node->journal.commit;
    replica->sent_us = node->step.now_us;
    replica->in_flight++;
    outbox_send(&node->step.out, PLANE_CHECKPOINT, id, message);
}

static void send_parts(struct node *node, node_id_t id)
{
    struct replica *replica = &node->replicas[id];
    struct image *image = replica->image;
    struct message *message = message_new(MESSAGE_INSTALL);
    struct wire_install *install = &message->as.install;
    size_t bytes = 0, most = node->step.config.install_bytes;
    most = most ? most : INSTALL_BYTES_MAX;
    *install =
        (struct wire_install){.term = node->step.term,
                              .round = node->replication.round,
                              .index = image->index,
                              .index_term = image->term,
                              .part = replica->sent_parts,
                              .parts = image->n,
                              .cluster_id = message_copy(message, step_cluster_id(&node->step))};
    install->items.at = message_room(message, APPEND_ENTRIES_MAX, sizeof *install->items.at);
    while (replica->sent_parts < image->n && install->items.n < APPEND_ENTRIES_MAX) {
        struct blob *part = image->parts[replica->sent_parts];
        if (install->items.n && bytes + part->len > most)
            break;
        bytes += part->len;
        install->items.at[install->items.n++] =
            (struct wire_log_item){image->term, message_add_frame(message, part)};
        replica->sent_parts++;
    }
    replica->sent_round = node->replication.round;
    replica->sent_us = node->step.now_us;
    replica->in_flight++;
    outbox_send(&node->step.out, PLANE_CHECKPOINT, id, message);
}

/* A checkpoint that the log goes on from, and whose values are not known to be gone. */
static bool is_useful(const struct node *node, const struct replica *replica,
                      const struct image *image)
{
    return image && image->index >= node->journal.base && image->index > replica->useless;
}

/* Followers that are behind at the same time share one checkpoint; else the one under way is
 * theirs, or a new one. */
static void take_image(struct node *node, node_id_t id)
{
    struct replica *replica = &node->replicas[id];
    struct journal *journal = &node->journal;
    for (node_id_t other = 1; other <= node->step.config.n_nodes && !replica->image; other++)
        if (other != id && is_useful(node, replica, node->replicas[other].image))
            replica->image = image_ref(node->replicas[other].image);
    if (!replica->image && journal->build && image_is_done(journal->build) &&
        !is_useful(node, replica, image_of(journal->build)))
        image_end(&node->state, &journal->build);
    if (!replica->image && !journal->build)
        journal->build = image_begin(&node->state, IMAGE_WHOLE);
    if (!replica->image && image_is_done(journal->build) &&
        is_useful(node, replica, image_of(journal->build)))
        replica->image = image_ref(image_of(journal->build));
    if (replica->image)
        outbox_log(&node->step.out, LOG_INFO, "sends node %u a full checkpoint of %zu parts", id,
                   replica->image->n);
}

static void begin_install(struct node *node, node_id_t id)
{
    struct replica *replica = &node->replicas[id];
    stop_install(replica);
    replica->install = true;
    replica->in_flight = 0;
    replica->probing = false;
    take_image(node, id);
}

/* True when nothing shows that what was sent has arrived. Counting answers does not suffice: one
 * that comes twice, or unasked, counts for an append that was lost. */
static bool is_unanswered(const struct node *node, node_id_t id)
{
    const struct replica *replica = &node->replicas[id];
    const struct message *heartbeat = node->links.peers[id].heartbeat;
    bool sent_ahead = replica->match && replica->next > replica->match + 1;
    if (replica->in_flight || sent_ahead || replica->image ||
        replica->answered_round < replica->sent_round)
        return true;
    /* The answer in which it first claimed to vote was lost: only answers count. */
    if (heartbeat && heartbeat->as.heartbeat.voter && !node->peers[id].membership.voter &&
        id <= node->config.n_voters && members_is_named(node, id))
        return true;
    return heartbeat && heartbeat->as.heartbeat.applied < replica->sent_commit &&
           replica->match >= replica->sent_commit;
}

static void check_silence(struct node *node, node_id_t id)
{
    struct replica *replica = &node->replicas[id];
    if (node->step.now_us < replica->sent_us + APPEND_RESEND_US || !is_unanswered(node, id))
        return;
    if (replica->install && !replica->image)
        return;
    if (replica->image) {
        replica->sent_parts = replica->told_parts;
        replica->in_flight = 0;
    } else {
        start_probing(node, replica);
    }
}

static void pump(struct node *node, node_id_t id)
{
    struct replica *replica = &node->replicas[id];
    if (node->links.peers[id].links[PLANE_CHECKPOINT].state != LINK_WELCOMED ||
        !members_is_member(node, id))
        return;
    check_silence(node, id);
    bool full = space_peer_is_full(node, id);
    bool behind = (replica->probing ? replica->match + 1 : replica->next) <= node->journal.base;
    if (full && (replica->install || behind))
        return;
    if (!replica->install && behind)
        begin_install(node, id);
    else if (replica->install && !replica->image)
        take_image(node, id);
    while (replica->image && replica->sent_parts < replica->image->n &&
           replica->in_flight < INSTALL_WINDOW)
        send_parts(node, id);
    if (replica->install)
        return;
    /* Until it has agreed once, or while it can take nothing in, one probe at a time. */
    unsigned window = replica->match && !full && !replica->probing ? APPEND_WINDOW : 1;
    while (replica->next <= node->journal.last && replica->in_flight < window)
        send_append(node, id);
    bool news = replica->sent_round < node->replication.asked ||
                replica->sent_commit < node->journal.commit || !replica->sent_us;
    if (news && replica->in_flight < window)
        send_append(node, id);
}

void replication_pump(struct node *node)
{
    if (!node_is_coordinator(node))
        return;
    if (node->replication.round_wanted) {
        node->replication.asked = ++node->replication.round;
        node->replication.round_wanted = false;
    }
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++)
        if (step_is_peer(&node->step, id))
            pump(node, id);
    /* A cluster of one, or one whose only voter we are, hears no answer. */
    replication_advance(node);
}

/* --- answers --- */

/* False when the answer is not to us as coordinator of this term. */
static bool is_current(struct node *node, node_id_t from, term_t term, uint64_t round)
{
    if (term > node->step.term) {
        election_see_term(node, from, term);
        return false;
    }
    if (!node_is_coordinator(node) || term != node->step.term)
        return false;
    if (round > node->replication.round) {
        step_reject(&node->step, from, "it answers what was never asked");
        return false;
    }
    struct replica *replica = &node->replicas[from];
    if (round > replica->answered_round)
        replica->answered_round = round;
    return true;
}

static void note_answer(struct node *node, struct replica *replica)
{
    if (replica->in_flight)
        replica->in_flight--;
    replica->sent_us = node->step.now_us;
}

/* What the answer says about what to send next. */
static void follow_answer(struct node *node, struct replica *replica,
                          const struct wire_append_reply *reply)
{
    if (!reply->ok && !replica->match) {
        log_index_t next = reply->match + 1 < replica->next ? reply->match + 1 : replica->next - 1;
        replica->probe = next ? next : 1;
    }
    if (!reply->ok) {
        start_probing(node, replica);
        return;
    }
    if (reply->wait) {
        replica->sent_us = node->step.now_us; /* it has got it, and will answer again */
        return;
    }
    note_answer(node, replica);
    if (replica->probing)
        replica->next = replica->match + 1;
    if (replica->next == replica->match + 1)
        replica->in_flight = 0; /* one answer may stand for several appends that waited */
    replica->probing = false;
}

/* What is committed anywhere is in the log of every later coordinator (Raft 5.4.3), so one that has
 * gone back to its checkpoint need not count again. It may not even be able to: who has applied an
 * entry, and has a checkpoint of that on disk, keeps the values no more that a slower follower
 * needs before it acknowledges. */
static void learn_commit(struct node *node, log_index_t commit)
{
    if (commit > node->journal.commit)
        journal_commit(node, commit);
}

void replication_append_reply(struct node *node, node_id_t from,
                              const struct wire_append_reply *reply)
{
    struct replica *replica = &node->replicas[from];
    if (!is_current(node, from, reply->term, reply->round))
        return;
    members_claims(node, from, reply->voter);
    if ((reply->match > node->journal.last && reply->ok) || reply->commit > node->journal.last) {
        step_reject(&node->step, from, "it has more entries than there are");
        return;
    }
    learn_commit(node, reply->commit);
    /* Values that an older full checkpoint refers to may be gone by now, too. */
    bool anew = replica->image && replica->image->index < node->journal.applied;
    if (reply->install && (!replica->install || anew)) {
        replica->useless = anew ? replica->image->index : replica->useless;
        begin_install(node, from);
    }
    if (replica->install)
        return;
    if (reply->ok && reply->match > replica->match) {
        replica->match = reply->match;
        health_moved(node, from);
    }
    if (replica->next <= replica->match)
        replica->next = replica->match + 1;
    if (!replica->probing || reply->round >= replica->probe_round)
        follow_answer(node, replica, reply);
    replication_advance(node);
}

void replication_install_reply(struct node *node, node_id_t from,
                               const struct wire_install_reply *reply)
{
    struct replica *replica = &node->replicas[from];
    if (!is_current(node, from, reply->term, reply->round) || !replica->image ||
        reply->index != replica->image->index)
        return;
    members_claims(node, from, reply->voter);
    if (reply->next > replica->image->n) {
        step_reject(&node->step, from, "it has more parts than there are");
        return;
    }
    note_answer(node, replica);
    if (reply->next > replica->told_parts)
        health_moved(node, from);
    replica->told_parts = reply->next;
    if (reply->next < replica->image->n) {
        /* With the last part it waits until it has fetched all values. */
        if (!replica->in_flight && reply->next + 1 < replica->image->n)
            replica->sent_parts = reply->next;
        return;
    }
    if (reply->index > replica->match)
        replica->match = reply->index;
    stop_install(replica);
    replica->next = replica->match + 1;
    replica->in_flight = 0;
    replica->sent_us = 0;
    replication_advance(node);
}

void replication_clear(struct node *node)
{
    replication_stop(node);
}

void replication_check_invariants(const struct node *node)
{
    for (node_id_t id = 1; node_is_coordinator(node) && id <= node->step.config.n_nodes; id++) {
        const struct replica *replica = &node->replicas[id];
        if (!step_is_peer(&node->step, id))
            continue;
        assert(replica->next > replica->match); /* R14 */
        assert(replica->install || !replica->image);
        assert(replica->match || replica->probe);
        assert(replica->match <= node->journal.last);
        assert(replica->next <= node->journal.last + 1);
    }
}
