#include "tests/sim/losses.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/ledger/ledger.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"
#include "tests/sim/bank.h"

/* In a RECORD_REQUEST: the outcome, a number, and the client's key (ledger_keys.c). */
#define REQUEST_OUTCOME_AT 16
#define REQUEST_KEY_AT     32

struct loss_mark {
    uint64_t epoch, number;
};

/* Of a wiped disk, and not applied. */
struct lost_message {
    node_id_t from, to;
    uint64_t epoch, number, amount;
};

struct losses {
    uint64_t deposited; /* by transactions that are durable */
    /* With the disks of each node; less than 0 when others had lost it before. */
    int64_t of[WORLD_NODES_MAX + 1];
    /* [node][source]: on the disk of the node that was wiped last of those that had one. */
    struct loss_mark had[WORLD_NODES_MAX + 1][WORLD_NODES_MAX + 1];
    struct lost_message *pending; /* owned */
    size_t n, size;
};

static struct losses *losses_of(struct world *world)
{
    if (!world->losses)
        world->losses = mem_new(1, sizeof *world->losses);
    return world->losses;
}

void losses_free(struct losses **losses)
{
    if (*losses)
        free((*losses)->pending);
    free(*losses);
    *losses = NULL;
}

static struct slice bytes_of(const struct blob *blob)
{
    return (struct slice){blob->at, blob->len};
}

/* --- what is on disk --- */

/* What is in front of it was applied, of the source's outbox messages. */
static struct loss_mark mark_of(const struct world *world, node_id_t id, node_id_t source)
{
    struct loss_mark mark = {0};
    struct record_key key = record_key(RECORD_MARK);
    record_key_u32(&key, source);
    const struct kept_record *record = records_find(&world->nodes[id].records, &key);
    if (record) {
        record_u64(bytes_of(record->value), 0, &mark.epoch);
        record_u64(bytes_of(record->value), 8, &mark.number);
    }
    return mark;
}

static bool covers(struct loss_mark mark, const struct lost_message *pending)
{
    return mark.epoch == pending->epoch && mark.number >= pending->number;
}

/* False when the record is not an outbox message. */
static bool read_outbox(const struct kept_record *record, node_id_t from, struct lost_message *out)
{
    struct slice key = {record->key + 1, record->key_len - 1};
    struct message *message;
    struct text why = {0};
    if (record->key[0] != RECORD_OUTBOX)
        return false;
    if (codec_unpack(bytes_of(record->value), &message, &why))
        panic("an outbox message on disk cannot be unpacked: %s", why.at);
    *out = (struct lost_message){.from = from, .epoch = message->as.numbered.epoch};
    record_u32(key, 0, &out->to);
    record_u64(key, 4, &out->number);
    if (message->type == MESSAGE_TRANSFER)
        out->amount = message->as.transfer.amount;
    message_drop(&message);
    return true;
}

/* All money of the world, as if the disk of `without` were empty. */
static int64_t money(const struct world *world, node_id_t without)
{
    int64_t sum = 0;
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct world_node *node = &world->nodes[id];
        for (size_t i = 0; id != without && i < node->records.n; i++) {
            struct lost_message pending;
            uint64_t balance = 0;
            if (node->records.at[i].key[0] == RECORD_ACCOUNT)
                record_u64(bytes_of(node->records.at[i].value), 0, &balance);
            else if (read_outbox(&node->records.at[i], id, &pending) &&
                     (pending.to == without || !covers(mark_of(world, pending.to, id), &pending)))
                balance = pending.amount;
            sum += (int64_t)balance;
        }
    }
    return sum;
}

/* --- wipes --- */

static void keep_outbox(struct world *world, node_id_t id)
{
    struct losses *losses = losses_of(world);
    const struct world_node *node = &world->nodes[id];
    for (size_t i = 0; i < node->records.n; i++) {
        struct lost_message pending;
        if (!read_outbox(&node->records.at[i], id, &pending) || !pending.amount ||
            covers(mark_of(world, pending.to, id), &pending))
            continue;
        if (losses->n == losses->size) {
            losses->size = losses->size ? 2 * losses->size : 64;
            losses->pending = mem_grow(losses->pending, losses->size, sizeof *losses->pending);
        }
        losses->pending[losses->n++] = pending;
    }
}

