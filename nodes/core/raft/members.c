#include "nodes/core/raft/members.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/log.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"

#define ADMISSION_NAME      "entry_voter_admitted"
#define ADMISSION_BYTES_MAX 192 /* packed; a longer entry is none */

/* The voters' disks as the applied log has them. */
static incarnation_t *births_of(const struct raft *raft)
{
    return raft->machine->births(raft->state);
}

void members_found(struct raft *raft, const struct identity *identity)
{
    memcpy(births_of(raft), identity->births, sizeof identity->births);
}

void members_init(struct raft *raft, const struct node_durable *durable)
{
    raft->step->identity = durable->identity;
    raft->step->birth = durable->birth;
    members_found(raft, &durable->identity);
}

/* The disk that the log names for a voter; 0: none yet, any will do. */
static incarnation_t birth_of(const struct raft *raft, node_id_t id)
{
    const struct members *members = &raft->members;
    for (size_t i = members->n_pending; i > 0; i--)
        if (members->pending[i - 1].node == id)
            return members->pending[i - 1].birth;
    return births_of(raft)[id];
}

bool members_is_voter(const struct raft *raft, node_id_t id)
{
    return id >= 1 && id <= raft->step->config.n_voters;
}

bool members_is_named(const struct raft *raft, node_id_t id)
{
    incarnation_t named = birth_of(raft, id);
    incarnation_t birth =
        id == raft->step->config.id ? raft->step->birth : raft->members.of[id].birth;
    return !named || named == birth || MUTANT(empty_disk_votes) || MUTANT(old_disk_counts);
}

bool members_counts(const struct raft *raft, node_id_t id)
{
    bool self = id == raft->step->config.id;
    const struct membership *peer = &raft->members.of[id];
    incarnation_t birth = self ? raft->step->birth : peer->birth;
    bool claims = self ? raft->election.voter : peer->voter;
    if (!members_is_voter(raft, id) || !step_is_founded(raft->step))
        return false;
    if (MUTANT(empty_disk_votes))
        return true;
    incarnation_t named = birth_of(raft, id);
    if (MUTANT(admission_counts_itself) && named && named == birth)
        return true;
    return claims && members_is_named(raft, id);
}

bool members_may_count(const struct raft *raft, node_id_t id)
{
    const struct membership *peer = &raft->members.of[id];
    bool met = id == raft->step->config.id || peer->birth;
    return met ? members_counts(raft, id) : peer->last_voter;
}

/* --- what peers say --- */

void members_forget(struct raft *raft, node_id_t peer)
{
    struct membership *it = &raft->members.of[peer];
    it->last_birth = it->birth ? it->birth : it->last_birth;
    it->last_voter = it->birth ? it->voter : it->last_voter;
    memset(it->cluster_id, 0, CLUSTER_ID_BYTES);
    it->birth = 0;
    it->voter = false;
    it->found_us = 0;
    election_forget_stated(raft, peer);
}

void members_learn(struct raft *raft, node_id_t from, struct slice cluster_id, incarnation_t birth)
{
    struct membership *peer = &raft->members.of[from];
    memset(peer->cluster_id, 0, CLUSTER_ID_BYTES);
    if (cluster_id.len == CLUSTER_ID_BYTES)
        memcpy(peer->cluster_id, cluster_id.at, CLUSTER_ID_BYTES);
    peer->birth = birth;
    /* A vote of its disk before is not known to this one. A disk stays admitted while its node
     * restarts. */
    if (peer->last_birth && birth && peer->last_birth != birth)
        raft->election.voted_for_us[from] = false;
    if (birth && birth == peer->last_birth && peer->last_voter)
        peer->voter = true;
    if (birth) {
        peer->last_birth = birth;
        peer->last_voter = false;
    }
}

void members_claims(struct raft *raft, node_id_t from, bool voter)
{
    struct membership *peer = &raft->members.of[from];
    peer->voter = voter;
}

