#include "shared/snapshot/settle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/job_id.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/base/slice.h"
#include "shared/wire/codec.h"
#include "shared/wire/value_segment.h"

/* --- notes --- */

static void note(struct restore_notes *notes, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct restore_notes *notes, const char *format, ...)
{
    struct text line = {0};
    va_list args;
    va_start(args, format);
    text_add_v(&line, format, args);
    va_end(args);
    char *text = arena_new(&notes->arena, line.len + 1);
    const char *at = slice_copy(text, slice_of(line.at));
    MODEL_APPEND(notes, notes->lines, &at, 1);
}

void restore_notes_clear(struct restore_notes *notes)
{
    arena_clear(&notes->arena);
    *notes = (struct restore_notes){0};
}

void snapshot_losses(const struct snapshot_model *model, struct restore_notes *out)
{
    if (model->complete)
        return;
    for (uint64_t id = 1; id <= model->n_nodes; id++)
        if (!model->nodes[id].present)
            note(out,
                 "all accounts, values and messages under way of node %" PRIu64
                 ", which is missing",
                 id);
    if (!model->coordinator)
        note(out, "all jobs: no coordinator's state is in it");
    if (!out->lines.n)
        note(out,
             "nothing of the ledgers: what was in the channels that are missing is in outboxes");
}

/* --- the ledgers --- */

/* A receiver without a mark takes the first number that comes. So the marks can go, and with them
 * what they cover, and what is left can be renumbered. */
static void settle_outbox(const struct snapshot_model *model, uint64_t id)
{
    struct model_node *node = &model->nodes[id];
    uint64_t to = 0, number = 0;
    size_t n = 0;
    for (size_t i = 0; i < node->outbox.n; i++) {
        struct wire_cut_pending row = node->outbox.at[i];
        number = row.node == to ? number : 0;
        to = row.node;
        if (row.number <= model_applied(model, id, to) && !MUTANT(applied_sent_again))
            continue;
        if (row.sent && MUTANT(sent_stays_behind))
            continue;
        row.number = ++number;
        row.sent = false;
        node->outbox.at[n++] = row;
    }
    node->outbox.n = n;
}

static void settle_ledgers(struct snapshot_model *model)
{
    uint64_t term = 0;
    for (uint64_t id = 1; id <= model->n_nodes; id++)
        term = model->nodes[id].state.term > term ? model->nodes[id].state.term : term;
    for (uint64_t id = 1; id <= model->n_nodes; id++)
        settle_outbox(model, id);
    for (uint64_t id = 1; id <= model->n_nodes; id++) {
        struct model_node *node = &model->nodes[id];
        node->applied.n = 0;
        node->state.term = term;
        node->present = true;
        node->about.missing = (struct slice){0};
        node->about.incarnation = node->state.incarnation;
    }
}

/* --- the jobs --- */

struct job_list {
    job_id_t *at;
    size_t n;
};

static bool has(const struct job_list *jobs, job_id_t job)
{
    for (size_t i = 0; i < jobs->n; i++)
        if (jobs->at[i] == job)
            return true;
    return false;
}

static void add_job(struct job_list *jobs, job_id_t job)
{
    jobs->at = mem_grow(jobs->at, jobs->n + 1, sizeof *jobs->at);
    jobs->at[jobs->n++] = job;
}

static struct message *unpack(struct slice packed)
{
    struct message *message = NULL;
    struct text why = {0};
    return codec_unpack(packed, &message, &why) ? NULL : message;
}

/* True when a file that the snapshot came with has its bytes. */
static bool is_here(const struct snapshot_values *values, uint64_t job, uint64_t op)
{
    const struct snapshot_value *value = snapshot_value_find(values, job, op);
    return value && (value->here || MUTANT(lack_of_values_unseen));
}

static bool has_all_segments(const struct snapshot_values *values,
                             const struct wire_image_value *part)
{
    for (size_t at = 0; at + VALUE_SEGMENT_BYTES <= part->packed.len; at += VALUE_SEGMENT_BYTES)
        if (!is_here(values, part->value, value_segment_at(part->packed.at + at).op))
            return false;
    return true;
}

