#include "clients/command/snapshot_restore.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/local/local.h"
#include "clients/local/outfile.h"
#include "shared/snapshot/pack.h"
#include "shared/base/error.h"
#include "shared/wire/codec.h"

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
    const char *at = memcpy(text, line.at, line.len);
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
        if (row.number <= model_applied(model, id, to))
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

/* Jobs of which a value is only on the disks of the old cluster. */
static void find_jobs_to_restart(const struct snapshot_model *model, struct job_list *jobs)
{
    for (size_t i = 0; i < model->checkpoint.n; i++) {
        struct message *part = unpack(model->checkpoint.at[i]);
        const struct wire_image_ops *ops = part ? &part->as.image_ops : NULL;
        bool lacks = false;
        for (size_t k = 0; part && part->type == MESSAGE_IMAGE_OPS && k < ops->ops.n; k++)
            lacks = lacks || (ops->ops.at[k].len && !ops->ops.at[k].frame);
        if (lacks && !has(jobs, ops->job))
            add_job(jobs, ops->job);
        message_drop(&part);
    }
}

/* Jobs that name stored values, whose bytes are only on the disks of the old cluster; and how many
 * such values there are. */
static void find_jobs_without_inputs(const struct snapshot_model *model, struct job_list *jobs,
                                     size_t *values)
{
    for (size_t i = 0; i < model->checkpoint.n; i++) {
        struct message *part = unpack(model->checkpoint.at[i]);
        *values += part && part->type == MESSAGE_IMAGE_VALUE;
        if (part && part->type == MESSAGE_IMAGE_JOB && part->as.image_job.jobs.n &&
            part->as.image_job.jobs.at[0].inputs.n)
            add_job(jobs, part->as.image_job.jobs.at[0].job);
        message_drop(&part);
    }
}

/* True for what cannot go to another cluster. */
static bool stays_behind(const struct message *part, const struct job_list *gone)
{
    if (!part)
        return false;
    if (part->type == MESSAGE_IMAGE_JOB && part->as.image_job.jobs.n)
        return has(gone, part->as.image_job.jobs.at[0].job);
    return part->type == MESSAGE_IMAGE_VALUE ||
           (part->type == MESSAGE_IMAGE_OPS && has(gone, part->as.image_ops.job));
}

static void keep_part(struct snapshot_model *model, struct message *part, struct slice packed,
                      const struct job_list *anew)
{
    if (part && part->type == MESSAGE_IMAGE_OPS && has(anew, part->as.image_ops.job))
        return;
    struct wire_image_job *image =
        part && part->type == MESSAGE_IMAGE_JOB && part->as.image_job.jobs.n ? &part->as.image_job
                                                                             : NULL;
    if (image && has(anew, image->jobs.at[0].job)) {
        image->jobs.at[0].done = 0;
        image->trace = (struct slice){0};
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

static void settle_jobs(struct snapshot_model *model, struct restore_notes *notes)
{
    struct job_list anew = {0}, gone = {0};
    struct slice *parts = model->checkpoint.at;
    size_t n = model->checkpoint.n, values = 0;
    char job[JOB_TEXT_MAX];
    find_jobs_to_restart(model, &anew);
    find_jobs_without_inputs(model, &gone, &values);
    if (values)
        note(notes,
             "%zu stored values stay behind: their bytes were only on the old cluster's disks",
             values);
    for (size_t i = 0; i < gone.n; i++)
        note(notes, "job %s stays behind: it names a stored value", job_id_text(gone.at[i], job));
    for (size_t i = 0; i < anew.n; i++)
        if (!has(&gone, anew.at[i]))
            note(notes, "job %s restarts: some of its values were only on the old cluster's disks",
                 job_id_text(anew.at[i], job));
    model->checkpoint.at = NULL;
    model->checkpoint.n = 0;
    for (size_t i = 0; i < n; i++) {
        struct message *part = unpack(parts[i]);
        if (!stays_behind(part, &gone))
            keep_part(model, part, parts[i], &anew);
        message_drop(&part);
    }
    free(anew.at);
    free(gone.at);
}

void snapshot_settle(struct snapshot_model *model, struct restore_notes *notes)
{
    settle_ledgers(model);
    settle_jobs(model, notes);
}

/* --- the files --- */

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    bool empty = dir || errno == ENOENT;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        empty = empty && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."));
    if (dir)
        closedir(dir);
    return empty;
}

static int node_dir(const char *dir, uint64_t id, const char *name, char at[LOCAL_PATH_MAX])
{
    char below[64];
    text_format(below, sizeof below, "node%" PRIu64 "%s", id, name);
    return local_path(dir, below, at);
}

static int write_share(const struct snapshot_model *model, const char *dir, uint64_t id, char *why)
{
    char path[LOCAL_PATH_MAX];
    struct blob *share = snapshot_pack(model, id);
    if (!share) {
        text_format(why, TEXT_MAX, "a row of node %" PRIu64 " is too large to be written", id);
        return ERR_TOO_BIG;
    }
    int error = node_dir(dir, id, "", path) || (mkdir(path, 0777) && errno != EEXIST) ||
                node_dir(dir, id, "/restore", path);
    if (error)
        text_format(why, TEXT_MAX, "cannot write %s: %s", path, strerror(errno));
    else
        error = outfile_put(path, share->at, share->len, why);
    blob_drop(&share);
    return error ? ERR_IO : OK;
}

int snapshot_write_shares(const struct snapshot_model *model, const char *dir, char *why)
{
    char path[LOCAL_PATH_MAX];
    int error = OK;
    if (mkdir(dir, 0777) && errno != EEXIST) {
        text_format(why, TEXT_MAX, "cannot make %s: %s", dir, strerror(errno));
        return ERR_IO;
    }
    /* Of a larger cluster, too: what runs there now must not be mixed with what is restored. */
    for (uint64_t id = 1; id <= NODES_MAX; id++)
        if (node_dir(dir, id, "", path) || !is_empty(path)) {
            text_format(why, TEXT_MAX, "%s is not empty: a snapshot is restored into a fresh --dir",
                        path);
            return ERR_EXISTS;
        }
    for (uint64_t id = 1; id <= model->n_nodes && !error; id++)
        error = write_share(model, dir, id, why);
    return error;
}
