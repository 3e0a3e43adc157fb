#include "nodes/core/snapshot/snapshot.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/link/link.h"
#include "nodes/core/snapshot/snapshot_internal.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/wire/codec.h"

bool snapshot_same(struct snapshot_id a, struct snapshot_id b)
{
    return a.initiator == b.initiator && a.incarnation == b.incarnation && a.counter == b.counter;
}

/* --- snapshots that are over --- */

static bool has_ended(const struct snapshots *snapshots, struct snapshot_id id)
{
    for (size_t i = 0; i < snapshots->n_ended; i++)
        if (snapshot_same(snapshots->ended[i], id))
            return true;
    return false;
}

static void remember_end(struct snapshots *snapshots, struct snapshot_id id)
{
    if (has_ended(snapshots, id))
        return;
    if (!snapshots->ended)
        snapshots->ended = mem_new(SNAPSHOT_ENDED_MAX, sizeof *snapshots->ended);
    snapshots->ended[snapshots->next_ended] = id;
    snapshots->next_ended = (snapshots->next_ended + 1) % SNAPSHOT_ENDED_MAX;
    snapshots->n_ended += snapshots->n_ended < SNAPSHOT_ENDED_MAX;
}

void snapshot_remember_end(struct snapshots *snapshots, struct snapshot_id id)
{
    remember_end(snapshots, id);
}

/* --- recordings --- */

static struct recording *find(const struct snapshots *snapshots, struct snapshot_id id)
{
    struct recording *it = snapshots->recordings;
    while (it && !snapshot_same(it->id, id))
        it = it->next;
    return it;
}

bool snapshot_charge(struct snapshots *all, uint64_t *share, uint64_t bytes)
{
    if (bytes > all->bytes_max || all->bytes > all->bytes_max - bytes)
        return false;
    all->bytes += bytes;
    *share += bytes;
    return true;
}

void snapshot_release(struct snapshots *all, uint64_t *share)
{
    all->bytes -= *share;
    *share = 0;
}

/* Appends a part that is packed already (takes a new reference). */
void recording_add_packed(struct recording *recording, struct blob *part)
{
    recording->too_much =
        recording->too_much || !snapshot_charge(recording->all, &recording->bytes, part->len);
    if (recording->too_much)
        return;
    if (recording->n_parts == recording->parts_size) {
        recording->parts_size = recording->parts_size ? 2 * recording->parts_size : 16;
        recording->parts = mem_grow(recording->parts, recording->parts_size, sizeof(struct blob *));
    }
    recording->parts[recording->n_parts++] = blob_ref(part);
}

void recording_add(struct recording *recording, struct message *part)
{
    struct blob *packed = codec_pack(part);
    if (!packed)
        panic("a part of a snapshot cannot be encoded: %s", message_name(part->type));
    recording_add_packed(recording, packed);
    blob_drop(&packed);
    message_drop(&part);
}

static void recording_free(struct snapshots *snapshots, struct recording *recording)
{
    struct recording **at = &snapshots->recordings;
    while (*at != recording)
        at = &(*at)->next;
    *at = recording->next;
    snapshots->n_recordings--;
    snapshot_release(snapshots, &recording->bytes);
    remember_end(snapshots, recording->id);
    for (size_t i = 0; i < recording->n_parts; i++)
        blob_drop(&recording->parts[i]);
    free(recording->parts);
    recording_drop_rests(snapshots, recording);
    for (node_id_t id = 1; id <= snapshots->step->config.n_nodes; id++) {
        free(recording->channels[id].messages);
        free(recording->channels[id].ops);
    }
    arena_clear(&recording->arena);
    free(recording);
}

static void send_markers(struct snapshots *snapshots, const struct recording *recording)
{
    for (size_t i = 0; i < recording->n_participants; i++) {
        node_id_t to = (node_id_t)recording->participants[i].node;
        if (!step_is_peer(snapshots->step, to) || recording->channels[to].state != CUT_OPEN)
            continue;
        struct message *message = message_new(MESSAGE_MARKER);
        struct wire_marker *marker = &message->as.marker;
        marker->initiator = recording->id.initiator;
        marker->incarnation = recording->id.incarnation;
        marker->counter = recording->id.counter;
        marker->values = recording->values;
        marker->participants.n = recording->n_participants;
        marker->participants.at =
            message_room(message, recording->n_participants, sizeof *marker->participants.at);
        memcpy(marker->participants.at, recording->participants,
               recording->n_participants * sizeof *recording->participants);
        peers_send(snapshots->links, to, message);
    }
}

