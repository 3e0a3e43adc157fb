#include "nodes/core/ledger/ledger_outbox.h"

#include <assert.h>
#include <inttypes.h>

#include "nodes/core/link/link.h"
#include "nodes/core/step/step.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"

/* --- outbox messages of one destination --- */

static struct outbox_message *outgoing_at(const struct outgoing *outgoing, size_t i)
{
    return ring_at(&outgoing->pending, i);
}

/* Takes the packed message. */
static void push(struct outgoing *outgoing, struct outbox_message pending)
{
    ring_push(&outgoing->pending, &pending, sizeof pending);
    outgoing->last = pending.number;
}

static void pop(struct ledger *ledger, struct outgoing *outgoing)
{
    struct outbox_message *pending = outgoing_at(outgoing, 0);
    ledger->in_transit -= pending->amount;
    blob_drop(&pending->packed);
    ring_pop(&outgoing->pending);
    if (outgoing->enqueued)
        outgoing->enqueued--;
}

static struct record_key outbox_key(node_id_t to, uint64_t number)
{
    struct record_key key = record_key(RECORD_OUTBOX);
    record_key_u32(&key, to);
    record_key_u64(&key, number);
    return key;
}

bool ledger_outbox_is_full(const struct ledger *ledger, node_id_t to)
{
    return ledger->outgoing[to].pending.n >= LEDGER_SENT_MAX;
}

/* --- sending --- */

/* An incarnation is never used twice, not by a wiped disk either: the first one that writes to
 * another ledger names this one for good. */
static void name_ledger(struct ledger *ledger)
{
    struct record_key key = record_key(RECORD_EPOCH);
    ledger->epoch = ledger->step->config.incarnation;
    record_write_u64(&ledger->step->out, &key, ledger->epoch);
}

void ledger_send(struct ledger *ledger, node_id_t to, struct message *message, uint64_t amount)
{
    struct outgoing *outgoing = &ledger->outgoing[to];
    if (!ledger->epoch)
        name_ledger(ledger);
    message->as.numbered.epoch = ledger->epoch;
    message->as.numbered.number = outgoing->last + 1;
    struct blob *packed = codec_pack(message);
    assert(packed); /* requests and outbox messages that came in have been checked */
    struct record_key key = outbox_key(to, outgoing->last + 1);
    outbox_write_record(&ledger->step->out, (struct slice){key.at, key.len}, packed);
    push(outgoing, (struct outbox_message){outgoing->last + 1, packed, amount});
    ledger->in_transit += amount;
    if (outgoing->enqueued + 1 < outgoing->pending.n)
        message_drop(&message); /* it waits behind others */
    else if (!peers_send_durable(ledger->links, to, message))
        outgoing->enqueued++;
}

static struct message *unpack(const struct outbox_message *pending)
{
    struct message *message;
    struct text why = {0};
    if (codec_unpack((struct slice){pending->packed->at, pending->packed->len}, &message, &why))
        panic("an outbox message that was packed cannot be unpacked: %s", why.at);
    return message;
}

static void pump_outbox(struct ledger *ledger, node_id_t to)
{
    struct outgoing *outgoing = &ledger->outgoing[to];
    for (unsigned burst = 0; burst < LEDGER_BURST_MAX && outgoing->enqueued < outgoing->pending.n &&
                             channel_has_room(&ledger->links->peers[to].channel);
         burst++)
        if (!peers_send_durable(ledger->links, to,
                                unpack(outgoing_at(outgoing, outgoing->enqueued))))
            outgoing->enqueued++;
}

/* What came back must reach the source before the acknowledgement of what it answers: until then
 * the source keeps room for it. So nothing is acknowledged while outbox messages wait for the
 * channel. */
static void pump_ack(struct ledger *ledger, node_id_t to)
{
    struct incoming *incoming = &ledger->incoming[to];
    const struct outgoing *outgoing = &ledger->outgoing[to];
    if (!incoming->owed || outgoing->enqueued < outgoing->pending.n)
        return;
    struct message *message = message_new(MESSAGE_LEDGER_ACK);
    message->as.ledger_ack.epoch = incoming->epoch;
    message->as.ledger_ack.number = incoming->durable;
    incoming->owed = peers_send(ledger->links, to, message) != OK;
}

void ledger_pump(struct ledger *ledger)
{
    for (node_id_t id = 1; id <= ledger->step->config.n_nodes; id++) {
        if (!step_is_peer(ledger->step, id))
            continue;
        pump_outbox(ledger, id);
        pump_ack(ledger, id);
    }
}

void ledger_peer_met(struct ledger *ledger, node_id_t id)
{
    ledger->outgoing[id].enqueued = 0;
}

/* --- acknowledgements --- */

