#include "tests/harness/tasked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/task_entries.h"

#define ME 1

static void apply(struct tasked *it)
{
    while (it->raft.log.applied < it->raft.log.last && !it->holds) {
        log_index_t index = it->raft.log.applied + 1;
        struct job *job =
            state_apply(&it->state, index, it->step.term, raft_log_waiting(&it->raft, index));
        it->raft.log.applied = index;
        if (job && job_is_finished(job))
            tasks_job_finished(&it->tasks, job);
        else if (job)
            tasks_job_accepted(&it->tasks, job);
        state_check_invariants(&it->state);
    }
}

/* What goes to disk is kept at once. */
static bool keep(struct tasked *it)
{
    struct value_id ids[8];
    size_t n = 0;
    for (size_t i = 0; i < it->step.out.n; i++) {
        const struct output *output = &it->step.out.at[i];
        if (output->kind == OUTPUT_FETCH)
            it->fetched = output->fetch.id;
        if (output->kind == OUTPUT_KEEP && n < 8 && (output->keep.value || !it->far))
            ids[n++] = output->keep.id;
    }
    outbox_end(&it->step.out);
    outbox_begin(&it->step.out);
    for (size_t i = 0; i < n; i++)
        tasks_value_kept(&it->tasks, ids[i]);
    return n > 0;
}

void tasked_pump(struct tasked *it)
{
    do {
        log_index_t applied;
        do {
            applied = it->raft.log.applied;
            tasks_pump(&it->tasks);
            tasks_check_invariants(&it->tasks);
            apply(it);
        } while (applied < it->raft.log.applied);
    } while (keep(it));
}

void tasked_log(struct tasked *it)
{
    it->step.now_us += TASKED_INTERVAL_US;
    tasked_pump(it);
}

static void connect(struct tasked *it, node_id_t id)
{
    struct peer *peer = &it->links.peers[id];
    peer->alive = true;
    peer->heard_us = it->step.now_us;
    peer->links[PLANE_CHANNEL].state = LINK_WELCOMED;
    peer->incarnation = 7;
    channel_open(&peer->channel, 7);
    peer->heartbeat = message_new(MESSAGE_HEARTBEAT);
    peer->heartbeat->as.heartbeat.term = it->step.term;
    peer->heartbeat->as.heartbeat.coordinator = ME;
    it->raft.members.of[id].voter = true;
    memcpy(it->raft.members.of[id].cluster_id, it->step.identity.cluster_id, CLUSTER_ID_BYTES);
}

int tasked_begin(void **context)
{
    struct tasked *it = calloc(1, sizeof *it);
    *context = it;
    it->step = (struct step){.config = {.id = ME,
                                        .n_nodes = TASKED_NODES,
                                        .n_voters = 1,
                                        .heartbeat_us = 60 * SECOND_US,
                                        .checkpoint_interval_us = TASKED_INTERVAL_US,
                                        .poison_deaths = POISON_DEATHS,
                                        .tasks_execute = true,
                                        .log_level = LOG_ERROR},
                             .identity = {.cluster_id = {1}},
                             .now_us = SECOND_US,
                             .term = 3,
                             .coordinator = ME};
    state_init(&it->state, &it->step);
    it->links.step = &it->step;
    it->raft = (struct raft){.step = &it->step,
                             .links = &it->links,
                             .machine = &state_machine,
                             .state = &it->state};
    it->raft.election.role = ROLE_COORDINATOR;
    it->raft.election.serving = it->raft.election.voter = true;
    it->schedule = (struct schedule){.step = &it->step,
                                     .links = &it->links,
                                     .raft = &it->raft,
                                     .state = &it->state};
    it->tasks = (struct tasks){.step = &it->step,
                               .links = &it->links,
                               .raft = &it->raft,
                               .state = &it->state,
                               .schedule = &it->schedule};
    for (node_id_t id = 2; id <= TASKED_NODES; id++)
        connect(it, id);
    outbox_begin(&it->step.out);
    tasks_start(&it->tasks);
    return 0;
}

