#include "tests/sim/oracle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/node.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/step/step.h"
#include "shared/base/random.h"
#include "tests/harness/inside.h"
#include "tests/sim/oracle_internal.h"
#include "tests/sim/tasks.h"

static void push_entry(struct entries *log, log_index_t index, term_t term, struct blob *packed)
{
    entries_cut(log, index);
    if (!log->n)
        log->base = index - 1;
    entries_add(log, term, packed);
}

static void reset_log(struct entries *log, log_index_t base)
{
    entries_cut(log, 0);
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
        map_clear(&it->nodes[id].given);
        map_clear(&it->nodes[id].values);
        entries_clear(&it->nodes[id].log);
        free(it->nodes[id].jobs);
    }
    map_clear(&it->commits);
    map_clear(&it->used);
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
    struct entries *log = &world->oracle->nodes[id].log;
    struct map_key name = {write->index, write->term};
    push_entry(log, write->index, write->term, write->entry);
    const struct entry *before = entries_find(log, write->index - 1);
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
    const struct entries *log = &world->oracle->nodes[id].log;
    const struct entry *entry;
    for (log_index_t index = from > log->base ? from : log->base + 1;
         (entry = entries_find(log, index)); index++) {
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
        bool cuts =
            write->kind == WRITE_TRUNCATE || (write->kind == WRITE_CHECKPOINT && write->whole);
        if (write->kind == WRITE_ENTRY)
            check_entry(world, id, write);
        if (cuts && (election_leads(inside_raft(node)) || ghost->led_before) &&
            inside_step(node)->term == ghost->term_before)
            world_fail(world, "a coordinator only appends", "node %u cuts its log at %" PRIu64, id,
                       write->index);
        if (cuts)
            check_cut(world, id, write->index + (write->kind == WRITE_CHECKPOINT));
        if (write->kind == WRITE_TRUNCATE)
            entries_cut(&ghost->log, write->index);
        else if (cuts ||
                 (write->kind == WRITE_CHECKPOINT && write->index > entries_last(&ghost->log)))
            reset_log(&ghost->log, write->index);
    }
}

/* --- committing --- */

bool oracle_held(const struct world *world, node_id_t id, log_index_t index, term_t term)
{
    const struct world_node *node = &world->nodes[id];
    const struct entry *entry = entries_find(&node->log, index);
    return node->log.base >= index || (entry && entry->term == term) ||
           world->oracle->nodes[id].wiped;
}

/* Counts the voters whose disks hold the entry, or that were wiped after they might have. */
static unsigned count_durable(const struct world *world, log_index_t index, term_t term)
{
    unsigned n = 0;
    for (node_id_t id = 1; id <= world_voters(world); id++)
        n += oracle_held(world, id, index, term);
    return n;
}

/* Leader completeness: who leads a later term has the entry. */
static void check_later_leaders(struct world *world, log_index_t index,
                                const struct ghost_commit *commit)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        term_t theirs;
        if (!node || !election_leads(inside_raft(node)) || inside_step(node)->term <= commit->in ||
            inside_raft(node)->log.base >= index)
            continue;
        if (!raft_log_term(inside_raft(node), index, &theirs) || theirs != commit->term)
            world_fail(world, "leader completeness",
                       "node %u leads term %" PRIu64 " without entry %" PRIu64 " of term %" PRIu64,
                       id, inside_step(node)->term, index, commit->term);
    }
}

