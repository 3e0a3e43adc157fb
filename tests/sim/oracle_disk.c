/* What is on disk, what leaves a node, and which disks may be lost. */
#include <inttypes.h>
#include <string.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/step/step.h"
#include "tests/harness/inside.h"
#include "shared/base/job_id.h"
#include "shared/wire/codec.h"
#include "tests/sim/oracle_internal.h"
#include "tests/sim/rot.h"

/* --- the disk --- */

static void wrote_vote(struct world *world, node_id_t id, const struct write *write)
{
    struct ghost_node *ghost = &world->oracle->nodes[id];
    struct map *votes = &ghost->votes;
    node_id_t before = (node_id_t)as_number(map_get(votes, key(write->term)));
    if (write->vote && before && before != write->vote)
        world_fail(world, "R1: one vote per node and term",
                   "node %u votes for %u and for %u in term %" PRIu64, id, before, write->vote,
                   write->term);
    if (write->vote) {
        map_put(votes, key(write->term), as_pointer(write->vote));
        map_put(&ghost->given, (struct map_key){write->term, write->vote}, ghost);
    }
    ghost->wiped = ghost->wiped &&
                   !(write->voter && world->nodes[id].durable.birth == world->oracle->births[id]);
    if (write->identity && !world->oracle->founded) {
        world->oracle->founded = true;
        memcpy(world->oracle->births, write->identity->births, sizeof world->oracle->births);
    }
}

/* The claim is checked against the table of jobs alone: the job is finished, or forgotten, or the
 * operation is not among its live results. That no later state names it is checked at the end. */
void oracle_used(struct world *world, node_id_t id, struct value_id value)
{
    const struct node *node = world->nodes[id].core;
    const struct job *job = jobs_find(&inside_state(node)->jobs, value.job);
    if (job && job_needs(job, value.op))
        world_fail(world, "what is used up is not named",
                   "node %u: operation %" PRIu64 " of %" PRIu64, id, value.op, value.job);
    map_put(&world->oracle->used, machine_value_key(value), world);
}

static void check_named(struct world *world, node_id_t id, struct value_id value,
                        const uint8_t hash[HASH_BYTES])
{
    const struct blob *blob = map_get(&world->nodes[id].kept, machine_value_key(value));
    uint8_t is[HASH_BYTES];
    if (blob)
        hash_bytes(blob->at, blob->len, is);
    if (blob && memcmp(is, hash, HASH_BYTES))
        world_fail(world, "R37: a value that the state names is sound",
                   "node %u has other bytes of operation %" PRIu64 " of %" PRIu64, id, value.op,
                   value.job);
    if (!blob)
        world_fail(world, "W4: a value that the state names is on disk",
                   "node %u lacks operation %" PRIu64 " of %" PRIu64, id, value.op, value.job);
}

/* Each value that the state of a node names. */
static void each_named(struct world *world, node_id_t id,
                       void (*check)(struct world *world, node_id_t id, struct value_id value,
                                     const uint8_t hash[HASH_BYTES]))
{
    const struct jobs *jobs = &inside_state(world->nodes[id].core)->jobs;
    for (size_t i = 0; i < jobs->n; i++) {
        struct job *job = jobs->at[i];
        struct done_op *done;
        if (job->state == JOB_DONE && job->digits && !job->text)
            check(world, id, (struct value_id){job->id, job_text_op(job)}, job->sha256);
        for (size_t at = 0; (done = map_next(&job->live, &at, NULL));)
            if (!done->value)
                check(world, id, (struct value_id){job->id, done->op}, done->hash);
    }
    const struct stored_values *stored = &inside_state(world->nodes[id].core)->stored;
    for (size_t i = 0; i < stored->n; i++)
        for (size_t k = 0; k < stored->at[i]->n_segments; k++)
            check(world, id, (struct value_id){stored->at[i]->id, stored->at[i]->segments[k].op},
                  stored->at[i]->segments[k].sha256);
}