bool members_is_member(const struct raft *raft, node_id_t peer)
{
    return step_is_ours(raft->step,
                        (struct slice){raft->members.of[peer].cluster_id, CLUSTER_ID_BYTES});
}

bool members_is_foreign(const struct raft *raft, node_id_t peer)
{
    static const uint8_t none[CLUSTER_ID_BYTES];
    const uint8_t *theirs = raft->members.of[peer].cluster_id;
    return step_is_founded(raft->step) && memcmp(theirs, none, CLUSTER_ID_BYTES) &&
           memcmp(theirs, raft->step->identity.cluster_id, CLUSTER_ID_BYTES);
}

bool members_accepts(struct raft *raft, node_id_t from, struct slice cluster_id)
{
    if (step_is_ours(raft->step, cluster_id))
        return true;
    if (step_is_founded(raft->step) && cluster_id.len)
        peers_complain(raft->links, from, PEERS_FOREIGN);
    return false;
}

bool members_is_open(const struct raft *raft)
{
    return raft->step->config.voters_open && !step_is_founded(raft->step);
}

/* Whoever is of another cluster, or of one of another size, is not met. */
bool members_welcomes(struct raft *raft, node_id_t from, const struct wire_hello *hello)
{
    const struct node_config *config = &raft->step->config;
    struct text why = {0};
    if (hello->cluster_id.len && step_is_founded(raft->step) &&
        !step_is_ours(raft->step, hello->cluster_id))
        text_add(&why, PEERS_FOREIGN);
    else if (hello->nodes && hello->nodes != config->n_nodes)
        text_add(&why, "its cluster has %" PRIu64 " nodes, ours %" PRIu32, hello->nodes,
                 config->n_nodes);
    else if (hello->voters && hello->voters != config->n_voters && !members_is_open(raft))
        text_add(&why, "its cluster has %" PRIu64 " voters, ours %" PRIu32, hello->voters,
                 config->n_voters);
    if (why.len)
        peers_complain(raft->links, from, why.at);
    return !why.len;
}

