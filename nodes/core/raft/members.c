#include "nodes/core/raft/members.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/journal.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"

#define ADMISSION_NAME      "entry_voter_admitted"
#define ADMISSION_BYTES_MAX 192 /* packed; a longer entry is none */

void members_init(struct node *node, const struct node_durable *durable)
{
    node->step.identity = durable->identity;
    node->step.birth = durable->birth;
    memcpy(node->state.births.at, durable->identity.births, sizeof node->state.births.at);
}

incarnation_t members_birth(const struct node *node, node_id_t id)
{
    const struct members *members = &node->members;
    for (size_t i = members->n_pending; i > 0; i--)
        if (members->pending[i - 1].node == id)
            return members->pending[i - 1].birth;
    return node->state.births.at[id];
}

static bool is_voter(const struct node *node, node_id_t id)
{
    return id >= 1 && id <= node->step.config.n_voters;
}

bool members_is_named(const struct node *node, node_id_t id)
{
    incarnation_t named = members_birth(node, id);
    incarnation_t birth =
        id == node->step.config.id ? node->step.birth : node->members.of[id].birth;
    return !named || named == birth || MUTANT(empty_disk_votes) || MUTANT(old_disk_counts);
}

bool members_counts(const struct node *node, node_id_t id)
{
    bool self = id == node->step.config.id;
    const struct membership *peer = &node->members.of[id];
    incarnation_t birth = self ? node->step.birth : peer->birth;
    bool claims = self ? node->election.voter : peer->voter;
    if (!is_voter(node, id) || !step_is_founded(&node->step))
        return false;
    if (MUTANT(empty_disk_votes))
        return true;
    incarnation_t named = members_birth(node, id);
    if (MUTANT(admission_counts_itself) && named && named == birth)
        return true;
    return claims && members_is_named(node, id);
}

bool members_may_count(const struct node *node, node_id_t id)
{
    const struct membership *peer = &node->members.of[id];
    bool met = id == node->step.config.id || peer->birth;
    return met ? members_counts(node, id) : peer->last_voter;
}

/* --- what peers say --- */

void members_forget(struct node *node, node_id_t peer)
{
    struct membership *it = &node->members.of[peer];
    it->last_birth = it->birth ? it->birth : it->last_birth;
    it->last_voter = it->birth ? it->voter : it->last_voter;
    memset(it->cluster_id, 0, CLUSTER_ID_BYTES);
    it->birth = 0;
    it->voter = false;
    it->found_us = 0;
}

void members_learn(struct node *node, node_id_t from, struct slice cluster_id, incarnation_t birth)
{
    struct membership *peer = &node->members.of[from];
    memset(peer->cluster_id, 0, CLUSTER_ID_BYTES);
    if (cluster_id.len == CLUSTER_ID_BYTES)
        memcpy(peer->cluster_id, cluster_id.at, CLUSTER_ID_BYTES);
    peer->birth = birth;
    /* A vote of its disk before is not known to this one. A disk stays admitted while its node
     * restarts. */
    if (peer->last_birth && birth && peer->last_birth != birth)
        node->election.voted_for_us[from] = false;
    if (birth && birth == peer->last_birth && peer->last_voter)
        peer->voter = true;
    if (birth) {
        peer->last_birth = birth;
        peer->last_voter = false;
    }
}

void members_claims(struct node *node, node_id_t from, bool voter)
{
    struct membership *peer = &node->members.of[from];
    peer->voter = voter;
}

bool members_is_member(const struct node *node, node_id_t peer)
{
    return step_is_ours(&node->step,
                        (struct slice){node->members.of[peer].cluster_id, CLUSTER_ID_BYTES});
}

bool members_is_foreign(const struct node *node, node_id_t peer)
{
    static const uint8_t none[CLUSTER_ID_BYTES];
    const uint8_t *theirs = node->members.of[peer].cluster_id;
    return step_is_founded(&node->step) && memcmp(theirs, none, CLUSTER_ID_BYTES) &&
           memcmp(theirs, node->step.identity.cluster_id, CLUSTER_ID_BYTES);
}

bool members_accepts(struct node *node, node_id_t from, struct slice cluster_id)
{
    if (step_is_ours(&node->step, cluster_id))
        return true;
    if (step_is_founded(&node->step) && cluster_id.len)
        peers_complain(&node->links, from, PEERS_FOREIGN);
    return false;
}

/* Whoever is of another cluster, or of one of another size, is not met. */
bool members_welcomes(struct node *node, node_id_t from, const struct wire_hello *hello)
{
    const struct node_config *config = &node->step.config;
    struct text why = {0};
    if (hello->cluster_id.len && step_is_founded(&node->step) &&
        !step_is_ours(&node->step, hello->cluster_id))
        text_add(&why, PEERS_FOREIGN);
    else if (hello->nodes && hello->nodes != config->n_nodes)
        text_add(&why, "its cluster has %" PRIu64 " nodes, ours %" PRIu32, hello->nodes,
                 config->n_nodes);
    else if (hello->voters && hello->voters != config->n_voters)
        text_add(&why, "its cluster has %" PRIu64 " voters, ours %" PRIu32, hello->voters,
                 config->n_voters);
    if (why.len)
        peers_complain(&node->links, from, why.at);
    return !why.len;
}

/* --- admissions in the log --- */

static bool contains(const struct blob *packed, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i + len <= packed->len; i++)
        if (!memcmp(packed->at + i, name, len))
            return true;
    return false;
}

static void note(struct members *members, log_index_t index, node_id_t id, incarnation_t birth)
{
    if (members->n_pending == members->pending_size) {
        members->pending_size = members->pending_size ? 2 * members->pending_size : 4;
        members->pending =
            mem_grow(members->pending, members->pending_size, sizeof *members->pending);
    }
    members->pending[members->n_pending++] = (struct admission){index, id, birth};
}

