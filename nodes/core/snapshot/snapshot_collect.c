/* The initiator's side: reports come in, the snapshot is judged and kept. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/link/link.h"
#include "nodes/core/snapshot/snapshot_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/wire/codec.h"

static struct collection *find(const struct snapshots *snapshots, struct snapshot_id id)
{
    struct collection *it = snapshots->collections;
    while (it && !snapshot_same(it->id, id))
        it = it->next;
    return it;
}

void collection_free(struct snapshots *snapshots, struct collection *collection)
{
    struct collection **at = &snapshots->collections;
    while (*at != collection)
        at = &(*at)->next;
    *at = collection->next;
    snapshots->n_collections--;
    snapshot_release(snapshots, &collection->bytes);
    for (node_id_t id = 1; id <= snapshots->step->config.n_nodes; id++) {
        for (size_t i = 0; i < collection->nodes[id].n_parts; i++)
            blob_drop(&collection->nodes[id].parts[i]);
        free(collection->nodes[id].parts);
    }
    message_drop(&collection->head);
    blob_drop(&collection->file);
    free(collection);
}

#define COPY_BYTES MIB_BYTES /* into a snapshot's file in one step: a few milliseconds */

/* All who will report have: judges and keeps the snapshot. */
static void finish(struct snapshots *snapshots, struct collection *collection);

/* --- beginning --- */

static void choose_participants(struct snapshots *snapshots, struct collection *collection,
                                struct wire_participant *participants, size_t *n)
{
    *n = 0;
    for (node_id_t id = 1; id <= snapshots->step->config.n_nodes; id++) {
        struct collected *it = &collection->nodes[id];
        const struct peer *peer = &snapshots->links->peers[id];
        bool self = id == snapshots->step->config.id;
        it->incarnation = self ? snapshots->step->config.incarnation : peer->channel.peer;
        it->participant = self || (peer->alive && peer->channel.linked);
        if (!it->participant) {
            it->missing = "it was not alive";
            continue;
        }
        collection->waiting++;
        participants[(*n)++] = (struct wire_participant){id, it->incarnation};
    }
}

void snapshot_take(struct snapshots *snapshots, uint64_t client, uint64_t request)
{
    if (snapshots->n_collections == SNAPSHOTS_ACTIVE_MAX) {
        snapshot_refuse(snapshots, client, request, "busy",
                        "too many snapshots are being taken; try again later");
        return;
    }
    struct collection *it =
        mem_new(1, sizeof *it + (snapshots->step->config.n_nodes + 1) * sizeof(struct collected));
    struct wire_participant participants[NODES_MAX];
    size_t n;
    it->id = (struct snapshot_id){snapshots->step->config.id, snapshots->step->config.incarnation,
                                  snapshots->counter + 1};
    it->client = client;
    it->request = request;
    it->began_us = snapshots->step->now_us;
    it->began_ms = snapshots->step->wall_ms;
    it->deadline_us = snapshots->step->now_us + snapshots->step->config.snapshot_timeout_us;
    choose_participants(snapshots, it, participants, &n);
    it->next = snapshots->collections;
    snapshots->collections = it;
    snapshots->n_collections++;
    snapshots->counter++;
    if (!snapshot_begin(snapshots, it->id, participants, n, NODE_NONE)) {
        snapshot_refuse(snapshots, client, request, "busy",
                        "too many snapshots are recorded; try again later");
        collection_free(snapshots, it);
        return;
    }
}

/* --- reports --- */

/* False: there is no memory for it. */
static bool add_part(struct snapshots *snapshots, struct collection *collection,
                     struct collected *it, struct blob *part)
{
    if (!snapshot_charge(snapshots, &collection->bytes, part->len))
        return false;
    it->parts = mem_grow(it->parts, it->n_parts + 1, sizeof(struct blob *));
    it->parts[it->n_parts++] = blob_ref(part);
    it->bytes += part->len;
    return true;
}

/* Everything that a report may consist of. */
static bool is_part(enum message_type type)
{
    switch (type) {
    case MESSAGE_CUT_STATE:
    case MESSAGE_CUT_ACCOUNTS:
    case MESSAGE_CUT_PAIRS:
    case MESSAGE_CUT_LEDGER:
    case MESSAGE_CUT_WORK:
    case MESSAGE_CUT_JOBS:
    case MESSAGE_CUT_CHANNEL:
        return true;
    default:
        return message_is_image(type);
    }
}

/* What a packed part is, without decoding it: the first field of its map says. MESSAGE_NONE: it
 * must be decoded to know. */