static void commit_new(struct world *world, node_id_t id, log_index_t index,
                       const struct entry *entry)
{
    struct ghost_commit *commit = mem_new(1, sizeof *commit);
    *commit = (struct ghost_commit){blob_ref(entry->packed), entry->term,
                                    inside_step(world->nodes[id].core)->term};
    map_put(&world->oracle->commits, key(index), commit);
    world->oracle->committed = index;
    oracle_admitted(world, index, entry->term, entry->packed);
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
    while (ghost->checked < inside_raft(node)->log.commit) {
        log_index_t index = ++ghost->checked;
        const struct entry *entry = entries_find(&ghost->log, index);
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
    term_t term = entries_find(&ghost->log, oracle->committed)->term;
    unsigned durable = count_durable(world, oracle->committed, term);
    if (durable <= world_voters(world) / 2)
        world_fail(world, "what is committed is on the disks of a majority",
                   "entry %" PRIu64 " is on %u of %u", oracle->committed, durable,
                   world_voters(world));
    if (election_leads(inside_raft(node)) && term != inside_step(node)->term)
        world_fail(world, "R9: only an entry of the own term commits by counting",
                   "node %u commits entry %" PRIu64 " of term %" PRIu64, id, oracle->committed,
                   term);
}

/* --- leading --- */

static void check_election(struct world *world, node_id_t id)
{
    const struct oracle *oracle = world->oracle;
    const struct node *node = world->nodes[id].core;
    term_t term = inside_step(node)->term;
    unsigned votes = 0;
    for (node_id_t voter = 1; voter <= world_voters(world); voter++)
        votes += voter == id || map_get(&oracle->nodes[voter].given, (struct map_key){term, id});
    if (votes <= world_voters(world) / 2)
        world_fail(world, "R2: a majority of different nodes voted for the coordinator",
                   "node %u has %u votes of %u in term %" PRIu64, id, votes, world_voters(world),
                   term);
    for (log_index_t index = inside_raft(node)->log.base + 1; index <= oracle->committed; index++) {
        const struct ghost_commit *commit = map_get(&oracle->commits, key(index));
        term_t ours;
        if (commit && commit->in < term &&
            (!raft_log_term(inside_raft(node), index, &ours) || ours != commit->term))
            world_fail(world, "leader completeness",
                       "node %u leads term %" PRIu64 " without entry %" PRIu64, id, term, index);
    }
}

static void check_leader(struct world *world, node_id_t id)
{
    const struct node *node = world->nodes[id].core;
    term_t term = inside_step(node)->term, at_commit = 0;
    if (!election_leads(inside_raft(node)))
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
    raft_log_term(inside_raft(node), inside_raft(node)->log.commit, &at_commit);
    if (node_coordinates(node) && at_commit != term)
        world_fail(world, "R10: nothing is served before the first commit of the own term",
                   "node %u serves in term %" PRIu64, id, term);
}

/* --- the replicated state --- */

/* Every operation of the log counts once: for its job, for the node, and in the node's progress. */
static void check_sums(struct world *world, node_id_t id)
{
    const struct node *node = world->nodes[id].core;
    uint64_t by_jobs = 0, by_nodes = 0;
    for (size_t i = 0; i < inside_state(node)->jobs.n; i++)
        by_jobs += inside_state(node)->jobs.at[i]->done;
    for (node_id_t other = 1; other <= inside_step(node)->config.n_nodes; other++) {
        by_nodes += inside_state(node)->head.operations[other];
        if (progress_now(&inside_state(node)->progress, other) !=
            inside_state(node)->head.operations[other])
            world_fail(world, "progress adds up",
                       "node %u counts %" PRIu64 " operations of node %u, its progress is %" PRIu64,
                       id, inside_state(node)->head.operations[other], other,
                       progress_now(&inside_state(node)->progress, other));
    }
    if (by_jobs != by_nodes && !world_forgets_jobs(world)) /* none is forgotten */
        world_fail(world, "every operation counts once",
                   "node %u: jobs have %" PRIu64 " operations done, nodes did %" PRIu64, id,
                   by_jobs, by_nodes);
}

/* Finished jobs are most of the state, and after so many entries they are looked at again: whoever
 * changes one is found then. */
#define ALL_JOBS_EVERY 16

static uint64_t digest_job(void *context, size_t at, const struct row *row, row_digest *digest)
{
    struct ghost_node *ghost = context;
    const struct job *job = (const struct job *)row;
    if (at >= ghost->n_jobs) {
        size_t n = at < 8 ? 16 : 2 * at;
        ghost->jobs = mem_grow(ghost->jobs, n, sizeof *ghost->jobs);
        memset(ghost->jobs + ghost->n_jobs, 0, (n - ghost->n_jobs) * sizeof *ghost->jobs);
        ghost->n_jobs = n;
    }
    struct ghost_job *known = &ghost->jobs[at];
    bool is_known = known->at == job && known->id == job->id && known->trace == job->trace;
    if (is_known && ghost->applied % ALL_JOBS_EVERY)
        return known->digest;
    *known =
        (struct ghost_job){job_is_finished(job) ? job : NULL, job->id, job->trace, digest(row)};
    return known->digest;
}

/* In another life other jobs may have their addresses; while an installed checkpoint replaces them
 * both are there. */
static void forget_jobs(struct ghost_node *ghost)
{
    if (ghost->n_jobs)
        memset(ghost->jobs, 0, ghost->n_jobs * sizeof *ghost->jobs);
}

/* The bytes of its result, or that its tasks have left. */
static uint64_t bytes_of(const struct state *state, const struct job *job)
{
    const struct task_job *row = task_jobs_find(&state->task_jobs, job->id);
    uint64_t bytes = job->state == JOB_DONE ? job->digits : 0;
    for (size_t i = 0; row && i < row->n_segments; i++)
        bytes += row->segments[i].len;
    for (size_t i = 0; row && i < row->n_bundles; i++)
        bytes += row->bundles[i].len;
    return bytes;
}

/* W6: no more is remembered than the log says, but always what finished last. */
static void check_retention(struct world *world, node_id_t id)
{
    const struct state *state = inside_state(world->nodes[id].core);
    struct ghost_node *ghost = &world->oracle->nodes[id];
    uint64_t bytes = 0;
    size_t n = 0;
    for (size_t i = 0; i < state->jobs.n; i++) {
        bool finished = job_is_finished(state->jobs.at[i]);
        bytes += finished ? bytes_of(state, state->jobs.at[i]) : 0;
        n += finished;
    }
    if (n > 1 && state->retention.jobs &&
        (n > state->retention.jobs || bytes > state->retention.bytes))
        world_fail(world, "W6: no more is remembered than the log says",
                   "node %u remembers %zu finished jobs, %" PRIu64 " bytes", id, n, bytes);
    if (!n && ghost->finished && !world->options.forgets)
        world_fail(world, "W6: the last finished job is remembered", "node %u has none", id);
    if (n < ghost->finished && n < state->retention.jobs && !world->options.forgets)
        world_count(world, FAULT_FORGOTTEN_BYTES);
    ghost->finished = n;
}

/* What is full stays within its limit; and how far the window of forgotten keys has come. */
static void check_limits(struct world *world, node_id_t id)
{
    const struct state *state = inside_state(world->nodes[id].core);
    const struct key_window *window = &state->keys.window;
    uint64_t most = world->options.jobs_open_max, blocks = world->options.keys.blocks;
    blocks = blocks ? blocks : KEY_BLOCKS_MAX;
    if (most && state->jobs.open > most)
        world_fail(world, "no more jobs are open than the limit", "node %u has %zu, not %" PRIu64,
                   id, state->jobs.open, most);
    world_extend(&world->oracle->keys_forgotten,
                 window->next * window->block_hashes + window->n_open);
    if (window->next > blocks)
        world_extend(&world->oracle->keys_gone, (window->next - blocks) * window->block_hashes);
}

/* X8: what is counted of each key is what a count of all jobs finds, and no key has more open than
 * it may, whoever coordinated when. */
static void check_owners(struct world *world, node_id_t id)
{
    const struct state *state = inside_state(world->nodes[id].core);
    const struct jobs *jobs = &state->jobs;
    uint64_t most = world->options.quota_jobs;
    size_t owned = 0;
    for (size_t i = 0; i < jobs->owners.n; i++) {
        const struct job_owner *owner = jobs->owners.at[i];
        struct job_owner counted = {0};
        for (size_t k = 0; k < jobs->n; k++) {
            const struct job *job = jobs->at[k];
            if (strcmp(job->owner, owner->name))
                continue;
            counted.jobs++;
            counted.open += !job_is_finished(job);
            counted.bytes += bytes_of(state, job);
        }
        owned += counted.jobs;
        if (owner->jobs != counted.jobs || owner->open != counted.open ||
            owner->bytes != counted.bytes)
            world_fail(world, "X8: the counts of a key are those of its jobs",
                       "node %u counts %zu open of %zu, there are %zu of %zu", id, owner->open,
                       owner->jobs, counted.open, counted.jobs);
        if (most && counted.open > most && strcmp(owner->name, "root"))
            world_fail(world, "X8: no key has more jobs open than it may",
                       "node %u has %zu of %s, not %" PRIu64, id, counted.open, owner->name, most);
    }
    if (owned != (world->options.owners ? jobs->n : 0))
        world_fail(world, "X8: each job is counted for its key", "%zu of %zu at node %u", owned,
                   jobs->n, id);
}

uint64_t oracle_keys_forgotten(const struct world *world)
{
    return world->oracle->keys_forgotten;
}

uint64_t oracle_keys_gone(const struct world *world)
{
    return world->oracle->keys_gone;
}

static void check_state(struct world *world, node_id_t id)
{
    struct ghost_node *ghost = &world->oracle->nodes[id];
    const struct node *node = world->nodes[id].core;
    if (ghost->applied == inside_raft(node)->log.applied)
        return;
    ghost->applied = inside_raft(node)->log.applied;
    check_sums(world, id);
    check_limits(world, id);
    check_retention(world, id);
    check_owners(world, id);
    tasks_check(world, id);
    uint64_t now = state_digest_with(inside_state(node), digest_job, ghost),
             *known = map_get(&world->oracle->states, key(ghost->applied));
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
    if (!world->nodes[id].in_turn && (event->kind == EVENT_TICK || event->kind == EVENT_MESSAGE))
        spilled_check(world, id);
    ghost->term_before = inside_step(node)->term;
    ghost->vote_before = inside_raft(node)->election.vote;
    ghost->led_before = election_leads(inside_raft(node));
}

static bool is_pre_vote_request(const struct event *event)
{
    return event->kind == EVENT_MESSAGE && event->message.message->type == MESSAGE_VOTE_REQUEST &&
           event->message.message->as.vote_request.pre;
}

/* X15: a term moves by an election, which raises it by one; to one that another node has reached
 * without a lie; or, to what is claimed, by what a node goes up in one election without result. */
static void check_rise(struct world *world, node_id_t id)
{
    term_t before = world->oracle->nodes[id].term_before,
           term = inside_step(world->nodes[id].core)->term;
    uint64_t step = world->hostile ? TERM_CLIMB_MAX : 1;
    if (term > world->oracle->term && term > before + step)
        world_fail(world, "X15: terms move only by elections",
                   "node %u goes from term %" PRIu64 " to %" PRIu64
                   ", where nobody was beyond %" PRIu64,
                   id, before, term, world->oracle->term);
    if (term > world->oracle->term)
        world->oracle->term = term;
    if (world->oracle->nodes[id].led_before &&
        inside_raft(world->nodes[id].core)->election.role == ROLE_CANDIDATE)
        world_count(world, FAULT_RECALLED);
    if (term < before)
        world_fail(world, "R14: terms never fall", "node %u goes from term %" PRIu64 " to %" PRIu64,
                   id, before, term);
}

void oracle_after(struct world *world, node_id_t id, const struct event *event,
                  const struct node_outputs *outputs)
{
    const struct ghost_node *ghost = &world->oracle->nodes[id];
    const struct node *node = world->nodes[id].core;
    if (is_pre_vote_request(event) && (inside_step(node)->term != ghost->term_before ||
                                       inside_raft(node)->election.vote != ghost->vote_before))
        world_fail(world, "R5: a pre-vote changes neither term nor vote",
                   "node %u goes from term %" PRIu64 " to %" PRIu64, id, ghost->term_before,
                   inside_step(node)->term);
    for (size_t i = 0; i < outputs->n; i++)
        if (outputs->at[i].kind == OUTPUT_PERSIST)
            check_writes(world, id, &outputs->at[i]);
    check_rise(world, id);
    check_leader(world, id);
    check_commits(world, id);
    check_state(world, id);
    oracle_health(world, id, event);
    node_check_invariants(node);
}

/* --- beginning and end --- */

void oracle_started(struct world *world, node_id_t id)
{
    struct ghost_node *ghost = &world->oracle->nodes[id];
    const struct world_node *disk = &world->nodes[id];
    oracle_log_values(world, id);
    oracle_saved_values(world, id);
    ghost->checked = ghost->applied = 0;
    ghost->finished = 0;
    forget_jobs(ghost);
    ghost->health = (struct ghost_health){0};
    reset_log(&ghost->log, disk->log.base);
    for (size_t i = 0; i < disk->log.n; i++)
        entries_add(&ghost->log, disk->log.at[i].term, disk->log.at[i].packed);
}

void oracle_end(struct world *world)
{
    oracle_values(world);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        check_sums(world, id);
        check_owners(world, id);
        if (inside_state(node)->jobs.open)
            world_fail(world, "every accepted job ends", "%zu are open at node %u",
                       inside_state(node)->jobs.open, id);
    }
}
