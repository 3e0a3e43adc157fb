#include "nodes/core/image.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/core/journal.h"
#include "nodes/core/reports.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/wire/codec.h"

#define PART_VALUE_BYTES (MESSAGE_MAX_BYTES / 4) /* of values in one part */

struct image *image_new(log_index_t index, term_t term)
{
    struct image *image = mem_new(1, sizeof *image);
    image->refs = 1;
    image->index = index;
    image->term = term;
    return image;
}

void image_add(struct image *image, struct blob *part)
{
    if (image->n == image->size) {
        image->size = image->size ? 2 * image->size : 16;
        image->parts = mem_grow(image->parts, image->size, sizeof(struct blob *));
    }
    image->parts[image->n++] = blob_ref(part);
}

struct image *image_ref(struct image *image)
{
    image->refs++;
    return image;
}

void image_drop(struct image **image)
{
    struct image *it = *image;
    *image = NULL;
    if (!it || --it->refs)
        return;
    for (size_t i = 0; i < it->n; i++)
        blob_drop(&it->parts[i]);
    free(it->parts);
    free(it);
}

/* --- building --- */

static void add_message(struct image *image, struct message *message)
{
    struct blob *part = codec_pack(message);
    if (!part)
        panic("a part of a full checkpoint cannot be encoded: %s", message_name(message->type));
    image_add(image, part);
    blob_drop(&part);
    message_drop(&message);
}

static void add_head(struct image *image, const struct node *node)
{
    struct message *message = message_new(MESSAGE_IMAGE_HEAD);
    struct wire_image_head *head = &message->as.image_head;
    head->index = image->index;
    head->index_term = image->term;
    head->elections = node->jobs.elections;
    head->reassigned = node->jobs.reassigned;
    head->tallies.n = NODES_MAX;
    head->tallies.at = message_room(message, NODES_MAX, sizeof *head->tallies.at);
    for (node_id_t id = 1; id <= NODES_MAX; id++)
        head->tallies.at[id - 1] = (struct wire_tally){.node = id,
                                                       .operations = node->jobs.operations[id],
                                                       .conversions = node->jobs.conversions[id]};
    add_message(image, message);
}

static void add_frontier(struct image *image, const struct node *node, const struct job *job)
{
    struct message *message = NULL;
    struct done_op *done;
    size_t bytes = 0;
    for (size_t at = 0; (done = map_next(&job->frontier, &at, NULL));) {
        size_t more = done->value ? done->value->len : 0;
        if (message && (message->as.image_ops.ops.n == CHECKPOINT_OPS_MAX ||
                        bytes + more > PART_VALUE_BYTES)) {
            add_message(image, message);
            message = NULL;
        }
        if (!message) {
            message = message_new(MESSAGE_IMAGE_OPS);
            message->as.image_ops.job = job->id;
            message->as.image_ops.source = node->config.id;
            message->as.image_ops.ops.at =
                message_room(message, CHECKPOINT_OPS_MAX, sizeof(struct wire_done_op));
            bytes = 0;
        }
        bytes += more;
        job_write_done(message, done, &message->as.image_ops.ops.at[message->as.image_ops.ops.n++]);
    }
    if (message)
        add_message(image, message);
}