static enum message_type peek(const struct blob *part, struct slice *map)
{
    static const char key[] = "\xa4type"; /* in msgpack */
    struct slice rest = {part->at, part->len};
    if (part->len < BYTES_LENGTH + 16 || !bytes_take_part(&rest, map))
        return MESSAGE_NONE;
    const uint8_t *at = map->at, *end = part->at + part->len;
    at += (*at & 0xf0) == 0x80 ? 1 : 3; /* a map of up to 15 fields, or a larger one */
    if (memcmp(at, key, sizeof key - 1))
        return MESSAGE_NONE;
    at += sizeof key - 1;
    size_t name = *at++ & 0x1f;
    bool fits = (at[-1] & 0xe0) == 0xa0 && name <= (size_t)(end - at);
    return fits ? message_type_of((struct slice){at, name}) : MESSAGE_NONE;
}

/* A report is of the one who sends it, and begins with its state. Only what is asked of a part here
 * is decoded: a large report must not hold the loop. */
static bool is_sound(const struct snapshots *snapshots, node_id_t from, const struct blob *part,
                     bool first)
{
    struct message *message;
    struct text why = {0};
    struct slice map;
    enum message_type type = peek(part, &map);
    if (type != MESSAGE_NONE && type != MESSAGE_CUT_STATE && type != MESSAGE_CUT_CHANNEL)
        return is_part(type) && !first && !codec_scan(map, &why);
    if (codec_unpack((struct slice){part->at, part->len}, &message, &why))
        return false;
    bool sound = is_part(message->type) && first == (message->type == MESSAGE_CUT_STATE);
    if (message->type == MESSAGE_CUT_STATE)
        sound = sound && message->as.cut_state.node == from;
    if (message->type == MESSAGE_CUT_CHANNEL)
        sound = message->as.cut_channel.from && message->as.cut_channel.from != from &&
                message->as.cut_channel.from <= snapshots->step->config.n_nodes;
    message_drop(&message);
    return sound;
}

static void reported(struct snapshots *snapshots, struct collection *collection,
                     struct collected *it)
{
    it->done = true;
    it->took_us = snapshots->step->now_us - collection->began_us;
    if (--collection->waiting == 0)
        finish(snapshots, collection);
}

/* Of a report that will not be whole nothing is kept. */
static void drop_parts(struct snapshots *snapshots, struct collection *collection,
                       struct collected *it)
{
    uint64_t share = it->bytes;
    for (size_t i = 0; i < it->n_parts; i++)
        blob_drop(&it->parts[i]);
    it->n_parts = 0;
    it->bytes = 0;
    collection->bytes -= share;
    snapshot_release(snapshots, &share);
}

static void lost(struct snapshots *snapshots, struct collection *collection, struct collected *it,
                 const char *why)
{
    if (it->done || it->missing)
        return;
    it->missing = why;
    drop_parts(snapshots, collection, it);
    if (--collection->waiting == 0)
        finish(snapshots, collection);
}

void collect_own(struct snapshots *snapshots, struct recording *recording)
{
    struct collection *collection = find(snapshots, recording->id);
    struct collected *it = collection ? &collection->nodes[snapshots->step->config.id] : NULL;
    if (!it || it->missing)
        return;
    snapshot_release(snapshots, &recording->bytes); /* they change hands */
    for (size_t i = 0; i < recording->n_parts; i++)
        add_part(snapshots, collection, it, recording->parts[i]);
    reported(snapshots, collection, it);
}

void collect_own_failed(struct snapshots *snapshots, struct snapshot_id id, const char *why)
{
    struct collection *collection = find(snapshots, id);
    if (collection && !collection->keeping)
        lost(snapshots, collection, &collection->nodes[snapshots->step->config.id], why);
}

void snapshot_report(struct snapshots *snapshots, node_id_t from, const struct message *message)
{
    const struct wire_snapshot_report *report = &message->as.snapshot_report;
    struct snapshot_id id = {(node_id_t)report->initiator, report->incarnation, report->counter};
    struct collection *collection = find(snapshots, id);
    struct collected *it = collection ? &collection->nodes[from] : NULL;
    if (!it || collection->keeping || it->done || it->missing || !it->participant)
        return; /* too late */
    if (report->refused.len) {
        bool memory = slice_equals(report->refused, TOO_MUCH);
        bool replaced = slice_equals(report->refused, REPLACED);
        lost(snapshots, collection, it,
             memory     ? "it gave up: " TOO_MUCH
             : replaced ? "it gave up: " REPLACED
                        : "it refused: too many snapshots at once");
        return;
    }
    bool fits = report->part == it->n_parts && (!it->n_parts || report->parts == it->expected) &&
                message->n_frames && message->n_frames <= report->parts - it->n_parts;
    bool room = true;
    it->expected = report->parts;
    for (size_t i = 0; i < message->n_frames && fits && room; i++) {
        fits = is_sound(snapshots, from, message->frames[i], !it->n_parts);
        room = fits && add_part(snapshots, collection, it, message->frames[i]);
    }
    if (fits && !room) {
        lost(snapshots, collection, it, TOO_MUCH);
    } else if (!fits) {
        step_reject(snapshots->step, from, "its report of a snapshot is malformed");
        lost(snapshots, collection, it, "its report was malformed");
    } else if (it->bytes > SNAPSHOT_FILE_BYTES_MAX / snapshots->step->config.n_nodes) {
        lost(snapshots, collection, it, "its report is too large");
    } else if (it->n_parts == it->expected) {
        reported(snapshots, collection, it);
    }
}

