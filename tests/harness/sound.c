#include "tests/harness/sound.h"

#include <string.h>

#define LIFE 0xa000000000000000u /* of node i: LIFE + i */

static void add_node(struct snapshot_model *model, uint64_t id, const char *account,
                     uint64_t balance)
{
    struct model_node *node = &model->nodes[id];
    struct wire_cut_account row = {slice_of(account), balance};
    node->present = true;
    node->about.incarnation = node->state.incarnation = LIFE + id;
    node->about.parts = 3;
    node->state.clock = 1000;
    node->state.term = 2;
    node->state.epoch = 0xe0 + id;
    node->state.role = slice_of(id == 1 ? "coordinator" : "worker");
    node->state.counts.at = arena_new(&model->arena, 3 * sizeof *node->state.counts.at);
    for (uint64_t peer = 1; peer <= 3; peer++)
        if (peer != id)
            node->state.counts.at[node->state.counts.n++] =
                (struct wire_cut_count){peer, LIFE + peer, 50, 50};
    MODEL_APPEND(model, node->accounts, &row, 1);
}

struct wire_cut_count *sound_count(struct snapshot_model *model, uint64_t node, uint64_t peer)
{
    return (struct wire_cut_count *)model_count(model, node, peer);
}

/* Sent, not received, recorded. */
void sound_put(struct snapshot_model *model, uint64_t from, uint64_t to,
               struct wire_cut_message message)
{
    struct model_channel *channel = model_channel(model, from, to);
    message.seq = 60 + channel->messages.n;
    message.clock = message.clock ? message.clock : 900;
    channel->recorded++;
    sound_count(model, from, to)->sent++;
    MODEL_APPEND(model, channel->messages, &message, 1);
}

void sound_put_op(struct snapshot_model *model, uint64_t from, uint64_t to, const char *kind,
                  uint64_t op)
{
    struct model_channel *channel = model_channel(model, from, to);
    sound_put(model, from, to, (struct wire_cut_message){.kind = slice_of(kind)});
    struct wire_cut_op row = {.job = SOUND_JOB,
                              .op = op,
                              .attempt = 1,
                              .seq = channel->messages.at[channel->messages.n - 1].seq};
    MODEL_APPEND(model, channel->ops, &row, 1);
}

void sound_owe(struct snapshot_model *model, uint64_t from, uint64_t to, uint64_t number,
               uint64_t amount, bool sent)
{
    struct wire_cut_pending row = {.node = to,
                                   .number = number,
                                   .sent = sent,
                                   .amount = amount,
                                   .from_account = slice_of("X"),
                                   .to_account = slice_of("Y")};
    MODEL_APPEND(model, model->nodes[from].outbox, &row, 1);
}

struct wire_cut_message sound_transfer(uint64_t number, uint64_t amount)
{
    return (struct wire_cut_message){.kind = slice_of("transfer"),
                                     .number = number,
                                     .amount = amount,
                                     .from_account = slice_of("X"),
                                     .to_account = slice_of("Y")};
}

void sound_applied(struct snapshot_model *model, uint64_t at, uint64_t from, uint64_t upto)
{
    struct wire_cut_applied row = {from, 0xe0 + from, upto};
    MODEL_APPEND(model, model->nodes[at].applied, &row, 1);
}

static void hand_out(struct snapshot_model *model, uint64_t op, uint64_t node)
{
    struct wire_cut_op row = {
        .job = SOUND_JOB, .op = op, .attempt = 1, .node = node, .operations = 2};
    MODEL_APPEND(model, model->handed_out, &row, 1);
}

void sound_queue(struct snapshot_model *model, uint64_t node, uint64_t op)
{
    struct wire_cut_op row = {.job = SOUND_JOB, .op = op, .attempt = 1};
    MODEL_APPEND(model, model->nodes[node].queued, &row, 1);
}

static void add_work(struct snapshot_model *model)
{
    struct wire_cut_job job = {.job = SOUND_JOB,
                               .spec = slice_of("40"),
                               .total = 14,
                               .done = 3,
                               .returned = 1,
                               .assigned = 6,
                               .pending = 4};
    struct slice part = slice_of("a part of the checkpoint");
    model->coordinator = model->claims = 1;
    MODEL_APPEND(model, model->jobs, &job, 1);
    MODEL_APPEND(model, model->checkpoint, &part, 1);
    hand_out(model, 5, 2);
    hand_out(model, 6, 2);
    hand_out(model, 7, 3);
    sound_put_op(model, 1, 2, "task", 5);
    sound_queue(model, 2, 6);
    sound_put_op(model, 3, 1, "result", 7);
    sound_queue(model, 3, 4); /* cancelled meanwhile: stale */
}

struct snapshot_model *sound_snapshot(void)
{
    struct snapshot_model *model = snapshot_model_new(3);
    model->name = (struct snapshot_name){3, LIFE + 3, 4};
    model->complete = true;
    model->time_ms = 1795000000123;
    model->took_us = 4321;
    for (uint64_t from = 1; from <= 3; from++)
        for (uint64_t to = 1; to <= 3; to++)
            model_channel(model, from, to)->known = from != to;
    add_node(model, 1, "A", 900);
    add_node(model, 2, "B", 1000);
    add_node(model, 3, "C", 70);
    sound_applied(model, 2, 1, 6);
    sound_owe(model, 1, 2, 6, 11, true); /* applied there, not acknowledged */
    sound_owe(model, 1, 2, 7, 100, true);
    sound_put(model, 1, 2, sound_transfer(6, 11)); /* a copy that came again */
    sound_put(model, 1, 2, sound_transfer(7, 100));
    sound_owe(model, 2, 3, 1, 30, false);
    sound_applied(model, 1, 3, 1);
    sound_owe(model, 3, 1, 1, 5, true);
    add_work(model);
    return model;
}

bool sound_finds(const struct findings *findings, enum finding_kind kind, const char *words)
{
    for (size_t i = 0; i < findings->lines.n; i++)
        if (findings->lines.at[i].kind == kind && strstr(findings->lines.at[i].text, words))
            return true;
    return false;
}

void sound_lose_node(struct snapshot_model *model, uint64_t id)
{
    model->complete = false;
    model->nodes[id] = (struct model_node){.about.node = id,
                                           .about.missing = slice_of("it was not alive"),
                                           .state.node = id};
    for (uint64_t peer = 1; peer <= 3; peer++) {
        *model_channel(model, id, peer) = (struct model_channel){0};
        *model_channel(model, peer, id) = (struct model_channel){0};
    }
}
