/* A job as parts of a checkpoint: how it is saved, and how it is loaded. */
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/jobs_internal.h"
#include "nodes/core/step/step.h"
#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define PART_VALUE_BYTES (MESSAGE_MAX_BYTES / 4) /* of values in one part */

/* --- saving --- */

/* The values may be some ten megabytes: references to them do until a slice has time. */
static void save_live(struct checkpoint_sink *sink, const struct state *state,
                      const struct job *job)
{
    struct message *message = NULL;
    struct done_op *done;
    size_t bytes = 0, left = job->live.count;
    for (size_t at = 0; (done = map_next(&job->live, &at, NULL)); left--) {
        size_t more = done->value ? done->value->len : 0;
        if (message && (message->as.image_ops.ops.n == CHECKPOINT_OPS_MAX ||
                        bytes + more > PART_VALUE_BYTES)) {
            checkpoint_sink_add_late(sink, message);
            message = NULL;
        }
        if (!message) {
            message = message_new(MESSAGE_IMAGE_OPS);
            message->as.image_ops.job = job->id;
            message->as.image_ops.source = state->step->config.id;
            message->as.image_ops.ops.at =
                message_room(message, left < CHECKPOINT_OPS_MAX ? left : CHECKPOINT_OPS_MAX,
                             sizeof(struct wire_done_op));
            bytes = 0;
        }
        bytes += more;
        job_write_done(message, done, &message->as.image_ops.ops.at[message->as.image_ops.ops.n++]);
    }
    if (message)
        checkpoint_sink_add_late(sink, message);
}

static void write_trace(struct message *message, const struct job *job)
{
    uint8_t *bytes = message_room(message, job->plan.total, 4);
    for (uint64_t i = 0; i < job->plan.total; i++) {
        struct trace_mark mark = job->trace[i];
        bytes[4 * i] = (uint8_t)mark.node;
        bytes[4 * i + 1] = (uint8_t)(mark.node >> 8);
        bytes[4 * i + 2] = (uint8_t)mark.attempt;
        bytes[4 * i + 3] = (uint8_t)(mark.attempt >> 8);
    }
    message->as.image_job.trace = (struct slice){bytes, 4 * job->plan.total};
}

void job_write_row(struct message *message, const struct job *job, struct wire_job_row *row)
{
    struct text spec = {0};
    plan_spec(&job->plan, &spec);
    *row = (struct wire_job_row){
        .job = job->id,
        .key = message_text(message, job->key),
        .kind = message_text(message, job->plan.kind->name),
        .spec = message_text(message, spec.at),
        .state = message_text(message, job_state_name(job->state)),
        .submitted_ms = job->submitted_ms,
        .finished_ms = job->finished_ms,
        .done = job->done,
        .total = job->plan.total,
        .executed = job->executed,
        .error = message_text(message, job->reason),
        .ended = job->ended,
        .owner = message_text(message, MUTANT(image_loses_owners) ? "" : job->owner),
        .ranges = MUTANT(image_loses_ranges) ? 0 : job->plan.ranges,
        .pieces = MUTANT(image_loses_pieces) ? 0 : job->plan.pieces,
    };
    row->inputs.n = job->n_inputs;
    row->inputs.at = message_room(message, INPUTS_MAX, sizeof *row->inputs.at);
    for (size_t i = 0; i < job->n_inputs; i++)
        row->inputs.at[i].value = job->inputs[i];
    if (job->state != JOB_DONE)
        return;
    row->digits = job->digits;
    row->converter = job->converter;
    row->sha256 = message_copy(message, (struct slice){job->sha256, HASH_BYTES});
    row->head = message_text(message, job->head);
    row->tail = message_text(message, job->tail);
    if (job->text)
        row->text = message_copy(message, (struct slice){job->text->at, job->text->len});
}

void job_save(struct checkpoint_sink *sink, const struct state *state, const struct row *saved)
{
    const struct job *job = (const struct job *)saved;
    struct message *message = message_new(MESSAGE_IMAGE_JOB);
    struct wire_image_job *row = &message->as.image_job;
    row->jobs.n = 1;
    row->jobs.at = message_room(message, 1, sizeof *row->jobs.at);
    job_write_row(message, job, &row->jobs.at[0]);
    if (MUTANT(image_loses_keys))
        row->jobs.at[0].key = message_text(message, job_id_text(job->id, (char[JOB_TEXT_MAX]){0}));
    row->level = job->level;
    if (job->executors) {
        row->tallies.at = message_room(message, NODES_MAX, sizeof *row->tallies.at);
        for (node_id_t id = 1; id <= NODES_MAX; id++) {
            struct wire_tally tally = {.node = id};
            job_write_executed(job->executors, &tally);
            if (tally.incarnation)
                row->tallies.at[row->tallies.n++] = tally;
        }
    }
    row->losses.n = job_losses_write(&job->losses, message, &row->losses.at);
    row->source = state->step->config.id;
    if (job->trace)
        write_trace(message, job);
    checkpoint_sink_add(sink, message);
    save_live(sink, state, job);
}