static void open_channels(struct snapshots *snapshots, struct recording *recording)
{
    for (size_t i = 0; i < recording->n_participants; i++) {
        const struct wire_participant *it = &recording->participants[i];
        if (!step_is_peer(snapshots->step, it->node))
            continue;
        bool same = snapshots->links->peers[it->node].channel.peer == it->incarnation;
        recording->channels[it->node].state = same ? CUT_OPEN : CUT_VOID;
        recording->open += same;
    }
}

/* Local completion: nothing more is recorded. */
static void close_if_done(struct snapshots *snapshots, struct recording *recording)
{
    if (recording->open || recording->closed || !recording_pack_rests(snapshots, recording))
        return;
    recording_add_channels(snapshots, recording);
    if (recording->too_much)
        return; /* snapshot_pump() gives it up */
    recording->closed = true;
    if (recording->id.initiator != snapshots->step->config.id)
        return; /* snapshot_pump() sends it */
    collect_own(snapshots, recording);
    recording_free(snapshots, recording);
}

/* Chandy & Lamport 1985, marker-sending rule: the state, then a marker on every outgoing channel,
 * before anything else is sent there. Both are within one step (S1). */
bool snapshot_begin(struct snapshots *snapshots, struct snapshot_id id,
                    const struct wire_participant *participants, size_t n, node_id_t first_marker,
                    bool values)
{
    snapshots->bytes_max = snapshots->step->config.snapshot_memory_bytes;
    if (!snapshots->bytes_max)
        snapshots->bytes_max = SNAPSHOT_MEMORY_BYTES;
    if (snapshots->n_recordings == SNAPSHOTS_ACTIVE_MAX || snapshots->bytes >= snapshots->bytes_max)
        return false;
    size_t channels = (snapshots->step->config.n_nodes + 1) * sizeof(struct cut_channel);
    struct recording *recording = mem_new(1, sizeof *recording + channels);
    recording->id = id;
    recording->all = snapshots;
    recording->began_us = snapshots->step->now_us;
    recording->noted_max = snapshots->step->config.snapshot_record_bytes;
    if (!recording->noted_max)
        recording->noted_max = SNAPSHOT_RECORD_BYTES_MAX;
    recording->first_marker = first_marker;
    recording->values = values;
    if (values)
        sweep_pin(snapshots->raft);
    recording->n_participants = n;
    recording->participants = arena_new(&recording->arena, n * sizeof *participants);
    memcpy(recording->participants, participants, n * sizeof *participants);
    recording->next = snapshots->recordings;
    snapshots->recordings = recording;
    snapshots->n_recordings++;
    open_channels(snapshots, recording);
    recording_add_state(snapshots, recording);
    send_markers(snapshots, recording);
    close_if_done(snapshots, recording); /* alone */
    return true;
}

static void close_channel(struct recording *recording, node_id_t from, enum cut_channel_state state)
{
    struct cut_channel *channel = &recording->channels[from];
    if (channel->state != CUT_OPEN)
        return; /* a second marker changes nothing (S4) */
    channel->state = state;
    recording->open--;
    if (MUTANT(recorder_off_by_one) && channel->n_messages) {
        channel->n_messages--;
        channel->recorded--;
    }
}

/* The initiator learns at once that no report will come, and why. */
static void refuse(struct snapshots *snapshots, struct snapshot_id id, const char *why)
{
    struct message *message = message_new(MESSAGE_SNAPSHOT_REPORT);
    struct wire_snapshot_report *report = &message->as.snapshot_report;
    report->initiator = id.initiator;
    report->incarnation = id.incarnation;
    report->counter = id.counter;
    report->refused = message_text(message, why);
    peers_send(snapshots->links, id.initiator, message);
}

static void give_up(struct snapshots *snapshots, struct recording *recording, const char *why)
{
    struct snapshot_id id = recording->id;
    recording_free(snapshots, recording); /* the collection, when it ends by that, finds none */
    if (id.initiator == snapshots->step->config.id)
        collect_own_failed(snapshots, id, why);
    else
        refuse(snapshots, id, why);
}

static bool is_participant(const struct snapshots *snapshots, const struct wire_marker *marker)
{
    for (size_t i = 0; i < marker->participants.n; i++)
        if (marker->participants.at[i].node == snapshots->step->config.id)
            return marker->participants.at[i].incarnation == snapshots->step->config.incarnation;
    return false;
}

static bool is_sound(const struct snapshots *snapshots, const struct wire_marker *marker)
{
    bool seen[NODES_MAX + 1] = {false};
    if (!marker->initiator || marker->initiator > snapshots->step->config.n_nodes)
        return false;
    for (size_t i = 0; i < marker->participants.n; i++) {
        uint64_t id = marker->participants.at[i].node;
        if (!id || id > snapshots->step->config.n_nodes || seen[id])
            return false;
        seen[id] = true;
    }
    return true;
}

