#include "nodes/core/node.h"

#include <stddef.h>
#include <stdlib.h>

#include "nodes/core/schedule/schedule.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/service/service.h"
#include "nodes/core/state/state.h"
#include "nodes/core/ledger/ledger.h"
#include "nodes/core/link/link.h"
#include "nodes/core/step/step.h"
#include "nodes/core/rooms.h"
#include "nodes/core/uploads/uploads.h"
#include "nodes/core/worker/worker.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"

/* --- the rooms --- */

/* In this order time passes in them, and then each does what is due: what was heard; what there is
 * to do, and what of it is finished; what of that is logged and replicated; then those who wait for
 * what the log says. Behind that leaves what all have queued, with links_send(), and the heartbeat.
 *
 * Each has ROOM_tick(), ROOM_pump(), ROOM_deadline() (when it has something to do that no event
 * brings about), ROOM_clear() and ROOM_check_invariants(). */
#define ROOMS(X)           \
    X(links, links)        \
    X(schedule, schedule)  \
    X(tasks, tasks)        \
    X(worker, worker)      \
    X(uploads, uploads)    \
    X(runner, runner)      \
    X(state, state)        \
    X(raft, raft)          \
    X(ledger, ledger)      \
    X(snapshot, snapshots) \
    X(service, service)

/* Who uses whom, and whose state snapshots record, in the order of their parts. */
static void connect(struct node *node)
{
    struct step *step = &node->step;
    struct links *links = &node->links;
    struct raft *raft = &node->raft;
    struct state *state = &node->state;
    node->links = (struct links){.step = step};
    node->raft = (struct raft){.step = step, .links = links};
    node->worker = (struct worker){.step = step, .links = links, .raft = raft, .state = state};
    node->schedule = (struct schedule){.step = step, .links = links, .raft = raft, .state = state};
    node->uploads = (struct uploads){.step = step, .raft = raft, .state = state};
    node->runner = (struct runner){.step = step, .links = links, .raft = raft, .state = state};
    node->tasks = (struct tasks){
        .step = step, .links = links, .raft = raft, .state = state, .schedule = &node->schedule};
    node->ledger = (struct ledger){.step = step, .links = links, .raft = raft};
    node->snapshots = (struct snapshots){.step = step, .links = links, .raft = raft};
    snapshot_join(&node->snapshots, &ledger_participant, &node->ledger);
    snapshot_join(&node->snapshots, &worker_participant, &node->worker);
    snapshot_join(&node->snapshots, &schedule_participant, &node->schedule);
    snapshot_join(&node->snapshots, &state_participant, &node->state);
    node->service = (struct service){.step = step,
                                     .links = links,
                                     .raft = raft,
                                     .state = state,
                                     .worker = &node->worker,
                                     .schedule = &node->schedule,
                                     .tasks = &node->tasks,
                                     .ledger = &node->ledger,
                                     .snapshots = &node->snapshots,
                                     .uploads = &node->uploads,
                                     .heartbeat_at_us = step->now_us};
}

/* --- what the log asks --- */

/* A job of tasks has another coordinator's room than one of operations. */
static void tell_of_job(struct node *node, const struct job *job)
{
    bool tasks = plan_tasks(&job->plan) > 0;
    if (job_is_finished(job))
        (tasks ? tasks_job_finished(&node->tasks, job)
               : schedule_job_finished(&node->schedule, job));
    else
        (tasks ? tasks_job_accepted(&node->tasks, job)
               : schedule_job_accepted(&node->schedule, job));
}

/* Which room hears of an applied entry, and in what order. */
static void applied(void *context, log_index_t index, void *made)
{
    struct node *node = context;
    struct job *job = made;
    node_settle(node);
    bool kept = job && (job->keeps || schedule_keeps(&node->schedule, job->id));
    if (job && job_is_finished(job) && (kept || job->state != JOB_DONE))
        sweep_job(&node->raft, job->id);
    if (job)
        tell_of_job(node, job);
    requests_applied(&node->service, index, job);
    for (unsigned n = 0; n < FORGET_JOBS_MAX && (job = state_forget_one(&node->state)); n++)
        job_destroy(&job);
    for (job_id_t id; (id = stored_values_settled(&node->state.stored));)
        sweep_job(&node->raft, id);
}