/* Who does not vote keeps none. */
void oracle_values(struct world *world)
{
    for (node_id_t id = 1; id <= world_voters(world); id++)
        each_named(world, id, check_named);
}

static void check_saved(struct world *world, node_id_t id, struct value_id value,
                        const uint8_t hash[HASH_BYTES])
{
    (void)hash; /* rot is found and repaired */
    if (!map_get(&world->nodes[id].kept, machine_value_key(value)) &&
        !map_get(&world->oracle->used, machine_value_key(value)))
        world_fail(world, "W4: a value that the checkpoint on disk names is on disk",
                   "node %u lacks operation %" PRIu64 " of %" PRIu64, id, value.op, value.job);
}

/* A node that starts has the state of the checkpoint on its disk. As coordinator it may have to
 * give that to a follower, with its values. */
void oracle_saved_values(struct world *world, node_id_t id)
{
    if (id <= world_voters(world))
        each_named(world, id, check_saved);
}

/* A log entry promises that the values that it refers to are on this voter's disk, unless nobody
 * needs them any more. */
static void check_values(struct world *world, node_id_t id, const struct blob *packed,
                         log_index_t index, const struct map *values, const char *check)
{
    struct message *entry;
    struct text why = {0};
    if (id > world_voters(world))
        return;
    if (codec_unpack((struct slice){packed->at, packed->len}, &entry, &why))
        world_fail(world, "an entry can be read", "%s", why.at);
    bool done = entry->type == MESSAGE_ENTRY_OPS_DONE || entry->type == MESSAGE_ENTRY_JOB_DONE;
    for (size_t i = 0; done && i < entry->as.done.ops.n; i++) {
        const struct wire_done_op *op = &entry->as.done.ops.at[i];
        struct value_id value = {entry->as.done.job, op->op};
        if (op->len && !op->frame && !map_get(values, machine_value_key(value)) &&
            !map_get(&world->oracle->used, machine_value_key(value)))
            world_fail(world, check, "node %u lacks operation %" PRIu64 " of entry %" PRIu64, id,
                       op->op, index);
    }
    const struct wire_entry_value_segment *segment = &entry->as.entry_value_segment;
    struct value_id value = {segment->value, segment->op};
    if (entry->type == MESSAGE_ENTRY_VALUE_SEGMENT && !map_get(values, machine_value_key(value)) &&
        !map_get(&world->oracle->used, machine_value_key(value)))
        world_fail(world, check, "node %u lacks segment %" PRIu64 " of entry %" PRIu64, id,
                   segment->segment, index);
    message_drop(&entry);
}

/* It may have to give them to a follower: its applied state begins at the checkpoint. */
void oracle_log_values(struct world *world, node_id_t id)
{
    const struct world_node *disk = &world->nodes[id];
    for (size_t i = 0; i < disk->log.n; i++)
        check_values(world, id, disk->log.at[i].packed, disk->log.base + i + 1, &disk->kept,
                     "W4: a value that an entry after the checkpoint names is on disk");
}

void oracle_wrote(struct world *world, node_id_t id, const struct write *write)
{
    if (write->kind == WRITE_VOTE)
        wrote_vote(world, id, write);
    else if (write->kind == WRITE_ENTRY)
        check_values(world, id, write->entry, write->index, &world->oracle->nodes[id].values,
                     "an entry is acknowledged only with its values on disk");
}

void oracle_kept(struct world *world, node_id_t id, struct value_id value)
{
    map_put(&world->oracle->nodes[id].values, machine_value_key(value), world);
}