int tasked_end(void **context)
{
    struct tasked *it = *context;
    tasks_clear(&it->tasks);
    raft_clear(&it->raft);
    state_clear(&it->state);
    links_clear(&it->links);
    outbox_end(&it->step.out);
    outbox_destroy(&it->step.out);
    free(it);
    return 0;
}

struct task_job *tasked_submit(struct tasked *it, const char *key, uint64_t n,
                               const struct wire_task_options *options)
{
    raft_log_propose(&it->raft, task_entry_submitted(key, n, options, JOB_NONE));
    apply(it);
    tasked_pump(it);
    struct job *job = jobs_find_key(&it->state.jobs, slice_of(key));
    assert_non_null(job);
    return task_jobs_find(&it->state.task_jobs, job->id);
}

void tasked_tell(struct tasked *it, node_id_t from, const struct wire_task_hand *running)
{
    struct message *message = message_new(MESSAGE_TASKS_HELD);
    struct wire_tasks_held *held = &message->as.tasks_held;
    held->term = it->step.term;
    held->running.n = running != NULL;
    held->running.at = message_room(message, 1, sizeof *held->running.at);
    if (running)
        held->running.at[0] = *running;
    tasks_held(&it->tasks, from, message);
    message_drop(&message);
    tasked_pump(it);
}

bool tasked_given(struct tasked *it, node_id_t id, struct wire_task_hand *hand)
{
    struct channel *channel = &it->links.peers[id].channel;
    for (size_t i = 0; i < channel->queue.n; i++) {
        struct channel_entry *entry = ring_at(&channel->queue, i);
        struct wire_tasks_given *given = &entry->message->as.tasks_given;
        if (entry->message->type != MESSAGE_TASKS_GIVEN || !given->hands.n)
            continue;
        *hand = given->hands.at[0];
        given->hands.at++;
        given->hands.n--;
        return true;
    }
    return false;
}

void tasked_ended(struct tasked *it, node_id_t from, const struct wire_task_hand *hand,
                  const struct wire_task_outcome *like)
{
    struct message *message = message_new(MESSAGE_TASKS_ENDED);
    struct wire_tasks_ended *ended = &message->as.tasks_ended;
    ended->job = hand->job;
    ended->outcomes.n = 1;
    ended->outcomes.at = message_room(message, 1, sizeof *ended->outcomes.at);
    if (like)
        ended->outcomes.at[0] = *like;
    ended->outcomes.at[0].first = hand->first;
    ended->outcomes.at[0].count = hand->count;
    ended->outcomes.at[0].hand = hand->hand;
    ended->outcomes.at[0].attempt = hand->attempt;
    tasks_ended(&it->tasks, from, message);
    message_drop(&message);
    tasked_pump(it);
}

struct wire_task_counts tasked_counts(const struct tasked *it, const struct task_job *job)
{
    struct wire_task_counts counts;
    tasks_count(&it->tasks, job, &counts);
    return counts;
}

void tasked_next_term(struct tasked *it)
{
    tasks_stop(&it->tasks);
    it->step.term++;
    for (node_id_t id = 2; id <= TASKED_NODES; id++)
        it->links.peers[id].heartbeat->as.heartbeat.term = it->step.term;
    tasks_start(&it->tasks);
    tasked_pump(it);
}

void tasked_tell_both(struct tasked *it)
{
    tasked_tell(it, 2, NULL);
    tasked_tell(it, 3, NULL);
}

uint64_t tasked_work(struct tasked *it, const struct wire_task_outcome *like)
{
    struct wire_task_hand hand;
    uint64_t n = 0;
    for (node_id_t id = 2; id <= TASKED_NODES; id++)
        while (tasked_given(it, id, &hand)) {
            tasked_ended(it, id, &hand, like);
            n += hand.count;
        }
    return n;
}

void tasked_die(struct tasked *it, node_id_t id)
{
    it->links.peers[id].alive = false;
    tasks_worker_lost(&it->tasks, id, true);
    tasked_pump(it);
    it->links.peers[id].alive = true;
    tasks_worker_met(&it->tasks, id);
    tasked_tell(it, id, NULL);
}