void losses_wipe(struct world *world, node_id_t id)
{
    struct losses *losses = losses_of(world);
    int64_t now = money(world, NODE_NONE), expected = (int64_t)losses_expected(world);
    /* A test with requests of its own has other deposits, and checks its sums itself. */
    if (world->bank.in_use && now != expected)
        world_fail(world, "S14: money is conserved",
                   "%" PRId64 " of %" PRId64 " on all disks, before that of node %u is wiped", now,
                   expected, id);
    int64_t lost = now - money(world, id);
    losses->of[id] += lost;
    world_say(world, id, "%" PRId64 " of money is lost with it", lost);
    keep_outbox(world, id);
    for (node_id_t source = 1; source <= world->options.n_nodes; source++) {
        struct loss_mark mark = mark_of(world, id, source);
        if (mark.epoch)
            losses->had[id][source] = mark;
    }
}

uint64_t losses_expected(const struct world *world)
{
    int64_t expected = 0;
    if (!world->losses)
        return 0;
    expected = (int64_t)world->losses->deposited;
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        expected -= world->losses->of[id];
    return (uint64_t)expected;
}

/* --- what is settled later --- */

/* An outbox message of a wiped disk is applied: it was on its way. */
static void find_again(struct losses *losses, node_id_t from, node_id_t to, struct loss_mark mark)
{
    for (size_t i = 0; i < losses->n; i++) {
        struct lost_message *it = &losses->pending[i];
        if (it->from != from || it->to != to || it->epoch != mark.epoch ||
            it->number != mark.number)
            continue;
        losses->of[from] -= (int64_t)it->amount;
        *it = losses->pending[--losses->n];
        return;
    }
}

/* The outbox message was applied on a disk that is wiped, and will not be again. */
static void give_up(struct losses *losses, const struct lost_message *pending)
{
    if (covers(losses->had[pending->to][pending->from], pending))
        losses->of[pending->to] += (int64_t)pending->amount;
}

/* The first mark of an epoch: what is in front of that outbox message is skipped. */
static void skip(struct world *world, node_id_t id, node_id_t source, struct loss_mark mark)
{
    const struct world_node *node = &world->nodes[source];
    for (size_t i = 0; i < node->records.n; i++) {
        struct lost_message pending;
        if (read_outbox(&node->records.at[i], source, &pending) && pending.to == id &&
            pending.epoch == mark.epoch && pending.number < mark.number)
            give_up(losses_of(world), &pending);
    }
}

static void write_mark(struct world *world, node_id_t id, const struct write *write)
{
    struct loss_mark mark;
    node_id_t source;
    if (!record_u32((struct slice){write->key + 1, write->key_len - 1}, 0, &source) ||
        !record_u64(bytes_of(write->entry), 0, &mark.epoch) ||
        !record_u64(bytes_of(write->entry), 8, &mark.number))
        return;
    struct loss_mark before = mark_of(world, id, source);
    if (before.epoch != mark.epoch)
        skip(world, id, source, mark);
    if (before.epoch != mark.epoch || before.number < mark.number)
        find_again(losses_of(world), source, id, mark);
}

static void forget_outbox(struct world *world, node_id_t id, const struct write *write)
{
    struct record_key key = {.len = write->key_len};
    struct lost_message pending;
    memcpy(key.at, write->key, write->key_len);
    const struct kept_record *record = records_find(&world->nodes[id].records, &key);
    if (record && read_outbox(record, id, &pending) &&
        !covers(mark_of(world, pending.to, id), &pending))
        give_up(losses_of(world), &pending);
}

static void write_request(struct world *world, const struct write *write)
{
    static const char deposit[] = "deposit-";
    struct slice value = bytes_of(write->entry);
    uint64_t outcome;
    size_t at = REQUEST_KEY_AT; /* with keys it is OWNER/KEY */
    const uint8_t *end = value.len > at ? memchr(value.at + at, '/', value.len - at) : NULL;
    at = end ? (size_t)(end + 1 - value.at) : at;
    if (record_u64(value, REQUEST_OUTCOME_AT, &outcome) && outcome == LEDGER_DONE &&
        value.len > at + strlen(deposit) && !memcmp(value.at + at, deposit, strlen(deposit)))
        losses_of(world)->deposited += BANK_DEPOSIT;
}

void losses_write(struct world *world, node_id_t id, const struct write *write)
{
    if (write->key[0] == RECORD_MARK && write->entry)
        write_mark(world, id, write);
    else if (write->key[0] == RECORD_OUTBOX && !write->entry && world->counts.faults[FAULT_WIPE])
        forget_outbox(world, id, write);
    else if (write->key[0] == RECORD_REQUEST && write->entry)
        write_request(world, write);
}
