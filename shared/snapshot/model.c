#include "shared/snapshot/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/slice.h"

/* --- names --- */

int snapshot_name_parse(struct slice text, struct snapshot_name *out)
{
    const uint8_t *end = text.at + text.len, *first, *second;
    first = text.len ? memchr(text.at, '-', text.len) : NULL;
    second = first ? memchr(first + 1, '-', (size_t)(end - first - 1)) : NULL;
    if (!second || second - first != 17)
        return ERR_MALFORMED;
    if (parse_u64((struct slice){text.at, (size_t)(first - text.at)}, NODES_MAX, &out->initiator) ||
        parse_u64((struct slice){second + 1, (size_t)(end - second - 1)}, INT64_MAX, &out->counter))
        return ERR_MALFORMED;
    out->incarnation = 0;
    for (const uint8_t *at = first + 1; at < second; at++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit = memchr(digits, *at, 16);
        if (!digit)
            return ERR_MALFORMED;
        out->incarnation = out->incarnation << 4 | (uint64_t)(digit - digits);
    }
    return out->initiator ? OK : ERR_MALFORMED;
}

char *snapshot_name_text(const struct snapshot_name *name, char at[SNAPSHOT_NAME_MAX])
{
    text_format(at, SNAPSHOT_NAME_MAX, "%" PRIu64 "-%016" PRIx64 "-%" PRIu64, name->initiator,
                name->incarnation, name->counter);
    return at;
}

/* --- life --- */

struct snapshot_model *snapshot_model_new(size_t n_nodes)
{
    struct snapshot_model *model = mem_new(1, sizeof *model);
    model->n_nodes = n_nodes;
    model->nodes = mem_new(n_nodes + 1, sizeof *model->nodes);
    model->channels = mem_new((n_nodes + 1) * (n_nodes + 1), sizeof *model->channels);
    for (uint64_t id = 1; id <= n_nodes; id++)
        model->nodes[id].about.node = model->nodes[id].state.node = id;
    return model;
}

void snapshot_model_destroy(struct snapshot_model **model)
{
    struct snapshot_model *it = *model;
    *model = NULL;
    if (!it)
        return;
    for (size_t i = 0; i < it->parts.n; i++)
        message_drop(&it->parts.at[i]);
    arena_clear(&it->arena);
    free(it->nodes);
    free(it->channels);
    free(it);
}

/* Lists grow to powers of two; what they leave behind stays in the arena, no more than they are. */
static size_t room_of(size_t n)
{
    size_t room = n ? 1 : 0;
    while (room < n)
        room *= 2;
    return room;
}

void *model_append(struct arena *arena, void *at, size_t *n, const void *rows, size_t count,
                   size_t size)
{
    if (*n + count > room_of(*n)) {
        void *larger = arena_new(arena, room_of(*n + count) * size);
        if (*n)
            memcpy(larger, at, *n * size);
        at = larger;
    }
    if (count)
        memcpy((uint8_t *)at + *n * size, rows, count * size);
    *n += count;
    return at;
}

/* --- questions --- */

struct model_channel *model_channel(const struct snapshot_model *model, uint64_t from, uint64_t to)
{
    return &model->channels[from * (model->n_nodes + 1) + to];
}

const struct wire_cut_count *model_count(const struct snapshot_model *model, uint64_t node,
                                         uint64_t peer)
{
    const struct wire_cut_state *state = &model->nodes[node].state;
    for (size_t i = 0; i < state->counts.n; i++)
        if (state->counts.at[i].node == peer)
            return &state->counts.at[i];
    return NULL;
}

const struct wire_cut_applied *model_mark(const struct snapshot_model *model, uint64_t from,
                                          uint64_t to)
{
    const struct model_node *node = &model->nodes[to];
    for (size_t i = 0; i < node->applied.n; i++)
        if (node->applied.at[i].node == from &&
            node->applied.at[i].epoch == model->nodes[from].state.epoch)
            return &node->applied.at[i];
    return NULL;
}

uint64_t model_applied(const struct snapshot_model *model, uint64_t from, uint64_t to)
{
    const struct wire_cut_applied *mark = model_mark(model, from, to);
    return mark ? mark->upto : 0;
}

bool model_is_numbered(const struct wire_cut_message *message)
{
    return slice_equals(message->kind, "transfer") || slice_equals(message->kind, "app");
}

/* --- checks of single rows --- */

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < ' ' || text.at[i] > '~')
            return false;
    return true;
}

static bool is_wide(const char *name)
{
    return !strcmp(name, "incarnation") || !strcmp(name, "job") || strstr(name, "epoch");
}

int model_check_record(const struct record *record, const void *at, struct text *why)
{
    for (size_t i = 0; i < record->n_fields; i++) {
        const struct field *field = &record->fields[i];
        const void *value = (const uint8_t *)at + field->offset;
        bool fits = true;
        if (field->kind == FIELD_U64)
            fits = is_wide(field->name) || *(const uint64_t *)value <= INT64_MAX;
        else if (field->kind == FIELD_STR)
            fits = is_printable(*(const struct slice *)value);
        if (!fits) {
            text_add(why, "%s.%s is invalid", record->name, field->name);
            return ERR_MALFORMED;
        }
        const struct record_list *list = value;
        for (size_t k = 0; field->kind == FIELD_LIST && k < list->n; k++) {
            const struct record *row = field->record();
            int error = model_check_record(row, (const uint8_t *)list->at + k * row->size, why);
            if (error)
                return error;
        }
    }
    return OK;
}

/* --- checks of the whole --- */

static int compare_accounts(const void *a, const void *b)
{
    return slice_order(((const struct wire_cut_account *)a)->name,
                       ((const struct wire_cut_account *)b)->name);
}