static bool names(const void *context, struct value_id id)
{
    return snapshot_names(&((const struct node *)context)->snapshots, id);
}

static const struct raft_owner owner = {.applied = applied, .names = names};

/* --- life --- */

struct node *node_new(const struct node_config *config, const struct node_durable *durable,
                      uint64_t now_us)
{
    struct node *node = mem_new(1, sizeof *node);
    node->step.config = *config;
    node->step.now_us = node->last_us = node->promised_us = now_us;
    node->step.random = config->random;
    node->step.out.level = config->log_level;
    connect(node);
    state_init(&node->state, &node->step);
    keys_init(&node->ledger.keys.forgotten, &config->keys);
    node->raft.machine = &state_machine;
    node->raft.state = &node->state;
    node->raft.owner = &owner;
    node->raft.node = node;
    raft_init(&node->raft, durable);
    return node;
}

int node_restore_part(struct node *node, struct slice part)
{
    struct state *state = &node->state;
    if (checkpoint_load_part(state, part, NULL, NULL) || state->applied_term > node->step.term)
        return ERR_CORRUPT;
    if (state->applied != node->raft.log.checkpoint)
        raft_log_reset(&node->raft, state->applied, state->applied_term);
    node->raft.log.saved = node->raft.log.checkpoint;
    return OK;
}

int node_restore_entry(struct node *node, log_index_t index, term_t term, struct blob *entry)
{
    return raft_log_restore(&node->raft, index, term, entry);
}

int node_restore_record(struct node *node, struct slice key, struct slice value)
{
    if (key.len && key.at[0] == 's')
        return snapshot_restore(&node->snapshots, value);
    if (key.len && key.at[0] == RECORD_FORGOTTEN)
        return keys_restore_block(&node->state, (struct slice){key.at + 1, key.len - 1}, value);
    return ledger_restore(&node->ledger, key, value);
}

int node_restore_end(struct node *node)
{
    bool whole = !node->state.keys.window.missing && state_has_all_inputs(&node->state);
    return whole ? OK : ERR_CORRUPT;
}

void node_destroy(struct node **node)
{
    struct node *it = *node;
    *node = NULL;
    if (!it)
        return;
#define CLEAR(room, at) room##_clear(&it->at);
    ROOMS(CLEAR)
#undef CLEAR
    outbox_destroy(&it->step.out);
    free(it);
}

/* --- facts: which room hears what, and in what order --- */

static void settle_link(struct node *node, const struct link_fact *fact)
{
    switch (fact->kind) {
    case LINK_LOST:
        schedule_worker_lost(&node->schedule, fact->node, fact->died);
        tasks_worker_lost(&node->tasks, fact->node, fact->died);
        break;
    case LINK_BACK:
        schedule_worker_lives(&node->schedule, fact->node, true);
        break;
    case LINK_MET:
        members_forget(&node->raft, fact->node);
        schedule_worker_lives(&node->schedule, fact->node, false);
        tasks_worker_met(&node->tasks, fact->node);
        replication_forget(&node->raft, fact->node);
        snapshot_peer_met(&node->snapshots, fact->node); /* before: what the ledger sends counts */
        ledger_peer_met(&node->ledger, fact->node);
        break;
    case LINK_GONE:
        election_peer_lost(&node->raft, fact->node);
        break;
    case LINK_OPEN:
        replication_probe(&node->raft, fact->node);
        break;
    }
}

static void settle_raft(struct node *node, const struct raft_fact *fact)
{
    switch (fact->kind) {
    case RAFT_SERVES:
        schedule_start(&node->schedule);
        uploads_start(&node->uploads);
        tasks_start(&node->tasks);
        runner_reset(&node->runner, node->step.term);
        runner_asked(&node->runner, node->step.config.id);
        break;
    case RAFT_ENDED:
        requests_step_down(&node->service);
        schedule_stop(&node->schedule);
        uploads_stop(&node->uploads);
        tasks_stop(&node->tasks);
        break;
    case RAFT_FOLLOWS:
        worker_reset(&node->worker, fact->term);
        runner_reset(&node->runner, fact->term);
        break;
    }
}

/* What this node tells itself, as a worker that was, of tasks. */
static void settle_own(struct node *node, struct message *own)
{
    if (own->type == MESSAGE_TASKS_ENDED)
        tasks_ended(&node->tasks, node->step.config.id, own);
    else
        tasks_held(&node->tasks, node->step.config.id, own);
    message_drop(&own);
}