/* --- judging --- */

static void add_gap(struct wire_snapshot_head *head, uint64_t from, uint64_t to, struct slice why)
{
    if (head->gaps.n < CUT_ROWS_MAX)
        head->gaps.at[head->gaps.n++] = (struct wire_cut_gap){from, to, why};
}

/* Channels into `to` that its report says it does not know, or that end at a missing node. */
static void add_gaps(struct snapshots *snapshots, const struct collection *collection, node_id_t to,
                     struct message *message)
{
    struct wire_snapshot_head *head = &message->as.snapshot_head;
    const struct collected *it = &collection->nodes[to];
    for (node_id_t from = 1; !it->done && from <= snapshots->step->config.n_nodes; from++)
        if (from != to)
            add_gap(head, from, to, message_text(message, "its end is missing"));
    for (node_id_t from = 1; it->done && from <= snapshots->step->config.n_nodes; from++)
        if (!collection->nodes[from].participant)
            add_gap(head, from, to, message_text(message, "its beginning is missing"));
    for (size_t i = 0; it->done && i < it->n_parts; i++) {
        struct message *part;
        struct text why = {0};
        struct slice map;
        enum message_type type = peek(it->parts[i], &map);
        if ((type != MESSAGE_NONE && type != MESSAGE_CUT_CHANNEL) ||
            codec_unpack((struct slice){it->parts[i]->at, it->parts[i]->len}, &part, &why))
            continue;
        if (part->type == MESSAGE_CUT_CHANNEL && part->as.cut_channel.missing.len)
            add_gap(head, part->as.cut_channel.from, to,
                    message_copy(message, part->as.cut_channel.missing));
        message_drop(&part);
    }
}

static node_id_t first_marker_of(const struct collected *it)
{
    struct message *part;
    struct text why = {0};
    node_id_t from = NODE_NONE;
    if (!it->n_parts ||
        codec_unpack((struct slice){it->parts[0]->at, it->parts[0]->len}, &part, &why))
        return from;
    if (part->type == MESSAGE_CUT_STATE)
        from = (node_id_t)part->as.cut_state.first_marker;
    message_drop(&part);
    return from;
}

static struct message *make_head(struct snapshots *snapshots, const struct collection *collection)
{
    uint32_t n = snapshots->step->config.n_nodes;
    struct message *message = message_new(MESSAGE_SNAPSHOT_HEAD);
    struct wire_snapshot_head *head = &message->as.snapshot_head;
    *head = (struct wire_snapshot_head){.initiator = collection->id.initiator,
                                        .incarnation = collection->id.incarnation,
                                        .counter = collection->id.counter,
                                        .periodic = !collection->client,
                                        .complete = true,
                                        .time_ms = collection->began_ms,
                                        .took_us = snapshots->step->now_us - collection->began_us};
    head->nodes.n = n;
    head->nodes.at = message_room(message, n, sizeof *head->nodes.at);
    head->gaps.at = message_room(message, CUT_ROWS_MAX, sizeof *head->gaps.at);
    for (node_id_t id = 1; id <= n; id++) {
        const struct collected *it = &collection->nodes[id];
        struct wire_cut_part *row = &head->nodes.at[id - 1];
        *row = (struct wire_cut_part){.node = id,
                                      .incarnation = it->incarnation,
                                      .first_marker = first_marker_of(it),
                                      .took_us = it->took_us};
        if (it->done) { /* of the others nothing is kept */
            row->parts = it->n_parts;
            row->bytes = it->bytes;
        } else {
            row->missing =
                message_text(message, it->missing ? it->missing : "no report came in time");
        }
        head->complete = head->complete && it->done;
        head->bytes += row->bytes;
        add_gaps(snapshots, collection, id, message);
    }
    head->complete = head->complete && !head->gaps.n;
    return message;
}

/* --- keeping --- */

/* Makes room for the head, then the reports by node, each part behind its length (32 bits,
 * little-endian), and writes the head. */
static void begin_file(const struct snapshots *snapshots, struct collection *collection,
                       const struct blob *head)
{
    size_t bytes = BYTES_LENGTH + head->len;
    for (node_id_t id = 1; id <= snapshots->step->config.n_nodes; id++)
        if (collection->nodes[id].done)
            bytes += collection->nodes[id].bytes + BYTES_LENGTH * collection->nodes[id].n_parts;
    collection->file = blob_new(bytes);
    collection->file_at = bytes_put_part(collection->file->at, head->at, head->len);
    collection->file_node = 1;
    collection->file_part = 0;
}