void oracle_synced(struct world *world, node_id_t id)
{
    const struct world_node *disk = &world->nodes[id];
    const struct node *node = disk->core;
    if (disk->disk_seq != inside_step(node)->out.seq)
        return;
    log_index_t last = entries_last(&disk->log);
    const struct entry *entry = entries_find(&disk->log, last);
    if (last != inside_raft(node)->log.last ||
        (entry && entry->term != raft_log_last_term(inside_raft(node))))
        world_fail(world, "disk and memory agree",
                   "node %u has %" PRIu64 " entries, its disk %" PRIu64, id,
                   inside_raft(node)->log.last, last);
    if (disk->durable.term != inside_step(node)->term ||
        disk->durable.vote != inside_raft(node)->election.vote)
        world_fail(world, "disk and memory agree",
                   "node %u is in term %" PRIu64 ", its disk in %" PRIu64, id,
                   inside_step(node)->term, disk->durable.term);
}

void oracle_wiped(struct world *world, node_id_t id)
{
    struct ghost_node *ghost = &world->oracle->nodes[id];
    ghost->wiped = true;
    map_clear(&ghost->values);
    map_clear(&ghost->votes); /* the next disk knows nothing of them */
}

/* --- persisted before sent --- */

static void check_term(struct world *world, node_id_t id, term_t term)
{
    if (world->nodes[id].durable.term < term)
        world_fail(world, "R1: persisted before sent",
                   "node %u speaks of term %" PRIu64 ", its disk is in %" PRIu64, id, term,
                   world->nodes[id].durable.term);
}

static void check_vote(struct world *world, node_id_t id, term_t term, node_id_t vote)
{
    if (as_number(map_get(&world->oracle->nodes[id].votes, key(term))) != vote)
        world_fail(world, "R1: persisted before sent",
                   "node %u votes for %u in term %" PRIu64 ", its disk does not know", id, vote,
                   term);
}

static void check_match(struct world *world, node_id_t id, term_t term, log_index_t match)
{
    const struct world_node *disk = &world->nodes[id];
    if (disk->durable.term == term && entries_last(&disk->log) < match)
        world_fail(world, "R1: persisted before sent",
                   "node %u acknowledges entry %" PRIu64 ", its disk ends at %" PRIu64, id, match,
                   entries_last(&disk->log));
}

/* What it acknowledges must be the coordinator's entry, not one that only stands in its place. */
static void check_equal(struct world *world, node_id_t id, node_id_t to, term_t term,
                        log_index_t match)
{
    const struct world_node *disk = &world->nodes[id];
    const struct node *leader = world->nodes[to].core;
    term_t theirs;
    if (!leader || !election_leads(inside_raft(leader)) || inside_step(leader)->term != term ||
        disk->durable.term != term || match <= disk->log.base ||
        !raft_log_term(inside_raft(leader), match, &theirs))
        return;
    if (disk->log.at[match - disk->log.base - 1].term != theirs)
        world_fail(world, "an acknowledged entry is the coordinator's",
                   "node %u acknowledges entry %" PRIu64 " to node %u, and has another", id, match,
                   to);
}

void oracle_sent(struct world *world, node_id_t id, node_id_t to, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_VOTE_REQUEST:
        if (!message->as.vote_request.pre)
            check_vote(world, id, message->as.vote_request.term, id);
        break;
    case MESSAGE_VOTE_REPLY:
        if (message->as.vote_reply.granted && !message->as.vote_reply.pre)
            check_vote(world, id, message->as.vote_reply.term, to);
        break;
    case MESSAGE_APPEND:
        check_term(world, id, message->as.append.term);
        break;
    case MESSAGE_INSTALL:
        check_term(world, id, message->as.install.term);
        break;
    case MESSAGE_APPEND_REPLY:
        check_term(world, id, message->as.append_reply.term);
        if (!message->as.append_reply.ok)
            break;
        check_match(world, id, message->as.append_reply.term, message->as.append_reply.match);
        check_equal(world, id, to, message->as.append_reply.term, message->as.append_reply.match);
        break;
    case MESSAGE_TASK:
        check_term(world, id, message->as.task.term);
        break;
    case MESSAGE_HEARTBEAT:
        check_term(world, id, message->as.heartbeat.term);
        break;
    default:
        break;
    }
}

