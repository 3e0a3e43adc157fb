#include "shared/snapshot/verify.h"

#include <inttypes.h>
#include <string.h>

#include "shared/base/slice.h"
#include "shared/snapshot/verify_internal.h"

/* --- findings --- */

void findings_add(struct findings *findings, enum finding_kind kind, const char *format, ...)
{
    struct text line = {0};
    va_list args;
    if (kind == FINDING_VIOLATION && findings->violations++ >= FINDINGS_VIOLATIONS_MAX)
        return;
    va_start(args, format);
    text_add_v(&line, format, args);
    va_end(args);
    char *text = arena_new(&findings->arena, line.len + 1);
    slice_copy(text, slice_of(line.at));
    struct finding finding = {kind, text};
    MODEL_APPEND(findings, findings->lines, &finding, 1);
}

void findings_clear(struct findings *findings)
{
    arena_clear(&findings->arena);
    *findings = (struct findings){0};
}

/* --- presence --- */

bool verify_can_see(const struct snapshot_model *model, uint64_t from, uint64_t to)
{
    return model->nodes[from].present && model->nodes[to].present &&
           model_channel(model, from, to)->known;
}

static uint64_t count_present(const struct snapshot_model *model)
{
    uint64_t n = 0;
    for (uint64_t id = 1; id <= model->n_nodes; id++)
        n += model->nodes[id].present;
    return n;
}

static void explain_absence(const struct snapshot_model *model, struct findings *out,
                            enum finding_kind kind)
{
    for (uint64_t id = 1; id <= model->n_nodes; id++) {
        const struct slice why = model->nodes[id].about.missing;
        if (!model->nodes[id].present)
            findings_add(out, kind, "node %" PRIu64 " is missing: %.*s", id, (int)why.len,
                         why.len ? (const char *)why.at : "");
    }
    for (uint64_t from = 1; from <= model->n_nodes; from++)
        for (uint64_t to = 1; to <= model->n_nodes; to++) {
            const struct model_channel *channel = model_channel(model, from, to);
            if (from != to && model->nodes[from].present && model->nodes[to].present &&
                !channel->known)
                findings_add(out, kind, "channel %" PRIu64 "-%" PRIu64 " is missing: %.*s", from,
                             to, (int)channel->missing.len,
                             channel->missing.len ? (const char *)channel->missing.at : "");
        }
}

/* Who calls itself complete must be. */
static void verify_presence(const struct snapshot_model *model, struct findings *out)
{
    uint64_t present = count_present(model);
    explain_absence(model, out, model->complete ? FINDING_VIOLATION : FINDING_UNKNOWN);
    if (present < model->n_nodes)
        findings_add(out, FINDING_CHECKED, "states: %" PRIu64 " of %zu nodes", present,
                     model->n_nodes);
    else
        findings_add(out, FINDING_CHECKED, "states: all %zu nodes", model->n_nodes);
}

/* --- channels --- */

