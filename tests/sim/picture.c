#include "tests/sim/picture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/state.h"
#include "shared/base/bytes.h"
#include "shared/base/job_id.h"
#include "shared/wire/codec.h"
#include "tests/harness/inside.h"

#define MARK_BYTES 16 /* of `packed` in a part of progress: snaps taken before, and the state */

struct picture_job {
    job_id_t job;
    uint64_t total; /* tasks; 0: it has none */
    uint64_t attempts;
    bool once;                                 /* its tasks are begun at most once */
    struct task_outcome tasks[TASKS_MOST + 1]; /* TASK_OPEN: it had none */
    bool begun[TASKS_MOST + 1];                /* by a node that knew so when its state was taken */
    bool was_done;                             /* in the world before, in the end ... */
    uint8_t sha256[HASH_BYTES];                /* ... with this result */
};

struct picture_count {
    uint64_t index, state;
};

struct picture {
    struct picture_job *jobs; /* owned */
    size_t n_jobs;
    struct picture_count *counts; /* owned */
    size_t n_counts;
    uint64_t snaps;
};

static struct picture_job *find(const struct picture *picture, job_id_t job)
{
    for (size_t i = 0; i < picture->n_jobs; i++)
        if (picture->jobs[i].job == job)
            return &picture->jobs[i];
    return NULL;
}

/* --- reading it --- */

static void add_job(struct picture *picture, const struct wire_image_job *part)
{
    if (!part->jobs.n)
        return;
    picture->jobs = mem_grow(picture->jobs, picture->n_jobs + 1, sizeof *picture->jobs);
    picture->jobs[picture->n_jobs++] = (struct picture_job){.job = part->jobs.at[0].job};
}

static void add_progress(struct picture *picture, const struct wire_image_progress *part)
{
    size_t len = part->packed.len;
    if (len < MARK_BYTES)
        return;
    picture->counts = mem_grow(picture->counts, picture->n_counts + 1, sizeof *picture->counts);
    picture->counts[picture->n_counts++] =
        (struct picture_count){part->index, bytes_get_le64(part->packed.at + len - 8)};
}

static void add_outcomes(struct picture_job *job, const struct wire_task_range *decided,
                         size_t n_decided, const struct wire_task_exception *others,
                         size_t n_others)
{
    for (size_t i = 0; i < n_decided; i++)
        for (uint64_t k = 0; k < decided[i].count; k++)
            if (job->tasks[decided[i].first + k].state == TASK_OPEN)
                job->tasks[decided[i].first + k].state = TASK_DONE;
    for (size_t i = 0; i < n_others; i++)
        for (uint64_t k = 0; k < others[i].count; k++) {
            job->tasks[others[i].first + k].state = task_state_of(others[i].state);
            job->tasks[others[i].first + k].exit = (uint8_t)others[i].exit;
        }
}

static void add_tasks(struct picture *picture, const struct message *part)
{
    const struct wire_image_tasks *head = &part->as.image_tasks;
    const struct wire_image_tasks_more *more = &part->as.image_tasks_more;
    bool first = part->type == MESSAGE_IMAGE_TASKS;
    struct picture_job *job = find(picture, first ? head->job : more->job);
    if (!job || (first && head->total > TASKS_MOST) || (!first && !job->total))
        return;
    if (first) {
        job->total = head->total;
        job->attempts = head->attempts;
        job->once = head->options.n && head->options.at[0].at_most_once;
        add_outcomes(job, head->decided.at, head->decided.n, head->exceptions.at,
                     head->exceptions.n);
    } else {
        add_outcomes(job, more->decided.at, more->decided.n, more->exceptions.at,
                     more->exceptions.n);
    }
}

static void each_part(struct picture *picture, const struct snapshot_model *model,
                      void (*look)(struct picture *picture, const struct message *part))
{
    for (size_t i = 0; i < model->checkpoint.n; i++) {
        struct message *part;
        struct text why = {0};
        if (codec_unpack(model->checkpoint.at[i], &part, &why))
            continue;
        look(picture, part);
        message_drop(&part);
    }
}