bool members_know_entries(const struct raft *raft, uint64_t level, node_id_t *without)
{
    uint32_t n = 0;
    node_id_t ignored;
    without = without ? without : &ignored;
    *without = NODE_NONE;
    for (node_id_t id = 1; id <= raft->step->config.n_nodes; id++) {
        const struct peer *peer = &raft->links->peers[id];
        bool self = id == raft->step->config.id;
        if (!self && (!peer->alive || !peer->heartbeat))
            continue;
        if (!self && peer->heartbeat->as.heartbeat.entries < level) {
            *without = id;
            return false;
        }
        n += members_is_voter(raft, id);
    }
    return n >= election_quorum(raft);
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
static void be_replaced(struct raft *raft)
{
    if (!raft->election.voter)
        return;
    raft->election.voter = false;
    election_write(raft);
    outbox_log(&raft->step->out, LOG_WARN, "another disk is admitted in the place of ours");
}

void members_restored(struct raft *raft, log_index_t index, const struct blob *packed)
{
    struct message *entry;
    struct text why = {0};
    /* Every entry passes here: most are told apart by their length, few are decoded. */
    if (packed->len > ADMISSION_BYTES_MAX || !contains(packed, ADMISSION_NAME) ||
        codec_unpack((struct slice){packed->at, packed->len}, &entry, &why))
        return;
    const struct wire_entry_voter_admitted *admitted = &entry->as.entry_voter_admitted;
    if (entry->type == MESSAGE_ENTRY_VOTER_ADMITTED &&
        members_is_voter(raft, (node_id_t)admitted->node) &&
        step_is_ours(raft->step, admitted->cluster_id))
        note(&raft->members, index, (node_id_t)admitted->node, admitted->birth);
    message_drop(&entry);
}

void members_appended(struct raft *raft, log_index_t index, const struct blob *packed)
{
    const struct members *members = &raft->members;
    members_restored(raft, index, packed);
    const struct admission *last =
        members->n_pending ? &members->pending[members->n_pending - 1] : NULL;
    if (last && last->index == index && last->node == raft->step->config.id &&
        last->birth != raft->step->birth)
        be_replaced(raft);
}

void members_cut(struct raft *raft, log_index_t from)
{
    struct members *members = &raft->members;
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

/* Our own admission is applied, with all that is before it and the values; or a checkpoint names
 * another disk. A node that starts again applies what was before its admission once more: what the
 * rest of its log says of its disk counts. */
static void check_own(struct raft *raft)
{
    incarnation_t named = births_of(raft)[raft->step->config.id];
    bool ours = named && named == raft->step->birth;
    if (!members_is_voter(raft, raft->step->config.id))
        return;
    if (ours && !raft->election.voter)
        election_admitted(raft);
    else if (named && birth_of(raft, raft->step->config.id) != raft->step->birth)
        be_replaced(raft);
}

void members_apply(struct raft *raft, log_index_t index,
                   const struct wire_entry_voter_admitted *entry)
{
    node_id_t id = (node_id_t)entry->node;
    forget_applied(&raft->members, index);
    if (!members_is_voter(raft, id) || !step_is_ours(raft->step, entry->cluster_id))
        return;
    births_of(raft)[id] = entry->birth;
    if (election_leads(raft))
        step_event(raft->step, "voter_admitted", id, JOB_NONE, "node %u is admitted as a voter",
                   id);
    check_own(raft);
}

void members_installed(struct raft *raft)
{
    raft->members.n_pending = 0; /* the log is gone, with what it named */
    check_own(raft);
}

/* --- admitting --- */

static void propose(struct raft *raft, node_id_t id, incarnation_t birth)
{
    struct message *entry = message_new(MESSAGE_ENTRY_VOTER_ADMITTED);
    entry->as.entry_voter_admitted = (struct wire_entry_voter_admitted){
        .node = id, .birth = birth, .cluster_id = message_copy(entry, step_cluster_id(raft->step))};
    outbox_log(&raft->step->out, LOG_INFO, "proposes to admit node %u as a voter", id);
    raft_log_propose(raft, entry);
}

/* Its disk has all that is committed, values included. */
static bool has_caught_up(const struct raft *raft, node_id_t id)
{
    const struct peer *peer = &raft->links->peers[id];
    return peer->alive && peer->links[PLANE_CHECKPOINT].state == LINK_WELCOMED &&
           raft->members.of[id].birth && !members_is_foreign(raft, id) &&
           raft->replicas[id].match && raft->replicas[id].match >= raft->log.commit;
}

/* It has applied all, and does not count itself: an admission of another disk that was cut off
 * again had made it forget its own. */
static bool has_forgotten(const struct raft *raft, node_id_t id)
{
    const struct peer *peer = &raft->links->peers[id];
    return !raft->members.of[id].voter && peer->heartbeat && !peer->heartbeat->as.heartbeat.voter &&
           peer->heartbeat->as.heartbeat.applied >= raft->log.commit;
}

void members_pump(struct raft *raft)
{
    if (!raft_serves(raft) || raft->members.n_pending || raft->full)
        return;
    for (node_id_t id = 1; id <= raft->step->config.n_voters; id++) {
        bool self = id == raft->step->config.id;
        incarnation_t birth = self ? raft->step->birth : raft->members.of[id].birth;
        bool named = birth == birth_of(raft, id) && (self || !has_forgotten(raft, id));
        if (!birth || named || (!self && !has_caught_up(raft, id)))
            continue;
        propose(raft, id, birth);
        return;
    }
}

void members_clear(struct raft *raft)
{
    free(raft->members.pending);
    raft->members.pending = NULL;
    raft->members.n_pending = raft->members.pending_size = 0;
}
