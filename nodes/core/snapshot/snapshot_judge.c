/* The initiator judges: whether a part of a report is sound, what a snapshot lacks. */
#include <string.h>

#include "nodes/core/snapshot/snapshot_internal.h"
#include "shared/base/bytes.h"
#include "shared/wire/codec.h"

/* --- parts --- */

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
        return message_is_checkpoint(type);
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
bool judge_part_is_sound(const struct snapshots *snapshots, node_id_t from, const struct blob *part,
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

/* --- the head --- */

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

struct message *judge_head(struct snapshots *snapshots, const struct collection *collection)
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
                message_text(message, it->missing ? it->missing : "no report arrived in time");
        }
        head->complete = head->complete && it->done;
        head->bytes += row->bytes;
        add_gaps(snapshots, collection, id, message);
    }
    head->complete = head->complete && !head->gaps.n;
    return message;
}
