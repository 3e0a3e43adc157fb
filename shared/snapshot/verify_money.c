/* snapshot_verify_money.c - is the money all there, and only once?
 *
 * A transfer to another node is debited together with a row in the outbox, credited together with a
 * mark at the receiver, and the row goes when the mark is acknowledged. So at the cut a row that
 * the receiver's mark does not cover is money under way, and must be in the channel if it was sent;
 * and what is in the channel and not covered must have its row. What is in the channel and covered
 * is a copy from a former incarnation of the receiver, and will change nothing. */
#include <inttypes.h>
#include <string.h>

#include "shared/snapshot/verify_internal.h"

/* No sum of sound amounts comes near; a file's that do must not wrap around to a sound one. */
static void add_amount(uint64_t *sum, uint64_t amount)
{
    *sum = *sum + amount < INT64_MAX ? *sum + amount : INT64_MAX;
}

/* The rows of one node's outbox for one receiver, by number. */
struct stream {
    uint64_t from, to, applied;
    /* False: the receiver has applied nothing of this ledger, and will begin anywhere. */
    bool marked;
    const struct wire_cut_pending *at;
    size_t n;
};

static struct stream stream_of(const struct snapshot_model *model, uint64_t from, uint64_t to)
{
    const struct model_node *node = &model->nodes[from];
    struct stream stream = {.from = from,
                            .to = to,
                            .applied = model_applied(model, from, to),
                            .marked = model_mark(model, from, to)};
    size_t first = 0;
    while (first < node->outbox.n && node->outbox.at[first].node != to)
        first++;
    stream.at = node->outbox.at ? node->outbox.at + first : NULL;
    while (first + stream.n < node->outbox.n && node->outbox.at[first + stream.n].node == to)
        stream.n++;
    return stream;
}

