/* A node's own state at the cut: what the snapshot room counts, then what each participant has. */
#include "nodes/core/snapshot/snapshot_internal.h"

void snapshot_join(struct snapshots *snapshots, const struct participant *participant, void *room)
{
    assert(snapshots->n_rooms < PARTICIPANTS_MAX);
    snapshots->rooms[snapshots->n_rooms++] = (struct cut_room){participant, room};
}

static void add_head(struct snapshots *snapshots, struct recording *recording)
{
    struct message *part = message_new(MESSAGE_CUT_STATE);
    struct wire_cut_state *state = &part->as.cut_state;
    *state = (struct wire_cut_state){
        .node = snapshots->step->config.id,
        .incarnation = snapshots->step->config.incarnation,
        .clock = snapshots->links->clock,
        .time_ms = snapshots->step->wall_ms,
        .term = snapshots->step->term,
        .role = message_text(part, election_role_name(snapshots->raft)),
        .first_marker = recording->first_marker,
    };
    for (size_t i = 0; i < snapshots->n_rooms; i++)
        if (snapshots->rooms[i].participant->count)
            snapshots->rooms[i].participant->count(snapshots->rooms[i].room, state);
    state->counts.at =
        message_room(part, snapshots->step->config.n_nodes, sizeof *state->counts.at);
    for (node_id_t id = 1; id <= snapshots->step->config.n_nodes; id++) {
        const struct peer *peer = &snapshots->links->peers[id];
        if (recording->channels[id].state != CUT_ABSENT)
            state->counts.at[state->counts.n++] =
                (struct wire_cut_count){.node = id,
                                        .incarnation = peer->channel.peer,
                                        .sent = peer->counted_sent,
                                        .received = peer->counted_received};
    }
    recording_add(recording, part);
}

/* --- what participants write --- */

static uint64_t add(void *context, struct message *part)
{
    struct recording *recording = context;
    uint64_t before = recording->bytes;
    recording_add(recording, part);
    return recording->bytes - before;
}

static uint64_t add_packed(void *context, struct blob *part)
{
    struct recording *recording = context;
    uint64_t before = recording->bytes;
    recording_add_packed(recording, part);
    return recording->bytes - before;
}

static uint64_t add_rest(void *context, uint64_t bytes)
{
    struct recording *recording = context;
    recording->too_much =
        recording->too_much || !snapshot_charge(recording->all, &recording->bytes, bytes);
    return recording->too_much ? 0 : bytes;
}

static struct cut_writer writer_to(struct recording *recording)
{
    return (struct cut_writer){add, add_packed, add_rest, recording,
                               recording->all->step->config.cut_rows};
}

void recording_add_state(struct snapshots *snapshots, struct recording *recording)
{
    struct cut_writer writer = writer_to(recording);
    recording_drop_rests(snapshots, recording);
    add_head(snapshots, recording);
    for (size_t i = 0; i < snapshots->n_rooms; i++) {
        const struct cut_room *it = &snapshots->rooms[i];
        if (!it->participant->coordinators || raft_serves(snapshots->raft))
            recording->rests[i] = it->participant->record(it->room, &writer);
    }
}

/* --- what is left to later steps --- */

/* A slice is so large, for all recordings together, and there is one every CHECKPOINT_SLICE_GAP_US.
 */
static uint64_t slice_left(struct snapshots *snapshots)
{
    if (snapshots->step->now_us >= snapshots->slice_us + CHECKPOINT_SLICE_GAP_US) {
        snapshots->slice_us = snapshots->step->now_us;
        snapshots->slice_bytes = 0;
    }
    return snapshots->slice_bytes < CHECKPOINT_SLICE_BYTES
               ? CHECKPOINT_SLICE_BYTES - snapshots->slice_bytes
               : 0;
}

bool recording_pack_rests(struct snapshots *snapshots, struct recording *recording)
{
    struct cut_writer writer = writer_to(recording);
    for (size_t i = 0; i < snapshots->n_rooms && !recording->too_much; i++) {
        const struct cut_room *it = &snapshots->rooms[i];
        uint64_t before = recording->bytes;
        if (!recording->rests[i])
            continue;
        uint64_t left = slice_left(snapshots);
        if (!left)
            return false;
        enum cut_progress progress =
            it->participant->pack(it->room, recording->rests[i], &writer, left);
        snapshots->slice_bytes += recording->bytes - before;
        recording->lost = recording->lost || progress == CUT_LOST;
        if (progress != CUT_WRITTEN)
            return false;
        it->participant->drop(it->room, recording->rests[i]);
        recording->rests[i] = NULL;
    }
    return true;
}

void recording_drop_rests(struct snapshots *snapshots, struct recording *recording)
{
    for (size_t i = 0; i < snapshots->n_rooms; i++) {
        const struct cut_room *it = &snapshots->rooms[i];
        if (recording->rests[i])
            it->participant->drop(it->room, recording->rests[i]);
        recording->rests[i] = NULL;
    }
}

bool recording_has_rests(const struct recording *recording)
{
    for (size_t i = 0; i < PARTICIPANTS_MAX; i++)
        if (recording->rests[i])
            return true;
    return false;
}

bool recording_can_pack(const struct snapshots *snapshots, const struct recording *recording)
{
    for (size_t i = 0; i < snapshots->n_rooms; i++)
        if (recording->rests[i] && snapshots->rooms[i].participant->can_pack(recording->rests[i]))
            return true;
    return false;
}
