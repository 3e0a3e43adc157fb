#include "shared/snapshot/pack.h"

#include <stdlib.h>
#include <string.h>

#include "clients/show/record_json.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/wire/codec.h"

#define PART_BYTES  (FRAME_MAP_MAX_BYTES / 2) /* of rows in one part, by a guess from above */
#define FIELD_BYTES 12                        /* of a field's name and value, beside its bytes */

struct packer {
    const struct snapshot_model *model;
    MODEL_LIST(struct blob *) parts; /* the reports' */
    struct arena arena;
    bool failed;
};

static void add_packed(struct packer *packer, struct blob *part)
{
    packer->failed = packer->failed || !part;
    if (part)
        MODEL_APPEND(packer, packer->parts, &part, 1);
}

static void add_part(struct packer *packer, struct message *message)
{
    add_packed(packer, codec_pack(message));
    message_drop(&message);
}

/* --- rows --- */

static size_t guess_bytes(const struct record *record, const void *row)
{
    size_t bytes = 0;
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        const struct slice *text = (const void *)((const uint8_t *)row + field->offset);
        bytes += strlen(field->name) + FIELD_BYTES;
        if (field->kind == FIELD_STR || field->kind == FIELD_BIN)
            bytes += text->len;
    }
    return bytes;
}

static const struct field *field_of(const struct record *record, const char *name)
{
    for (size_t i = 0; i < record->n_fields; i++)
        if (!strcmp(record->fields[i].name, name))
            return &record->fields[i];
    panic("%s has no list %s", record->name, name);
}

/* Returns how many rows go into one part. */
static size_t chunk(const struct field *list, const uint8_t *rows, size_t n)
{
    const struct record *record = list->record();
    size_t bytes = 0, i = 0;
    while (i < n && i < list->max) {
        bytes += guess_bytes(record, rows + i * record->size);
        if (i && bytes > PART_BYTES)
            break;
        i++;
    }
    return i;
}

/* Adds messages of the type until all rows are in their list; the other fields are as in `fixed`
 * (NULL: zero). Without rows there is none. */
static void add_rows(struct packer *packer, enum message_type type, const void *fixed,
                     const char *name, const void *rows, size_t n)
{
    const struct record *record = message_kind(type)->record();
    const struct field *list = field_of(record, name);
    size_t row_size = list->record()->size;
    for (size_t at = 0; at < n;) {
        const uint8_t *first = (const uint8_t *)rows + at * row_size;
        struct message *message = message_new(type);
        struct record_list some = {.at = (void *)first, .n = chunk(list, first, n - at)};
        if (fixed)
            memcpy(&message->as, fixed, record->size);
        memcpy((uint8_t *)&message->as + list->offset, &some, sizeof some);
        at += some.n;
        add_part(packer, message);
    }
}

/* --- a node's report --- */

static void add_ledger(struct packer *packer, const struct model_node *node)
{
    struct message *marks = message_new(MESSAGE_CUT_LEDGER);
    marks->as.cut_ledger.applied.at = node->applied.at;
    marks->as.cut_ledger.applied.n = node->applied.n;
    add_rows(packer, MESSAGE_CUT_ACCOUNTS, NULL, "rows", node->accounts.at, node->accounts.n);
    add_rows(packer, MESSAGE_CUT_PAIRS, NULL, "rows", node->pairs.at, node->pairs.n);
    add_part(packer, marks);
    add_rows(packer, MESSAGE_CUT_LEDGER, NULL, "pending", node->outbox.at, node->outbox.n);
}

static void add_checkpoint(struct packer *packer)
{
    const struct snapshot_model *model = packer->model;
    for (size_t i = 0; i < model->checkpoint.n; i++)
        add_packed(packer, blob_copy(model->checkpoint.at[i].at, model->checkpoint.at[i].len));
}

static void add_jobs(struct packer *packer)
{
    const struct snapshot_model *model = packer->model;
    struct wire_cut_work work = {.coordinator = true};
    if (model->jobs.n)
        add_rows(packer, MESSAGE_CUT_JOBS, NULL, "rows", model->jobs.at, model->jobs.n);
    else
        add_part(packer, message_new(MESSAGE_CUT_JOBS));
    add_rows(packer, MESSAGE_CUT_WORK, &work, "ops", model->handed_out.at, model->handed_out.n);
    add_checkpoint(packer);
}