static const struct wire_cut_pending *find_row(const struct stream *stream, uint64_t number)
{
    size_t low = 0, high = stream->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stream->at[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < stream->n && stream->at[low].number == number ? &stream->at[low] : NULL;
}

/* Numbers count up by one, and a row goes only when it is applied: a gap is money that is lost. */
static void verify_numbers(const struct stream *stream, struct findings *out)
{
    if (!stream->n)
        return;
    uint64_t first = stream->at[0].number, last = stream->at[stream->n - 1].number;
    if (stream->marked && first > stream->applied + 1)
        findings_add(out, FINDING_VIOLATION,
                     "ledger: node %" PRIu64 " has forgotten numbers %" PRIu64 " to %" PRIu64
                     " for node %" PRIu64 ", which has not applied them",
                     stream->from, stream->applied + 1, first - 1, stream->to);
    if (stream->applied > last)
        findings_add(out, FINDING_VIOLATION,
                     "ledger: orphan: node %" PRIu64 " has applied number %" PRIu64
                     " of node %" PRIu64 ", which has sent up to %" PRIu64,
                     stream->to, stream->applied, stream->from, last);
    if (last - first + 1 != stream->n)
        findings_add(out, FINDING_VIOLATION,
                     "ledger: numbers are missing in the outbox of node %" PRIu64
                     " for node %" PRIu64,
                     stream->from, stream->to);
}

static bool is_same(const struct wire_cut_pending *row, const struct wire_cut_message *message)
{
    return row->amount == message->amount && slice_same(row->from_account, message->from_account) &&
           slice_same(row->to_account, message->to_account) && slice_same(row->name, message->name);
}

/* Where a row that is not applied must be. `copies`: in the channel. */
static void verify_row(const struct stream *stream, const struct wire_cut_pending *row,
                       unsigned copies, struct findings *out)
{
    const char *what = row->name.len ? "application message" : "transfer";
    if (row->sent && !copies)
        findings_add(out, FINDING_VIOLATION,
                     "ledger: %s %" PRIu64 " from node %" PRIu64 " to node %" PRIu64
                     " (amount %" PRIu64 ") is lost: sent, not applied, in no channel",
                     what, row->number, stream->from, stream->to, row->amount);
    else if (copies > 1)
        findings_add(out, FINDING_VIOLATION,
                     "ledger: %s %" PRIu64 " from node %" PRIu64 " to node %" PRIu64
                     " (amount %" PRIu64 ") is %u times in the channel",
                     what, row->number, stream->from, stream->to, row->amount, copies);
    else if (!row->sent && copies)
        findings_add(out, FINDING_VIOLATION,
                     "ledger: %s %" PRIu64 " from node %" PRIu64 " to node %" PRIu64
                     " (amount %" PRIu64 ") is in the channel before it was sent",
                     what, row->number, stream->from, stream->to, row->amount);
}

/* Counts the copies of every row in the channel; what has no row was received without having been
 * sent. */
static void count_copies(const struct snapshot_model *model, const struct stream *stream,
                         unsigned *copies, struct findings *out)
{
    const struct model_channel *channel = model_channel(model, stream->from, stream->to);
    for (size_t i = 0; i < channel->messages.n; i++) {
        const struct wire_cut_message *message = &channel->messages.at[i];
        if (!model_is_numbered(message))
            continue;
        if (message->number <= stream->applied) {
            out->duplicates++;
            continue;
        }
        const struct wire_cut_pending *row = find_row(stream, message->number);
        if (row)
            copies[row - stream->at]++;
        if (!row || !is_same(row, message))
            findings_add(out, FINDING_VIOLATION,
                         "ledger: orphan: %.*s %" PRIu64 " (amount %" PRIu64 ") in channel %" PRIu64
                         "-%" PRIu64 " is %s the outbox of node %" PRIu64,
                         (int)message->kind.len, (const char *)message->kind.at, message->number,
                         message->amount, stream->from, stream->to,
                         row ? "another one than in" : "not in", stream->from);
    }
}

static void add_under_way(const struct stream *stream, struct findings *out)
{
    for (size_t i = 0; i < stream->n; i++) {
        const struct wire_cut_pending *row = &stream->at[i];
        if (row->number <= stream->applied || row->name.len)
            continue;
        add_amount(row->sent ? &out->in_channels : &out->in_outboxes, row->amount);
        ++*(row->sent ? &out->transfers_in_channels : &out->transfers_in_outboxes);
    }
}

static void verify_stream(const struct snapshot_model *model, uint64_t from, uint64_t to,
                          struct findings *out)
{
    struct stream stream = stream_of(model, from, to);
    if (!model->nodes[to].present) {
        if (stream.n)
            findings_add(out, FINDING_UNKNOWN,
                         "ledger: what of the %zu rows of node %" PRIu64 " for node %" PRIu64
                         " is applied there",
                         stream.n, from, to);
        return;
    }
    add_under_way(&stream, out);
    if (!model_channel(model, from, to)->known)
        return; /* which has been said: without its marker the channel is not cut, and nothing
                   follows */
    verify_numbers(&stream, out);
    struct arena arena = {0};
    unsigned *copies = arena_new(&arena, (stream.n + 1) * sizeof *copies);
    count_copies(model, &stream, copies, out);
    for (size_t i = 0; i < stream.n; i++)
        if (stream.at[i].number > stream.applied)
            verify_row(&stream, &stream.at[i], copies[i], out);
    arena_clear(&arena);
}

static void verify_total(const struct snapshot_model *model, const uint64_t *expected,
                         bool is_sound, struct findings *out)
{
    bool all = true;
    for (uint64_t from = 1; from <= model->n_nodes; from++)
        for (uint64_t to = 1; to <= model->n_nodes; to++)
            all =
                all && model->nodes[to].present && (from == to || verify_can_see(model, from, to));
    if (expected && !all)
        findings_add(out, FINDING_UNKNOWN,
                     "money: the total, because accounts or channels are missing");
    else if (expected && out->total != *expected)
        findings_add(out, FINDING_VIOLATION,
                     "money: the total is %" PRIu64 ", expected were %" PRIu64 ": %" PRIu64 " %s",
                     out->total, *expected,
                     out->total < *expected ? *expected - out->total : out->total - *expected,
                     out->total < *expected ? "missing" : "too many");
    else if (is_sound)
        findings_add(out, FINDING_CHECKED,
                     "money: %" PRIu64 " in accounts (%" PRIu64 ") + %" PRIu64
                     " in channels (%" PRIu64 ") + %" PRIu64 " in outboxes (%" PRIu64 ") = %" PRIu64
                     "%s; each transfer in one place",
                     out->balances, out->accounts, out->in_channels, out->transfers_in_channels,
                     out->in_outboxes, out->transfers_in_outboxes, out->total,
                     expected ? ", as expected" : "");
}

void verify_money(const struct snapshot_model *model, const uint64_t *expected,
                  struct findings *out)
{
    size_t before = out->violations;
    for (uint64_t id = 1; id <= model->n_nodes; id++) {
        const struct model_node *node = &model->nodes[id];
        out->accounts += node->accounts.n;
        for (size_t i = 0; i < node->accounts.n; i++)
            add_amount(&out->balances, node->accounts.at[i].balance);
    }
    for (uint64_t from = 1; from <= model->n_nodes; from++)
        for (uint64_t to = 1; to <= model->n_nodes; to++)
            if (from != to && model->nodes[from].present)
                verify_stream(model, from, to, out);
    add_amount(&out->total, out->balances);
    add_amount(&out->total, out->in_channels);
    add_amount(&out->total, out->in_outboxes);
    verify_total(model, expected, out->violations == before, out);
}
