/* What a channel held at the cut: messages by their headers, operations and transfers
 * one by one. */
#include <stdlib.h>
#include <string.h>

#include "nodes/core/snapshot/snapshot_internal.h"
#include "shared/base/text.h"

static void add_op(struct cut_channel *channel, struct wire_cut_op op)
{
    if (channel->n_ops == channel->ops_size) {
        channel->ops_size = channel->ops_size ? 2 * channel->ops_size : 16;
        channel->ops = mem_grow(channel->ops, channel->ops_size, sizeof *channel->ops);
    }
    channel->ops[channel->n_ops++] = op;
}

static struct slice keep_text(struct recording *recording, struct slice text)
{
    uint8_t *at = arena_new(&recording->arena, text.len + 1);
    slice_copy(at, text);
    recording->noted_bytes += text.len;
    return (struct slice){at, text.len};
}

static void note_ops(struct cut_channel *channel, const struct message *message)
{
    uint64_t seq = message->as.channel.seq;
    if (message->type == MESSAGE_TASK) {
        const struct wire_task *task = &message->as.task;
        for (size_t i = 0; i < task->ops.n; i++)
            add_op(channel, (struct wire_cut_op){.job = task->ops.at[i].job,
                                                 .op = task->ops.at[i].op,
                                                 .attempt = task->ops.at[i].attempt,
                                                 .seq = seq});
    } else if (message->type == MESSAGE_RESULT) {
        const struct wire_result *result = &message->as.result;
        for (size_t i = 0; i < result->ops.n; i++)
            add_op(channel, (struct wire_cut_op){.job = result->ops.at[i].job,
                                                 .op = result->ops.at[i].op,
                                                 .attempt = result->ops.at[i].attempt,
                                                 .operations = result->ops.at[i].operations,
                                                 .seq = seq});
    }
}

/* What a note takes in memory: itself, its operations, its texts. */
static uint64_t cost_of(const struct message *message)
{
    uint64_t cost = 2 * sizeof(struct wire_cut_message);
    if (message->type == MESSAGE_TASK)
        cost += 2 * message->as.task.ops.n * sizeof(struct wire_cut_op);
    else if (message->type == MESSAGE_RESULT)
        cost += 2 * message->as.result.ops.n * sizeof(struct wire_cut_op);
    else if (message->type == MESSAGE_TRANSFER)
        cost += message->as.transfer.from.len + message->as.transfer.to.len;
    return cost;
}

void recording_note(struct recording *recording, node_id_t from, const struct message *message)
{
    struct cut_channel *channel = &recording->channels[from];
    channel->recorded++;
    if (recording->too_much || recording->noted_bytes > recording->noted_max)
        return; /* the report says so */
    recording->too_much = !snapshot_charge(recording->all, &recording->bytes, cost_of(message));
    if (recording->too_much)
        return;
    if (channel->n_messages == channel->messages_size) {
        channel->messages_size = channel->messages_size ? 2 * channel->messages_size : 16;
        channel->messages =
            mem_grow(channel->messages, channel->messages_size, sizeof *channel->messages);
    }
    struct wire_cut_message *note = &channel->messages[channel->n_messages++];
    *note = (struct wire_cut_message){
        .seq = message->as.channel.seq,
        .clock = message->as.channel.clock,
        .kind = slice_of(message_name(message->type)),
    };
    for (size_t i = 0; i < message->n_frames; i++)
        note->bytes += message->frames[i]->len;
    if (message->type == MESSAGE_RELEASE) {
        note->job = message->as.release.job;
    } else if (message->type == MESSAGE_TRANSFER) {
        const struct wire_transfer *transfer = &message->as.transfer;
        note->number = transfer->number;
        note->amount = transfer->amount;
        note->from_account = keep_text(recording, transfer->from);
        note->to_account = keep_text(recording, transfer->to);
    } else if (message->type == MESSAGE_APP) {
        note->number = message->as.app.number;
        note->name = keep_text(recording, message->as.app.name);
    } else if (message->type == MESSAGE_LEDGER_ACK) {
        note->number = message->as.ledger_ack.number;
    }
    size_t ops_before = channel->n_ops;
    note_ops(channel, message);
    recording->noted_bytes += sizeof *note + (channel->n_ops - ops_before) * sizeof *channel->ops;
}

/* --- the parts of the report --- */

static const char *why_missing(const struct recording *recording, const struct cut_channel *channel)
{
    if (channel->state == CUT_VOID)
        return "no marker arrived";
    if (recording->noted_bytes > recording->noted_max)
        return "more was recorded than can be kept";
    return NULL;
}

static void add_channel(struct recording *recording, node_id_t from)
{
    const struct cut_channel *channel = &recording->channels[from];
    const char *missing = why_missing(recording, channel);
    size_t message_at = 0, op_at = 0;
    do {
        struct message *part = message_new(MESSAGE_CUT_CHANNEL);
        struct wire_cut_channel *cut = &part->as.cut_channel;
        cut->from = from;
        cut->recorded = channel->recorded;
        if (missing)
            cut->missing = message_text(part, missing);
        size_t n = missing ? 0 : channel->n_messages - message_at;
        n = n < CUT_MESSAGES_MAX ? n : CUT_MESSAGES_MAX;
        cut->messages.n = n;
        cut->messages.at = n ? channel->messages + message_at : NULL;
        message_at += n;
        size_t ops = missing ? 0 : channel->n_ops - op_at;
        ops = ops < CUT_ROWS_MAX ? ops : CUT_ROWS_MAX;
        cut->ops.n = ops;
        cut->ops.at = ops ? channel->ops + op_at : NULL;
        op_at += ops;
        recording_add(recording, part);
    } while (!missing && (message_at < channel->n_messages || op_at < channel->n_ops));
}

void recording_add_channels(struct snapshots *snapshots, struct recording *recording)
{
    for (node_id_t id = 1; id <= snapshots->step->config.n_nodes; id++)
        if (recording->channels[id].state != CUT_ABSENT)
            add_channel(recording, id);
}
