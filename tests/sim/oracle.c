#include "tests/sim/oracle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/journal.h"
#include "nodes/core/state.h"
#include "shared/wire/codec.h"

/* An entry that was ever in any log: what it was, and the term of the one before it. */
struct ghost_entry {
    uint64_t hash;
    term_t before;
};

struct ghost_commit {
    struct blob *packed;
    term_t term;
    term_t in; /* the term in which it was first committed; greater when it came beneath another */
};

/* A node's log in memory, with what it has compacted in this life. */
struct ghost_log {
    log_index_t base;
    struct world_entry *at; /* base + 1, ...: owned */
    size_t n, size;
};

/* What a node has ever done, its former lives included. */
struct ghost_node {
    struct map votes;  /* term -> whom it voted for, on disk */
    struct map values; /* (job, op) that its disk has ever held; since it was wiped */
    bool wiped;        /* ever: what it had acknowledged may be gone */
    struct ghost_log log;
    log_index_t checked, applied; /* in this life: looked at up to here */
    term_t term_before;           /* this step */
    node_id_t vote_before;
    bool led_before;
};

struct oracle {
    struct ghost_node nodes[WORLD_NODES_MAX + 1];
    struct map entries; /* (index, term) -> struct ghost_entry */
    struct map commits; /* index -> struct ghost_commit */
    log_index_t committed;
    struct map leaders; /* term -> node */
    struct map states;  /* applied index -> digest of the replicated state */
};

static void *as_pointer(uint64_t number)
{
    return (void *)(uintptr_t)number;
}

