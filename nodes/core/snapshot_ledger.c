/* The ledger at the cut: accounts, key-value state, letters that are not acknowledged, marks. */
#include "nodes/core/snapshot_internal.h"
#include "shared/base/error.h"
#include "shared/wire/codec.h"

#define ROW_BYTES      64          /* of a row's names and numbers, and of what it holds */
#define PART_BYTES_MAX (40 * 1024) /* of a part: its map must stay below 64 KiB */

/* A list of rows under construction, a part for every so many. */
struct rows {
    struct recording *recording;
    enum message_type type;
    struct message *part;
    size_t bytes;
};

static void flush(struct rows *rows)
{
    if (rows->part)
        recording_add(rows->recording, rows->part);
    rows->part = NULL;
    rows->bytes = 0;
}

/* The part that the next row of so many bytes goes into. */
static struct message *part_for(struct rows *rows, size_t bytes, size_t n)
{
    if (rows->part && (n == CUT_ROWS_MAX || rows->bytes + bytes + ROW_BYTES > PART_BYTES_MAX))
        flush(rows);
    if (!rows->part)
        rows->part = message_new(rows->type);
    rows->bytes += bytes + ROW_BYTES;
    return rows->part;
}

static void add_accounts(const struct node *node, struct recording *recording)
{
    struct rows rows = {recording, MESSAGE_CUT_ACCOUNTS, NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < node->ledger.accounts.n; i++) {
        const struct ledger_row *account = node->ledger.accounts.at[i];
        struct slice name = slice_of(account->name);
        struct wire_cut_accounts *part = &part_for(&rows, name.len, n)->as.cut_accounts;
        if (!part->rows.at)
            part->rows.at = message_room(rows.part, CUT_ROWS_MAX, sizeof *part->rows.at);
        part->rows.at[part->rows.n++] = (struct wire_cut_account){name, account->balance};
        n = part->rows.n;
    }
    flush(&rows);
}

static void add_pairs(const struct node *node, struct recording *recording)
{
    struct rows rows = {recording, MESSAGE_CUT_PAIRS, NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < node->ledger.values.n; i++) {
        const struct ledger_row *pair = node->ledger.values.at[i];
        struct slice name = slice_of(pair->name);
        struct wire_cut_pairs *part =
            &part_for(&rows, name.len + pair->value->len, n)->as.cut_pairs;
        if (!part->rows.at)
            part->rows.at = message_room(rows.part, CUT_ROWS_MAX, sizeof *part->rows.at);
        part->rows.at[part->rows.n++] =
            (struct wire_cut_pair){name, {pair->value->at, pair->value->len}};
        n = part->rows.n;
    }
    flush(&rows);
}

/* --- letters and marks --- */

static struct wire_cut_pending pending_of(struct message *part, const struct message *letter)
{
    struct wire_cut_pending row = {0};
    if (letter->type == MESSAGE_TRANSFER) {
        const struct wire_transfer *transfer = &letter->as.transfer;
        row.amount = transfer->amount;
        row.from_account = message_copy(part, transfer->from);
        row.to_account = message_copy(part, transfer->to);
        row.returned = transfer->returned;
        row.returned_epoch = transfer->returned_epoch;
    } else {
        row.name = message_copy(part, letter->as.app.name);
        row.value = message_copy(part, letter->as.app.value);
    }
    return row;
}

static void add_letter(struct rows *rows, node_id_t to, const struct letter *letter, bool sent,
                       size_t *n)
{
    struct message *message;
    struct text why = {0};
    if (codec_unpack((struct slice){letter->packed->at, letter->packed->len}, &message, &why))
        panic("a letter of the ledger cannot be read: %s", why.at);
    struct wire_cut_ledger *part = &part_for(rows, letter->packed->len, *n)->as.cut_ledger;
    if (!part->pending.at)
        part->pending.at = message_room(rows->part, CUT_ROWS_MAX, sizeof *part->pending.at);
    struct wire_cut_pending *row = &part->pending.at[part->pending.n++];
    *row = pending_of(rows->part, message);
    row->node = to;
    row->number = letter->number;
    row->sent = sent;
    *n = part->pending.n;
    message_drop(&message);
}

static void add_marks(const struct node *node, struct rows *rows)
{
    struct message *message = part_for(rows, node->config.n_nodes * ROW_BYTES, 0);
    struct wire_cut_ledger *part = &message->as.cut_ledger;
    part->applied.at = message_room(message, node->config.n_nodes, sizeof *part->applied.at);
    part->issued.at = message_room(message, node->config.n_nodes, sizeof *part->issued.at);
    for (node_id_t id = 1; id <= node->config.n_nodes; id++) {
        const struct incoming *incoming = &node->ledger.incoming[id];
        if (incoming->epoch)
            part->applied.at[part->applied.n++] =
                (struct wire_cut_applied){id, incoming->epoch, incoming->applied};
        if (node->ledger.outgoing[id].last)
            part->issued.at[part->issued.n++] =
                (struct wire_cut_applied){id, node->ledger.epoch, node->ledger.outgoing[id].last};
    }
}

void snapshot_add_ledger(struct node *node, struct recording *recording)
{
    struct rows rows = {recording, MESSAGE_CUT_LEDGER, NULL, 0};
    size_t n = 0;
    add_accounts(node, recording);
    add_pairs(node, recording);
    add_marks(node, &rows);
    for (node_id_t id = 1; id <= node->config.n_nodes; id++) {
        const struct outgoing *outgoing = &node->ledger.outgoing[id];
        for (size_t i = 0; i < outgoing->n; i++)
            add_letter(&rows, id, &outgoing->ring[(outgoing->head + i) % outgoing->ring_size],
                       i < outgoing->enqueued, &n);
    }
    flush(&rows);
}