void node_settle(struct node *node)
{
    for (;;) {
        struct raft_fact raft;
        struct link_fact link;
        struct message *own;
        if (raft_take_fact(&node->raft, &raft))
            settle_raft(node, &raft);
        else if (peers_take_fact(&node->links, &link))
            settle_link(node, &link);
        else if ((own = runner_take_own(&node->runner)))
            settle_own(node, own);
        else
            return;
    }
}

/* --- the door --- */

/* Who wakes long after the promised time was stopped or starved, and must not blame
 * others for it. */
static void check_lateness(struct node *node)
{
    uint64_t since = node->promised_us > node->last_us ? node->promised_us : node->last_us;
    uint64_t late_us = node->step.now_us > since ? node->step.now_us - since : 0;
    if (late_us >= node->step.config.heartbeat_us) {
        peers_forgive(&node->links);
        schedule_forgive(&node->schedule);
    }
    if (late_us >= LATE_US)
        election_late(&node->raft, late_us);
}

/* The end of what one user has asked for, for that user alone. */
static void take_value(struct node *node, enum event_kind kind, enum value_user user,
                       struct value_id id, struct blob *bytes)
{
    typedef void schedule_fn(struct schedule * schedule, struct value_id id);
    typedef void snapshot_fn(struct snapshots * snapshots, struct value_id id);
    typedef void worker_fn(struct worker * worker, struct value_id id);
    typedef void uploads_fn(struct uploads * uploads, struct value_id id);
    static uploads_fn *const uploads[3] = {uploads_value_ready, uploads_value_failed,
                                           uploads_value_kept};
    typedef void raft_fn(struct raft * raft, struct value_id id);
    typedef void tasks_fn(struct tasks * tasks, struct value_id id);
    typedef void runner_fn(struct runner * runner, struct value_id id);
    static runner_fn *const runners[3] = {NULL, runner_value_failed, runner_value_kept};
    static tasks_fn *const tasks[3] = {tasks_value_ready, tasks_value_failed, tasks_value_kept};
    static snapshot_fn *const snapshots[3] = {NULL, snapshot_value_failed, snapshot_value_kept};
    static raft_fn *const rafts[VALUE_USERS][3] = {
        [USER_FOLLOWER] = {follower_value_ready, follower_value_failed, follower_value_kept},
        [USER_REPAIR] = {repair_value_ready, repair_value_failed, repair_value_kept},
        [USER_OFFER] = {offers_value_ready, offers_value_failed, offers_value_kept},
    };
    static worker_fn *const workers[3] = {worker_value_ready, worker_value_failed, NULL};
    size_t at = kind - EVENT_VALUE_READY;
    static schedule_fn *const schedules[3] = {schedule_value_ready, schedule_value_failed,
                                              schedule_value_kept};
    if (user == USER_SCHEDULE)
        schedules[at](&node->schedule, id);
    if (user == USER_WORKER && workers[at])
        workers[at](&node->worker, id);
    if (user == USER_UPLOAD)
        uploads[at](&node->uploads, id);
    if (user == USER_SNAPSHOT && snapshots[at])
        snapshots[at](&node->snapshots, id);
    if (user == USER_TASKS && tasks[at])
        tasks[at](&node->tasks, id);
    if (user == USER_RUNNER && runners[at])
        runners[at](&node->runner, id);
    else if (user == USER_RUNNER)
        runner_value_ready(&node->runner, id, bytes);
    if (rafts[user][at])
        rafts[user][at](&node->raft, id);
}

static void take_file(struct node *node, const struct event *event)
{
    if (event->kind == EVENT_VALUE_KEPT)
        runner_file_kept(&node->runner, event->value.id);
    else
        runner_file_failed(&node->runner, event->value.id, event->value.full);
}