/* Copies a slice of the parts, and drops them: not all of it is in memory twice. True: all is
 * copied. */
static bool copy_some(const struct snapshots *snapshots, struct collection *collection)
{
    size_t end = collection->file_at + COPY_BYTES;
    for (; collection->file_node <= snapshots->step->config.n_nodes;
         collection->file_node++, collection->file_part = 0) {
        struct collected *it = &collection->nodes[collection->file_node];
        for (; it->done && collection->file_part < it->n_parts; collection->file_part++) {
            if (collection->file_at >= end)
                return false;
            struct blob **part = &it->parts[collection->file_part];
            collection->file_at += bytes_put_part(collection->file->at + collection->file_at,
                                                  (*part)->at, (*part)->len);
            blob_drop(part);
        }
    }
    return true;
}

static void keep_some(struct snapshots *snapshots, struct collection *collection)
{
    collection->file_us = snapshots->step->now_us + CHECKPOINT_SLICE_GAP_US;
    if (!copy_some(snapshots, collection))
        return;
    outbox_keep(&snapshots->step->out, USER_SNAPSHOT,
                (struct value_id){collection->id.counter, SNAPSHOT_OP}, collection->file);
    blob_drop(&collection->file);
}

void collect_pump(struct snapshots *snapshots)
{
    for (struct collection *it = snapshots->collections; it; it = it->next)
        if (it->file && snapshots->step->now_us >= it->file_us)
            keep_some(snapshots, it);
}

/* Who has not reported need not go on recording. */
static void tell_the_end(struct snapshots *snapshots, const struct collection *collection)
{
    for (node_id_t id = 1; id <= snapshots->step->config.n_nodes; id++) {
        const struct collected *it = &collection->nodes[id];
        if (!step_is_peer(snapshots->step, id) || !it->participant || it->done)
            continue;
        struct message *message = message_new(MESSAGE_SNAPSHOT_END);
        message->as.snapshot_end.initiator = collection->id.initiator;
        message->as.snapshot_end.incarnation = collection->id.incarnation;
        message->as.snapshot_end.counter = collection->id.counter;
        peers_send(snapshots->links, id, message);
    }
}

static void finish(struct snapshots *snapshots, struct collection *collection)
{
    if (collection->keeping)
        return;
    collection->keeping = true;
    collection->head = make_head(snapshots, collection);
    struct blob *head = codec_pack(collection->head);
    if (!head)
        panic("the head of a snapshot cannot be encoded");
    tell_the_end(snapshots, collection);
    snapshot_remember_end(snapshots, collection->id);
    begin_file(snapshots, collection, head);
    collection->head->as.snapshot_head.bytes = collection->file->len;
    keep_some(snapshots, collection);
    blob_drop(&head);
}

/* --- time and ends --- */

void collect_peer_met(struct snapshots *snapshots, node_id_t peer)
{
    struct collection *next;
    for (struct collection *it = snapshots->collections; it; it = next) {
        next = it->next;
        if (it->nodes[peer].participant && !it->keeping)
            lost(snapshots, it, &it->nodes[peer], "it was started again");
    }
}

static void take_periodic(struct snapshots *snapshots)
{
    uint64_t every_us = snapshots->step->config.snapshot_every_us;
    if (!every_us || !raft_serves(snapshots->raft)) {
        snapshots->periodic_us = 0;
        return;
    }
    if (!snapshots->periodic_us)
        snapshots->periodic_us = snapshots->step->now_us + every_us;
    if (snapshots->step->now_us < snapshots->periodic_us)
        return;
    snapshots->periodic_us = snapshots->step->now_us + every_us;
    snapshot_take(snapshots, 0, 0);
}

void collect_tick(struct snapshots *snapshots)
{
    struct collection *next;
    for (struct collection *it = snapshots->collections; it; it = next) {
        next = it->next;
        if (!it->keeping && snapshots->step->now_us >= it->deadline_us)
            finish(snapshots, it);
    }
    take_periodic(snapshots);
}

uint64_t collect_deadline(const struct snapshots *snapshots)
{
    uint64_t at = UINT64_MAX;
    for (const struct collection *it = snapshots->collections; it; it = it->next) {
        if (!it->keeping && it->deadline_us < at)
            at = it->deadline_us;
        else if (it->file && it->file_us < at)
            at = it->file_us;
    }
    if (snapshots->periodic_us && snapshots->periodic_us < at)
        at = snapshots->periodic_us;
    return at;
}

void collect_clear(struct snapshots *snapshots)
{
    while (snapshots->collections)
        collection_free(snapshots, snapshots->collections);
}
