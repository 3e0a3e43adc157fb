/* The story of a stage: what happens, in the words of the field, a line each. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/step/step.h"
#include "shared/base/text.h"
#include "tests/harness/inside.h"
#include "tests/harness/stage.h"

void stage_forget_story(struct stage *stage)
{
    if (!stage->story) {
        stage->story_size = 4096;
        stage->story = mem_new(stage->story_size, 1);
    }
    stage->story_len = 0;
    stage->story[0] = '\0';
}

void stage_line(struct stage *stage, const char *line)
{
    size_t len = strlen(line);
    while (stage->story_len + len + 2 > stage->story_size) {
        stage->story_size *= 2;
        stage->story = mem_grow(stage->story, stage->story_size, 1);
    }
    memcpy(stage->story + stage->story_len, line, len);
    stage->story_len += len;
    memcpy(stage->story + stage->story_len++, "\n", 2);
}

void stage_tell(struct stage *stage, enum stage_topic topic, const char *format, ...)
{
    struct text line = {0};
    if (!(stage->topics & topic))
        return;
    text_add(&line, "[%3" PRIu64 "] ", (stage->now_us - stage->begun_us) / MS_US);
    va_list args;
    va_start(args, format);
    text_add_v(&line, format, args);
    va_end(args);
    stage_line(stage, line.at);
}

bool stage_told(const struct stage *stage, const char *words)
{
    return strstr(stage->story, words) != NULL;
}

unsigned stage_told_times(const struct stage *stage, const char *words)
{
    unsigned times = 0;
    for (const char *at = stage->story; (at = strstr(at, words)); at++)
        times++;
    return times;
}

/* --- messages --- */

static void describe_votes(const struct message *message, struct text *out)
{
    if (message->type == MESSAGE_VOTE_REQUEST) {
        const struct wire_vote_request *request = &message->as.vote_request;
        text_add(out, "%s request: term %" PRIu64 ", log up to %" PRIu64 " (term %" PRIu64 ")",
                 request->pre ? "pre-vote" : "vote", request->term, request->last_index,
                 request->last_term);
    } else {
        const struct wire_vote_reply *reply = &message->as.vote_reply;
        text_add(out, "%s %s, term %" PRIu64, reply->pre ? "pre-vote" : "vote",
                 reply->granted ? "granted" : "refused", reply->term);
    }
}

static void describe_append(const struct wire_append *append, struct text *out)
{
    text_add(out, "append: term %" PRIu64 ", after %" PRIu64 " (term %" PRIu64 ")", append->term,
             append->prev_index, append->prev_term);
    for (size_t i = 0; i < append->entries.n; i++) {
        const struct wire_log_item *item = &append->entries.at[i];
        for (uint64_t k = 0; k < item->count || k == 0; k++)
            text_add(out, "%s%" PRIu64, i || k ? " " : ": entries of terms ", item->term);
    }
    if (!append->entries.n)
        text_add(out, ": nothing");
    text_add(out, ", commit %" PRIu64, append->commit);
    if (append->round)
        text_add(out, ", round %" PRIu64, append->round);
}

static void describe_append_reply(const struct wire_append_reply *reply, struct text *out)
{
    text_add(out, "append reply: term %" PRIu64 ", ", reply->term);
    if (!reply->ok)
        text_add(out, "no match, try after %" PRIu64, reply->match);
    else
        text_add(out, "match %" PRIu64 "%s%s", reply->match, reply->wait ? ", wait" : "",
                 reply->install ? ", send a checkpoint" : "");
    if (reply->round)
        text_add(out, ", round %" PRIu64, reply->round);
}

static void describe_install(const struct wire_install *install, struct text *out)
{
    text_add(out,
             "install: term %" PRIu64 ", up to %" PRIu64 " (term %" PRIu64 "), parts %" PRIu64
             "-%" PRIu64 " of %" PRIu64,
             install->term, install->index, install->index_term, install->part + 1,
             install->part + install->items.n, install->parts);
}

static void describe_task(const struct message *message, struct text *out)
{
    text_add(out, "task:");
    for (size_t i = 0; i < message->as.task.ops.n; i++) {
        const struct wire_task_op *op = &message->as.task.ops.at[i];
        bool text = slice_equals(op->opcode, "text");
        text_add(out, " R%" PRIu64 "%s", op->op - text, text ? " as text" : "");
        if (op->attempt > 1)
            text_add(out, " (attempt %" PRIu64 ")", op->attempt);
    }
}