static void take_event(struct node *node, const struct event *event)
{
    switch (event->kind) {
    case EVENT_TICK:
        break;
    case EVENT_MESSAGE:
        node_take_message(node, event->message.plane, event->message.from, event->message.message);
        break;
    case EVENT_LINK_UP:
        peers_link_up(&node->links, event->link.plane, event->link.peer);
        break;
    case EVENT_LINK_DOWN:
        peers_link_down(&node->links, event->link.plane, event->link.peer);
        break;
    case EVENT_PERSISTED:
        raft_persisted(&node->raft, event->persisted);
        ledger_persisted(&node->ledger, event->persisted);
        break;
    case EVENT_COMPUTED:
        worker_computed(&node->worker, event->computed.at, event->computed.n);
        break;
    case EVENT_TASKS:
        runner_results(&node->runner, event->tasks.at, event->tasks.n);
        break;
    case EVENT_VALUE_READY:
    case EVENT_VALUE_FAILED:
    case EVENT_VALUE_KEPT:
        if (event->kind == EVENT_VALUE_FAILED && event->value.used &&
            event->value.user == USER_FOLLOWER)
            follower_value_used(&node->raft, event->value.id);
        else if (event->value.user == USER_FILES)
            take_file(node, event);
        else
            take_value(node, event->kind, event->value.user, event->value.id, event->value.bytes);
        break;
    case EVENT_SPILLED:
        worker_spilled(&node->worker, &event->spilled);
        break;
    case EVENT_VALUE_LOST:
        repair_lost(&node->raft, event->value.id);
        break;
    case EVENT_VALUES_LISTED:
        sweep_listed(&node->raft, event->listed.ids, event->listed.n, event->listed.end);
        break;
    case EVENT_SPACE:
        space_event(&node->raft, event->full);
        break;
    case EVENT_REQUEST:
        requests_take(&node->service, event);
        break;
    case EVENT_STOP:
        peers_say_goodbye(&node->links, event->stop.injected);
        break;
    }
}

/* Does what is due. */
static void pump(struct node *node)
{
#define PUMP(room, at)      \
    room##_pump(&node->at); \
    node_settle(node);
    ROOMS(PUMP)
#undef PUMP
    links_send(&node->links);
}

struct node_outputs node_step(struct node *node, const struct event *event)
{
    outbox_begin(&node->step.out);
    node->step.now_us = event->now_us;
    node->step.wall_ms = event->wall_ms;
    node->step.random ^= event->random;
    node->step.rejected = event->rejected + node->step.rejected_here;
    node->step.refused = event->refused;
    node->service.turn = event->turn;
    node->service.starved_us = event->starved_us;
    if (event->syncs)
        node->service.syncs = *event->syncs;
    health_note(&node->raft, event);
    check_lateness(node);
    node_settle(node);
    take_event(node, event);
    node_settle(node);
#define TICK(room, at)      \
    room##_tick(&node->at); \
    node_settle(node);
    if (event->kind == EVENT_TICK) {
        ROOMS(TICK)
    }
#undef TICK
    if (!event->more || MUTANT(more_is_ignored))
        pump(node);
    service_publish(&node->service);
    outbox_end(&node->step.out);
    node->last_us = node->step.now_us;
    if (!event->more)
        node->promised_us = node_deadline(node);
    return (struct node_outputs){node->step.out.at, node->step.out.n};
}

uint64_t node_deadline(const struct node *node)
{
    uint64_t first_us = UINT64_MAX;
#define DEADLINE(room, at) first_us = earlier_us(first_us, room##_deadline(&node->at));
    ROOMS(DEADLINE)
#undef DEADLINE
    return first_us;
}

bool node_refuses(const struct node *node, node_id_t from, incarnation_t incarnation,
                  struct message **refusal)
{
    if (!step_is_peer(&node->step, from) || !peers_is_doubled(&node->links, from, incarnation))
        return false;
    if (refusal)
        *refusal = peers_refused(&node->links, from);
    return true;
}

bool node_coordinates(const struct node *node)
{
    return raft_serves(&node->raft);
}

uint64_t node_access_list(const struct node *node, struct slice *bytes)
{
    const struct access_list *list = &node->state.access_list;
    *bytes = list->bytes ? (struct slice){list->bytes->at, list->bytes->len} : (struct slice){0};
    return list->version;
}

bool node_names(const struct node *node, struct value_id id)
{
    return sweep_names(&node->raft, id);
}

bool node_is_done_with(const struct node *node, struct value_id id, log_index_t index)
{
    return index && node->raft.log.applied >= index && !sweep_keeps(&node->raft, id);
}

void node_check_invariants(const struct node *node)
{
    step_check_invariants(&node->step);
#define CHECK(room, at) room##_check_invariants(&node->at);
    ROOMS(CHECK)
#undef CHECK
}
