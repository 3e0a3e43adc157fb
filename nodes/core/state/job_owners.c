#include "nodes/core/state/job_owners.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/state/jobs.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

/* The first one whose name is not before that. */
static size_t place_of(const struct job_owners *owners, const char *name)
{
    size_t low = 0, high = owners->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(owners->at[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct job_owner *find(const struct job_owners *owners, const char *name)
{
    size_t at = place_of(owners, name);
    return at < owners->n && !strcmp(owners->at[at]->name, name) ? owners->at[at] : NULL;
}

const struct job_owner *job_owners_find(const struct job_owners *owners, const char *name)
{
    return find(owners, name);
}

size_t job_owners_after(const struct job_owners *owners, const char *name)
{
    size_t at = place_of(owners, name);
    return at + (at < owners->n && !strcmp(owners->at[at]->name, name));
}

static struct job_owner *add(struct job_owners *owners, const char *name)
{
    size_t at = place_of(owners, name);
    if (owners->n == owners->size) {
        owners->size = owners->size ? owners->size * 2 : 16;
        owners->at = mem_grow(owners->at, owners->size, sizeof *owners->at);
    }
    memmove(&owners->at[at + 1], &owners->at[at], (owners->n++ - at) * sizeof *owners->at);
    owners->at[at] = mem_new(1, sizeof **owners->at);
    text_copy(owners->at[at]->name, sizeof owners->at[at]->name, slice_of(name));
    return owners->at[at];
}

void job_owners_open(struct job_owners *owners, struct job *job)
{
    if (!*job->owner)
        return;
    struct job_owner *owner = find(owners, job->owner);
    job->account = owner ? owner : add(owners, job->owner);
    job->account->jobs++;
    job->account->open++;
}

void job_owners_end(const struct job *job)
{
    if (!job->account)
        return;
    if (!(MUTANT(cancelled_stays_counted) && job->state == JOB_CANCELLED))
        job->account->open--;
    job->account->bytes += job_result_bytes(job) - job->task_bytes; /* those count as they come */
}

/* Who has nothing any more goes. */
static void drop_empty(struct job_owners *owners, struct job_owner *owner)
{
    if (owner->jobs || owner->values)
        return;
    size_t at = place_of(owners, owner->name);
    memmove(&owners->at[at], &owners->at[at + 1], (--owners->n - at) * sizeof *owners->at);
    free(owner);
}

void job_owners_forget(struct job_owners *owners, struct job *job)
{
    struct job_owner *owner = job->account;
    job->account = NULL;
    if (!owner)
        return;
    owner->bytes -= job_result_bytes(job);
    owner->jobs--;
    drop_empty(owners, owner);
}

void job_owners_add_value(struct job_owners *owners, const char *name, uint64_t bytes)
{
    if (!*name)
        return;
    struct job_owner *owner = find(owners, name);
    owner = owner ? owner : add(owners, name);
    owner->values++;
    owner->value_bytes += bytes;
}

void job_owners_drop_value(struct job_owners *owners, const char *name, uint64_t bytes)
{
    struct job_owner *owner = *name ? find(owners, name) : NULL;
    if (!owner)
        return;
    owner->values--;
    owner->value_bytes -= bytes;
    drop_empty(owners, owner);
}

void job_owners_clear(struct job_owners *owners)
{
    for (size_t i = 0; i < owners->n; i++)
        free(owners->at[i]);
    free(owners->at);
    *owners = (struct job_owners){0};
}

void job_owners_check_invariants(const struct jobs *jobs)
{
    const struct job_owners *owners = &jobs->owners;
    struct job_owner *counted = mem_new(owners->n + 1, sizeof *counted);
    for (size_t i = 0; i < jobs->n; i++) {
        const struct job *job = jobs->at[i];
        assert(!*job->owner == !job->account);
        if (!job->account)
            continue;
        size_t at = place_of(owners, job->owner);
        assert(at < owners->n && owners->at[at] == job->account);
        counted[at].jobs++;
        counted[at].open += !job_is_finished(job);
        counted[at].bytes += job_result_bytes(job);
    }
    for (size_t i = 0; i < owners->n; i++) {
        const struct job_owner *owner = owners->at[i];
        assert(!i || strcmp(owners->at[i - 1]->name, owner->name) < 0);
        assert((owner->jobs || owner->values) && owner->jobs == counted[i].jobs);
        assert(owner->open == counted[i].open);
        assert(owner->bytes == counted[i].bytes);
    }
    free(counted);
}