static int compare_pairs(const void *a, const void *b)
{
    return slice_order(((const struct wire_cut_pair *)a)->name,
                       ((const struct wire_cut_pair *)b)->name);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_pending(const void *a, const void *b)
{
    const struct wire_cut_pending *x = a, *y = b;
    return x->node != y->node ? compare_numbers(x->node, y->node)
                              : compare_numbers(x->number, y->number);
}

static int compare_applied(const void *a, const void *b)
{
    return compare_numbers(((const struct wire_cut_applied *)a)->node,
                           ((const struct wire_cut_applied *)b)->node);
}

static int compare_counts(const void *a, const void *b)
{
    return compare_numbers(((const struct wire_cut_count *)a)->node,
                           ((const struct wire_cut_count *)b)->node);
}

static bool is_name(struct slice name)
{
    static const char marks[] = "_.-";
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && (!c || !strchr(marks, c)))
            return false;
    }
    return name.len && name.len <= LEDGER_NAME_MAX;
}

/* Sorts the rows; returns whether two of them are the same. */
static bool has_doubles(void *at, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    if (n)
        qsort(at, n, size, compare);
    for (size_t i = 1; i < n; i++)
        if (!compare((uint8_t *)at + (i - 1) * size, (uint8_t *)at + i * size))
            return true;
    return false;
}

#define HAS_DOUBLES(list, compare) has_doubles((list).at, (list).n, sizeof *(list).at, (compare))

static bool is_peer(const struct snapshot_model *model, const struct model_node *node, uint64_t id)
{
    return id && id <= model->n_nodes && id != node->state.node;
}

#define TIME_MAX_MS UINT64_C(253402300799999) /* the end of the year 9999 */

static const char *fault_of(const struct snapshot_model *model, struct model_node *node)
{
    for (size_t i = 0; i < node->accounts.n; i++)
        if (!is_name(node->accounts.at[i].name) || node->accounts.at[i].balance > MONEY_MAX)
            return "an invalid account";
    for (size_t i = 0; i < node->pairs.n; i++)
        if (!is_name(node->pairs.at[i].name))
            return "an invalid key";
    for (size_t i = 0; i < node->outbox.n; i++)
        if (!is_peer(model, node, node->outbox.at[i].node) || !node->outbox.at[i].number ||
            node->outbox.at[i].amount > MONEY_MAX)
            return "an invalid outbox row";
    for (size_t i = 0; i < node->applied.n; i++)
        if (!is_peer(model, node, node->applied.at[i].node))
            return "an invalid mark";
    for (size_t i = 0; i < node->state.counts.n; i++)
        if (!is_peer(model, node, node->state.counts.at[i].node))
            return "an invalid count of a channel";
    if (node->state.time_ms > TIME_MAX_MS || model->time_ms > TIME_MAX_MS)
        return "an invalid time";
    if (node->state.first_marker > model->n_nodes)
        return "a first marker from a node that does not exist";
    if (HAS_DOUBLES(node->accounts, compare_accounts))
        return "an account twice";
    if (HAS_DOUBLES(node->pairs, compare_pairs))
        return "a key twice";
    if (HAS_DOUBLES(node->outbox, compare_pending))
        return "a number twice in its outbox";
    if (HAS_DOUBLES(node->applied, compare_applied))
        return "a mark twice";
    return HAS_DOUBLES(node->state.counts, compare_counts) ? "counts of a channel twice" : NULL;
}

/* Operations stand in the order of the messages that they are in. */
static bool has_stray_ops(const struct model_channel *channel)
{
    size_t at = 0;
    for (size_t i = 0; i < channel->messages.n; i++)
        while (at < channel->ops.n && channel->ops.at[at].seq == channel->messages.at[i].seq)
            at++;
    return at < channel->ops.n;
}

static int check_channels(const struct snapshot_model *model, struct text *why)
{
    for (uint64_t from = 1; from <= model->n_nodes; from++)
        for (uint64_t to = 1; to <= model->n_nodes; to++) {
            if (from == to || !has_stray_ops(model_channel(model, from, to)))
                continue;
            text_add(why,
                     "channel %" PRIu64 "-%" PRIu64 " has operations that none of its messages has",
                     from, to);
            return ERR_MALFORMED;
        }
    return OK;
}

/* A head names only so many channels; the others are missing all the same. */
static void name_gaps(const struct snapshot_model *model)
{
    for (uint64_t from = 1; from <= model->n_nodes; from++)
        for (uint64_t to = 1; to <= model->n_nodes; to++) {
            struct model_channel *channel = model_channel(model, from, to);
            if (from == to || channel->known || channel->missing.len)
                continue;
            channel->missing = slice_of(!model->nodes[to].present     ? "its end is missing"
                                        : !model->nodes[from].present ? "its beginning is missing"
                                                                      : "it was not recorded");
        }
}

int snapshot_model_check(struct snapshot_model *model, struct text *why)
{
    for (uint64_t id = 1; id <= model->n_nodes; id++) {
        const char *fault = fault_of(model, &model->nodes[id]);
        if (!fault)
            continue;
        text_add(why, "node %" PRIu64 " has %s", id, fault);
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < model->handed_out.n; i++)
        if (!model->handed_out.at[i].node || model->handed_out.at[i].node > model->n_nodes) {
            text_add(why, "an operation was handed out to node %" PRIu64 ", which does not exist",
                     model->handed_out.at[i].node);
            return ERR_MALFORMED;
        }
    if (model->name.initiator && model->name.initiator <= model->n_nodes &&
        model->coordinator <= model->n_nodes &&
        (!model->coordinator || model->nodes[model->coordinator].present)) {
        name_gaps(model);
        return check_channels(model, why);
    }
    text_add(why, "its initiator or coordinator is not one of its nodes");
    return ERR_MALFORMED;
}