static uint64_t as_number(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static struct map_key key(uint64_t a)
{
    return (struct map_key){a, 0};
}

static const struct world_entry *find_entry(const struct ghost_log *log, log_index_t index)
{
    return index > log->base && index <= log->base + log->n ? &log->at[index - log->base - 1]
                                                            : NULL;
}

static void cut_log(struct ghost_log *log, log_index_t from)
{
    while (log->n && log->base + log->n >= from)
        blob_drop(&log->at[--log->n].packed);
}

static void push_entry(struct ghost_log *log, log_index_t index, term_t term, struct blob *packed)
{
    cut_log(log, index);
    if (!log->n)
        log->base = index - 1;
    if (log->n == log->size) {
        log->size = log->size ? 2 * log->size : 64;
        log->at = mem_grow(log->at, log->size, sizeof *log->at);
    }
    log->at[log->n++] = (struct world_entry){term, blob_ref(packed)};
}

static void reset_log(struct ghost_log *log, log_index_t base)
{
    cut_log(log, 0);
    log->base = base;
}

struct oracle *oracle_new(void)
{
    return mem_new(1, sizeof(struct oracle));
}

void oracle_free(struct oracle **oracle)
{
    struct oracle *it = *oracle;
    struct ghost_commit *commit;
    void *value;
    *oracle = NULL;
    for (size_t at = 0; (commit = map_next(&it->commits, &at, NULL));) {
        blob_drop(&commit->packed);
        free(commit);
    }
    for (size_t at = 0; (value = map_next(&it->entries, &at, NULL));)
        free(value);
    for (size_t at = 0; (value = map_next(&it->states, &at, NULL));)
        free(value);
    for (node_id_t id = 1; id <= WORLD_NODES_MAX; id++) {
        map_clear(&it->nodes[id].votes);
        map_clear(&it->nodes[id].values);
        cut_log(&it->nodes[id].log, 0);
        free(it->nodes[id].log.at);
    }
    map_clear(&it->commits);
    map_clear(&it->entries);
    map_clear(&it->leaders);
    map_clear(&it->states);
    free(it);
}

/* --- the logs in memory --- */

/* Log matching: the same index and term are the same entry, behind an entry of the same term; by
 * induction the whole logs up to there are the same. */
static void check_entry(struct world *world, node_id_t id, const struct write *write)
{
    struct ghost_log *log = &world->oracle->nodes[id].log;
    struct map_key name = {write->index, write->term};
    push_entry(log, write->index, write->term, write->entry);
    const struct world_entry *before = find_entry(log, write->index - 1);
    struct ghost_entry entry = {.hash = map_hash(write->entry->at, write->entry->len),
                                .before = before ? before->term : 0};
    struct ghost_entry *known = map_get(&world->oracle->entries, name);
    if (!known) {
        known = mem_new(1, sizeof *known);
        *known = entry;
        map_put(&world->oracle->entries, name, known);
        return;
    }
    if (known->hash != entry.hash || (known->before && before && known->before != before->term))
        world_fail(world, "log matching", "node %u has another entry %" PRIu64 " of term %" PRIu64,
                   id, write->index, write->term);
    known->before = known->before ? known->before : entry.before;
}

/* What is committed was counted on every disk that has it: it stays there. */
static void check_cut(struct world *world, node_id_t id, log_index_t from)
{
    const struct ghost_log *log = &world->oracle->nodes[id].log;
    const struct world_entry *entry;
    for (log_index_t index = from > log->base ? from : log->base + 1;
         (entry = find_entry(log, index)); index++) {
        const struct ghost_commit *commit = map_get(&world->oracle->commits, key(index));
        if (commit && commit->term == entry->term)
            world_fail(world, "nothing that is committed is cut",
                       "node %u cuts at %" PRIu64 ", %" PRIu64 " is committed", id, from, index);
    }
}

static void check_writes(struct world *world, node_id_t id, const struct output *output)
{
    struct ghost_node *ghost = &world->oracle->nodes[id];
    const struct node *node = world->nodes[id].core;
    for (size_t i = 0; i < output->persist.n; i++) {
        const struct write *write = &output->persist.writes[i];
        bool cuts = write->kind == WRITE_TRUNCATE || (write->kind == WRITE_IMAGE && write->whole);
        if (write->kind == WRITE_ENTRY)
            check_entry(world, id, write);
        if (cuts && (node_is_coordinator(node) || ghost->led_before) &&
            node->election.term == ghost->term_before)
            world_fail(world, "a coordinator only appends", "node %u cuts its log at %" PRIu64, id,
                       write->index);
        if (cuts)
            check_cut(world, id, write->index + (write->kind == WRITE_IMAGE));
        if (write->kind == WRITE_TRUNCATE)
            cut_log(&ghost->log, write->index);
        else if (cuts ||
                 (write->kind == WRITE_IMAGE && write->index > ghost->log.base + ghost->log.n))
            reset_log(&ghost->log, write->index);
    }
}

/* --- committing --- */

/* Counts the voters whose disks hold the entry, or that were wiped after they might have. */
static unsigned count_durable(const struct world *world, log_index_t index, term_t term)
{
    unsigned n = 0;
    for (node_id_t id = 1; id <= world_voters(world); id++) {
        const struct world_node *node = &world->nodes[id];
        bool covered = node->log_base >= index;
        bool logged = !covered && node->log_base + node->log_n >= index &&
                      node->log[index - node->log_base - 1].term == term;
        n += covered || logged || world->oracle->nodes[id].wiped;
    }
    return n;
}

/* Leader completeness: who leads a later term has the entry. */
static void check_later_leaders(struct world *world, log_index_t index,
                                const struct ghost_commit *commit)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        term_t theirs;
        if (!node || !node_is_coordinator(node) || node->election.term <= commit->in ||
            node->journal.base >= index)
            continue;
        if (!journal_term(node, index, &theirs) || theirs != commit->term)
            world_fail(world, "leader completeness",
                       "node %u leads term %" PRIu64 " without entry %" PRIu64 " of term %" PRIu64,
                       id, node->election.term, index, commit->term);
    }
}

static void commit_new(struct world *world, node_id_t id, log_index_t index,
                       const struct world_entry *entry)
{
    struct ghost_commit *commit = mem_new(1, sizeof *commit);
    *commit = (struct ghost_commit){blob_ref(entry->packed), entry->term,
                                    world->nodes[id].core->election.term};
    map_put(&world->oracle->commits, key(index), commit);
    world->oracle->committed = index;
    check_later_leaders(world, index, commit);
}

