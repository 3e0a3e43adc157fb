/* Values that a checkpoint on disk names and the state no more: how long they stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/raft/log.h"
#include "nodes/core/raft/sweep.h"
#include "shared/base/job_id.h"
#include "tests/harness/rooms.h"
#include "tests/harness/task_entries.h"

enum { LEN = 100000 }; /* of each value: on disk, and in no entry */

static const uint8_t some_hash[HASH_BYTES] = {1, 2, 3};

static void persist(struct rooms *it)
{
    outbox_end(&it->step.out);
    raft_persisted(&it->raft, it->step.out.seq);
    outbox_begin(&it->step.out);
}

/* Commits and applies the entry; the id of a job, or stored value, that it makes. */
static job_id_t commit(struct rooms *it, struct message *entry)
{
    log_index_t index = raft_log_propose(&it->raft, entry);
    persist(it);
    assert_true(it->raft.log.applied == index);
    return job_id_of(it->step.term, index);
}

static void save_checkpoint(struct rooms *it)
{
    it->raft.log.tidy = true;
    for (log_index_t at = it->raft.log.applied; it->raft.log.checkpoint < at;) {
        raft_log_compact(&it->raft);
        state_pump(&it->state);
    }
    persist(it);
    assert_true(it->raft.log.saved == it->raft.log.applied);
}

static struct message *submitted(const char *kind, const char *spec)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    entry->as.entry_job_submitted =
        (struct wire_entry_job_submitted){.key = message_text(entry, kind),
                                          .kind = message_text(entry, kind),
                                          .spec = message_text(entry, spec)};
    return entry;
}

static struct message *op_done(enum message_type type, job_id_t job, op_id_t op)
{
    struct message *entry = message_new(type);
    struct slice hash = message_copy(entry, (struct slice){some_hash, HASH_BYTES});
    if (type == MESSAGE_ENTRY_JOB_DONE) {
        entry->as.entry_job_done.digits = LEN;
        entry->as.entry_job_done.sha256 = hash;
        entry->as.entry_job_done.head = message_text(entry, "1");
        entry->as.entry_job_done.tail = message_text(entry, "1");
    }
    entry->as.done.job = job;
    entry->as.done.ops.n = 1;
    entry->as.done.ops.at = message_room(entry, 1, sizeof *entry->as.done.ops.at);
    entry->as.done.ops.at[0] =
        (struct wire_done_op){.op = op, .node = PEER, .attempt = 1, .len = LEN, .hash = hash};
    return entry;
}

static struct message *forgotten(job_id_t job)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOBS_FORGOTTEN);
    entry->as.entry_jobs_forgotten.jobs.n = 1;
    entry->as.entry_jobs_forgotten.jobs.at = message_room(entry, 1, sizeof(struct wire_job_ref));
    entry->as.entry_jobs_forgotten.jobs.at[0].job = job;
    return entry;
}

/* The entries that release a value, in the midst of a job or at some end; returns the last, which
 * is not committed. Those before have made the state name it. */
static struct message *used_up(struct rooms *it, const char *kind, const char *spec,
                               struct value_id *id)
{
    job_id_t job = commit(it, submitted(kind, spec));
    const struct plan *plan = &jobs_find(&it->state.jobs, job)->plan;
    op_id_t consumers[CONSUMERS_MAX];
    *id = (struct value_id){job, 1};
    commit(it, op_done(MESSAGE_ENTRY_OPS_DONE, job, 1));
    size_t n = plan_consumers(plan, 1, consumers);
    assert_true(n && plan_shares(plan) == (strcmp(kind, "pi") == 0));
    for (size_t i = 1; i < n; i++)
        commit(it, op_done(MESSAGE_ENTRY_OPS_DONE, job, consumers[i]));
    return op_done(MESSAGE_ENTRY_OPS_DONE, job, consumers[0]);
}

static struct message *used_up_in_a_tree(struct rooms *it, struct value_id *id)
{
    return used_up(it, "factorial", "40", id);
}

static struct message *used_up_by_several(struct rooms *it, struct value_id *id)
{
    return used_up(it, "pi", "1000", id);
}

static struct message *of_a_cancelled_job(struct rooms *it, struct value_id *id)
{
    job_id_t job = commit(it, submitted("factorial", "40"));
    *id = (struct value_id){job, 1};
    commit(it, op_done(MESSAGE_ENTRY_OPS_DONE, job, 1));
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_CANCELLED);
    entry->as.entry_job_cancelled.job = job;
    return entry;
}

static struct message *result_of_a_forgotten_job(struct rooms *it, struct value_id *id)
{
    job_id_t job = commit(it, submitted("factorial", "40"));
    *id = (struct value_id){job, job_text_op(jobs_find(&it->state.jobs, job))};
    commit(it, op_done(MESSAGE_ENTRY_JOB_DONE, job, id->op));
    return forgotten(job);
}

static struct message *details_of_forgotten_tasks(struct rooms *it, struct value_id *id)
{
    job_id_t job = commit(it, task_entry_submitted("tasks", 9, NULL, JOB_NONE));
    struct message *ended = task_entry_ended(job, (struct range){1, 9}, "done", 0);
    *id = (struct value_id){job, 5};
    task_entry_name(ended, id->op, LEN);
    commit(it, ended);
    return forgotten(job);
}