/* A known bug. */
static void record_again(struct snapshots *snapshots, struct recording *recording)
{
    while (recording->n_parts)
        blob_drop(&recording->parts[--recording->n_parts]);
    recording_add_state(snapshots, recording);
}

static bool is_late(const struct snapshots *snapshots, struct snapshot_id id)
{
    if (has_ended(snapshots, id) || id.initiator == snapshots->step->config.id)
        return true;
    return snapshots->links->peers[id.initiator].channel.peer != id.incarnation &&
           !MUTANT(old_marker_accepted);
}

/* Chandy & Lamport 1985, marker-receiving rule. */
void snapshot_marker(struct snapshots *snapshots, node_id_t from, const struct wire_marker *marker)
{
    struct snapshot_id id = {(node_id_t)marker->initiator, marker->incarnation, marker->counter};
    if (!is_sound(snapshots, marker)) {
        step_reject(snapshots->step, from, "its marker names nodes that do not exist");
        return;
    }
    struct recording *recording = find(snapshots, id);
    if (!recording) {
        /* Late, or of a former incarnation of ours or the initiator's: it starts nothing (S6). */
        if (is_late(snapshots, id) || !is_participant(snapshots, marker))
            return;
        if (!snapshot_begin(snapshots, id, marker->participants.at, marker->participants.n, from,
                            marker->values)) {
            remember_end(snapshots, id);
            refuse(snapshots, id, "too many snapshots at once");
            return;
        }
        recording = find(snapshots, id);
    } else if (MUTANT(second_marker_records) && !recording->closed) {
        record_again(snapshots, recording);
    }
    close_channel(recording, from, CUT_CLOSED);
    close_if_done(snapshots, recording);
}

void snapshot_record(struct snapshots *snapshots, node_id_t from, const struct message *message)
{
    if (!channel_counts(message->type))
        return;
    snapshots->links->peers[from].counted_received++;
    for (struct recording *it = snapshots->recordings; it; it = it->next)
        if (it->channels[from].state == CUT_OPEN)
            recording_note(it, from, message);
}

void snapshot_end(struct snapshots *snapshots, node_id_t from, const struct wire_snapshot_end *end)
{
    struct snapshot_id id = {(node_id_t)end->initiator, end->incarnation, end->counter};
    if (id.initiator != from) {
        step_reject(snapshots->step, from, "it ends a snapshot of another node");
        return;
    }
    struct recording *recording = find(snapshots, id);
    remember_end(snapshots, id);
    if (recording)
        recording_free(snapshots, recording);
}

void snapshot_peer_met(struct snapshots *snapshots, node_id_t peer)
{
    struct recording *next;
    for (struct recording *it = snapshots->recordings; it; it = next) {
        next = it->next;
        if (it->id.initiator == peer) { /* it has forgotten what it wanted this for */
            recording_free(snapshots, it);
            continue;
        }
        close_channel(it, peer, CUT_VOID);
        close_if_done(snapshots, it);
    }
    collect_peer_met(snapshots, peer);
}

/* --- sending the report --- */

static void send_some(struct snapshots *snapshots, struct recording *recording)
{
    struct message *message = message_new(MESSAGE_SNAPSHOT_REPORT);
    struct wire_snapshot_report *report = &message->as.snapshot_report;
    size_t bytes = 0, at = recording->sent_parts;
    report->initiator = recording->id.initiator;
    report->incarnation = recording->id.incarnation;
    report->counter = recording->id.counter;
    report->part = at;
    report->parts = recording->n_parts;
    for (; at < recording->n_parts && message->n_frames < SNAPSHOT_REPORT_FRAMES; at++) {
        if (bytes && bytes + recording->parts[at]->len > SNAPSHOT_REPORT_BYTES)
            break;
        bytes += recording->parts[at]->len;
        message_add_frame(message, recording->parts[at]);
    }
    if (peers_send_durable(snapshots->links, recording->id.initiator, message))
        return;
    recording->sent_parts = at;
    snapshots->send_bytes += bytes;
}

/* NULL: it can still be whole. */
static const char *why_hopeless(const struct recording *recording)
{
    if (recording->too_much)
        return TOO_MUCH;
    return recording->lost ? REPLACED : NULL;
}