static void describe_result(const struct message *message, struct text *out)
{
    text_add(out, "result:");
    for (size_t i = 0; i < message->as.result.ops.n; i++) {
        const struct wire_result_op *op = &message->as.result.ops.at[i];
        text_add(out, " R%" PRIu64, op->head.len ? op->op - 1 : op->op);
        if (op->head.len)
            text_add(out, " as text");
        if (op->error.len)
            text_add(out, " failed: %.*s", (int)op->error.len, (const char *)op->error.at);
    }
}

static void describe_job(const struct wire_job *answer, struct text *out)
{
    const struct wire_job_row *row = &answer->jobs.at[0];
    char id[JOB_TEXT_MAX];
    text_add(out, "job %s, key %.*s, is %.*s%s", job_id_text(row->job, id), (int)row->key.len,
             (const char *)row->key.at, (int)row->state.len, (const char *)row->state.at,
             answer->created ? " (accepted just now)" : "");
    if (row->text.len)
        text_add(out, ": %.*s", (int)row->text.len, (const char *)row->text.at);
}

static void describe_answer(const struct message *message, struct text *out)
{
    switch (message->type) {
    case MESSAGE_JOB:
        describe_job(&message->as.job, out);
        break;
    case MESSAGE_ERROR:
        text_add(out, "error %.*s: %.*s", (int)message->as.error.code.len,
                 (const char *)message->as.error.code.at, (int)message->as.error.reason.len,
                 (const char *)message->as.error.reason.at);
        break;
    case MESSAGE_PROGRESS:
        text_add(out, "progress: state %" PRIu64 ", snap %" PRIu64 "%s", message->as.progress.state,
                 message->as.progress.snapshot, message->as.progress.found ? "" : " (none)");
        break;
    default:
        text_add(out, "%s", message_name(message->type));
        break;
    }
}

bool stage_describe(const struct message *message, struct text *out, enum stage_topic *topic)
{
    *topic = TELL_APPENDS;
    switch (message->type) {
    case MESSAGE_VOTE_REQUEST:
    case MESSAGE_VOTE_REPLY:
        *topic = TELL_VOTES;
        describe_votes(message, out);
        return true;
    case MESSAGE_APPEND:
        describe_append(&message->as.append, out);
        return true;
    case MESSAGE_APPEND_REPLY:
        describe_append_reply(&message->as.append_reply, out);
        return true;
    case MESSAGE_INSTALL:
        describe_install(&message->as.install, out);
        return true;
    case MESSAGE_INSTALL_REPLY:
        text_add(out, "install reply: up to %" PRIu64 ", next part %" PRIu64,
                 message->as.install_reply.index, message->as.install_reply.next + 1);
        return true;
    case MESSAGE_TASK:
        *topic = TELL_TASKS;
        describe_task(message, out);
        return true;
    case MESSAGE_RESULT:
        *topic = TELL_TASKS;
        describe_result(message, out);
        return true;
    case MESSAGE_HELLO:
    case MESSAGE_WELCOME:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_CHANNEL_ACK:
    case MESSAGE_RELEASE:
        return false;
    default:
        *topic = TELL_CLIENTS;
        describe_answer(message, out);
        return true;
    }
}

void stage_describe_log(const struct stage *stage, node_id_t id, struct text *out)
{
    const struct stage_node *node = &stage->nodes[id];
    if (!node->core) {
        text_add(out, "down; on disk:");
        if (node->log.base)
            text_add(out, " [checkpoint up to %" PRIu64 "]", node->log.base);
        for (size_t i = 0; i < node->log.n; i++)
            text_add(out, " %" PRIu64, node->log.at[i].term);
        return;
    }
    const struct raft_log *log = &inside_raft(node->core)->log;
    if (log->base)
        text_add(out, "[checkpoint up to %" PRIu64 "] ", log->base);
    for (log_index_t index = log->base + 1; index <= log->last; index++)
        text_add(out, "%" PRIu64 " ", raft_log_at(inside_raft(node->core), index)->term);
    if (log->last == log->base && !log->base)
        text_add(out, "empty ");
    text_add(out, "| committed %" PRIu64 ", term %" PRIu64, log->commit,
             inside_step(node->core)->term);
}
