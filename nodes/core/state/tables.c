/* The tables of the replicated state: how each is packed into a checkpoint, and loaded. */
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/checkpoint.h"
#include "nodes/core/state/jobs_internal.h"
#include "nodes/core/state/keys_replicated.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "shared/wire/codec.h"

#define MARK_BYTES 16

/* --- saving the small tables --- */

static void save_births(const struct state *state, struct message *message,
                        struct wire_image_head *head)
{
    uint32_t n = state->step->config.n_voters;
    if (!step_is_founded(state->step))
        return;
    head->cluster_id = message_copy(message, step_cluster_id(state->step));
    head->births.n = n;
    head->births.at = message_room(message, n, sizeof *head->births.at);
    for (node_id_t id = 1; id <= n; id++)
        head->births.at[id - 1] = (struct wire_voter_birth){id, state->births.at[id]};
}

static void save_head(struct checkpoint_sink *sink, const struct state *state)
{
    struct message *message = message_new(MESSAGE_IMAGE_HEAD);
    struct wire_image_head *head = &message->as.image_head;
    head->index = sink->index;
    head->index_term = sink->term;
    head->elections = state->jobs.elections;
    head->reassigned = state->jobs.reassigned;
    save_births(state, message, head);
    head->tallies.n = NODES_MAX;
    head->tallies.at = message_room(message, NODES_MAX, sizeof *head->tallies.at);
    for (node_id_t id = 1; id <= NODES_MAX; id++)
        head->tallies.at[id - 1] = (struct wire_tally){.node = id,
                                                       .operations = state->jobs.operations[id],
                                                       .conversions = state->jobs.conversions[id]};
    checkpoint_sink_add(sink, message);
}

/* Before the marks of progress, which must not be younger than the snaps. */
static void save_snaps(struct checkpoint_sink *sink, const struct state *state)
{
    struct message *message = message_new(MESSAGE_IMAGE_SNAPS);
    message->as.image_snaps.snapshots = state->progress.snapshots;
    checkpoint_sink_add(sink, message);
    for (size_t i = 0; i < state->jobs.n_snaps; i++) {
        const struct snap_key *snap = &state->jobs.snaps[i];
        message = message_new(MESSAGE_IMAGE_SNAPS);
        message->as.image_snaps.snapshots = state->progress.snapshots;
        message->as.image_snaps.key = message_text(message, snap->key);
        message->as.image_snaps.snapshot = snap->snapshot;
        checkpoint_sink_add(sink, message);
    }
}

/* --- progress: a row is a node with all its marks --- */

static struct row *next_progress(const struct state *state, uint64_t *cursor)
{
    struct progress_node *found = progress_from(&state->progress, *cursor);
    if (!found)
        return NULL;
    *cursor = found->index + 1;
    return &found->row;
}

static void save_progress(struct checkpoint_sink *sink, const struct state *state,
                          const struct row *row)
{
    const struct progress_node *it = (const struct progress_node *)row;
    size_t most = PROGRESS_BYTES_MAX / MARK_BYTES;
    (void)state;
    for (size_t first = 0; first < it->n; first += most) {
        size_t n = it->n - first < most ? it->n - first : most;
        struct message *message = message_new(MESSAGE_IMAGE_PROGRESS);
        uint8_t *bytes = message_room(message, n, MARK_BYTES);
        for (size_t i = 0; i < n; i++) {
            bytes_put_le64(bytes + MARK_BYTES * i, it->marks[first + i].snapshot);
            bytes_put_le64(bytes + MARK_BYTES * i + 8, it->marks[first + i].state);
        }
        message->as.image_progress.index = it->index;
        message->as.image_progress.packed = (struct slice){bytes, MARK_BYTES * n};
        checkpoint_sink_add(sink, message);
    }
}

/* --- jobs: a row is a job with its live results --- */

static struct row *next_job(const struct state *state, uint64_t *cursor)
{
    size_t at = jobs_after(&state->jobs, *cursor);
    if (at == state->jobs.n)
        return NULL;
    *cursor = state->jobs.at[at]->id;
    return &state->jobs.at[at]->row;
}

static bool job_is_open(const struct row *row)
{
    return !job_is_finished((const struct job *)row);
}

/* --- all of them --- */

static const struct checkpoint_table tables[TABLE_COUNT] = {
    [TABLE_HEAD] = {"head", .save_all = save_head},
    [TABLE_SNAPS] = {"snaps", .save_all = save_snaps},
    [TABLE_KEYS] = {"keys", .save_all = keys_save},
    [TABLE_PROGRESS] = {"progress", .next = next_progress, .save = save_progress},
    [TABLE_JOBS] = {"jobs", .next = next_job, .save = job_save, .is_open = job_is_open},
};

const struct checkpoint_table *checkpoint_table(enum row_table table)
{
    return &tables[table];
}

/* --- loading --- */

