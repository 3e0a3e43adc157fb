#include "nodes/core/step/feed.h"

#include <stdarg.h>

#include "nodes/core/raft/election.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/worker/worker.h"
#include "shared/base/text.h"

void feed_event(struct node *node, const char *event, node_id_t subject, job_id_t job,
                const char *format, ...)
{
    struct text text = {0};
    va_list args;
    va_start(args, format);
    text_add_v(&text, format, args);
    va_end(args);
    outbox_log(&node->out, LOG_INFO, "%s", text.at);
    struct slice line = {(const uint8_t *)text.at,
                         text.len < TEXT_FIELD_MAX ? text.len : TEXT_FIELD_MAX};
    struct message *message = message_new(MESSAGE_EVENT);
    message->as.event = (struct wire_event){
        .node = node->config.id,
        .incarnation = node->config.incarnation,
        .seq = ++node->feed_seq,
        .time_ms = node->wall_ms,
        .term = node->election.term,
        .event = message_text(message, event),
        .subject = subject,
        .job = job,
        .text = message_copy(message, line),
    };
    outbox_publish(&node->out, message);
}

static void publish_heartbeat(struct node *node)
{
    const struct node_config *config = &node->config;
    struct value_id executing = worker_executing(node);
    struct message *message = message_new(MESSAGE_HEARTBEAT);
    message->as.heartbeat = (struct wire_heartbeat){
        .node = config->id,
        .incarnation = config->incarnation,
        .seq = ++node->feed_seq,
        .time_ms = node->wall_ms,
        .term = node->election.term,
        .role = message_text(message, election_role_name(node)),
        .coordinator = node->election.coordinator,
        .serving = node->election.serving,
        .operations = node->worker.operations,
        .conversions = node->worker.conversions,
        .queued = node->worker.queued,
        .executing_job = executing.job,
        .executing_op = executing.op,
        .delay_us = config->delay_us,
        .held_bytes = node->worker.held_bytes,
        .pressed = worker_is_pressed(node),
        .held = node->worker.held.count,
        .applied = node->journal.applied,
        .rejected = node->rejected,
        .jobs = node_is_coordinator(node) ? node->jobs.open : 0,
        .full = node->full,
        .turn_us = node->turn_us,
        .turn_own_us = node->turn_own_us,
        .turn_in = message_text(message, node->turn_in ? node->turn_in : ""),
        .fetched = node->follower.fetched,
        .disk_ms = node->disk_busy_us / MS_US,
        .host = message_text(message, config->host),
        .pid = config->pid,
        .version = message_text(message, config->version),
        .cluster_id = message_copy(message, members_cluster_id(node)),
        .birth = node->members.birth,
        .voter = members_counts(node, config->id),
    };
    outbox_publish(&node->out, message);
}

void feed_tick(struct node *node)
{
    if (!node->heartbeat_now && node->now_us < node->heartbeat_at_us)
        return;
    publish_heartbeat(node);
    node->heartbeat_now = false;
    /* Multiples of the period: nodes of one machine, whose clock is one, then wake each other once
     * a period and not once for every peer, which halves what an idle cluster costs. */
    node->heartbeat_at_us =
        (node->now_us / node->config.heartbeat_us + 1) * node->config.heartbeat_us;
}