/* State-machine safety: what is committed at an index is the same everywhere, for ever. */
static void check_commits(struct world *world, node_id_t id)
{
    struct oracle *oracle = world->oracle;
    struct ghost_node *ghost = &oracle->nodes[id];
    const struct node *node = world->nodes[id].core;
    log_index_t before = oracle->committed;
    if (ghost->checked < ghost->log.base)
        ghost->checked = ghost->log.base;
    while (ghost->checked < node->journal.commit) {
        log_index_t index = ++ghost->checked;
        const struct world_entry *entry = find_entry(&ghost->log, index);
        struct ghost_commit *known = map_get(&oracle->commits, key(index));
        if (!entry)
            world_fail(world, "what is committed is in the log", "node %u lacks entry %" PRIu64, id,
                       index);
        if (!known)
            commit_new(world, id, index, entry);
        else if (known->term != entry->term || known->packed->len != entry->packed->len ||
                 memcmp(known->packed->at, entry->packed->at, entry->packed->len))
            world_fail(world, "state-machine safety", "node %u commits another entry at %" PRIu64,
                       id, index);
    }
    if (oracle->committed == before)
        return;
    term_t term = find_entry(&ghost->log, oracle->committed)->term;
    unsigned durable = count_durable(world, oracle->committed, term);
    if (durable <= world_voters(world) / 2)
        world_fail(world, "what is committed is on the disks of a majority",
                   "entry %" PRIu64 " is on %u of %u", oracle->committed, durable,
                   world_voters(world));
    if (node_is_coordinator(node) && term != node->election.term)
        world_fail(world, "R9: only an entry of the own term commits by counting",
                   "node %u commits entry %" PRIu64 " of term %" PRIu64, id, oracle->committed,
                   term);
}

/* --- leading --- */

static void check_election(struct world *world, node_id_t id)
{
    const struct oracle *oracle = world->oracle;
    const struct node *node = world->nodes[id].core;
    term_t term = node->election.term;
    unsigned votes = 0;
    for (node_id_t voter = 1; voter <= world_voters(world); voter++)
        votes += voter == id || as_number(map_get(&oracle->nodes[voter].votes, key(term))) == id;
    if (votes <= world_voters(world) / 2)
        world_fail(world, "R2: a majority of different nodes voted for the coordinator",
                   "node %u has %u votes of %u in term %" PRIu64, id, votes, world_voters(world),
                   term);
    for (log_index_t index = node->journal.base + 1; index <= oracle->committed; index++) {
        const struct ghost_commit *commit = map_get(&oracle->commits, key(index));
        term_t ours;
        if (commit && commit->in < term &&
            (!journal_term(node, index, &ours) || ours != commit->term))
            world_fail(world, "leader completeness",
                       "node %u leads term %" PRIu64 " without entry %" PRIu64, id, term, index);
    }
}

static void check_leader(struct world *world, node_id_t id)
{
    const struct node *node = world->nodes[id].core;
    term_t term = node->election.term, at_commit = 0;
    if (!node_is_coordinator(node))
        return;
    node_id_t known = (node_id_t)as_number(map_get(&world->oracle->leaders, key(term)));
    if (known && known != id)
        world_fail(world, "one coordinator ever per term",
                   "nodes %u and %u both lead term %" PRIu64, known, id, term);
    if (!known) {
        world->counts.elections++;
        map_put(&world->oracle->leaders, key(term), as_pointer(id));
        check_election(world, id);
    }
    journal_term(node, node->journal.commit, &at_commit);
    if (node_serves(node) && at_commit != term)
        world_fail(world, "R10: nothing is served before the first commit of the own term",
                   "node %u serves in term %" PRIu64, id, term);
}

/* --- the replicated state --- */

