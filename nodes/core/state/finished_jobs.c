/* The finished jobs in the order in which they are forgotten: a binary heap, so that finishing and
 * forgetting cost the same however many are remembered, and the order is the same from whatever
 * checkpoint they were loaded. First those that leave by hand, then by the entry that ended them,
 * then by id: that was the order before entries were noted, when all have 0. */
#include <assert.h>
#include <stdlib.h>

#include "nodes/core/state/jobs_internal.h"
#include "nodes/core/step/step.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

uint64_t job_result_bytes(const struct job *job)
{
    return (job->state == JOB_DONE ? job->digits : 0) + job->task_bytes;
}

/* Also of a job that has ended: the parts of a checkpoint come one after another. */
void jobs_add_task_bytes(struct jobs *jobs, struct job *job, uint64_t bytes)
{
    job->task_bytes += bytes;
    if (job->account)
        job->account->bytes += bytes;
    if (job_is_finished(job))
        jobs->finished.bytes += bytes;
}

static bool goes_before(const struct job *one, const struct job *other)
{
    if (one->leaves != other->leaves)
        return one->leaves;
    if (one->ended != other->ended)
        return one->ended < other->ended;
    return one->id < other->id;
}

static void put(struct finished_jobs *finished, size_t at, struct job *job)
{
    finished->at[at] = job;
    job->rank = at;
}

static void rise(struct finished_jobs *finished, struct job *job)
{
    size_t at = job->rank;
    for (size_t above; at && goes_before(job, finished->at[above = (at - 1) / 2]); at = above)
        put(finished, at, finished->at[above]);
    put(finished, at, job);
}

static void sink(struct finished_jobs *finished, struct job *job)
{
    size_t at = job->rank;
    for (size_t below; (below = 2 * at + 1) < finished->n; at = below) {
        if (below + 1 < finished->n && goes_before(finished->at[below + 1], finished->at[below]))
            below++;
        if (!goes_before(finished->at[below], job))
            break;
        put(finished, at, finished->at[below]);
    }
    put(finished, at, job);
}

void finished_jobs_add(struct finished_jobs *finished, struct job *job)
{
    if (finished->n == finished->size) {
        finished->size = finished->size ? finished->size * 2 : 16;
        finished->at = mem_grow(finished->at, finished->size, sizeof *finished->at);
    }
    put(finished, finished->n++, job);
    rise(finished, job);
    finished->bytes += job_result_bytes(job);
}

void finished_jobs_remove(struct finished_jobs *finished, struct job *job)
{
    struct job *last = finished->at[--finished->n];
    if (last != job) {
        put(finished, job->rank, last);
        rise(finished, last);
        sink(finished, last);
    }
    finished->bytes -= job_result_bytes(job);
    finished->leaving -= job->leaves;
    finished->leaving_bytes -= job->leaves ? job_result_bytes(job) : 0;
}

void finished_jobs_clear(struct finished_jobs *finished)
{
    free(finished->at);
    *finished = (struct finished_jobs){0};
}

void jobs_ended(struct jobs *jobs, struct job *job, log_index_t index)
{
    job->ended = index;
    sink(&jobs->finished, job);
}

void jobs_leave(struct jobs *jobs, struct job *job)
{
    if (job->leaves)
        return;
    job->leaves = true;
    jobs->finished.leaving++;
    jobs->finished.leaving_bytes += job_result_bytes(job);
    rise(&jobs->finished, job);
}

bool jobs_are_beyond(const struct jobs *jobs, size_t kept_max, uint64_t bytes_max)
{
    const struct finished_jobs *finished = &jobs->finished;
    if (MUTANT(forgets_newest) && finished->bytes > bytes_max)
        return true;
    return finished->n > 1 && (finished->n > kept_max || finished->bytes > bytes_max);
}

void finished_jobs_check_invariants(const struct jobs *jobs)
{
    const struct finished_jobs *finished = &jobs->finished;
    uint64_t bytes = 0;
    assert(finished->n == jobs->n - jobs->open && finished->n <= finished->size);
    assert(!finished->leaving && !finished->leaving_bytes);
    for (size_t i = 0; i < finished->n; i++) {
        const struct job *job = finished->at[i];
        assert(job->rank == i && job_is_finished(job) && !job->leaves);
        assert(!i || !goes_before(job, finished->at[(i - 1) / 2]));
        assert(jobs_find(jobs, job->id) == job);
        bytes += job_result_bytes(job);
    }
    assert(finished->bytes == bytes);
}
