#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <inttypes.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/step/step.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "tests/harness/inside.h"
#include "tests/sim/founded.h"
#include "tests/harness/stage_internal.h"

#define T             ELECTION_TIMEOUT_DEFAULT_US
#define WALL_START_MS UINT64_C(1700000000000)

/* Values move by themselves here, see stage_work.c. */
static const enum plane planes[] = {PLANE_CHANNEL, PLANE_CHECKPOINT, PLANE_CONTROL};
#define N_PLANES (sizeof planes / sizeof planes[0])

/* --- what must hold after every step --- */

static void check_committed(struct stage *stage, node_id_t id)
{
    struct stage_node *node = &stage->nodes[id];
    const struct raft_log *log = &inside_raft(node->core)->log;
    if (node->checked < log->base)
        node->checked = log->base;
    while (node->checked < log->commit) {
        struct map_key key = {++node->checked, 0};
        struct blob *packed = raft_log_at(inside_raft(node->core), node->checked)->packed;
        struct blob *known = map_get(&stage->committed, key);
        if (!known)
            map_put(&stage->committed, key, blob_ref(packed));
        else if (known->len != packed->len || memcmp(known->at, packed->at, packed->len))
            fail_msg("node %u commits another entry at %u", id, (unsigned)node->checked);
    }
}

static void check(struct stage *stage, node_id_t id)
{
    struct stage_node *node = &stage->nodes[id];
    const struct election *election = &inside_raft(node->core)->election;
    node_check_invariants(node->core);
    check_committed(stage, id);
    if (election->role == ROLE_COORDINATOR) {
        node_id_t *leader = &stage->leaders[inside_step(node->core)->term % 1024];
        if (*leader && *leader != id)
            fail_msg("nodes %u and %u both lead term %u", *leader, id,
                     (unsigned)inside_step(node->core)->term);
        *leader = id;
    }
    if (inside_raft(node->core)->log.commit > node->told_commit)
        stage_tell(stage, TELL_COMMITS, "%u > committed up to %" PRIu64, id,
                   inside_raft(node->core)->log.commit);
    node->told_commit = inside_raft(node->core)->log.commit;
}

/* --- one step --- */

/* No dice: a timeout drawn from [T, 2T) is T + 100 ms * id, the short ones lose
 * their random part. */
static void pin_timeout(struct stage *stage, node_id_t id)
{
    struct stage_node *node = &stage->nodes[id];
    struct election *election = &inside_raft_to_change(node->core)->election;
    if (election->timeout_us == node->pinned_us || election->timeout_us <= stage->now_us)
        return;
    uint64_t left_us = election->timeout_us - stage->now_us;
    left_us = left_us >= T ? T + id * 100 * MS_US
                           : left_us / ELECTION_RANK_DELAY_US * ELECTION_RANK_DELAY_US;
    election->timeout_us = node->pinned_us = stage->now_us + left_us;
}

static void take_output(struct stage *stage, node_id_t id, const struct output *output)
{
    switch (output->kind) {
    case OUTPUT_PERSIST:
        stage_persist(stage, id, output);
        break;
    case OUTPUT_REPLY:
        stage_attach(stage, id, output);
        stage_gate(stage, id, output);
        break;
    case OUTPUT_SEND:
    case OUTPUT_PUBLISH:
        stage_gate(stage, id, output);
        break;
    case OUTPUT_COMPUTE:
        stage_compute(stage, id, &output->compute);
        break;
    case OUTPUT_FEED:
        stage_feed(stage, id, &output->feed);
        break;
    case OUTPUT_FETCH:
    case OUTPUT_KEEP:
        stage_value(stage, id, output);
        break;
    case OUTPUT_LOG:
        stage_tell(stage, output->log.level == LOG_DEBUG ? TELL_REASONS : TELL_LINES, "%u > %s", id,
                   output->log.text);
        break;
    case OUTPUT_RELINK:
        stage_connect(stage, id, output->relink.peer, output->relink.plane, STAGE_DELAY_US);
        break;
    case OUTPUT_CANCEL: /* it goes on to its end */
    case OUTPUT_TASK:   /* tasks that do nothing are not executed */
    case OUTPUT_TASK_CANCEL:
    case OUTPUT_LIST: /* disks are plenty, and so is memory */
    case OUTPUT_FORGET:
    case OUTPUT_DROP:
    case OUTPUT_SPILL: /* without a limit there is none */
        break;
    }
}