static uint64_t mix(uint64_t hash, uint64_t more)
{
    hash = (hash ^ more) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* All of what entries make, nothing of what a coordinator adds to it while it schedules. */
static uint64_t digest(const struct node *node)
{
    const struct jobs *jobs = &node->jobs;
    uint64_t hash = mix(jobs->n, jobs->open);
    for (size_t i = 0; i < jobs->n; i++) {
        const struct job *job = jobs->at[i];
        hash = mix(hash, job->id);
        hash = mix(hash, map_hash(job->key, strlen(job->key)));
        hash = mix(hash, job_is_finished(job) ? job->state : JOB_QUEUED);
        hash = mix(hash, job->logged);
        hash = mix(hash, job->logged_executed);
        hash = mix(hash, job->frontier.count);
        hash = mix(hash, map_hash(job->sha256, HASH_BYTES));
    }
    for (node_id_t id = 1; id <= node->config.n_nodes; id++) {
        hash = mix(hash, jobs->operations[id]);
        hash = mix(hash, jobs->conversions[id]);
        hash = mix(hash, progress_now(&node->progress, id));
    }
    hash = mix(mix(hash, jobs->elections), jobs->reassigned);
    hash = mix(hash, node->progress.snapshots);
    return mix(hash, jobs->n_snaps);
}

/* Every operation of the log counts once: for its job, for the node, and in the node's progress. */
static void check_sums(struct world *world, node_id_t id)
{
    const struct node *node = world->nodes[id].core;
    uint64_t by_jobs = 0, by_nodes = 0;
    for (size_t i = 0; i < node->jobs.n; i++)
        by_jobs += node->jobs.at[i]->logged;
    for (node_id_t other = 1; other <= node->config.n_nodes; other++) {
        by_nodes += node->jobs.operations[other];
        if (progress_now(&node->progress, other) != node->jobs.operations[other])
            world_fail(world, "progress adds up",
                       "node %u counts %" PRIu64 " operations of node %u, its progress is %" PRIu64,
                       id, node->jobs.operations[other], other,
                       progress_now(&node->progress, other));
    }
    if (by_jobs != by_nodes)
        world_fail(world, "every operation counts once",
                   "node %u: jobs have %" PRIu64 " operations done, nodes did %" PRIu64, id,
                   by_jobs, by_nodes);
}

static void check_state(struct world *world, node_id_t id)
{
    struct ghost_node *ghost = &world->oracle->nodes[id];
    const struct node *node = world->nodes[id].core;
    if (ghost->applied == node->journal.applied)
        return;
    ghost->applied = node->journal.applied;
    check_sums(world, id);
    uint64_t now = digest(node), *known = map_get(&world->oracle->states, key(ghost->applied));
    if (!known) {
        known = mem_new(1, sizeof *known);
        *known = now;
        map_put(&world->oracle->states, key(ghost->applied), known);
    } else if (*known != now) {
        world_fail(world, "the same entries make the same state",
                   "node %u differs from others after entry %" PRIu64, id, ghost->applied);
    }
}

/* --- around a step --- */

void oracle_before(struct world *world, node_id_t id, const struct event *event)
{
    struct ghost_node *ghost = &world->oracle->nodes[id];
    const struct node *node = world->nodes[id].core;
    (void)event;
    ghost->term_before = node->election.term;
    ghost->vote_before = node->election.vote;
    ghost->led_before = node_is_coordinator(node);
}

static bool is_pre_vote_request(const struct event *event)
{
    return event->kind == EVENT_MESSAGE && event->message.message->type == MESSAGE_VOTE_REQUEST &&
           event->message.message->as.vote_request.pre;
}

void oracle_after(struct world *world, node_id_t id, const struct event *event,
                  const struct node_outputs *outputs)
{
    const struct ghost_node *ghost = &world->oracle->nodes[id];
    const struct node *node = world->nodes[id].core;
    if (is_pre_vote_request(event) &&
        (node->election.term != ghost->term_before || node->election.vote != ghost->vote_before))
        world_fail(world, "R5: a pre-vote changes neither term nor vote",
                   "node %u goes from term %" PRIu64 " to %" PRIu64, id, ghost->term_before,
                   node->election.term);
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->at[i].kind == OUTPUT_PERSIST)
            check_writes(world, id, &outputs->at[i]);
    check_leader(world, id);
    check_commits(world, id);
    check_state(world, id);
    node_check_invariants(node);
}

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

void oracle_started(struct world *world, node_id_t id)
{
    struct ghost_node *ghost = &world->oracle->nodes[id];
    const struct world_node *disk = &world->nodes[id];
    ghost->checked = ghost->applied = 0;
    reset_log(&ghost->log, disk->log_base);
    for (size_t i = 0; i < disk->log_n; i++)
        push_entry(&ghost->log, disk->log_base + i + 1, disk->log[i].term, disk->log[i].packed);
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

/* --- the end --- */

void oracle_end(struct world *world)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        check_sums(world, id);
        if (node->jobs.open)
            world_fail(world, "every accepted job ends", "%zu are open at node %u", node->jobs.open,
                       id);
    }
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
