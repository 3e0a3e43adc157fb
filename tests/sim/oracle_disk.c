/* What is on disk, what leaves a node, and which disks may be lost. */
#include <inttypes.h>

#include "nodes/core/journal.h"
#include "nodes/core/state.h"
#include "shared/wire/codec.h"
#include "tests/sim/oracle_internal.h"

/* --- the disk --- */

static void wrote_vote(struct world *world, node_id_t id, const struct write *write)
{
    const struct ghost_node *ghost = &world->oracle->nodes[id];
    struct map *votes = &world->oracle->nodes[id].votes;
    node_id_t before = (node_id_t)as_number(map_get(votes, key(write->term)));
    /* A wiped node that has caught up notes whom the others elected: no vote of its own leaves. */
    if (ghost->wiped && before &&
        as_number(map_get(&world->oracle->leaders, key(write->term))) == write->vote)
        return;
    if (write->vote && before && before != write->vote)
        world_fail(world, "R1: one vote per node and term",
                   "node %u votes for %u and for %u in term %" PRIu64, id, before, write->vote,
                   write->term);
    if (write->vote)
        map_put(votes, key(write->term), as_pointer(write->vote));
}

/* A log entry promises that the values that it refers to are on this disk. */
static void check_values(struct world *world, node_id_t id, const struct write *write)
{
    struct message *entry;
    struct text why = {0};
    if (codec_unpack((struct slice){write->entry->at, write->entry->len}, &entry, &why))
        world_fail(world, "an entry can be read", "%s", why.at);
    bool done = entry->type == MESSAGE_ENTRY_OPS_DONE || entry->type == MESSAGE_ENTRY_JOB_DONE;
    for (size_t i = 0; done && i < entry->as.done.ops.n; i++) {
        const struct wire_done_op *op = &entry->as.done.ops.at[i];
        struct value_id value = {entry->as.done.job, op->op};
        if (op->len && !op->frame &&
            !map_get(&world->oracle->nodes[id].values, machine_value_key(value)))
            world_fail(world, "an entry is acknowledged only with its values on disk",
                       "node %u lacks operation %" PRIu64 " of entry %" PRIu64, id, op->op,
                       write->index);
    }
    message_drop(&entry);
}

void oracle_wrote(struct world *world, node_id_t id, const struct write *write)
{
    if (write->kind == WRITE_VOTE)
        wrote_vote(world, id, write);
    else if (write->kind == WRITE_ENTRY)
        check_values(world, id, write);
}

void oracle_kept(struct world *world, node_id_t id, struct value_id value)
{
    map_put(&world->oracle->nodes[id].values, machine_value_key(value), world);
}

void oracle_synced(struct world *world, node_id_t id)
{
    const struct world_node *disk = &world->nodes[id];
    const struct node *node = disk->core;
    if (disk->disk_seq != node->out.seq)
        return;
    log_index_t last = disk->log_base + disk->log_n;
    term_t on_disk = disk->log_n ? disk->log[disk->log_n - 1].term : 0;
    if (last != node->journal.last || (disk->log_n && on_disk != journal_last_term(node)))
        world_fail(world, "disk and memory agree",
                   "node %u has %" PRIu64 " entries, its disk %" PRIu64, id, node->journal.last,
                   last);
    if (disk->durable.term != node->election.term || disk->durable.vote != node->election.vote)
        world_fail(world, "disk and memory agree",
                   "node %u is in term %" PRIu64 ", its disk in %" PRIu64, id, node->election.term,
                   disk->durable.term);
}

void oracle_wiped(struct world *world, node_id_t id)
{
    struct ghost_node *ghost = &world->oracle->nodes[id];
    ghost->wiped = true;
    map_clear(&ghost->values);
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
    if (disk->durable.term == term && disk->log_base + disk->log_n < match)
        world_fail(world, "R1: persisted before sent",
                   "node %u acknowledges entry %" PRIu64 ", its disk ends at %" PRIu64, id, match,
                   disk->log_base + disk->log_n);
}

/* What it acknowledges must be the coordinator's entry, not one that only stands in its place. */
static void check_equal(struct world *world, node_id_t id, node_id_t to, term_t term,
                        log_index_t match)
{
    const struct world_node *disk = &world->nodes[id];
    const struct node *leader = world->nodes[to].core;
    term_t theirs;
    if (!leader || !node_is_coordinator(leader) || leader->election.term != term ||
        disk->durable.term != term || match <= disk->log_base ||
        !journal_term(leader, match, &theirs))
        return;
    if (disk->log[match - disk->log_base - 1].term != theirs)
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
    log_index_t index = job & LOG_INDEX_MAX;
    const struct ghost_commit *commit = map_get(&world->oracle->commits, key(index));
    if (!commit || commit->term != job >> JOB_INDEX_BITS)
        world_fail(world, "a job is acknowledged when it is committed",
                   "node %u acknowledges entry %" PRIu64, id, index);
}

/* --- wiping --- */

/* A wiped node has forgotten its votes and what it acknowledged. R22 keeps it from deciding
 * anything until it has caught up with a coordinator. That is enough when
 *
 * - the wiped voters that have not caught up, and those that never voted, are a minority, and those
 *   that remember are a majority;
 * - a majority of these holds an entry of a term not below the wiped node's: so every vote that it
 *   ever gave is decided, and nobody can win such a term any more with a second one;
 * - nobody's disk is in a lower term: so no coordinator of a former term is left under which it
 *   could catch up, not knowing the later ones.
 *
 * What it acknowledged, and what only a majority with it holds, is then safe: whoever is elected
 * before it has caught up is elected by a majority without it, and such a majority holds all that
 * is committed. A node that does not vote may be wiped at any time. */
bool oracle_may_wipe(const struct world *world, node_id_t id)
{
    uint32_t voters = world_voters(world), remember = 0, settled = 0;
    term_t term = world->nodes[id].durable.term;
    if (id > voters)
        return true;
    for (node_id_t other = 1; other <= voters; other++) {
        const struct world_node *node = &world->nodes[other];
        term_t last = node->log_n ? node->log[node->log_n - 1].term : 0;
        if (other == id)
            continue;
        if (node->durable.term < term)
            return false;
        remember += node->durable.voter;
        settled += node->durable.voter && last >= term;
    }
    return remember > voters / 2 && settled > voters / 2;
}
