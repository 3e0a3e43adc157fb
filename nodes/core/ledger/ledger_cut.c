/* The ledger at the cut: accounts, key-value state, outbox messages that are not acknowledged,
 * marks.
 *
 * Recording is one step, and a full ledger takes too long to be packed in one. So the step only
 * notes what there is: balances as numbers, names of values, and references to what never changes
 * (names of accounts, values, outbox messages as they are on disk). It is packed in slices
 * afterwards. */
#include <stdlib.h>
#include <string.h>

#include "nodes/core/ledger/ledger_cut.h"
#include "shared/base/error.h"
#include "shared/wire/codec.h"

#define ROW_BYTES      64          /* of a row's names and numbers, and of what it holds */
#define PART_BYTES_MAX (40 * 1024) /* of a part: its map must stay below 64 KiB */

/* A list of rows under construction, a part for every so many. */
struct rows {
    const struct cut_writer *writer;
    enum message_type type;
    struct message *part;
    size_t bytes;
    uint64_t written; /* of parts that are complete ... */
    uint64_t most;    /* ... and how much may be written now */
    bool refused;     /* no more fits into the memory of snapshots */
};

static void flush(struct rows *rows)
{
    if (rows->part) {
        uint64_t written = rows->writer->add(rows->writer->context, rows->part);
        rows->written += written;
        rows->refused = rows->refused || !written;
    }
    rows->part = NULL;
    rows->bytes = 0;
}

static bool has_room(const struct rows *rows)
{
    return !rows->refused && rows->written + rows->bytes < rows->most;
}

/* Rows of another type follow. */
static void begin(struct rows *rows, enum message_type type)
{
    flush(rows);
    rows->type = type;
}

/* The part that the next row of so many bytes goes into. */
static struct message *part_for(struct rows *rows, size_t bytes, size_t n)
{
    if (rows->part && (n == cut_rows(rows->writer, CUT_ROWS_MAX) ||
                       rows->bytes + bytes + ROW_BYTES > PART_BYTES_MAX))
        flush(rows);
    if (!rows->part)
        rows->part = message_new(rows->type);
    rows->bytes += bytes + ROW_BYTES;
    return rows->part;
}

/* --- what is noted in the step of the cut --- */

struct frozen_account {
    const struct ledger_row *row; /* accounts live as long as the ledger */
    uint64_t balance;
};

struct frozen_value {
    char name[LEDGER_NAME_MAX + 1]; /* a value may be deleted before it is packed */
    struct blob *value;             /* owned reference */
};

struct frozen_message {
    node_id_t to;
    bool sent;
    uint64_t number;
    struct blob *packed; /* owned reference */
};

struct frozen_ledger {
    struct frozen_account *accounts;
    struct frozen_value *values;
    struct frozen_message *pending;
    size_t n_accounts, n_values, n_pending;
    size_t at_account, at_value, at_pending; /* these are packed */
};

static void freeze_outbox(struct frozen_ledger *frozen, const struct ledger *ledger)
{
    size_t n = 0;
    for (node_id_t id = 1; id <= ledger->step->config.n_nodes; id++)
        n += ledger->outgoing[id].pending.n;
    frozen->pending = mem_new(n, sizeof *frozen->pending);
    for (node_id_t id = 1; id <= ledger->step->config.n_nodes; id++) {
        const struct outgoing *outgoing = &ledger->outgoing[id];
        for (size_t i = 0; i < outgoing->pending.n; i++) {
            const struct outbox_message *it = ring_at(&outgoing->pending, i);
            frozen->pending[frozen->n_pending++] =
                (struct frozen_message){id, i < outgoing->enqueued, it->number,
                                        blob_ref(it->packed)};
        }
    }
}

static struct frozen_ledger *freeze(const struct ledger *ledger)
{
    struct frozen_ledger *frozen = mem_new(1, sizeof *frozen);
    frozen->n_accounts = ledger->accounts.n;
    frozen->accounts = mem_new(frozen->n_accounts, sizeof *frozen->accounts);
    for (size_t i = 0; i < frozen->n_accounts; i++)
        frozen->accounts[i] =
            (struct frozen_account){ledger->accounts.at[i], ledger->accounts.at[i]->balance};
    frozen->n_values = ledger->values.n;
    frozen->values = mem_new(frozen->n_values, sizeof *frozen->values);
    for (size_t i = 0; i < frozen->n_values; i++) {
        const struct ledger_row *row = ledger->values.at[i];
        memcpy(frozen->values[i].name, row->name, sizeof row->name);
        frozen->values[i].value = blob_ref(row->value);
    }
    freeze_outbox(frozen, ledger);
    return frozen;
}

static void drop(void *room, void *rest)
{
    struct frozen_ledger *it = rest;
    (void)room;
    for (size_t i = 0; i < it->n_values; i++)
        blob_drop(&it->values[i].value);
    for (size_t i = 0; i < it->n_pending; i++)
        blob_drop(&it->pending[i].packed);
    free(it->accounts);
    free(it->values);
    free(it->pending);
    free(it);
}

/* --- accounts and values --- */

/* Each packs rows until so much is written; true: all are. */
static bool add_accounts(struct frozen_ledger *frozen, struct rows *rows)
{
    size_t n = 0;
    begin(rows, MESSAGE_CUT_ACCOUNTS);
    while (frozen->at_account < frozen->n_accounts && has_room(rows)) {
        const struct frozen_account *it = &frozen->accounts[frozen->at_account++];
        struct slice name = slice_of(it->row->name);
        struct wire_cut_accounts *part = &part_for(rows, name.len, n)->as.cut_accounts;
        if (!part->rows.at)
            part->rows.at = message_room(rows->part, CUT_ROWS_MAX, sizeof *part->rows.at);
        part->rows.at[part->rows.n++] = (struct wire_cut_account){name, it->balance};
        n = part->rows.n;
    }
    flush(rows);
    return frozen->at_account == frozen->n_accounts;
}

