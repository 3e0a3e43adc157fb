#include "nodes/core/service/heartbeat.h"

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/worker/worker.h"
#include "shared/base/text.h"

static void publish_heartbeat(struct node *node)
{
    const struct node_config *config = &node->step.config;
    struct value_id executing = worker_executing(&node->worker);
    struct message *message = message_new(MESSAGE_HEARTBEAT);
    message->as.heartbeat = (struct wire_heartbeat){
        .node = config->id,
        .incarnation = config->incarnation,
        .seq = ++node->step.feed_seq,
        .time_ms = node->step.wall_ms,
        .term = node->step.term,
        .role = message_text(message, election_role_name(&node->raft)),
        .coordinator = node->step.coordinator,
        .serving = node->raft.election.serving,
        .operations = node->worker.operations,
        .conversions = node->worker.conversions,
        .queued = node->worker.queued,
        .executing_job = executing.job,
        .executing_op = executing.op,
        .delay_us = config->delay_us,
        .held_bytes = node->worker.held_bytes,
        .pressed = worker_is_pressed(&node->worker),
        .held = node->worker.held.count,
        .applied = node->raft.journal.applied,
        .rejected = node->step.rejected,
        .jobs = node_is_coordinator(node) ? node->state.jobs.open : 0,
        .full = node->raft.full,
        .turn_us = node->turn_us,
        .turn_own_us = node->turn_own_us,
        .turn_in = message_text(message, node->turn_in ? node->turn_in : ""),
        .fetched = node->raft.follower.fetched,
        .disk_ms = node->raft.disk_busy_us / MS_US,
        .host = message_text(message, config->host),
        .pid = config->pid,
        .version = message_text(message, config->version),
        .cluster_id = message_copy(message, step_cluster_id(&node->step)),
        .birth = node->step.birth,
        .voter = members_counts(&node->raft, config->id),
    };
    outbox_publish(&node->step.out, message);
}

void heartbeat_tick(struct node *node)
{
    if (!node->step.news && node->step.now_us < node->heartbeat_at_us)
        return;
    publish_heartbeat(node);
    node->step.news = false;
    /* Multiples of the period: nodes of one machine, whose clock is one, then wake each other once
     * a period and not once for every peer, which halves what an idle cluster costs. */
    node->heartbeat_at_us =
        (node->step.now_us / node->step.config.heartbeat_us + 1) * node->step.config.heartbeat_us;
}