void snapshot_pump(struct snapshots *snapshots)
{
    struct recording *next;
    if (snapshots->step->now_us >= snapshots->send_us + CHECKPOINT_SLICE_GAP_US) {
        snapshots->send_us = snapshots->step->now_us;
        snapshots->send_bytes = 0;
    }
    collect_pump(snapshots);
    for (struct recording *it = snapshots->recordings; it; it = next) {
        size_t before = 1;
        next = it->next;
        if (!it->closed)
            recording_pack_rests(snapshots, it);
        const char *why = why_hopeless(it);
        if (why) {
            give_up(snapshots, it, why);
            continue;
        }
        if (!it->open && !it->closed) {
            close_if_done(snapshots, it);
            continue; /* the initiator's own is gone by now */
        }
        while (it->closed && it->sent_parts < it->n_parts && before != it->sent_parts &&
               snapshots->send_bytes < SNAPSHOT_REPORT_BYTES) {
            before = it->sent_parts;
            send_some(snapshots, it);
        }
        if (it->closed && it->sent_parts == it->n_parts)
            recording_free(snapshots, it);
    }
}

/* --- time --- */

/* From whom no marker comes is missing; sooner when it seems to be dead. */
static uint64_t patience_us(const struct snapshots *snapshots, node_id_t peer)
{
    uint64_t timeout_us = snapshots->step->config.snapshot_timeout_us;
    return snapshots->links->peers[peer].alive ? timeout_us / 4 * 3 : timeout_us / 2;
}

static void give_up_channels(struct snapshots *snapshots, struct recording *recording)
{
    for (node_id_t id = 1; id <= snapshots->step->config.n_nodes; id++)
        if (recording->channels[id].state == CUT_OPEN &&
            snapshots->step->now_us >= recording->began_us + patience_us(snapshots, id))
            close_channel(recording, id, CUT_VOID);
    close_if_done(snapshots, recording);
}

void snapshot_tick(struct snapshots *snapshots)
{
    struct recording *next;
    for (struct recording *it = snapshots->recordings; it; it = next) {
        next = it->next;
        if (snapshots->step->now_us >=
            it->began_us + 2 * snapshots->step->config.snapshot_timeout_us)
            recording_free(snapshots, it); /* nobody waits for it any more */
        else if (!it->closed)
            give_up_channels(snapshots, it);
    }
    collect_tick(snapshots);
}

/* When the next channel is given up, or the recording itself. */
static uint64_t patience_deadline(const struct snapshots *snapshots,
                                  const struct recording *recording)
{
    uint64_t at = recording->began_us + 2 * snapshots->step->config.snapshot_timeout_us;
    for (node_id_t id = 1; id <= snapshots->step->config.n_nodes && !recording->closed; id++) {
        uint64_t due = recording->began_us + patience_us(snapshots, id);
        if (recording->channels[id].state == CUT_OPEN && due < at)
            at = due;
    }
    return at;
}

uint64_t snapshot_deadline(const struct snapshots *snapshots)
{
    uint64_t at = collect_deadline(snapshots),
             slice_us = snapshots->slice_us + CHECKPOINT_SLICE_GAP_US;
    uint64_t send_us = snapshots->send_us + CHECKPOINT_SLICE_GAP_US;
    for (const struct recording *it = snapshots->recordings; it; it = it->next) {
        if (recording_can_pack(snapshots, it) && slice_us < at)
            at = slice_us;
        if (it->closed && send_us < at)
            at = send_us;
        uint64_t patience = patience_deadline(snapshots, it);
        at = patience < at ? patience : at;
    }
    return at;
}

void snapshot_clear(struct snapshots *snapshots)
{
    while (snapshots->recordings)
        recording_free(snapshots, snapshots->recordings);
    collect_clear(snapshots);
    snapshot_kept_clear(snapshots);
    free(snapshots->ended);
    *snapshots = (struct snapshots){0};
}

void snapshot_check_invariants(const struct snapshots *snapshots)
{
    size_t n = 0;
    uint64_t bytes = 0;
    for (const struct recording *it = snapshots->recordings; it; it = it->next, n++) {
        unsigned open = 0;
        for (node_id_t id = 1; id <= snapshots->step->config.n_nodes; id++)
            open += it->channels[id].state == CUT_OPEN;
        assert(open == it->open && (open || it->closed || it->too_much || recording_has_rests(it)));
        bytes += it->bytes;
        assert(!has_ended(snapshots, it->id));
        assert(it->id.initiator == snapshots->step->config.id ||
               snapshots->links->peers[it->id.initiator].channel.peer ==
                   it->id.incarnation); /* S6 */
        assert(it->sent_parts <= it->n_parts);
    }
    for (const struct collection *it = snapshots->collections; it; it = it->next)
        bytes += it->bytes;
    assert(bytes == snapshots->bytes && bytes <= snapshots->bytes_max); /* S10 */
    assert(n == snapshots->n_recordings && n <= SNAPSHOTS_ACTIVE_MAX);
}