const struct wire_cut_message *verify_message(const struct model_channel *channel, uint64_t seq)
{
    size_t low = 0, high = channel->messages.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (channel->messages.at[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < channel->messages.n && channel->messages.at[low].seq == seq
               ? &channel->messages.at[low]
               : NULL;
}

/* Counts say something only about one incarnation at both ends. False: they are of others. */
static bool verify_lives(const struct snapshot_model *model, uint64_t from, uint64_t to,
                         const struct wire_cut_count *sender, const struct wire_cut_count *receiver,
                         struct findings *out)
{
    incarnation_t receiver_life = model->nodes[to].state.incarnation,
                  sender_life = model->nodes[from].state.incarnation;
    if (sender->incarnation != receiver_life)
        findings_add(out, FINDING_VIOLATION,
                     "channel %" PRIu64 "-%" PRIu64 ": node %" PRIu64
                     " counts for incarnation %016" PRIx64 ", and node %" PRIu64
                     " recorded its state as %016" PRIx64,
                     from, to, from, sender->incarnation, to, receiver_life);
    else if (receiver->incarnation != sender_life)
        findings_add(out, FINDING_VIOLATION,
                     "channel %" PRIu64 "-%" PRIu64 ": node %" PRIu64
                     " counts for incarnation %016" PRIx64 ", and node %" PRIu64
                     " recorded its state as %016" PRIx64,
                     from, to, to, receiver->incarnation, from, sender_life);
    else
        return true;
    return false;
}

static void verify_counts(const struct snapshot_model *model, uint64_t from, uint64_t to,
                          struct findings *out)
{
    const struct model_channel *channel = model_channel(model, from, to);
    const struct wire_cut_count *sender = model_count(model, from, to),
                                *receiver = model_count(model, to, from);
    if (!sender || !receiver) {
        findings_add(out, FINDING_VIOLATION,
                     "channel %" PRIu64 "-%" PRIu64 ": node %" PRIu64 " did not count its messages",
                     from, to, sender ? to : from);
        return;
    }
    if (!verify_lives(model, from, to, sender, receiver, out))
        return;
    uint64_t sent = sender->sent, received = receiver->received, recorded = channel->recorded;
    if (received > sent)
        findings_add(out, FINDING_VIOLATION,
                     "channel %" PRIu64 "-%" PRIu64 ": orphans: node %" PRIu64 " received %" PRIu64
                     " messages at the cut, node %" PRIu64 " had sent %" PRIu64,
                     from, to, to, received, from, sent);
    else if (sent - received != recorded)
        findings_add(out, FINDING_VIOLATION,
                     "channel %" PRIu64 "-%" PRIu64 ": sent %" PRIu64 " - received %" PRIu64
                     " = %" PRIu64 ", but %" PRIu64 " recorded: %" PRIu64 " %s",
                     from, to, sent, received, sent - received, recorded,
                     sent - received > recorded ? sent - received - recorded
                                                : recorded - (sent - received),
                     sent - received > recorded ? "missing" : "too many");
    if (channel->messages.n != recorded)
        findings_add(out, FINDING_VIOLATION,
                     "channel %" PRIu64 "-%" PRIu64 ": %" PRIu64
                     " messages recorded, but %zu are here",
                     from, to, recorded, channel->messages.n);
}

/* A Lamport clock above the sender's at its cut: it was sent after that, and
 * overtook the marker. */
static void verify_messages(const struct snapshot_model *model, uint64_t from, uint64_t to,
                            struct findings *out)
{
    const struct model_channel *channel = model_channel(model, from, to);
    uint64_t last = 0, cut = model->nodes[from].state.clock;
    for (size_t i = 0; i < channel->messages.n; i++) {
        const struct wire_cut_message *message = &channel->messages.at[i];
        if (message->seq <= last)
            findings_add(out, FINDING_VIOLATION,
                         "channel %" PRIu64 "-%" PRIu64 ": message %" PRIu64
                         " is repeated, or out of order",
                         from, to, message->seq);
        if (message->clock > cut)
            findings_add(out, FINDING_VIOLATION,
                         "channel %" PRIu64 "-%" PRIu64 ": orphan: message %" PRIu64
                         " (clock %" PRIu64 ") was sent after node %" PRIu64
                         " recorded its state (clock %" PRIu64 ")",
                         from, to, message->seq, message->clock, from, cut);
        last = message->seq;
    }
}

static void verify_channels(const struct snapshot_model *model, struct findings *out)
{
    size_t before = out->violations;
    for (uint64_t from = 1; from <= model->n_nodes; from++)
        for (uint64_t to = 1; to <= model->n_nodes; to++) {
            if (from == to)
                continue;
            out->channels++;
            if (!verify_can_see(model, from, to))
                continue;
            const struct model_channel *channel = model_channel(model, from, to);
            out->channels_known++;
            out->channels_holding += channel->recorded > 0;
            out->messages += channel->recorded;
            verify_counts(model, from, to, out);
            verify_messages(model, from, to, out);
        }
    if (out->violations == before)
        findings_add(out, FINDING_CHECKED,
                     "channels: sent - received = recorded in %" PRIu64 " of %" PRIu64 "; %" PRIu64
                     " hold %" PRIu64 " messages, none of them sent after the cut",
                     out->channels_known, out->channels, out->channels_holding, out->messages);
}

/* --- all --- */

void snapshot_verify(const struct snapshot_model *model, const uint64_t *expected,
                     struct findings *out)
{
    *out = (struct findings){0};
    verify_presence(model, out);
    verify_channels(model, out);
    verify_money(model, expected, out);
    verify_operations(model, out);
    if (out->violations > FINDINGS_VIOLATIONS_MAX) {
        size_t more = out->violations - FINDINGS_VIOLATIONS_MAX;
        findings_add(out, FINDING_UNKNOWN, "and %zu more violations", more);
    }
}