static void add_job(struct image *image, const struct node *node, const struct job *job)
{
    struct message *message = message_new(MESSAGE_IMAGE_JOB);
    struct wire_image_job *row = &message->as.image_job;
    row->jobs.n = 1;
    row->jobs.at = message_room(message, 1, sizeof *row->jobs.at);
    report_job(message, job, &row->jobs.at[0]);
    if (!job_is_finished(job)) {
        /* What a coordinator has done beyond its last entry is not part of the state. */
        row->jobs.at[0].state = message_text(message, "queued");
        row->jobs.at[0].done = job->logged;
        row->jobs.at[0].executed = job->logged_executed;
    }
    if (MUTANT(image_loses_keys))
        row->jobs.at[0].key = message_text(message, job_id_text(job->id, (char[JOB_TEXT_MAX]){0}));
    row->level = job->level;
    if (job->logged_executors && !job_is_finished(job)) {
        row->tallies.n = NODES_MAX;
        row->tallies.at = message_room(message, NODES_MAX, sizeof *row->tallies.at);
        for (node_id_t id = 1; id <= NODES_MAX; id++) {
            row->tallies.at[id - 1].node = id;
            job_write_executed(job->logged_executors, &row->tallies.at[id - 1]);
        }
    }
    row->source = node->config.id;
    if (job->trace && job->logged_trace) {
        uint8_t *bytes = message_room(message, job->plan.total, 4);
        for (uint64_t i = 0; i < job->plan.total; i++) {
            struct trace_mark mark = job->logged_trace[i];
            bytes[4 * i] = (uint8_t)mark.node;
            bytes[4 * i + 1] = (uint8_t)(mark.node >> 8);
            bytes[4 * i + 2] = (uint8_t)mark.attempt;
            bytes[4 * i + 3] = (uint8_t)(mark.attempt >> 8);
        }
        row->trace = (struct slice){bytes, 4 * job->plan.total};
    }
    add_message(image, message);
    add_frontier(image, node, job);
}

static void add_progress(struct image *image, const struct node *node)
{
    struct progress_node *state;
    for (size_t at = 0; (state = map_next(&node->progress.nodes, &at, NULL));) {
        for (size_t first = 0; first < state->n; first += CHECKPOINT_OPS_MAX) {
            size_t n =
                state->n - first < CHECKPOINT_OPS_MAX ? state->n - first : CHECKPOINT_OPS_MAX;
            struct message *message = message_new(MESSAGE_IMAGE_PROGRESS);
            struct wire_image_progress *part = &message->as.image_progress;
            part->index = state->index;
            part->marks.n = n;
            part->marks.at = message_room(message, n, sizeof *part->marks.at);
            for (size_t i = 0; i < n; i++)
                part->marks.at[i] = (struct wire_mark){state->marks[first + i].snapshot,
                                                       state->marks[first + i].state};
            add_message(image, message);
        }
    }
}

static void add_snaps(struct image *image, const struct node *node)
{
    struct message *message = message_new(MESSAGE_IMAGE_SNAPS);
    message->as.image_snaps.snapshots = node->progress.snapshots;
    add_message(image, message);
    for (size_t i = 0; i < node->jobs.n_snaps; i++) {
        const struct snap_key *snap = &node->jobs.snaps[i];
        message = message_new(MESSAGE_IMAGE_SNAPS);
        message->as.image_snaps.snapshots = node->progress.snapshots;
        message->as.image_snaps.key = message_text(message, snap->key);
        message->as.image_snaps.snapshot = snap->snapshot;
        add_message(image, message);
    }
}

static void add_forgotten(struct image *image, const struct node *node)
{
    const struct jobs *jobs = &node->jobs;
    size_t per_part = FORGOTTEN_BYTES_MAX / 8;
    for (size_t first = 0; first < jobs->n_forgotten; first += per_part) {
        size_t n = jobs->n_forgotten - first < per_part ? jobs->n_forgotten - first : per_part;
        struct message *message = message_new(MESSAGE_IMAGE_FORGOTTEN);
        uint8_t *bytes = message_room(message, n, 8);
        for (size_t i = 0; i < n; i++)
            for (int byte = 0; byte < 8; byte++)
                bytes[8 * i + byte] = (uint8_t)(jobs_forgotten_at(jobs, first + i) >> 8 * byte);
        message->as.image_forgotten.keys = (struct slice){bytes, 8 * n};
        add_message(image, message);
    }
}

static struct image *build(const struct node *node, bool finished)
{
    struct image *image = image_new(node->journal.applied, 0);
    if (MUTANT(image_one_behind) && image->index > node->journal.base + 1)
        image->index--;
    journal_term(node, image->index, &image->term);
    add_head(image, node);
    add_snaps(image, node); /* before the marks, which must not be younger than the snaps */
    add_progress(image, node);
    add_forgotten(image, node);
    for (size_t i = 0; i < node->jobs.n; i++)
        if (finished || !job_is_finished(node->jobs.at[i]))
            add_job(image, node, node->jobs.at[i]);
    return image;
}