/* A client hears of a job only when it is committed. */
void oracle_replied(struct world *world, node_id_t id, const struct message *message)
{
    if (message->type != MESSAGE_JOB)
        return;
    job_id_t job = message->as.job.jobs.at[0].job;
    log_index_t index = job & JOB_INDEX_MASK;
    const struct ghost_commit *commit = map_get(&world->oracle->commits, key(index));
    if (!commit || commit->term != job >> JOB_INDEX_BITS)
        world_fail(world, "a job is acknowledged when it is committed",
                   "node %u acknowledges entry %" PRIu64, id, index);
}

/* --- wiping --- */

/* Voters other than this one whose disks count and hold the entry, or held it before a wipe. */
static unsigned count_without(const struct world *world, node_id_t without, log_index_t index,
                              term_t term)
{
    unsigned n = 0;
    for (node_id_t id = 1; id <= world_voters(world); id++)
        n += id != without && oracle_held(world, id, index, term);
    return n;
}

void oracle_admitted(struct world *world, log_index_t index, term_t term, const struct blob *packed)
{
    struct message *entry;
    struct text why = {0};
    if (codec_unpack((struct slice){packed->at, packed->len}, &entry, &why))
        world_fail(world, "an entry can be read", "%s", why.at);
    if (entry->type == MESSAGE_ENTRY_VOTER_ADMITTED) {
        node_id_t id = (node_id_t)entry->as.entry_voter_admitted.node;
        unsigned others = count_without(world, id, index, term);
        if (world->oracle->births[id] && others <= world_voters(world) / 2)
            world_fail(world, "R31: an admission is committed without the disk that it admits",
                       "that of node %u by %u of %u", id, others, world_voters(world));
        world->oracle->births[id] = entry->as.entry_voter_admitted.birth;
        world->oracle->admitted[id] = true;
    }
    message_drop(&entry);
}

/* Its disk is there, and counts, or will as soon as it hears of the founding. */
static bool is_sound(const struct world *world, const incarnation_t *births, node_id_t id)
{
    const struct node_durable *durable = &world->nodes[id].durable;
    return births[id] && durable->birth == births[id] &&
           (durable->voter || !world->oracle->admitted[id]);
}

/* A disk is the voter's, by the log, once its birth is there, and once it knows so itself. Of those
 * that are not, any minority of the voters heals while the others are up: a majority that counts
 * holds all that is committed, and admits them one by one. So a disk may be wiped whenever no more
 * than a minority would then lack one that counts. Before the founding nothing is lost with a disk;
 * but while it is under way, a disk that has not heard of it is as good as one that has. A node
 * that does not vote may be wiped at any time. */
bool oracle_is_replaced(const struct world *world, node_id_t id, incarnation_t birth)
{
    const struct oracle *oracle = world->oracle;
    return oracle->founded && oracle->births[id] && oracle->births[id] != birth;
}

bool oracle_has_returned(const struct world *world, node_id_t but)
{
    const incarnation_t *births = world->oracle->births;
    for (node_id_t id = 1; id <= world_voters(world); id++) {
        const struct node_durable *durable = &world->nodes[id].durable;
        if (id != but && births[id] && durable->voter && durable->birth != births[id])
            return true;
    }
    return false;
}

bool oracle_may_wipe(const struct world *world, node_id_t id)
{
    const struct oracle *oracle = world->oracle;
    uint32_t voters = world_voters(world), lost = 0;
    const incarnation_t *births = oracle->births;
    if (!rot_may_wipe(world, id))
        return false;
    if (id > voters)
        return true;
    for (node_id_t other = 1; other <= voters && !oracle->founded; other++) {
        const struct node *node = world->nodes[other].core;
        if (node && identity_is_set(&inside_step(node)->identity))
            births = inside_step(node)->identity.births; /* not on any disk yet */
    }
    if (births == oracle->births && !oracle->founded)
        return true;
    for (node_id_t other = 1; other <= voters; other++)
        lost += other == id || !is_sound(world, births, other);
    return lost <= (voters - 1) / 2;
}