/* What becomes of the jobs and stored values. */
struct fates {
    const struct snapshot_values *values;
    struct job_list anew; /* jobs that restart: a live result is not here */
    struct job_list gone; /* jobs that stay behind: a stored value that they name does */
    struct job_list left; /* stored values of which a segment is not here */
    size_t details;       /* segments of details of tasks that are not here */
};

static void find_missing(struct fates *fates, const struct message *part)
{
    const struct wire_image_ops *ops = &part->as.image_ops;
    bool lacks = false;
    if (part->type == MESSAGE_IMAGE_VALUE &&
        !has_all_segments(fates->values, &part->as.image_value))
        add_job(&fates->left, part->as.image_value.value);
    for (size_t k = 0; part->type == MESSAGE_IMAGE_OPS && k < ops->ops.n; k++)
        lacks = lacks || (ops->ops.at[k].len && !ops->ops.at[k].frame &&
                          !is_here(fates->values, ops->job, ops->ops.at[k].op));
    if (lacks && !has(&fates->anew, ops->job))
        add_job(&fates->anew, ops->job);
}

static void find_jobs_without_inputs(struct fates *fates, const struct message *part)
{
    const struct wire_image_job *image = &part->as.image_job;
    bool lacks = false;
    if (part->type != MESSAGE_IMAGE_JOB || !image->jobs.n)
        return;
    for (size_t i = 0; i < image->jobs.at[0].inputs.n; i++)
        lacks = lacks || has(&fates->left, image->jobs.at[0].inputs.at[i].value);
    if (lacks)
        add_job(&fates->gone, image->jobs.at[0].job);
}

/* True for what cannot go to another cluster. */
static bool stays_behind(const struct fates *fates, const struct message *part)
{
    switch (part->type) {
    case MESSAGE_IMAGE_JOB:
        return part->as.image_job.jobs.n && has(&fates->gone, part->as.image_job.jobs.at[0].job);
    case MESSAGE_IMAGE_OPS:
        return has(&fates->gone, part->as.image_ops.job) ||
               has(&fates->anew, part->as.image_ops.job);
    case MESSAGE_IMAGE_TASKS:
        return has(&fates->gone, part->as.image_tasks.job);
    case MESSAGE_IMAGE_TASKS_MORE:
        return has(&fates->gone, part->as.image_tasks_more.job);
    case MESSAGE_IMAGE_VALUE:
        return has(&fates->left, part->as.image_value.value);
    case MESSAGE_IMAGE_PROGRESS:
        return MUTANT(progress_stays_behind);
    default:
        return false;
    }
}

/* Returns whether some were left out. */
static bool keep_segments(struct fates *fates, job_id_t job, struct wire_task_segment *at,
                          size_t *n)
{
    size_t all = *n;
    *n = 0;
    for (size_t i = 0; i < all; i++)
        if (is_here(fates->values, job, at[i].op))
            at[(*n)++] = at[i];
    fates->details += all - *n;
    return *n < all;
}

/* Makes the part one of a job that begins again, or without what is not here; false: it is as it
 * was. */
static bool change(struct fates *fates, struct message *part)
{
    struct wire_image_tasks *tasks = &part->as.image_tasks;
    struct wire_image_tasks_more *more = &part->as.image_tasks_more;
    struct wire_image_job *image = &part->as.image_job;
    switch (part->type) {
    case MESSAGE_IMAGE_TASKS:
        tasks->decided.n = MUTANT(outcomes_stay_behind) ? 0 : tasks->decided.n;
        tasks->exceptions.n = MUTANT(failures_stay_behind) ? 0 : tasks->exceptions.n;
        tasks->starts.n = MUTANT(starts_stay_behind) ? 0 : tasks->starts.n;
        return keep_segments(fates, tasks->job, tasks->segments.at, &tasks->segments.n) ||
               MUTANT(outcomes_stay_behind) || MUTANT(failures_stay_behind) ||
               MUTANT(starts_stay_behind);
    case MESSAGE_IMAGE_TASKS_MORE:
        return keep_segments(fates, more->job, more->segments.at, &more->segments.n);
    case MESSAGE_IMAGE_JOB:
        if (!image->jobs.n || !has(&fates->anew, image->jobs.at[0].job))
            return false;
        image->jobs.at[0].done = 0;
        image->trace = (struct slice){0};
        return true;
    default:
        return false;
    }
}