/* --- loading --- */

static int parse_state(struct slice name, enum job_state *state)
{
    for (int i = 0; i < JOB_STATES; i++) {
        if (slice_equals(name, job_state_name((enum job_state)i))) {
            *state = (enum job_state)i;
            return OK;
        }
    }
    return ERR_MALFORMED;
}

/* A node that does not exist is nobody: rows for clients have no room for it. */
static void load_trace(struct jobs *jobs, struct job *job, struct slice bytes)
{
    if (bytes.len == 4 * job->plan.total)
        job_open_trace(job);
    for (uint64_t i = 0; job->trace && i < job->plan.total; i++) {
        const uint8_t *at = bytes.at + 4 * i;
        uint16_t node = (uint16_t)(at[0] | at[1] << 8);
        if (node <= NODES_MAX)
            job->trace[i] = (struct trace_mark){node, (uint16_t)(at[2] | at[3] << 8)};
    }
    jobs->traces += job->trace && job_is_finished(job);
}

/* What a job has only while it is open, and only when it is done. */
static bool fits_state(const struct wire_image_job *part, enum job_state state)
{
    const struct wire_job_row *row = &part->jobs.at[0];
    if (state == JOB_QUEUED ? row->ended != 0 : part->tallies.n)
        return false;
    if (state != JOB_DONE)
        return !row->text.len;
    return row->sha256.len == HASH_BYTES && job_text_fits(row->text, row->digits);
}

/* Its id is that of the entry that made it, which is applied; a later one may still be given to
 * another job. */
static bool was_applied(job_id_t job, log_index_t applied)
{
    log_index_t index = job_id_index(job, applied);
    return index && index <= applied;
}

int jobs_load_job(struct jobs *jobs, const struct wire_image_job *part, log_index_t applied)
{
    const struct wire_job_row *row = part->jobs.n ? &part->jobs.at[0] : NULL;
    enum job_state state;
    struct plan plan;
    if (!row || parse_state(row->state, &state) || plan_parse(&plan, row->kind, row->spec, NULL) ||
        plan_set_ranges(&plan, row->ranges) || plan_set_pieces(&plan, row->pieces) ||
        !step_key_is_valid(row->key) || jobs_find(jobs, row->job) ||
        jobs_find_key(jobs, row->key) || jobs_key_collides(jobs, row->key) ||
        part->level >= PLAN_LEVELS_MAX || !fits_state(part, state) ||
        !job_losses_are_valid(part->losses.at, part->losses.n) || !was_applied(row->job, applied))
        return ERR_MALFORMED;
    struct job *job = jobs_insert(jobs, row->job, row->key, &plan, (unsigned)part->level);
    text_copy(job->owner, sizeof job->owner, row->owner);
    job_owners_open(&jobs->owners, job);
    job_read_inputs(job, row->inputs.at, row->inputs.n);
    job->submitted_ms = row->submitted_ms;
    job->finished_ms = row->finished_ms;
    job->done = row->done <= job->plan.total ? row->done : job->plan.total;
    job->executed = row->executed;
    for (size_t i = 0; i < part->tallies.n; i++)
        if (part->tallies.at[i].node)
            job_log_executed(job, &part->tallies.at[i]);
    job_losses_read(&job->losses, part->losses.at, part->losses.n);
    job->digits = row->digits;
    job->converter = (node_id_t)row->converter;
    if (row->sha256.len == HASH_BYTES)
        memcpy(job->sha256, row->sha256.at, HASH_BYTES);
    text_copy(job->head, sizeof job->head, row->head);
    text_copy(job->tail, sizeof job->tail, row->tail);
    text_copy(job->reason, sizeof job->reason, row->error);
    if (row->text.len)
        job->text = blob_copy(row->text.at, row->text.len);
    job->ended = row->ended;
    jobs_set_state(jobs, job, state);
    if (job_is_finished(job)) {
        jobs->open--;
        jobs_add_finished(jobs, job);
    } else {
        jobs_link_open(jobs, job);
    }
    load_trace(jobs, job, part->trace);
    return OK;
}

int jobs_load_ops(struct jobs *jobs, const struct message *part)
{
    const struct wire_image_ops *ops = &part->as.image_ops;
    struct job *job = jobs_find(jobs, ops->job);
    if (!job || job_is_finished(job))
        return ERR_MALFORMED;
    for (size_t i = 0; i < ops->ops.n; i++) {
        const struct wire_done_op *op = &ops->ops.at[i];
        const struct blob *value = message_frame(part, op->frame);
        if (!job_has_op(job, op) || !op->len || (op->frame && (!value || value->len != op->len)) ||
            (!op->frame && op->hash.len != HASH_BYTES))
            return ERR_MALFORMED;
        job_load_done(job, part, op);
    }
    return OK;
}