/* The births in the head; of another cluster: those of our founding. */
static void load_births(struct state *state, const struct wire_image_head *head)
{
    const struct identity *identity = &state->step->identity;
    memcpy(state->births.at, identity->births, sizeof state->births.at);
    /* That of a cluster from whose snapshot this one was made, or that was recovered. */
    if (!step_is_ours(state->step, head->cluster_id))
        return;
    for (size_t i = 0; i < head->births.n; i++)
        state->births.at[head->births.at[i].node] = head->births.at[i].birth;
}

static int load_head(struct state *state, const struct wire_image_head *head)
{
    state->applied = head->index;
    state->applied_term = head->index_term;
    state->jobs.elections = head->elections;
    state->jobs.reassigned = head->reassigned;
    for (size_t i = 0; i < head->births.n; i++)
        if (!head->births.at[i].node)
            return ERR_MALFORMED;
    load_births(state, head);
    for (size_t i = 0; i < head->tallies.n; i++) {
        const struct wire_tally *tally = &head->tallies.at[i];
        if (!tally->node)
            return ERR_MALFORMED;
        state->jobs.operations[tally->node] = tally->operations;
        state->jobs.conversions[tally->node] = tally->conversions;
    }
    return OK;
}

static int load_progress(struct state *state, const struct wire_image_progress *part)
{
    int error = part->packed.len % MARK_BYTES ? ERR_MALFORMED : OK;
    for (size_t i = 0; i < part->marks.n && !error; i++)
        error = progress_load_mark(&state->progress, part->index,
                                   (struct progress_mark){part->marks.at[i].snapshot,
                                                          part->marks.at[i].state});
    for (size_t i = 0; i < part->packed.len && !error; i += MARK_BYTES)
        error = progress_load_mark(&state->progress, part->index,
                                   (struct progress_mark){bytes_get_le64(part->packed.at + i),
                                                          bytes_get_le64(part->packed.at + i + 8)});
    return error;
}

/* Values of a job that a node must have on disk. */
static void want_values(const struct message *message, machine_value *want, void *wanting)
{
    if (message->type == MESSAGE_IMAGE_OPS) {
        const struct wire_image_ops *ops = &message->as.image_ops;
        for (size_t i = 0; i < ops->ops.n; i++)
            if (ops->ops.at[i].len && !ops->ops.at[i].frame)
                want(wanting, (node_id_t)ops->source,
                     (struct value_id){ops->job, ops->ops.at[i].op}, ops->ops.at[i].len,
                     ops->ops.at[i].hash);
    } else if (message->type == MESSAGE_IMAGE_JOB && message->as.image_job.jobs.n) {
        const struct wire_job_row *row = &message->as.image_job.jobs.at[0];
        if (slice_equals(row->state, "done") && row->digits > TEXT_INLINE_DIGITS)
            want(wanting, (node_id_t)message->as.image_job.source,
                 (struct value_id){row->job, row->total + 1}, row->digits, row->sha256);
    }
}

static int load(struct state *state, const struct message *message, struct slice packed)
{
    switch (message->type) {
    case MESSAGE_IMAGE_HEAD:
        return load_head(state, &message->as.image_head);
    case MESSAGE_IMAGE_JOB:
        return jobs_load_job(&state->jobs, &message->as.image_job);
    case MESSAGE_IMAGE_OPS:
        return jobs_load_ops(&state->jobs, message);
    case MESSAGE_IMAGE_PROGRESS:
        return load_progress(state, &message->as.image_progress);
    case MESSAGE_IMAGE_SNAPS:
        state->progress.snapshots = message->as.image_snaps.snapshots;
        if (message->as.image_snaps.key.len)
            jobs_add_snap(&state->jobs, message->as.image_snaps.key,
                          message->as.image_snaps.snapshot);
        return OK;
    default:
        return keys_load_part(&state->keys, message, packed);
    }
}

static int load_message(struct state *into, const struct message *message, struct slice packed,
                        machine_value *want, void *wanting)
{
    bool first = into->applied == 0;
    if (first != (message->type == MESSAGE_IMAGE_HEAD) || load(into, message, packed))
        return ERR_MALFORMED;
    if (want)
        want_values(message, want, wanting);
    return OK;
}

/* A bundle holds no bundles. */
static int load_bundle(struct state *into, const struct message *bundle, machine_value *want,
                       void *wanting)
{
    int error = OK;
    for (size_t i = 0; i < bundle->n_frames && !error; i++) {
        struct message *message;
        struct text why = {0};
        struct slice packed = {bundle->frames[i]->at, bundle->frames[i]->len};
        error = codec_unpack(packed, &message, &why);
        if (error)
            return ERR_MALFORMED;
        error = load_message(into, message, packed, want, wanting);
        message_drop(&message);
    }
    return error;
}

int checkpoint_load_part(struct state *into, struct slice part, machine_value *want, void *wanting)
{
    struct message *message;
    struct text why = {0};
    if (codec_unpack(part, &message, &why))
        return ERR_MALFORMED;
    int error = message->type == MESSAGE_IMAGE_BUNDLE
                    ? load_bundle(into, message, want, wanting)
                    : load_message(into, message, part, want, wanting);
    message_drop(&message);
    return error;
}
