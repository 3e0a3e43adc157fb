/* A node's own state at the cut: counts, work, the jobs that it coordinates, its ledger. */
#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/snapshot/snapshot_internal.h"
#include "nodes/core/worker/worker.h"

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
        .epoch = snapshots->ledger->epoch,
        .operations = snapshots->worker->operations,
        .conversions = snapshots->worker->conversions,
        .held = snapshots->worker->held.count,
        .jobs_open = snapshots->state->jobs.open,
        .jobs_finished = snapshots->state->jobs.n - snapshots->state->jobs.open,
        .first_marker = recording->first_marker,
    };
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

static void add_part(void *context, struct message *part)
{
    recording_add(context, part);
}

void recording_add_state(struct snapshots *snapshots, struct recording *recording)
{
    struct cut_writer writer = {add_part, recording};
    add_head(snapshots, recording);
    snapshot_add_ledger(snapshots, recording);
    worker_record(snapshots->worker, &writer);
    schedule_record(snapshots->schedule, &writer);
    if (!raft_serves(snapshots->raft))
        return;
    /* What the log knows of the unfinished jobs: from this a fresh cluster goes on. */
    image_end(snapshots->state, &recording->checkpoint);
    recording->checkpoint = image_begin(snapshots->state, IMAGE_OPEN);
}
