#include "tests/harness/running.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "shared/base/text.h"
#include "tests/harness/task_entries.h"

void running_apply(struct running *it, struct message *entry)
{
    task_entry_apply(&it->state, TERM, entry);
    it->raft.log.applied = it->state.applied;
}

void running_pump(struct running *it)
{
    runner_pump(&it->runner);
    runner_check_invariants(&it->runner);
}

job_id_t running_store(struct running *it, const char *format, uint64_t len, uint64_t items)
{
    static const uint8_t hash[HASH_BYTES] = {9};
    struct slice sha256 = {hash, sizeof hash};
    struct message *entry = message_new(MESSAGE_ENTRY_VALUE_BEGUN);
    entry->as.entry_value_begun =
        (struct wire_entry_value_begun){.sha256 = message_copy(entry, sha256),
                                        .len = SEGMENTS * len,
                                        .format = message_text(entry, format),
                                        .time_ms = 1};
    running_apply(it, entry);
    job_id_t value = it->state.stored.at[it->state.stored.n - 1]->id;
    for (uint64_t i = 1; i <= SEGMENTS; i++) {
        entry = message_new(MESSAGE_ENTRY_VALUE_SEGMENT);
        entry->as.entry_value_segment =
            (struct wire_entry_value_segment){.value = value,
                                              .segment = i,
                                              .op = stored_op(TERM, i),
                                              .len = len,
                                              .sha256 = message_copy(entry, sha256),
                                              .items = items};
        running_apply(it, entry);
    }
    entry = message_new(MESSAGE_ENTRY_VALUE_WHOLE);
    entry->as.entry_value_whole.value = value;
    running_apply(it, entry);
    return value;
}

void running_submit(struct running *it)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    struct wire_entry_job_submitted *submitted = &entry->as.entry_job_submitted;
    *submitted = (struct wire_entry_job_submitted){.key = message_text(entry, "k"),
                                                   .kind = message_text(entry, "map"),
                                                   .spec = message_text(entry, "99 20 2000"),
                                                   .time_ms = 1000};
    submitted->inputs.n = it->files ? 2 : 1;
    submitted->inputs.at = message_room(entry, 2, sizeof *submitted->inputs.at);
    submitted->inputs.at[0].value = it->value;
    submitted->inputs.at[1].value = it->files;
    running_apply(it, entry);
    assert_int_equal(it->state.task_jobs.n, 1);
    it->job = it->state.task_jobs.at[0]->id;
}

struct running *running_new(node_id_t self, node_id_t coordinator)
{
    struct running *it = calloc(1, sizeof *it);
    it->step.config.id = self;
    it->step.config.n_nodes = it->step.config.n_voters = 3;
    it->step.term = TERM;
    it->step.coordinator = coordinator;
    it->links.step = &it->step;
    state_init(&it->state, &it->step);
    it->raft = (struct raft){.step = &it->step, .state = &it->state, .machine = &state_machine};
    it->runner = (struct runner){.step = &it->step,
                                 .links = &it->links,
                                 .raft = &it->raft,
                                 .state = &it->state};
    outbox_begin(&it->step.out);
    runner_reset(&it->runner, TERM);
    return it;
}

int running_begin(void **context)
{
    struct running *it = running_new(SELF, COORDINATOR);
    it->links.peers[1].alive = it->links.peers[3].alive = true;
    it->value = running_store(it, "tasks", 100, ITEMS);
    *context = it;
    return 0;
}

int running_end(void **context)
{
    struct running *it = *context;
    runner_clear(&it->runner);
    state_clear(&it->state);
    outbox_end(&it->step.out);
    outbox_destroy(&it->step.out);
    free(it);
    return 0;
}

void running_give(struct running *it, job_id_t job, uint64_t first, uint64_t count)
{
    struct message *message = message_new(MESSAGE_TASKS_GIVEN);
    struct wire_tasks_given *given = &message->as.tasks_given;
    given->kind = slice_of("map");
    given->hands.n = 1;
    given->hands.at = message_room(message, 1, sizeof *given->hands.at);
    given->hands.at[0] = (struct wire_task_hand){job, first, first, count, 1, false};
    runner_given(&it->runner, message);
    message_drop(&message);
    running_pump(it);
}

const struct output *running_next(struct running *it, enum output_kind kind)
{
    while (it->seen < it->step.out.n)
        if (it->step.out.at[it->seen++].kind == kind)
            return &it->step.out.at[it->seen - 1];
    return NULL;
}

void running_ends(struct running *it, uint64_t hand, uint64_t task)
{
    struct task_result result = {.job = it->job, .hand = hand, .first = task, .count = 1};
    runner_results(&it->runner, &result, 1);
    running_pump(it);
}