static void look_at_jobs(struct picture *picture, const struct message *part)
{
    if (part->type == MESSAGE_IMAGE_JOB)
        add_job(picture, &part->as.image_job);
    else if (part->type == MESSAGE_IMAGE_PROGRESS)
        add_progress(picture, &part->as.image_progress);
    else if (part->type == MESSAGE_IMAGE_SNAPS && !part->as.image_snaps.key.len)
        picture->snaps = part->as.image_snaps.snapshots;
}

static void look_at_tasks(struct picture *picture, const struct message *part)
{
    if (part->type == MESSAGE_IMAGE_TASKS || part->type == MESSAGE_IMAGE_TASKS_MORE)
        add_tasks(picture, part);
}

/* --- what was before --- */

/* The node's clock says that it began it before its state was taken. */
static bool was_begun(const struct world *before, const struct snapshot_model *model, job_id_t job,
                      uint64_t task)
{
    struct task_begun begun;
    if (!tasks_begun(before, job, task, &begun) || begun.node > model->n_nodes)
        return false;
    const struct wire_cut_state *state = &model->nodes[begun.node].state;
    return state->incarnation == begun.incarnation && begun.clock < state->clock;
}

static void compare_tasks(const struct world *before, const struct snapshot_model *model,
                          struct picture_job *job)
{
    for (uint64_t task = 1; task <= job->total; task++) {
        struct task_outcome *it = &job->tasks[task], was = {0};
        *it = (struct task_outcome){job->job, task, it->state, it->exit};
        job->begun[task] =
            job->once && it->state == TASK_OPEN && was_begun(before, model, job->job, task);
        tasks_outcome(before, job->job, task, &was);
        if (it->state != TASK_OPEN && (was.state != it->state || was.exit != it->exit))
            world_fail(before, "a snapshot tells no outcome that was none",
                       "task %" PRIu64 " is %s (%u), and was %s (%u)", task,
                       task_state_name(it->state), it->exit, task_state_name(was.state), was.exit);
    }
}

static void compare_job(const struct world *before, struct picture_job *job)
{
    node_id_t coordinator = world_coordinator(before);
    const struct job *was =
        coordinator ? jobs_find(&inside_state(before->nodes[coordinator].core)->jobs, job->job)
                    : NULL;
    job->was_done = was && was->state == JOB_DONE;
    if (job->was_done)
        memcpy(job->sha256, was->sha256, HASH_BYTES);
}

struct picture *picture_new(const struct world *before, const struct snapshot_model *model)
{
    struct picture *picture = mem_new(1, sizeof *picture);
    each_part(picture, model, look_at_jobs);
    each_part(picture, model, look_at_tasks);
    for (size_t i = 0; i < picture->n_jobs; i++) {
        compare_tasks(before, model, &picture->jobs[i]);
        compare_job(before, &picture->jobs[i]);
    }
    return picture;
}

void picture_free(struct picture **picture)
{
    if (*picture) {
        free((*picture)->jobs);
        free((*picture)->counts);
    }
    free(*picture);
    *picture = NULL;
}

uint64_t picture_ended(const struct picture *picture)
{
    uint64_t n = 0;
    for (size_t i = 0; i < picture->n_jobs; i++)
        for (uint64_t task = 1; task <= picture->jobs[i].total; task++)
            n += picture->jobs[i].tasks[task].state != TASK_OPEN;
    return n;
}

uint64_t picture_begun(const struct picture *picture)
{
    uint64_t n = 0;
    for (size_t i = 0; i < picture->n_jobs; i++)
        for (uint64_t task = 1; task <= picture->jobs[i].total; task++)
            n += picture->jobs[i].begun[task];
    return n;
}

/* --- in the restored world --- */