static void take_ack(struct ledger *ledger, node_id_t from, uint64_t epoch, uint64_t number)
{
    struct outgoing *outgoing = &ledger->outgoing[from];
    if (epoch != ledger->epoch)
        return; /* of what our disk held before it was wiped */
    if (number > outgoing->last) {
        step_reject(ledger->step, from, "it acknowledges an outbox message that was never sent");
        return;
    }
    bool had = outgoing->pending.n > 0;
    while (outgoing->pending.n && outgoing_at(outgoing, 0)->number <= number) {
        struct record_key key = outbox_key(from, outgoing_at(outgoing, 0)->number);
        record_forget(&ledger->step->out, &key);
        pop(ledger, outgoing);
    }
    if (!had || outgoing->pending.n)
        return;
    struct record_key key = record_key(RECORD_LAST);
    record_key_u32(&key, from);
    record_write_u64(&ledger->step->out, &key, outgoing->last);
}

void ledger_persisted(struct ledger *ledger, uint64_t seq)
{
    for (node_id_t id = 1; id <= ledger->step->config.n_nodes; id++) {
        struct incoming *incoming = &ledger->incoming[id];
        if (!incoming->awaited_seq || incoming->awaited_seq > seq)
            continue;
        bool all = incoming->applied_seq <= seq;
        incoming->durable = all ? incoming->applied : incoming->awaited;
        incoming->awaited = incoming->applied;
        incoming->awaited_seq = all ? 0 : incoming->applied_seq;
        incoming->owed = true;
    }
}

/* --- applying --- */

static void give_back(struct ledger *ledger, node_id_t from, const struct wire_transfer *transfer)
{
    struct message *message = message_new(MESSAGE_TRANSFER);
    message->as.transfer.from = message_copy(message, transfer->to);
    message->as.transfer.to = message_copy(message, transfer->from);
    message->as.transfer.amount = transfer->amount;
    message->as.transfer.returned = transfer->number;
    message->as.transfer.returned_epoch = transfer->epoch;
    ledger_send(ledger, from, message, 0);
}

/* Money that comes back finds the room that was kept for it, and its account, unless our disk was
 * wiped meanwhile. */
static void take_back(struct ledger *ledger, node_id_t from, const struct wire_transfer *transfer)
{
    take_ack(ledger, from, transfer->returned_epoch, transfer->returned);
    if (ledger_has_room(ledger, transfer->amount))
        ledger_credit(ledger, transfer->to, transfer->amount);
    else
        outbox_log(&ledger->step->out, LOG_ERROR,
                   "%" PRIu64 " that node %u returned does not fit: lost", transfer->amount,
                   (unsigned)from);
}

static void apply_transfer(struct ledger *ledger, node_id_t from,
                           const struct wire_transfer *transfer)
{
    if (!ledger_name_is_valid(transfer->from) || !ledger_name_is_valid(transfer->to) ||
        !transfer->amount)
        step_reject(ledger->step, from, "a transfer without accounts or an amount");
    else if (transfer->returned)
        take_back(ledger, from, transfer);
    else if (ledger_table_find(&ledger->accounts, transfer->to) &&
             ledger_has_room(ledger, transfer->amount))
        ledger_credit(ledger, transfer->to, transfer->amount);
    else if (!MUTANT(return_lost))
        give_back(ledger, from, transfer);
}

static void apply_app(struct ledger *ledger, node_id_t from, const struct wire_app *app)
{
    if (!ledger_name_is_valid(app->name) || !text_is_utf8(app->value))
        step_reject(ledger->step, from, "an application message without a name, or not of text");
    else if (!ledger_put(ledger, app->name, app->value))
        outbox_log(&ledger->step->out, LOG_WARN,
                   "no room for another value: that from node %u is dropped", (unsigned)from);
}

/* Whatever is in it, an outbox message counts as applied: else all after it would wait forever. */
static void apply(struct ledger *ledger, node_id_t from, const struct message *message)
{
    struct incoming *incoming = &ledger->incoming[from];
    if (message->type == MESSAGE_TRANSFER)
        apply_transfer(ledger, from, &message->as.transfer);
    else
        apply_app(ledger, from, &message->as.app);
    incoming->applied = message->as.numbered.number;
    struct record_key key = record_key(RECORD_MARK);
    record_key_u32(&key, from);
    record_write_pair(&ledger->step->out, &key, incoming->epoch, incoming->applied);
    incoming->applied_seq = outbox_durable_seq(&ledger->step->out);
    if (incoming->awaited_seq)
        return;
    incoming->awaited = incoming->applied;
    incoming->awaited_seq = incoming->applied_seq;
}

/* A known bug. */
static void apply_again(struct ledger *ledger, node_id_t from, const struct message *message)
{
    uint64_t applied = ledger->incoming[from].applied;
    apply(ledger, from, message);
    ledger->incoming[from].applied = applied;
}

