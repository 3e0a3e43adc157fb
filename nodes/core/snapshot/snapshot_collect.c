/* The initiator's side: reports come in, until all have come or time is up. */
#include <stdlib.h>

#include "nodes/core/link/link.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/snapshot/snapshot_internal.h"
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
    /* The clock's own come so often that nothing would ever be collected. */
    if (!snapshot_begin(snapshots, it->id, participants, n, NODE_NONE, client != 0)) {
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
        fits = judge_part_is_sound(snapshots, from, message->frames[i], !it->n_parts);
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

/* --- time and ends --- */

/* Who has not reported need not go on recording, this node among them. */
static void tell_the_end(struct snapshots *snapshots, const struct collection *collection)
{
    const struct wire_snapshot_end end = {.initiator = collection->id.initiator,
                                          .incarnation = collection->id.incarnation,
                                          .counter = collection->id.counter};
    for (node_id_t id = 1; id <= snapshots->step->config.n_nodes; id++) {
        const struct collected *it = &collection->nodes[id];
        if (!it->participant || it->done)
            continue;
        if (!step_is_peer(snapshots->step, id)) {
            snapshot_end(snapshots, id, &end);
            continue;
        }
        struct message *message = message_new(MESSAGE_SNAPSHOT_END);
        message->as.snapshot_end = end;
        peers_send(snapshots->links, id, message);
    }
}

static void finish(struct snapshots *snapshots, struct collection *collection)
{
    if (collection->keeping)
        return;
    collection->keeping = true;
    collection->head = judge_head(snapshots, collection);
    struct blob *head = codec_pack(collection->head);
    if (!head)
        panic("the head of a snapshot cannot be encoded");
    tell_the_end(snapshots, collection);
    snapshot_remember_end(snapshots, collection->id);
    collection_begin_file(snapshots, collection, head);
    collection->head->as.snapshot_head.bytes = collection->file->len;
    collection_keep_some(snapshots, collection);
    blob_drop(&head);
}

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