void picture_task_begins(struct world *world, node_id_t id, job_id_t job, uint64_t task)
{
    const struct picture_job *it = world->picture ? find(world->picture, job) : NULL;
    if (!it || task > it->total)
        return;
    if (it->tasks[task].state != TASK_OPEN)
        world_fail(world, "S15: a restored cluster executes no task that has ended",
                   "node %u: task %" PRIu64 ", which was %s", id, task,
                   task_state_name(it->tasks[task].state));
    if (it->begun[task])
        world_fail(world, "S15: a restored cluster begins no task twice that may begin once",
                   "node %u: task %" PRIu64, id, task);
}

bool picture_task_ended(struct world *world, node_id_t id, const struct task_outcome *outcome)
{
    const struct picture_job *it = world->picture ? find(world->picture, outcome->job) : NULL;
    if (!it || outcome->task > it->total)
        return false;
    const struct task_outcome *was = &it->tasks[outcome->task];
    bool same = was->state == outcome->state && was->exit == outcome->exit;
    if (it->begun[outcome->task])
        same = outcome->state == TASK_LOST || outcome->state == TASK_CANCELLED;
    else if (was->state == TASK_OPEN)
        return false;
    if (!same)
        world_fail(world, "S15: a restored task has the outcome that it had",
                   "node %u: task %" PRIu64 " is %s (%u), and was %s (%u)%s", id, outcome->task,
                   task_state_name(outcome->state), outcome->exit, task_state_name(was->state),
                   was->exit, it->begun[outcome->task] ? ", begun" : "");
    return true;
}

static void check_tasks(struct world *world, const struct picture_job *was,
                        const struct task_job *row)
{
    uint64_t cancelled = task_job_count(row, TASK_CANCELLED);
    if (row->attempts < was->attempts)
        world_fail(world, "S15: counters go on in a restored cluster",
                   "job %" PRIx64 " has %" PRIu64 " attempts, and had %" PRIu64, was->job,
                   row->attempts, was->attempts);
    for (uint64_t task = 1; task <= was->total; task++)
        if (!ranges_has(&row->decided, task) && !cancelled && row->ended)
            world_fail(world, "when a job ends all its tasks have an outcome", "task %" PRIu64,
                       task);
}

static void check_job(struct world *world, const struct state *state, const struct picture_job *was,
                      bool lacks)
{
    const struct job *job = jobs_find(&state->jobs, was->job);
    const struct task_job *row = task_jobs_find(&state->task_jobs, was->job);
    if (!job && !lacks && !state->retention.jobs && !world->options.jobs_kept_max)
        world_fail(world, "S15: a restored cluster has the jobs of its snapshot",
                   "job %" PRIx64 " is not there", was->job);
    if (job && was->was_done && !was->total &&
        (job->state != JOB_DONE || memcmp(job->sha256, was->sha256, HASH_BYTES)))
        world_fail(world, "S15: a restored job ends with its result", "job %" PRIx64 " is %s",
                   was->job, job_state_name(job->state));
    if (row && was->total)
        check_tasks(world, was, row);
}

void picture_check_end(struct world *world, bool lacks)
{
    const struct picture *picture = world->picture;
    const struct state *state = inside_state(world->nodes[world_coordinator(world)].core);
    for (size_t i = 0; i < picture->n_jobs; i++)
        check_job(world, state, &picture->jobs[i], lacks);
    for (size_t i = 0; i < picture->n_counts; i++) {
        const struct picture_count *was = &picture->counts[i];
        uint64_t now = progress_now(&state->progress, was->index);
        bool works = was->index >= 1 && was->index <= world->options.n_nodes;
        if (works ? now < was->state : now != was->state)
            world_fail(world, "S15: counters go on in a restored cluster",
                       "that of %" PRIu64 " is %" PRIu64 ", and was %" PRIu64, was->index, now,
                       was->state);
    }
    if (state->progress.snapshots != picture->snaps)
        world_fail(world, "S15: counters go on in a restored cluster",
                   "%" PRIu64 " snaps were taken, and %" PRIu64 " before",
                   state->progress.snapshots, picture->snaps);
}