/* Another disk is admitted in the place of ours. Should a later entry admit ours again, it counts
 * when that one is applied, not before: else it would help to commit its own admission. Durable
 * together with the entry. */
static void be_replaced(struct node *node)
{
    if (!node->election.voter)
        return;
    node->election.voter = false;
    election_write(node);
    outbox_log(&node->step.out, LOG_WARN, "another disk is admitted in the place of ours");
}

void members_restored(struct node *node, log_index_t index, const struct blob *packed)
{
    struct message *entry;
    struct text why = {0};
    /* Every entry passes here: most are told apart by their length, few are decoded. */
    if (packed->len > ADMISSION_BYTES_MAX || !contains(packed, ADMISSION_NAME) ||
        codec_unpack((struct slice){packed->at, packed->len}, &entry, &why))
        return;
    const struct wire_entry_voter_admitted *admitted = &entry->as.entry_voter_admitted;
    if (entry->type == MESSAGE_ENTRY_VOTER_ADMITTED && is_voter(node, (node_id_t)admitted->node) &&
        step_is_ours(&node->step, admitted->cluster_id))
        note(&node->members, index, (node_id_t)admitted->node, admitted->birth);
    message_drop(&entry);
}

void members_appended(struct node *node, log_index_t index, const struct blob *packed)
{
    const struct members *members = &node->members;
    members_restored(node, index, packed);
    const struct admission *last =
        members->n_pending ? &members->pending[members->n_pending - 1] : NULL;
    if (last && last->index == index && last->node == node->step.config.id &&
        last->birth != node->step.birth)
        be_replaced(node);
}

void members_cut(struct node *node, log_index_t from)
{
    struct members *members = &node->members;
    while (members->n_pending && members->pending[members->n_pending - 1].index >= from)
        members->n_pending--;
}

static void forget_applied(struct members *members, log_index_t upto)
{
    size_t done = 0;
    while (done < members->n_pending && members->pending[done].index <= upto)
        done++;
    members->n_pending -= done;
    if (members->n_pending)
        memmove(members->pending, members->pending + done,
                members->n_pending * sizeof *members->pending);
}

/* Our own admission is applied, with all that is before it and the values; or a full checkpoint
 * names another disk. */
static void check_own(struct node *node)
{
    incarnation_t named = node->state.births.at[node->step.config.id];
    bool ours = named && named == node->step.birth;
    if (!is_voter(node, node->step.config.id))
        return;
    if (ours && !node->election.voter)
        election_admitted(node);
    else if (named && !ours)
        be_replaced(node);
}

void members_apply(struct node *node, log_index_t index,
                   const struct wire_entry_voter_admitted *entry)
{
    node_id_t id = (node_id_t)entry->node;
    forget_applied(&node->members, index);
    if (!is_voter(node, id) || !step_is_ours(&node->step, entry->cluster_id))
        return;
    node->state.births.at[id] = entry->birth;
    if (node_is_coordinator(node))
        step_event(&node->step, "voter_admitted", id, JOB_NONE, "node %u is admitted as a voter",
                   id);
    check_own(node);
}

void members_installed(struct node *node)
{
    node->members.n_pending = 0; /* the log is gone, with what it named */
    check_own(node);
}

/* --- admitting --- */

static void propose(struct node *node, node_id_t id, incarnation_t birth)
{
    struct message *entry = message_new(MESSAGE_ENTRY_VOTER_ADMITTED);
    entry->as.entry_voter_admitted =
        (struct wire_entry_voter_admitted){.node = id,
                                           .birth = birth,
                                           .cluster_id =
                                               message_copy(entry, step_cluster_id(&node->step))};
    outbox_log(&node->step.out, LOG_INFO, "proposes to admit node %u as a voter", id);
    journal_propose(node, entry);
}

/* Its disk has all that is committed, values included. */
static bool has_caught_up(const struct node *node, node_id_t id)
{
    const struct peer *peer = &node->links.peers[id];
    return peer->alive && peer->links[PLANE_CHECKPOINT].state == LINK_WELCOMED &&
           node->members.of[id].birth && !members_is_foreign(node, id) &&
           node->replicas[id].match && node->replicas[id].match >= node->journal.commit;
}

/* It has applied all, and does not count itself: an admission of another disk that was cut off
 * again had made it forget its own. */
static bool has_forgotten(const struct node *node, node_id_t id)
{
    const struct peer *peer = &node->links.peers[id];
    return !node->members.of[id].voter && peer->heartbeat && !peer->heartbeat->as.heartbeat.voter &&
           peer->heartbeat->as.heartbeat.applied >= node->journal.commit;
}

void members_pump(struct node *node)
{
    if (!node_serves(node) || node->members.n_pending || node->full)
        return;
    for (node_id_t id = 1; id <= node->step.config.n_voters; id++) {
        bool self = id == node->step.config.id;
        incarnation_t birth = self ? node->step.birth : node->members.of[id].birth;
        bool named = birth == members_birth(node, id) && (self || !has_forgotten(node, id));
        if (!birth || named || (!self && !has_caught_up(node, id)))
            continue;
        propose(node, id, birth);
        return;
    }
}

unsigned members_missing(const struct node *node)
{
    unsigned missing = 0;
    for (node_id_t id = 1; id <= node->step.config.n_voters; id++)
        missing += !members_counts(node, id);
    return missing;
}

void members_clear(struct node *node)
{
    free(node->members.pending);
    node->members.pending = NULL;
    node->members.n_pending = node->members.pending_size = 0;
}