static bool add_pairs(struct frozen_ledger *frozen, struct rows *rows)
{
    size_t n = 0;
    begin(rows, MESSAGE_CUT_PAIRS);
    while (frozen->at_value < frozen->n_values && has_room(rows)) {
        const struct frozen_value *it = &frozen->values[frozen->at_value++];
        struct slice name = slice_of(it->name);
        struct wire_cut_pairs *part = &part_for(rows, name.len + it->value->len, n)->as.cut_pairs;
        if (!part->rows.at)
            part->rows.at = message_room(rows->part, CUT_ROWS_MAX, sizeof *part->rows.at);
        part->rows.at[part->rows.n++] =
            (struct wire_cut_pair){name, {it->value->at, it->value->len}};
        n = part->rows.n;
    }
    flush(rows);
    return frozen->at_value == frozen->n_values;
}

/* --- outbox messages and marks --- */

static struct wire_cut_pending pending_of(struct message *part, const struct message *pending)
{
    struct wire_cut_pending row = {0};
    if (pending->type == MESSAGE_TRANSFER) {
        const struct wire_transfer *transfer = &pending->as.transfer;
        row.amount = transfer->amount;
        row.from_account = message_copy(part, transfer->from);
        row.to_account = message_copy(part, transfer->to);
        row.returned = transfer->returned;
        row.returned_epoch = transfer->returned_epoch;
    } else {
        row.name = message_copy(part, pending->as.app.name);
        row.value = message_copy(part, pending->as.app.value);
    }
    return row;
}

static void add_pending(struct rows *rows, const struct frozen_message *pending, size_t *n)
{
    struct message *message;
    struct text why = {0};
    if (codec_unpack((struct slice){pending->packed->at, pending->packed->len}, &message, &why))
        panic("an outbox message of the ledger cannot be read: %s", why.at);
    struct wire_cut_ledger *part = &part_for(rows, pending->packed->len, *n)->as.cut_ledger;
    if (!part->pending.at)
        part->pending.at = message_room(rows->part, CUT_ROWS_MAX, sizeof *part->pending.at);
    struct wire_cut_pending *row = &part->pending.at[part->pending.n++];
    *row = pending_of(rows->part, message);
    row->node = pending->to;
    row->number = pending->number;
    row->sent = pending->sent;
    *n = part->pending.n;
    message_drop(&message);
}

static void add_marks(const struct ledger *ledger, struct rows *rows)
{
    struct message *message = part_for(rows, ledger->step->config.n_nodes * ROW_BYTES, 0);
    struct wire_cut_ledger *part = &message->as.cut_ledger;
    part->applied.at =
        message_room(message, ledger->step->config.n_nodes, sizeof *part->applied.at);
    part->issued.at = message_room(message, ledger->step->config.n_nodes, sizeof *part->issued.at);
    for (node_id_t id = 1; id <= ledger->step->config.n_nodes; id++) {
        const struct incoming *incoming = &ledger->incoming[id];
        if (incoming->epoch)
            part->applied.at[part->applied.n++] =
                (struct wire_cut_applied){id, incoming->epoch, incoming->applied};
        if (ledger->outgoing[id].last)
            part->issued.at[part->issued.n++] =
                (struct wire_cut_applied){id, ledger->epoch, ledger->outgoing[id].last};
    }
}

static bool add_outbox(struct frozen_ledger *frozen, struct rows *rows)
{
    size_t n = 0;
    begin(rows, MESSAGE_CUT_LEDGER);
    while (frozen->at_pending < frozen->n_pending && has_room(rows))
        add_pending(rows, &frozen->pending[frozen->at_pending++], &n);
    flush(rows);
    return frozen->at_pending == frozen->n_pending;
}

/* --- participant.h --- */

static void count(const void *room, struct wire_cut_state *head)
{
    head->epoch = ((const struct ledger *)room)->epoch;
}

static void *record(void *room, const struct cut_writer *writer)
{
    const struct ledger *ledger = room;
    struct rows rows = {.writer = writer, .type = MESSAGE_CUT_LEDGER};
    add_marks(ledger, &rows);
    flush(&rows);
    struct frozen_ledger *frozen = freeze(ledger);
    writer->add_rest(writer->context, frozen->n_accounts * sizeof *frozen->accounts +
                                          frozen->n_values * sizeof *frozen->values +
                                          frozen->n_pending * sizeof *frozen->pending);
    return frozen;
}

static enum cut_progress pack(void *room, void *rest, const struct cut_writer *writer,
                              uint64_t bytes)
{
    struct frozen_ledger *frozen = rest;
    struct rows rows = {.writer = writer, .most = bytes};
    (void)room;
    bool all = add_accounts(frozen, &rows) && add_pairs(frozen, &rows) && add_outbox(frozen, &rows);
    return all ? CUT_WRITTEN : CUT_GOES_ON;
}

static bool can_pack(const void *rest)
{
    (void)rest;
    return true;
}

const struct participant ledger_participant = {
    .name = "ledger",
    .count = count,
    .record = record,
    .pack = pack,
    .can_pack = can_pack,
    .drop = drop,
};
