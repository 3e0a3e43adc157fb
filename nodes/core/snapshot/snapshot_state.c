/* A node's own state at the cut: counts, work, the jobs that it coordinates, its ledger. */
#include "nodes/core/raft/election.h"
#include "nodes/core/state/checkpoint.h"
#include "nodes/core/schedule/run.h"
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

/* --- operations --- */

/* A list of operations under construction, a part for every so many. */
struct ops {
    struct recording *recording;
    struct message *part;
    bool coordinator;
};

static void flush(struct ops *ops)
{
    if (ops->part)
        recording_add(ops->recording, ops->part);
    ops->part = NULL;
}

static void add_op(struct ops *ops, struct wire_cut_op op)
{
    if (!ops->part) {
        ops->part = message_new(MESSAGE_CUT_WORK);
        ops->part->as.cut_work.coordinator = ops->coordinator;
        ops->part->as.cut_work.ops.at =
            message_room(ops->part, CUT_ROWS_MAX, sizeof(struct wire_cut_op));
    }
    struct wire_cut_work *work = &ops->part->as.cut_work;
    work->ops.at[work->ops.n++] = op;
    if (work->ops.n == CUT_ROWS_MAX)
        flush(ops);
}

static void add_queued(void *context, struct value_id id, uint64_t attempt)
{
    add_op(context, (struct wire_cut_op){.job = id.job, .op = id.op, .attempt = attempt});
}

static void add_assigned(const struct snapshots *snapshots, struct ops *ops)
{
    for (size_t i = 0; i < snapshots->schedule->n_active; i++) {
        const struct job *job = snapshots->schedule->active[i];
        for (struct item *item = job->run->out.first; item; item = item->next)
            for (size_t at = 0; at < HOLDERS_MAX && item->state == ITEM_ASSIGNED; at++)
                if (item->holds[at].node)
                    add_op(ops, (struct wire_cut_op){.job = job->id,
                                                     .op = item->op,
                                                     .attempt = item->holds[at].attempt,
                                                     .node = item->holds[at].node,
                                                     .operations = item->operations});
    }
}

static void add_jobs(const struct snapshots *snapshots, struct recording *recording)
{
    struct message *part = message_new(MESSAGE_CUT_JOBS);
    struct wire_cut_jobs *jobs = &part->as.cut_jobs;
    jobs->rows.at = message_room(part, ACTIVE_JOBS_MAX, sizeof *jobs->rows.at);
    for (size_t i = 0; i < snapshots->schedule->n_active; i++) {
        const struct job *job = snapshots->schedule->active[i];
        struct wire_cut_job *row = &jobs->rows.at[jobs->rows.n++];
        struct text spec = {0};
        text_add(&spec, "%llu", (unsigned long long)job->plan.n);
        *row = (struct wire_cut_job){.job = job->id,
                                     .spec = message_text(part, spec.at),
                                     .total = job->plan.total,
                                     .done = job->done};
        for (const struct item *item = job->run->out.first; item; item = item->next) {
            row->assigned += item->state == ITEM_ASSIGNED ? item->operations : 0;
            row->returned += item->state == ITEM_FETCHING ? item->operations : 0;
        }
        row->pending = row->total - row->done - row->assigned - row->returned;
    }
    recording_add(recording, part);
}

void recording_add_state(struct snapshots *snapshots, struct recording *recording)
{
    struct ops queued = {.recording = recording};
    add_head(snapshots, recording);
    snapshot_add_ledger(snapshots, recording);
    worker_each(snapshots->worker, add_queued, &queued);
    flush(&queued);
    if (!raft_serves(snapshots->raft))
        return;
    struct ops assigned = {.recording = recording, .coordinator = true};
    add_jobs(snapshots, recording);
    add_assigned(snapshots, &assigned);
    flush(&assigned);
    /* What the log knows of the unfinished jobs: from this a fresh cluster goes on. */
    image_end(snapshots->state, &recording->checkpoint);
    recording->checkpoint = image_begin(snapshots->state, IMAGE_OPEN);
}
