#include "tests/harness/task_entries.h"

#include <assert.h>
#include <inttypes.h>

#include "shared/base/job_id.h"
#include "shared/base/text.h"

struct message *task_entry_submitted(const char *key, uint64_t n,
                                     const struct wire_task_options *options, job_id_t parent)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    struct wire_entry_job_submitted *submitted = &entry->as.entry_job_submitted;
    struct text spec = {0};
    text_add(&spec, "%" PRIu64, n);
    *submitted = (struct wire_entry_job_submitted){.key = message_text(entry, key),
                                                   .kind = message_text(entry, "empty"),
                                                   .spec = message_text(entry, spec.at),
                                                   .time_ms = 1000,
                                                   .parent = parent};
    if (!options)
        return entry;
    submitted->tasks.n = 1;
    submitted->tasks.at = message_room(entry, 1, sizeof *submitted->tasks.at);
    submitted->tasks.at[0] = *options;
    return entry;
}

struct message *task_entry_ended(job_id_t job, struct range tasks, const char *state, uint64_t exit)
{
    struct message *entry = message_new(MESSAGE_ENTRY_TASKS_DONE);
    struct wire_entry_tasks_done *ended = &entry->as.entry_tasks_done;
    ended->job = job;
    ended->time_ms = 2000;
    ended->attempts = tasks.count;
    if (slice_equals(slice_of("done"), state)) {
        ended->done.n = 1;
        ended->done.at = message_room(entry, 1, sizeof *ended->done.at);
        ended->done.at[0] = (struct wire_task_range){tasks.first, tasks.count};
        return entry;
    }
    ended->exceptions.n = 1;
    ended->exceptions.at = message_room(entry, 1, sizeof *ended->exceptions.at);
    ended->exceptions.at[0] = (struct wire_task_exception){.first = tasks.first,
                                                           .count = tasks.count,
                                                           .state = message_text(entry, state),
                                                           .attempts = 1,
                                                           .exit = exit,
                                                           .node = 2};
    return entry;
}

void task_entry_name(struct message *entry, op_id_t op, uint64_t len)
{
    static const uint8_t hash[HASH_BYTES] = {7, 7, 7};
    struct wire_entry_tasks_done *ended = &entry->as.entry_tasks_done;
    ended->segments.n = 1;
    ended->segments.at = message_room(entry, 1, sizeof *ended->segments.at);
    ended->segments.at[0] =
        (struct wire_task_segment){.op = op,
                                   .len = len,
                                   .hash = message_copy(entry, (struct slice){hash, HASH_BYTES}),
                                   .first = 1,
                                   .last = 9};
}

void task_entry_leave(struct message *entry, op_id_t op, uint64_t len)
{
    struct wire_entry_tasks_done *ended = &entry->as.entry_tasks_done;
    uint64_t pieces = (len + BUNDLE_PIECE_BYTES - 1) / BUNDLE_PIECE_BYTES;
    uint8_t *hashes = message_room(entry, (size_t)pieces, HASH_BYTES);
    for (uint64_t i = 0; i < pieces; i++)
        hashes[i * HASH_BYTES] = (uint8_t)(op + i);
    if (!ended->bundles.at)
        ended->bundles.at = message_room(entry, BUNDLES_MAX, sizeof *ended->bundles.at);
    ended->bundles.at[ended->bundles.n++] =
        (struct wire_task_bundle){op, len, {hashes, (size_t)pieces * HASH_BYTES}};
}

struct message *task_entry_started(job_id_t job, struct range tasks, node_id_t node,
                                   incarnation_t incarnation)
{
    struct message *entry = message_new(MESSAGE_ENTRY_TASKS_STARTED);
    struct wire_entry_tasks_started *started = &entry->as.entry_tasks_started;
    started->job = job;
    started->starts.n = 1;
    started->starts.at = message_room(entry, 1, sizeof *started->starts.at);
    started->starts.at[0] = (struct wire_task_start){tasks.first, tasks.count, node, incarnation};
    return entry;
}

struct job *task_entry_apply(struct state *state, term_t term, struct message *entry)
{
    assert(state_entry_is_valid(entry));
    struct job *job = state_apply(state, state->applied + 1, term, entry);
    message_drop(&entry);
    state_check_invariants(state);
    return job;
}

void task_entries_fill(struct state *state, term_t term)
{
    struct wire_task_options options = {.retries = 2,
                                        .retry_delay_ms = 10,
                                        .time_limit_ms = 500,
                                        .max_fails = 40,
                                        .max_fails_percent = 50,
                                        .slots = 3};
    struct message *entry = task_entry_submitted("tasks-first", 5, NULL, JOB_NONE);
    job_id_t first = task_entry_apply(state, term, entry)->id;
    task_entry_apply(state, term, task_entry_ended(first, (struct range){1, 3}, "done", 0));
    task_entry_apply(state, term, task_entry_ended(first, (struct range){4, 2}, "failed", 1));
    entry = task_entry_submitted("tasks-again", 5, &options, first);
    job_id_t again = task_entry_apply(state, term, entry)->id;
    entry = task_entry_ended(again, (struct range){4, 1}, "failed", 3);
    entry->as.entry_tasks_done.exceptions.at[0].signal = 9;
    entry->as.entry_tasks_done.exceptions.at[0].reason = slice_of("time limit");
    entry->as.entry_tasks_done.retries = 2;
    entry->as.entry_tasks_done.deaths = 1;
    entry->as.entry_tasks_done.copies = 1;
    task_entry_name(entry, 77, 1234);
    task_entry_leave(entry, (op_id_t)1 << 61, BUNDLE_PIECE_BYTES + 5);
    task_entry_apply(state, term, entry);
    options = (struct wire_task_options){.at_most_once = true, .bundles = true, .speculate = true};
    entry = task_entry_submitted("tasks-once", 1000, &options, JOB_NONE);
    job_id_t once = task_entry_apply(state, term, entry)->id;
    task_entry_apply(state, term, task_entry_started(once, (struct range){1, 20}, 3, 33));
}