static void keep_part(struct snapshot_model *model, struct fates *fates, struct message *part,
                      struct slice packed)
{
    if (change(fates, part)) {
        struct blob *again = codec_pack(part);
        if (!again)
            panic("a part of a checkpoint that was read cannot be written");
        uint8_t *copy = arena_new(&model->arena, again->len);
        memcpy(copy, again->at, again->len);
        packed = (struct slice){copy, again->len};
        blob_drop(&again);
    }
    MODEL_APPEND(model, model->checkpoint, &packed, 1);
}

static void say(struct restore_notes *notes, const struct fates *fates)
{
    char job[JOB_TEXT_MAX];
    if (fates->left.n)
        note(notes, "%zu stored values stay behind: their bytes are not with the snapshot",
             fates->left.n);
    for (size_t i = 0; i < fates->gone.n; i++)
        note(notes, "job %s stays behind: it names a stored value that does",
             job_id_text(fates->gone.at[i], job));
    for (size_t i = 0; i < fates->anew.n; i++)
        if (!has(&fates->gone, fates->anew.at[i]))
            note(notes, "job %s restarts: some of its values are not with the snapshot",
                 job_id_text(fates->anew.at[i], job));
    if (fates->details)
        note(notes, "%zu values with details of tasks are not with the snapshot: outcomes stay",
             fates->details);
}

static void each_part(const struct snapshot_model *model, struct fates *fates,
                      void (*look)(struct fates *fates, const struct message *part))
{
    for (size_t i = 0; i < model->checkpoint.n; i++) {
        struct message *part = unpack(model->checkpoint.at[i]);
        if (part)
            look(fates, part);
        message_drop(&part);
    }
}

/* Tasks are of a job that is there: but what changes while a snapshot is packed is packed before
 * its turn, and may stand before it. */
static bool comes_last(const struct message *part)
{
    return part->type == MESSAGE_IMAGE_TASKS || part->type == MESSAGE_IMAGE_TASKS_MORE;
}

static void keep_parts(struct snapshot_model *model, struct fates *fates, const struct slice *parts,
                       size_t n, bool last)
{
    for (size_t i = 0; i < n; i++) {
        struct message *part = unpack(parts[i]);
        bool now = last == (part && comes_last(part) && !MUTANT(parts_out_of_order));
        if (now && part && !stays_behind(fates, part))
            keep_part(model, fates, part, parts[i]);
        else if (now && !part)
            MODEL_APPEND(model, model->checkpoint, &parts[i], 1);
        message_drop(&part);
    }
}

static void settle_jobs(struct snapshot_model *model, const struct snapshot_values *values,
                        struct restore_notes *notes)
{
    struct fates fates = {.values = values};
    struct slice *parts = model->checkpoint.at;
    size_t n = model->checkpoint.n;
    each_part(model, &fates, find_missing);
    each_part(model, &fates, find_jobs_without_inputs);
    model->checkpoint.at = NULL;
    model->checkpoint.n = 0;
    keep_parts(model, &fates, parts, n, false);
    keep_parts(model, &fates, parts, n, true);
    say(notes, &fates);
    free(fates.anew.at);
    free(fates.gone.at);
    free(fates.left.at);
}

void snapshot_settle(struct snapshot_model *model, const struct snapshot_values *values,
                     struct restore_notes *notes)
{
    settle_ledgers(model);
    settle_jobs(model, values, notes);
}