void stage_step(struct stage *stage, node_id_t id, struct event event)
{
    struct stage_node *node = &stage->nodes[id];
    event.now_us = stage->now_us;
    event.wall_ms = WALL_START_MS + stage->now_us / 1000 + stage->wall_skew_ms;
    event.value_bytes = node->value_bytes;
    event.disk_busy_us = node->wanted ? stage->now_us - node->wanted_since_us : 0;
    struct node_outputs outputs = node_step(node->core, &event);
    /* What a node says comes before what others hear of it. */
    for (int logs = 1; logs >= 0; logs--)
        for (size_t i = 0; i < outputs.n; i++)
            if ((outputs.at[i].kind == OUTPUT_LOG) == logs)
                take_output(stage, id, &outputs.at[i]);
    check(stage, id);
    pin_timeout(stage, id);
    if (!node->slow_disk)
        stage_sync(stage, id);
}

/* --- life --- */

struct stage *stage_new(uint32_t n_nodes, uint32_t n_voters)
{
    struct stage *stage = mem_new(1, sizeof *stage);
    assert_in_range(n_nodes, 1, STAGE_NODES_MAX);
    stage->n_nodes = n_nodes;
    stage->n_voters = n_voters;
    stage->progress_index_max = PROGRESS_INDEX_MAX;
    stage->now_us = stage->begun_us = 1000 * SECOND_US;
    stage->topics = ~0u & ~(unsigned)TELL_DISKS;
    stage->held_end = &stage->held;
    for (node_id_t id = 1; id <= n_nodes; id++) {
        stage->nodes[id].wanted_end = &stage->nodes[id].wanted;
        stage->nodes[id].gated_end = &stage->nodes[id].gated;
        stage->nodes[id].op_us = MS_US;
    }
    stage_forget_story(stage);
    return stage;
}

void stage_free(struct stage **stage)
{
    struct stage *it = *stage;
    struct blob *blob;
    *stage = NULL;
    for (node_id_t id = 1; id <= it->n_nodes; id++) {
        stage_kill(it, id);
        stage_wipe(it, id);
    }
    for (size_t at = 0; (blob = map_next(&it->committed, &at, NULL));)
        blob_drop(&blob);
    map_clear(&it->committed);
    stage_forget_held(it);
    stage_forget_underway(it);
    message_drop(&it->answer);
    free(it->story);
    free(it);
}

static void disconnect(struct stage *stage, node_id_t from, node_id_t to)
{
    for (size_t i = 0; i < N_PLANES; i++) {
        struct event event = {.kind = EVENT_LINK_DOWN};
        event.link.plane = planes[i];
        event.link.peer = to;
        stage_step(stage, from, event);
    }
}

void stage_disconnect(struct stage *stage, node_id_t from, node_id_t to)
{
    disconnect(stage, from, to);
    for (size_t i = 0; i < N_PLANES; i++)
        stage_connect(stage, from, to, planes[i], 50 * MS_US);
}

static void restore(struct stage_node *node)
{
    for (size_t i = 0; node->checkpoint && i < node->checkpoint->n; i++) {
        struct blob *part = node->checkpoint->parts[i];
        assert_int_equal(node_restore_part(node->core, (struct slice){part->at, part->len}), OK);
    }
    for (size_t i = 0; i < node->log.n; i++)
        assert_int_equal(node_restore_entry(node->core, node->log.base + i + 1,
                                            node->log.at[i].term, node->log.at[i].packed),
                         OK);
}

/* A first life's incarnation is known beforehand, and so is every disk's birth. */
static void found(struct stage *stage, node_id_t id)
{
    struct node_durable *durable = &stage->nodes[id].durable;
    durable->identity = founded_identity(stage->n_nodes, stage->n_voters);
    for (node_id_t voter = 1; voter <= stage->n_voters; voter++)
        durable->identity.births[voter] = UINT64_C(1) << 32 | voter;
    durable->voter = id <= stage->n_voters;
}