static void add_channel(struct packer *packer, uint64_t from, uint64_t to)
{
    const struct model_channel *channel = model_channel(packer->model, from, to);
    struct wire_cut_channel cut = {.from = from,
                                   .recorded = channel->recorded,
                                   .missing = channel->missing};
    if (!channel->known && !channel->missing.len)
        return;
    if (!channel->messages.n) {
        struct message *message = message_new(MESSAGE_CUT_CHANNEL);
        message->as.cut_channel = cut;
        add_part(packer, message);
    }
    add_rows(packer, MESSAGE_CUT_CHANNEL, &cut, "messages", channel->messages.at,
             channel->messages.n);
    add_rows(packer, MESSAGE_CUT_CHANNEL, &cut, "ops", channel->ops.at, channel->ops.n);
}

static void add_node(struct packer *packer, uint64_t id, bool alone)
{
    const struct snapshot_model *model = packer->model;
    const struct model_node *node = &model->nodes[id];
    struct message *state = message_new(MESSAGE_CUT_STATE);
    state->as.cut_state = node->state;
    add_part(packer, state);
    add_ledger(packer, node);
    if (alone) {
        add_jobs(packer); /* every node of the fresh cluster begins with them */
        return;
    }
    add_rows(packer, MESSAGE_CUT_WORK, NULL, "ops", node->queued.at, node->queued.n);
    if (model->coordinator == id)
        add_jobs(packer);
    for (uint64_t from = 1; from <= model->n_nodes; from++)
        if (from != id)
            add_channel(packer, from, id);
}

/* --- the whole --- */

static struct message *make_head(const struct snapshot_model *model, uint64_t only)
{
    struct message *message = message_new(MESSAGE_SNAPSHOT_HEAD);
    struct wire_snapshot_head *head = &message->as.snapshot_head;
    *head = (struct wire_snapshot_head){.initiator = model->name.initiator,
                                        .incarnation = model->name.incarnation,
                                        .counter = model->name.counter,
                                        .complete = model->complete && !only,
                                        .periodic = model->periodic,
                                        .time_ms = model->time_ms,
                                        .took_us = model->took_us,
                                        .bytes = model->bytes};
    head->nodes.n = model->n_nodes;
    head->nodes.at = message_room(message, model->n_nodes, sizeof *head->nodes.at);
    if (only) {
        head->cluster_id = (struct slice){model->cluster_id, CLUSTER_ID_BYTES};
        head->voters = model->voters;
    }
    head->gaps.at = message_room(message, CUT_ROWS_MAX, sizeof *head->gaps.at);
    for (uint64_t id = 1; id <= model->n_nodes; id++) {
        head->nodes.at[id - 1] = model->nodes[id].about;
        if (only && id != only)
            head->nodes.at[id - 1].missing = message_text(message, "left out");
        for (uint64_t to = 1; !only && to <= model->n_nodes; to++) {
            const struct model_channel *channel = model_channel(model, id, to);
            if (id != to && channel->missing.len && head->gaps.n < CUT_ROWS_MAX)
                head->gaps.at[head->gaps.n++] = (struct wire_cut_gap){id, to, channel->missing};
        }
    }
    return message;
}

static struct blob *join(const struct packer *packer, const struct blob *head)
{
    size_t len = BYTES_LENGTH + head->len, at = 0;
    for (size_t i = 0; i < packer->parts.n; i++)
        len += BYTES_LENGTH + packer->parts.at[i]->len;
    struct blob *all = blob_new(len);
    for (size_t i = 0; i <= packer->parts.n; i++) {
        const struct blob *part = i ? packer->parts.at[i - 1] : head;
        at += bytes_put_part(all->at + at, part->at, part->len);
    }
    return all;
}

struct blob *snapshot_pack(const struct snapshot_model *model, uint64_t node)
{
    struct packer packer = {.model = model};
    struct message *head = make_head(model, node);
    for (uint64_t id = 1; id <= model->n_nodes; id++) {
        size_t before = packer.parts.n;
        if (!model->nodes[id].present || (node && id != node))
            continue;
        add_node(&packer, id, node);
        head->as.snapshot_head.nodes.at[id - 1].parts = packer.parts.n - before;
    }
    struct blob *packed = codec_pack(head), *all = NULL;
    if (packed && !packer.failed)
        all = join(&packer, packed);
    for (size_t i = 0; i < packer.parts.n; i++)
        blob_drop(&packer.parts.at[i]);
    blob_drop(&packed);
    message_drop(&head);
    arena_clear(&packer.arena);
    return all;
}