static struct message *segment_of_a_dropped_value(struct rooms *it, struct value_id *id)
{
    struct message *entry = message_new(MESSAGE_ENTRY_VALUE_BEGUN);
    struct slice hash = message_copy(entry, (struct slice){some_hash, HASH_BYTES});
    entry->as.entry_value_begun =
        (struct wire_entry_value_begun){.sha256 = hash,
                                        .len = LEN,
                                        .format = message_text(entry, "bytes")};
    *id = (struct value_id){commit(it, entry), stored_op(it->step.term, 1)};
    entry = message_new(MESSAGE_ENTRY_VALUE_SEGMENT);
    hash = message_copy(entry, (struct slice){some_hash, HASH_BYTES});
    entry->as.entry_value_segment = (struct wire_entry_value_segment){
        .value = id->job, .segment = 1, .op = id->op, .len = LEN, .sha256 = hash};
    commit(it, entry);
    entry = message_new(MESSAGE_ENTRY_VALUE_WHOLE);
    entry->as.entry_value_whole.value = id->job;
    commit(it, entry);
    entry = message_new(MESSAGE_ENTRY_VALUE_DROPPED);
    entry->as.entry_value_dropped.values.n = 1;
    entry->as.entry_value_dropped.values.at =
        message_room(entry, 1, sizeof *entry->as.entry_value_dropped.values.at);
    entry->as.entry_value_dropped.values.at[0].value = id->job;
    return entry;
}

static bool is_forgotten(struct rooms *it, struct value_id id)
{
    for (size_t i = 0; i < it->step.out.n; i++)
        for (size_t k = 0;
             it->step.out.at[i].kind == OUTPUT_FORGET && k < it->step.out.at[i].forget.n; k++)
            if (it->step.out.at[i].forget.ids[k].job == id.job &&
                it->step.out.at[i].forget.ids[k].op == id.op)
                return true;
    return false;
}

/* A node that starts has the state of its checkpoint, and needs what that names. `between`: another
 * checkpoint covers the entries that name the value before they release it, or none does. */
static void stays_until_saved(struct message *(*make)(struct rooms *, struct value_id *),
                              bool between)
{
    struct rooms *it = rooms_new(1);
    struct value_id id;
    rooms_elect_alone(it);
    persist(it);
    rooms_drop_facts(it);
    struct message *last = make(it, &id);
    assert_true(sweep_names(&it->raft, id));
    if (between)
        save_checkpoint(it);
    commit(it, last);
    assert_false(sweep_names(&it->raft, id));
    assert_true(sweep_keeps(&it->raft, id));
    sweep_listed(&it->raft, &id, 1, true);
    assert_false(is_forgotten(it, id));
    assert_in_range(sweep_held_bytes(&it->raft), LEN, UINT64_MAX);
    it->raft.log.tidy = true;
    while (!it->raft.log.saving) {
        raft_log_compact(&it->raft);
        state_pump(&it->state);
    }
    assert_true(sweep_keeps(&it->raft, id)); /* it is not on disk yet */
    outbox_end(&it->step.out);
    raft_persisted(&it->raft, it->step.out.seq);
    assert_false(sweep_keeps(&it->raft, id));
    assert_true(is_forgotten(it, id));
    raft_check_invariants(&it->raft);
    state_check_invariants(&it->state);
    rooms_free(it);
}

static void what_the_checkpoint_on_disk_names_stays_until_the_next_W4(void **state)
{
    static struct message *(*const all[])(struct rooms *, struct value_id *) = {
        used_up_in_a_tree,         used_up_by_several,         of_a_cancelled_job,
        result_of_a_forgotten_job, details_of_forgotten_tasks, segment_of_a_dropped_value,
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        stays_until_saved(all[i], true);
        stays_until_saved(all[i], false);
    }
}

/* What was released before the cut is in no snapshot. */
static void what_is_released_after_a_cut_stays_for_its_export_S15(void **state)
{
    (void)state;
    struct rooms *it = rooms_new(1);
    struct value_id before, after;
    rooms_elect_alone(it);
    persist(it);
    rooms_drop_facts(it);
    commit(it, used_up_in_a_tree(it, &before));
    struct message *last = used_up_by_several(it, &after);
    sweep_pin(&it->raft);
    commit(it, last);
    save_checkpoint(it);
    assert_false(sweep_keeps(&it->raft, before));
    assert_true(sweep_keeps(&it->raft, after));
    assert_false(sweep_names(&it->raft, after));
    assert_int_equal(sweep_held_bytes(&it->raft), 0); /* a checkpoint would not free it */
    it->step.now_us += SNAPSHOT_PIN_US - 1;
    sweep_pin(&it->raft); /* it is being read */
    it->step.now_us += SNAPSHOT_PIN_US - 1;
    sweep_pump(&it->raft);
    assert_true(sweep_keeps(&it->raft, after));
    assert_false(is_forgotten(it, after));
    it->raft.full = true; /* room goes first */
    assert_false(sweep_keeps(&it->raft, after));
    it->raft.full = false;
    it->step.now_us++;
    sweep_pump(&it->raft);
    assert_false(sweep_keeps(&it->raft, after));
    assert_true(is_forgotten(it, after));
    rooms_free(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_checkpoint_on_disk_names_stays_until_the_next_W4),
        cmocka_unit_test(what_is_released_after_a_cut_stays_for_its_export_S15),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
