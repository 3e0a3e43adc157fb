#include "nodes/core/raft/sweep.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/job_id.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

/* A value that an entry after the checkpoint on disk names, or that the state named until one. */
struct logged {
    log_index_t index; /* the last such entry */
    uint64_t bytes;
    bool pinned; /* it was released while a snapshot needed it */
};

bool sweep_names(const struct raft *raft, struct value_id id)
{
    return job_id_has_term(id.job) ? raft->machine->names(raft->state, id)
                                   : raft->owner->names(raft->node, id);
}

/* --- what the log names --- */

static struct map_key key_of(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

static bool is_pinned(const struct raft *raft, const struct logged *logged)
{
    return logged->pinned && raft->step->now_us < raft->sweep.pinned_until_us && !raft->full;
}

bool sweep_keeps(const struct raft *raft, struct value_id id)
{
    const struct logged *logged = map_get(&raft->sweep.logged, key_of(id));
    bool in_log = logged && logged->index > raft->log.saved && !MUTANT(log_not_kept);
    return in_log || (logged && is_pinned(raft, logged)) || sweep_names(raft, id);
}

/* What is noted of the value; at first nothing. */
static struct logged *logged_of(struct raft *raft, struct value_id id)
{
    struct logged *logged = map_get(&raft->sweep.logged, key_of(id));
    if (!logged) {
        logged = mem_new(1, sizeof *logged);
        map_put(&raft->sweep.logged, key_of(id), logged);
    }
    return logged;
}

/* Returns what this entry adds: what it was noted for already counts once. */
static uint64_t note(struct raft *raft, log_index_t index, struct value_id id, uint64_t bytes)
{
    struct logged *logged = logged_of(raft, id);
    /* An entry that was cut off may have been noted: what it named stays a little longer. */
    uint64_t more = logged->index < index ? bytes : 0;
    if (more)
        logged->index = index;
    logged->bytes = bytes;
    return more;
}

/* An entry whose values are noted. */
struct noted {
    struct raft *raft;
    log_index_t index;
    uint64_t bytes;
};

static void note_value(void *context, node_id_t source, struct value_id id, uint64_t len,
                       struct slice hash)
{
    struct noted *noted = context;
    (void)source;
    (void)hash;
    noted->bytes += note(noted->raft, noted->index, id, len);
}

uint64_t sweep_note(struct raft *raft, log_index_t index, const struct message *entry)
{
    struct noted noted = {raft, index, 0};
    raft->machine->values(entry, note_value, &noted);
    return noted.bytes;
}

void sweep_released(struct raft *raft, log_index_t index)
{
    struct value_id id;
    uint64_t bytes;
    while (raft->machine->released(raft->state, &id, &bytes)) {
        if (!MUTANT(saved_not_kept))
            note(raft, index, id, bytes);
        if (raft->step->now_us < raft->sweep.pinned_until_us)
            logged_of(raft, id)->pinned = true;
    }
}

static void forget(struct raft *raft, struct value_id *ids, size_t n)
{
    if (!n)
        return;
    struct output *output = outbox_add(&raft->step->out, OUTPUT_FORGET);
    output->forget.ids = ids;
    output->forget.n = n;
}

/* Takes out what the checkpoint on disk covers, and returns its keys; caller frees them. */
static struct map_key *take_covered(struct raft *raft, size_t *n)
{
    struct map *map = &raft->sweep.logged;
    struct map_key *covered = mem_new(map->count + 1, sizeof *covered), key;
    const struct logged *logged;
    *n = 0;
    for (size_t at = 0; (logged = map_next(map, &at, &key));)
        if (logged->index <= raft->log.saved && !is_pinned(raft, logged))
            covered[(*n)++] = key;
    for (size_t i = 0; i < *n; i++)
        free(map_remove(map, covered[i]));
    return covered;
}

void sweep_saved(struct raft *raft)
{
    size_t n, n_useless = 0;
    struct map_key *covered = take_covered(raft, &n);
    struct value_id *useless = n ? arena_new(&raft->step->out.arena, n * sizeof *useless) : NULL;
    for (size_t i = 0; i < n; i++) {
        struct value_id id = {covered[i].a, covered[i].b};
        if (!sweep_names(raft, id) && !MUTANT(values_never_collected))
            useless[n_useless++] = id;
    }
    forget(raft, useless, n_useless);
    free(covered);
}

uint64_t sweep_held_bytes(const struct raft *raft)
{
    const struct logged *logged;
    struct map_key key;
    uint64_t bytes = 0;
    for (size_t at = 0; (logged = map_next(&raft->sweep.logged, &at, &key));)
        if (logged->index > raft->log.saved && !sweep_names(raft, (struct value_id){key.a, key.b}))
            bytes += logged->bytes;
    return bytes;
}

void sweep_clear(struct raft *raft)
{
    struct logged *logged;
    for (size_t at = 0; (logged = map_next(&raft->sweep.logged, &at, NULL));)
        free(logged);
    map_clear(&raft->sweep.logged);
}

/* --- what snapshots name --- */

void sweep_pin(struct raft *raft)
{
    uint64_t pin_us = raft->step->config.snapshot_pin_us;
    raft->sweep.pinned_until_us = raft->step->now_us + (pin_us ? pin_us : SNAPSHOT_PIN_US);
}

static void end_pins(struct raft *raft)
{
    struct sweep *sweep = &raft->sweep;
    if (!sweep->pinned_until_us || raft->step->now_us < sweep->pinned_until_us)
        return;
    sweep->pinned_until_us = 0;
    sweep_saved(raft);
}

/* --- sweeping --- */

void sweep_all(struct raft *raft)
{
    raft->sweep.all = true;
}

void sweep_job(struct raft *raft, job_id_t job)
{
    struct sweep *sweep = &raft->sweep;
    if (sweep->n_jobs == SWEEP_JOBS_MAX)
        sweep->all = true;
    else
        sweep->jobs[sweep->n_jobs++] = job;
}

static void list(struct raft *raft)
{
    struct sweep *sweep = &raft->sweep;
    sweep->asked_us = raft->step->now_us;
    struct output *output = outbox_add(&raft->step->out, OUTPUT_LIST);
    output->list.job = sweep->job;
    output->list.after = sweep->after;
}

void sweep_listed(struct raft *raft, const struct value_id *ids, size_t n, bool end)
{
    struct sweep *sweep = &raft->sweep;
    struct value_id *useless = n ? arena_new(&raft->step->out.arena, n * sizeof *useless) : NULL;
    size_t n_useless = 0;
    for (size_t i = 0; i < n; i++)
        if (!sweep_keeps(raft, ids[i]) && !MUTANT(values_never_collected))
            useless[n_useless++] = ids[i];
    forget(raft, useless, n_useless);
    sweep->listing = !end && n;
    if (!sweep->listing)
        return;
    sweep->after = ids[n - 1];
    list(raft);
}

uint64_t sweep_every_us(const struct raft *raft)
{
    return raft->step->config.sweep_every_us ? raft->step->config.sweep_every_us : SWEEP_EVERY_US;
}

uint64_t sweep_deadline(const struct raft *raft)
{
    const struct sweep *sweep = &raft->sweep;
    uint64_t at = sweep->listing ? sweep->asked_us + VALUE_WAIT_US : sweep->next_us;
    return sweep->pinned_until_us && sweep->pinned_until_us < at ? sweep->pinned_until_us : at;
}

void sweep_pump(struct raft *raft)
{
    struct sweep *sweep = &raft->sweep;
    end_pins(raft);
    if (sweep->listing && raft->step->now_us < sweep->asked_us + VALUE_WAIT_US)
        return;
    sweep->listing = false; /* the answer may still come, and is taken in then */
    if (raft->step->now_us >= sweep->next_us) {
        sweep->next_us = raft->step->now_us + sweep_every_us(raft);
        sweep->all = true;
    }
    if (!sweep->all && !sweep->n_jobs)
        return;
    sweep->job = sweep->all ? JOB_NONE : sweep->jobs[0];
    sweep->after = (struct value_id){sweep->job, 0};
    if (sweep->all) { /* what a job would sweep is among it */
        sweep->all = false;
        sweep->n_jobs = 0;
    } else {
        memmove(sweep->jobs, sweep->jobs + 1, --sweep->n_jobs * sizeof *sweep->jobs);
    }
    sweep->listing = true;
    list(raft);
}