struct image *image_build(const struct node *node)
{
    return build(node, true);
}

struct image *image_build_open(const struct node *node)
{
    return build(node, false);
}

/* --- loading --- */

void image_clear_state(struct node *node)
{
    jobs_clear(&node->jobs);
    progress_clear(&node->progress);
}

static int load_head(struct node *node, const struct wire_image_head *head, log_index_t *index,
                     term_t *term)
{
    *index = head->index;
    *term = head->index_term;
    node->jobs.elections = head->elections;
    node->jobs.reassigned = head->reassigned;
    for (size_t i = 0; i < head->tallies.n; i++) {
        const struct wire_tally *tally = &head->tallies.at[i];
        if (!tally->node)
            return ERR_MALFORMED;
        node->jobs.operations[tally->node] = tally->operations;
        node->jobs.conversions[tally->node] = tally->conversions;
    }
    return OK;
}

static int load_progress(struct node *node, const struct wire_image_progress *part)
{
    int error = OK;
    for (size_t i = 0; i < part->marks.n && !error; i++)
        error = progress_load_mark(&node->progress, part->index,
                                   (struct progress_mark){part->marks.at[i].snapshot,
                                                          part->marks.at[i].state});
    return error;
}

static int load(struct node *node, const struct message *message, log_index_t *index, term_t *term)
{
    switch (message->type) {
    case MESSAGE_IMAGE_HEAD:
        return load_head(node, &message->as.image_head, index, term);
    case MESSAGE_IMAGE_JOB:
        return jobs_load_job(&node->jobs, &message->as.image_job);
    case MESSAGE_IMAGE_OPS:
        return jobs_load_ops(&node->jobs, message);
    case MESSAGE_IMAGE_PROGRESS:
        return load_progress(node, &message->as.image_progress);
    case MESSAGE_IMAGE_SNAPS:
        node->progress.snapshots = message->as.image_snaps.snapshots;
        if (message->as.image_snaps.key.len)
            jobs_add_snap(&node->jobs, message->as.image_snaps.key,
                          message->as.image_snaps.snapshot);
        return OK;
    case MESSAGE_IMAGE_FORGOTTEN:
        return jobs_load_forgotten(&node->jobs, message->as.image_forgotten.keys);
    default:
        return ERR_MALFORMED;
    }
}

int image_load_part(struct node *node, struct slice part, log_index_t *index, term_t *term)
{
    struct message *message;
    struct text why = {0};
    int error = codec_unpack(part, &message, &why);
    if (error)
        return ERR_MALFORMED;
    bool first = *index == 0;
    error = first == (message->type == MESSAGE_IMAGE_HEAD) ? load(node, message, index, term)
                                                           : ERR_MALFORMED;
    message_drop(&message);
    return error;
}

int image_wants(struct node *node, struct slice part,
                void (*want)(struct node *node, node_id_t source, struct value_id id, uint64_t len,
                             struct slice hash))
{
    struct message *message;
    struct text why = {0};
    if (codec_unpack(part, &message, &why))
        return ERR_MALFORMED;
    if (message->type == MESSAGE_IMAGE_OPS) {
        const struct wire_image_ops *ops = &message->as.image_ops;
        for (size_t i = 0; i < ops->ops.n; i++)
            if (ops->ops.at[i].len && !ops->ops.at[i].frame)
                want(node, (node_id_t)ops->source, (struct value_id){ops->job, ops->ops.at[i].op},
                     ops->ops.at[i].len, ops->ops.at[i].hash);
    } else if (message->type == MESSAGE_IMAGE_JOB && message->as.image_job.jobs.n) {
        const struct wire_job_row *row = &message->as.image_job.jobs.at[0];
        if (slice_equals(row->state, "done") && row->digits > TEXT_INLINE_DIGITS)
            want(node, (node_id_t)message->as.image_job.source,
                 (struct value_id){row->job, row->total + 1}, row->digits, row->sha256);
    }
    message_drop(&message);
    return OK;
}
