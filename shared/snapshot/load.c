/* snapshot_load.c - takes a container apart (snapshot_model.h). */
#include <inttypes.h>
#include <string.h>

#include "shared/base/bytes.h"
#include "shared/base/slice.h"
#include "shared/snapshot/model.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/wire/codec.h"

struct loader {
    struct snapshot_model *model;
    const struct wire_snapshot_head *head;
    struct slice rest;
    struct model_node *node;  /* whose report is being read */
    struct model_node *chief; /* it, when it is the coordinator; NULL: its jobs do not count */
    bool claims;              /* it believes to be coordinator */
    uint64_t parts;           /* of its report so far */
    struct text *why;
};

static int fail(struct loader *loader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fail(struct loader *loader, const char *format, ...)
{
    va_list args;
    *loader->why = (struct text){0};
    va_start(args, format);
    text_add_v(loader->why, format, args);
    va_end(args);
    return ERR_MALFORMED;
}

/* --- the sequence of parts --- */

static int next_part(struct loader *loader, struct slice *packed, struct message **out)
{
    if (!bytes_take_part(&loader->rest, packed))
        return fail(loader, "it is cut short");
    return codec_unpack(*packed, out, loader->why);
}

/* --- the head --- */

static int take_head(struct loader *loader, const struct wire_snapshot_head *head)
{
    struct snapshot_model *model = snapshot_model_new(head->nodes.n);
    loader->model = model;
    loader->head = head;
    model->name = (struct snapshot_name){head->initiator, head->incarnation, head->counter};
    model->complete = head->complete;
    model->periodic = head->periodic;
    model->time_ms = head->time_ms;
    model->took_us = head->took_us;
    model->bytes = head->bytes;
    for (size_t i = 0; i < head->nodes.n; i++) {
        if (head->nodes.at[i].node != i + 1)
            return fail(loader, "its head does not name the nodes in their order");
        model->nodes[i + 1].about = head->nodes.at[i];
    }
    for (size_t i = 0; i < head->gaps.n; i++) {
        const struct wire_cut_gap *gap = &head->gaps.at[i];
        if (!gap->from || !gap->to || gap->from > model->n_nodes || gap->to > model->n_nodes ||
            gap->from == gap->to)
            return fail(loader, "its head names a channel that cannot exist");
        model_channel(model, gap->from, gap->to)->missing = gap->why;
    }
    return OK;
}

/* --- the reports --- */

static int end_node(struct loader *loader)
{
    const struct model_node *node = loader->node;
    if (node && node->about.parts != loader->parts)
        return fail(loader, "node %" PRIu64 " reported %" PRIu64 " parts, and %" PRIu64 " are here",
                    node->state.node, node->about.parts, loader->parts);
    return OK;
}

static int begin_node(struct loader *loader, const struct wire_cut_state *state)
{
    struct snapshot_model *model = loader->model;
    uint64_t last = loader->node ? loader->node->state.node : 0;
    if (end_node(loader))
        return ERR_MALFORMED;
    if (state->node <= last || state->node > model->n_nodes ||
        model->nodes[state->node].about.missing.len)
        return fail(loader, "a report of node %" PRIu64 " that should not be here", state->node);
    loader->node = &model->nodes[state->node];
    loader->node->present = true;
    loader->node->state = *state;
    if (state->incarnation != loader->node->about.incarnation)
        return fail(loader, "node %" PRIu64 " reported in another incarnation", state->node);
    loader->chief = NULL;
    loader->claims = false;
    loader->parts = 0;
    return OK;
}

/* Of two that believe to be coordinator the one of the higher term is. */
static void take_claim(struct loader *loader)
{
    struct snapshot_model *model = loader->model;
    if (!loader->claims)
        model->claims++;
    loader->claims = true;
    if (loader->chief || (model->coordinator &&
                          model->nodes[model->coordinator].state.term >= loader->node->state.term))
        return;
    loader->chief = loader->node;
    model->coordinator = loader->node->state.node;
    model->jobs.n = model->handed_out.n = model->checkpoint.n = 0;
    model->jobs.at = NULL; /* lists know their room by their count */
    model->handed_out.at = NULL;
    model->checkpoint.at = NULL;
}

static int take_channel(struct loader *loader, const struct wire_cut_channel *part)
{
    struct snapshot_model *model = loader->model;
    uint64_t to = loader->node->state.node;
    if (!part->from || part->from > model->n_nodes || part->from == to)
        return fail(loader, "node %" PRIu64 " recorded a channel that cannot exist", to);
    struct model_channel *channel = model_channel(model, part->from, to);
    bool more = channel->known;
    if (more && (channel->recorded != part->recorded || part->missing.len))
        return fail(loader, "the parts of channel %" PRIu64 "-%" PRIu64 " disagree", part->from,
                    to);
    channel->recorded = part->recorded;
    if (part->missing.len) {
        channel->missing = part->missing;
        return OK;
    }
    channel->known = true;
    MODEL_APPEND(model, channel->messages, part->messages.at, part->messages.n);
    MODEL_APPEND(model, channel->ops, part->ops.at, part->ops.n);
    return OK;
}

static int take_work(struct loader *loader, const struct wire_cut_work *work)
{
    struct snapshot_model *model = loader->model;
    if (!work->coordinator)
        MODEL_APPEND(model, loader->node->queued, work->ops.at, work->ops.n);
    else if (!loader->claims)
        return fail(loader, "node %" PRIu64 " hands out work but coordinates no jobs",
                    loader->node->state.node);
    else if (loader->chief)
        MODEL_APPEND(model, model->handed_out, work->ops.at, work->ops.n);
    return OK;
}

static void take_checkpoint(struct loader *loader, struct slice packed)
{
    struct snapshot_model *model = loader->model;
    struct slice copy = {arena_new(&model->arena, packed.len), packed.len};
    if (!loader->chief)
        return;
    slice_copy((uint8_t *)copy.at, packed);
    MODEL_APPEND(model, model->checkpoint, &copy, 1);
}

static int take_part(struct loader *loader, const struct message *part, struct slice packed)
{
    struct snapshot_model *model = loader->model;
    struct model_node *node = loader->node;
    if (part->type == MESSAGE_CUT_STATE) {
        int error = begin_node(loader, &part->as.cut_state);
        loader->parts++;
        return error;
    }
    if (!node)
        return fail(loader, "a part that belongs to no node");
    loader->parts++;
    switch (part->type) {
    case MESSAGE_CUT_ACCOUNTS:
        MODEL_APPEND(model, node->accounts, part->as.cut_accounts.rows.at,
                     part->as.cut_accounts.rows.n);
        return OK;
    case MESSAGE_CUT_PAIRS:
        MODEL_APPEND(model, node->pairs, part->as.cut_pairs.rows.at, part->as.cut_pairs.rows.n);
        return OK;
    case MESSAGE_CUT_LEDGER:
        MODEL_APPEND(model, node->outbox, part->as.cut_ledger.pending.at,
                     part->as.cut_ledger.pending.n);
        MODEL_APPEND(model, node->applied, part->as.cut_ledger.applied.at,
                     part->as.cut_ledger.applied.n);
        return OK;
    case MESSAGE_CUT_JOBS:
        take_claim(loader);
        if (loader->chief)
            MODEL_APPEND(model, model->jobs, part->as.cut_jobs.rows.at, part->as.cut_jobs.rows.n);
        return OK;
    case MESSAGE_CUT_WORK:
        return take_work(loader, &part->as.cut_work);
    case MESSAGE_CUT_CHANNEL:
        return take_channel(loader, &part->as.cut_channel);
    default:
        if (!message_is_checkpoint(part->type))
            return fail(loader, "a part that is %s", message_name(part->type));
        take_checkpoint(loader, packed);
        return OK;
    }
}

/* --- all of it --- */

static int load_head(struct loader *loader)
{
    struct slice packed;
    struct message *message = NULL;
    int error = next_part(loader, &packed, &message);
    if (error)
        return error;
    if (message->type != MESSAGE_SNAPSHOT_HEAD || !message->as.snapshot_head.nodes.n) {
        error = fail(loader, "it does not begin like a snapshot");
        message_drop(&message);
        return error;
    }
    error = model_check_record(message_kind(message->type)->record(), &message->as, loader->why);
    if (error) {
        message_drop(&message);
        return error;
    }
    error = take_head(loader, &message->as.snapshot_head);
    MODEL_APPEND(loader->model, loader->model->parts, &message, 1);
    return error;
}

static int load_part(struct loader *loader)
{
    struct slice packed;
    struct message *message = NULL;
    int error = next_part(loader, &packed, &message);
    if (error)
        return error;
    if (message_is_checkpoint(message->type)) { /* stays as it is, and is read by nodes only */
        error = take_part(loader, message, packed);
        message_drop(&message);
        return error;
    }
    MODEL_APPEND(loader->model, loader->model->parts, &message, 1);
    error = model_check_record(message_kind(message->type)->record(), &message->as, loader->why);
    return error ? error : take_part(loader, message, packed);
}

static int check_presence(struct loader *loader)
{
    const struct snapshot_model *model = loader->model;
    for (uint64_t id = 1; id <= model->n_nodes; id++)
        if (!model->nodes[id].present && !model->nodes[id].about.missing.len)
            return fail(loader, "the report of node %" PRIu64 " is not here", id);
    return OK;
}

int snapshot_model_load(struct slice container, struct snapshot_model **out, struct text *why)
{
    struct loader loader = {.rest = container, .why = why};
    *out = NULL;
    int error = load_head(&loader);
    while (!error && loader.rest.len)
        error = load_part(&loader);
    if (!error)
        error = end_node(&loader);
    if (!error)
        error = check_presence(&loader);
    if (!error)
        error = snapshot_model_check(loader.model, why);
    if (error)
        snapshot_model_destroy(&loader.model);
    *out = loader.model;
    return error;
}