void stage_start(struct stage *stage, node_id_t id)
{
    struct stage_node *node = &stage->nodes[id];
    if (node->core)
        return;
    node->incarnation = ++node->boots << 32 | id;
    struct node_config config = {
        .id = id,
        .n_nodes = stage->n_nodes,
        .n_voters = stage->n_voters,
        .voters_open = stage->voters_open,
        .incarnation = node->incarnation,
        .heartbeat_us = HEARTBEAT_DEFAULT_US,
        .election_timeout_us = T,
        .result_max_bytes = RESULT_MAX_DEFAULT_BYTES,
        .checkpoint_interval_us = CHECKPOINT_INTERVAL_DEFAULT_US,
        .checkpoint_bytes = CHECKPOINT_BYTES_DEFAULT,
        .compact_entries = stage->compact_entries ? stage->compact_entries : COMPACT_ENTRIES,
        .checkpoint_slice_rows = stage->checkpoint_slice_rows,
        .install_bytes = stage->install_bytes,
        .keep_jobs = stage->keep_jobs[id],
        .keep_bytes = stage->keep_bytes,
        .sets_retention = stage->keep_jobs[id] || stage->keep_bytes,
        .quota_jobs = stage->quota_jobs,
        .quota_bytes = stage->quota_bytes,
        .keep_values_us = stage->keep_values_us,
        .progress_index_max = stage->progress_index_max,
        .progress_snaps_max = stage->progress_snaps_max,
        .random = id,
        .insecure = !stage->asker,
        .poison_deaths = POISON_DEATHS,
        .pid = id,
        .log_level = LOG_DEBUG,
        .cluster = "stage",
        .host = "stage",
        .version = "0",
    };
    if (!node->durable.birth)
        node->durable.birth = node->incarnation;
    if (!node->lived && !stage->unfounded)
        found(stage, id);
    node->lived = true;
    node->core = node_new(&config, &node->durable, stage->now_us);
    node->wanted_seq = node->disk_seq = 0;
    node->checked = node->pinned_us = 0;
    node->stopped = false;
    restore(node);
    node->told_commit = inside_raft(node->core)->log.commit;
    stage_step(stage, id, (struct event){.kind = EVENT_TICK});
    for (node_id_t peer = 1; peer <= stage->n_nodes; peer++) {
        if (peer == id || !stage->nodes[peer].core || stage->nodes[peer].stopped)
            continue;
        for (size_t i = 0; i < N_PLANES; i++) {
            stage_connect(stage, id, peer, planes[i], 0);
            stage_connect(stage, peer, id, planes[i], 0);
        }
    }
    while (stage_next_arrival(stage) <= stage->now_us)
        stage_arrive(stage);
}

void stage_start_all(struct stage *stage)
{
    for (node_id_t id = 1; id <= stage->n_nodes; id++)
        stage_start(stage, id);
    stage_run(stage, 10 * MS_US);
}

void stage_kill(struct stage *stage, node_id_t id)
{
    struct stage_node *node = &stage->nodes[id];
    if (!node->core)
        return;
    node_destroy(&node->core);
    stage_lose(stage, id);
    for (node_id_t peer = 1; peer <= stage->n_nodes; peer++)
        if (stage->nodes[peer].core && !stage->nodes[peer].stopped)
            disconnect(stage, peer, id);
}

void stage_stop(struct stage *stage, node_id_t id)
{
    stage->nodes[id].stopped = true;
}

void stage_resume(struct stage *stage, node_id_t id)
{
    stage->nodes[id].stopped = false;
}

/* --- time --- */

void stage_campaign(struct stage *stage, node_id_t id)
{
    struct stage_node *node = &stage->nodes[id];
    if (election_leads(inside_raft(node->core)))
        return;
    inside_raft_to_change(node->core)->election.timeout_us = node->pinned_us = stage->now_us;
    stage_step(stage, id, (struct event){.kind = EVENT_TICK});
}

/* The node that wants to be woken first. */
static node_id_t next_to_wake(const struct stage *stage, uint64_t *at_us)
{
    node_id_t first = NODE_NONE;
    *at_us = UINT64_MAX;
    for (node_id_t id = 1; id <= stage->n_nodes; id++) {
        const struct stage_node *node = &stage->nodes[id];
        if (!node->core || node->stopped)
            continue;
        uint64_t due_us = node_deadline(node->core);
        due_us = due_us > stage->now_us ? due_us : stage->now_us + 1;
        if (due_us < *at_us) {
            *at_us = due_us;
            first = id;
        }
    }
    return first;
}

void stage_run(struct stage *stage, uint64_t for_us)
{
    uint64_t until_us = stage->now_us + for_us;
    for (;;) {
        uint64_t wake_us, arrive_us = stage_next_arrival(stage);
        node_id_t id = next_to_wake(stage, &wake_us);
        uint64_t next_us = arrive_us <= wake_us ? arrive_us : wake_us;
        if (next_us > until_us)
            break;
        stage->now_us = next_us > stage->now_us ? next_us : stage->now_us;
        if (arrive_us <= wake_us)
            stage_arrive(stage);
        else
            stage_step(stage, id, (struct event){.kind = EVENT_TICK});
    }
    stage->now_us = until_us;
}