void ledger_message(struct ledger *ledger, node_id_t from, const struct message *message)
{
    struct incoming *incoming = &ledger->incoming[from];
    if (message->type == MESSAGE_LEDGER_ACK) {
        take_ack(ledger, from, message->as.ledger_ack.epoch, message->as.ledger_ack.number);
        return;
    }
    const struct wire_numbered *numbered = &message->as.numbered;
    if (!numbered->epoch || !numbered->number) {
        step_reject(ledger->step, from, "an outbox message without a number");
        return;
    }
    /* A wiped source restarts; to a wiped destination, or a new one, a source sends the oldest
     * that was not acknowledged first. */
    if (numbered->epoch != incoming->epoch)
        *incoming = (struct incoming){.epoch = numbered->epoch, .applied = numbered->number - 1};
    if (numbered->number == incoming->applied + 1)
        apply(ledger, from, message);
    else if (numbered->number > incoming->applied)
        step_reject(ledger->step, from, "an outbox message is missing before it");
    else if (MUTANT(transfer_applied_twice))
        apply_again(ledger, from, message);
    else /* applied in another incarnation of the source or of ours; the acknowledgement was lost */
        incoming->owed = incoming->owed || !incoming->awaited_seq;
}

/* --- from disk --- */

static bool read_peer(struct slice key, size_t len, node_id_t *id)
{
    return key.len == len && record_u32(key, 0, id) && *id >= 1 && *id <= NODES_MAX;
}

int ledger_restore_mark(struct ledger *ledger, struct slice key, struct slice value)
{
    node_id_t id;
    uint64_t epoch, applied;
    if (!read_peer(key, 4, &id) || !record_u64(value, 0, &epoch) || !record_u64(value, 8, &applied))
        return ERR_CORRUPT;
    ledger->incoming[id] =
        (struct incoming){.epoch = epoch, .applied = applied, .durable = applied};
    return OK;
}

int ledger_restore_last(struct ledger *ledger, struct slice key, struct slice value)
{
    node_id_t id;
    if (!read_peer(key, 4, &id) || !record_u64(value, 0, &ledger->outgoing[id].last))
        return ERR_CORRUPT;
    return OK;
}

int ledger_restore_outbox(struct ledger *ledger, struct slice key, struct slice value)
{
    node_id_t id;
    uint64_t number;
    struct message *message;
    struct text why = {0};
    if (!read_peer(key, 12, &id) || !record_u64(key, 4, &number) ||
        codec_unpack(value, &message, &why))
        return ERR_CORRUPT;
    struct outgoing *outgoing = &ledger->outgoing[id];
    const struct wire_numbered *numbered = &message->as.numbered;
    const struct wire_transfer *transfer = &message->as.transfer;
    bool money = message->type == MESSAGE_TRANSFER;
    uint64_t amount = money && !transfer->returned ? transfer->amount : 0;
    bool fits = (money || message->type == MESSAGE_APP) && number > outgoing->last &&
                (!outgoing->pending.n || number == outgoing->last + 1) &&
                numbered->number == number && numbered->epoch == ledger->epoch &&
                ledger_has_room(ledger, amount);
    message_drop(&message);
    if (!fits)
        return ERR_CORRUPT;
    if (MUTANT(outbox_lost)) {
        outgoing->last = number;
        return OK;
    }
    push(outgoing, (struct outbox_message){number, blob_copy(value.at, value.len), amount});
    ledger->in_transit += amount;
    return OK;
}

void ledger_clear_outbox(struct ledger *ledger)
{
    for (node_id_t id = 0; id <= NODES_MAX; id++) {
        while (ledger->outgoing[id].pending.n)
            pop(ledger, &ledger->outgoing[id]);
        ring_clear(&ledger->outgoing[id].pending);
        ledger->outgoing[id] = (struct outgoing){0};
    }
}

void ledger_check_outbox(const struct ledger *ledger)
{
    uint64_t in_transit = 0;
    for (node_id_t id = 1; id <= NODES_MAX; id++) {
        const struct outgoing *outgoing = &ledger->outgoing[id];
        const struct incoming *incoming = &ledger->incoming[id];
        assert(outgoing->enqueued <= outgoing->pending.n);
        for (size_t i = 0; i < outgoing->pending.n; i++) {
            assert(outgoing_at(outgoing, i)->number ==
                   outgoing->last - outgoing->pending.n + 1 + i);
            in_transit += outgoing_at(outgoing, i)->amount;
        }
        assert(incoming->durable <= incoming->applied && incoming->awaited <= incoming->applied);
    }
    assert(in_transit == ledger->in_transit);
}
