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
#include "nodes/core/worker/worker.h"
#include "shared/base/error.h"

static void settle(struct node *node);

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
    X(worker, worker)      \
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
                                     .ledger = &node->ledger,
                                     .snapshots = &node->snapshots,
                                     .heartbeat_at_us = step->now_us};
}

/* --- what the log asks --- */

/* Which room hears of an applied entry, and in what order. */
static void applied(void *context, log_index_t index, void *made)
{
    struct node *node = context;
    struct job *job = made;
    settle(node);
    bool kept = job && (job->keeps || schedule_keeps(&node->schedule, job->id));
    if (job && job_is_finished(job) && (kept || job->state != JOB_DONE))
        sweep_job(&node->raft, job->id);
    if (job && job_is_finished(job))
        schedule_job_finished(&node->schedule, job);
    else if (job)
        schedule_job_accepted(&node->schedule, job);
    requests_applied(&node->service, index, job);
    for (unsigned n = 0; n < FORGET_JOBS_MAX && (job = state_forget_one(&node->state)); n++) {
        if (job_result_bytes(job) > TEXT_INLINE_DIGITS) /* else its end has swept all of it */
            sweep_job(&node->raft, job->id);
        job_destroy(&job);
    }
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
    return node->state.keys.window.missing ? ERR_CORRUPT : OK;
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
        break;
    case LINK_BACK:
        schedule_worker_lives(&node->schedule, fact->node, true);
        break;
    case LINK_MET:
        members_forget(&node->raft, fact->node);
        schedule_worker_lives(&node->schedule, fact->node, false);
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
        break;
    case RAFT_ENDED:
        requests_step_down(&node->service);
        schedule_stop(&node->schedule);
        break;
    case RAFT_FOLLOWS:
        worker_reset(&node->worker, fact->term);
        break;
    }
}

/* Hands on all that was reported, and what that makes others report: after each entry of a table,
 * and wherever a call may have reported something that the next one must not miss. */
static void settle(struct node *node)
{
    for (;;) {
        struct raft_fact raft;
        struct link_fact link;
        if (raft_take_fact(&node->raft, &raft))
            settle_raft(node, &raft);
        else if (peers_take_fact(&node->links, &link))
            settle_link(node, &link);
        else
            return;
    }
}

/* --- messages --- */

/* A peer is heard as this incarnation. */
static void meet(struct node *node, node_id_t from, incarnation_t incarnation)
{
    peers_end_life(&node->links, from, incarnation);
    settle(node);
    peers_meet(&node->links, from, incarnation);
    settle(node);
}

static void take_hello(struct node *node, node_id_t from, const struct wire_hello *hello)
{
    if (peers_is_doubled(&node->links, from, hello->incarnation)) {
        peers_complain(&node->links, from, "another process of that id runs already");
        return;
    }
    if (!members_welcomes(&node->raft, from, hello))
        return;
    meet(node, from, hello->incarnation);
    members_learn(&node->raft, from, hello->cluster_id, hello->birth);
    if (hello->plane == PLANE_CONTROL)
        founding_met(&node->raft, from);
    peers_hello(&node->links, from, hello);
}

static void take_welcome(struct node *node, node_id_t from, const struct wire_welcome *welcome)
{
    if (!peers_is_ours(&node->links, from, welcome))
        return; /* it answers a connection that is no more */
    meet(node, from, welcome->incarnation);
    peers_welcome(&node->links, from, welcome);
}

static void take_heartbeat(struct node *node, node_id_t from, struct message *message)
{
    const struct wire_heartbeat *heartbeat = &message->as.heartbeat;
    founding_heartbeat(&node->raft, from, heartbeat);
    if (members_is_foreign(&node->raft, from)) {
        if (heartbeat->term) /* else it may still join ours */
            peers_complain(&node->links, from, PEERS_FOREIGN);
        return;
    }
    election_heartbeat(&node->raft, from, heartbeat);
    settle(node);
    if (!peers_heartbeat(&node->links, from, message))
        return;
    election_heard_follower(&node->raft, heartbeat);
    settle(node);
    replication_followed(&node->raft, from);
    health_heartbeat(&node->raft, from, heartbeat);
    settle(node);
    if (raft_serves(&node->raft))
        schedule_heartbeat(&node->schedule, from);
}

/* From whom a message is taken in. */
struct gate {
    bool stranger;  /* from a node of another cluster, too: it may come to belong to ours */
    size_t term;    /* where its term is: only that term's coordinator sends it; 0: anybody does */
    size_t cluster; /* where it names its cluster, when it must be ours; 0: it need not say */
};

#define ANYBODY \
    {           \
        0       \
    }
#define STRANGER         \
    {                    \
        .stranger = true \
    }
#define COORDINATOR(name)                              \
    {                                                  \
        .term = offsetof(struct message, as.name.term) \
    }
/* One of an old term is answered, so that it learns of the new one: see `accepted`. */
#define OUR_COORDINATOR(name)                                   \
    {                                                           \
        .term = offsetof(struct message, as.name.term),         \
        .cluster = offsetof(struct message, as.name.cluster_id) \
    }

/* Each message of another node: its plane, who may send it, and the function of a room that takes
 * it in. A message that is not here is rejected. */
#define MESSAGES(X)                                                                            \
    X(m->as.hello.plane, HELLO, STRANGER, take_hello(node, from, &m->as.hello))                \
    X(m->as.welcome.plane, WELCOME, ANYBODY, take_welcome(node, from, &m->as.welcome))         \
    X(PLANE_HEARTBEAT, HEARTBEAT, STRANGER, take_heartbeat(node, from, m))                     \
    X(PLANE_HEARTBEAT, EVENT, STRANGER, (void)0 /* for people */)                              \
    X(PLANE_CONTROL, FOUND, STRANGER, founding_take(raft, from, &m->as.found))                 \
    X(PLANE_CONTROL, GOODBYE, ANYBODY, peers_goodbye(links, from, &m->as.goodbye))             \
    X(PLANE_CONTROL, VOTE_REQUEST, ANYBODY,                                                    \
      election_vote_request(raft, from, &m->as.vote_request))                                  \
    X(PLANE_CONTROL, VOTE_REPLY, ANYBODY, election_vote_reply(raft, from, &m->as.vote_reply))  \
    X(PLANE_CONTROL, ACCOUNT_QUERY, ANYBODY, ledger_query(ledger, from, &m->as.account_query)) \
    X(PLANE_CONTROL, ACCOUNT_REPLY, ANYBODY,                                                   \
      ledger_query_reply(ledger, from, &m->as.account_reply))                                  \
    X(PLANE_CHECKPOINT, APPEND, OUR_COORDINATOR(append),                                       \
      accepted ? follower_append(raft, from, m) : follower_refuse_append(raft, from, m))       \
    X(PLANE_CHECKPOINT, APPEND_REPLY, ANYBODY,                                                 \
      replication_append_reply(raft, from, &m->as.append_reply))                               \
    X(PLANE_CHECKPOINT, INSTALL, OUR_COORDINATOR(install),                                     \
      accepted ? follower_install(raft, from, m) : follower_refuse_install(raft, from, m))     \
    X(PLANE_CHECKPOINT, INSTALL_REPLY, ANYBODY,                                                \
      replication_install_reply(raft, from, &m->as.install_reply))                             \
    X(PLANE_CHECKPOINT, VALUE_OFFER, COORDINATOR(value_offer),                                 \
      offers_take(raft, from, &m->as.value_offer))                                             \
    X(PLANE_CHECKPOINT, VALUE_HELD, ANYBODY, offers_held(raft, from, &m->as.value_held))       \
    X(PLANE_CHANNEL, TASK, COORDINATOR(task), worker_task(worker, from, m))                    \
    X(PLANE_CHANNEL, RELEASE, COORDINATOR(release),                                            \
      worker_release(worker, from, m->as.release.job, m->as.release.op))                       \
    X(PLANE_CHANNEL, RESULT, ANYBODY, schedule_results(schedule, from, m))                     \
    X(PLANE_CHANNEL, TRANSFER, ANYBODY, ledger_message(ledger, from, m))                       \
    X(PLANE_CHANNEL, APP, ANYBODY, ledger_message(ledger, from, m))                            \
    X(PLANE_CHANNEL, LEDGER_ACK, ANYBODY, ledger_message(ledger, from, m))                     \
    X(PLANE_CHANNEL, MARKER, ANYBODY, snapshot_marker(snapshots, from, &m->as.marker))         \
    X(PLANE_CHANNEL, SNAPSHOT_REPORT, ANYBODY, snapshot_report(snapshots, from, m))            \
    X(PLANE_CHANNEL, SNAPSHOT_END, ANYBODY, snapshot_end(snapshots, from, &m->as.snapshot_end))

static const struct gate gates[MESSAGE_TYPES] = {
#define GATE(at, NAME, gate, call) [MESSAGE_##NAME] = gate,
    MESSAGES(GATE)
#undef GATE
};

static bool is_on_its_plane(enum plane plane, const struct message *m)
{
    switch (m->type) {
#define PLANE(at, NAME, gate, call) \
    case MESSAGE_##NAME:            \
        return (at) == plane;
        MESSAGES(PLANE)
#undef PLANE
    default:
        return false;
    }
}

static void hand_on(struct node *node, node_id_t from, struct message *m, bool accepted)
{
    struct links *links = &node->links;
    struct raft *raft = &node->raft;
    struct worker *worker = &node->worker;
    struct schedule *schedule = &node->schedule;
    struct ledger *ledger = &node->ledger;
    struct snapshots *snapshots = &node->snapshots;
    switch (m->type) {
#define TAKE(at, NAME, gate, call) \
    case MESSAGE_##NAME:           \
        call;                      \
        break;
        MESSAGES(TAKE)
#undef TAKE
    default:
        break;
    }
}

/* What only the coordinator of a term sends; what that changes is known before it is read. */
static bool follows(struct node *node, node_id_t from, term_t term)
{
    bool accepted = election_accept_coordinator(&node->raft, from, term);
    settle(node);
    return accepted;
}

/* Work of a coordinator that is not known to be one: it stays in the channel, as if it had been
 * lost on its way, until that is known. */
static bool is_early(const struct node *node, node_id_t from, const struct message *message)
{
    const struct gate *gate = &gates[message->type];
    if (!gate->term)
        return false;
    term_t term = *(const term_t *)((const char *)message + gate->term);
    return term > node->step.term ||
           (term == node->step.term && !election_may_lead(&node->raft, from));
}

/* A message that was delivered in its turn; it is noted for snapshots that record. */
static bool take_from_channel(struct node *node, node_id_t from, struct message *message)
{
    if (is_early(node, from, message) || !peers_receive(&node->links, from, message))
        return false;
    snapshot_record(&node->snapshots, from, message);
    return true;
}

/* Its place on a plane was checked by the runtime; who sent it, too. What is in it was not. */
static void take_message(struct node *node, enum plane plane, node_id_t from,
                         struct message *message)
{
    const struct gate *gate = &gates[message->type];
    const char *at = (const char *)message;
    bool begins = message->type == MESSAGE_HELLO || message->type == MESSAGE_WELCOME;
    if (!step_is_peer(&node->step, from)) {
        step_reject(&node->step, from, "there is no such node");
        return;
    }
    if (members_is_foreign(&node->raft, from) && !gate->stranger) {
        peers_complain(&node->links, from, PEERS_FOREIGN);
        return;
    }
    if (plane == PLANE_CHANNEL && !begins && !take_from_channel(node, from, message))
        return;
    if (!is_on_its_plane(plane, message)) {
        step_reject(&node->step, from, "it does not belong on its plane");
        return;
    }
    if (gate->cluster &&
        !members_accepts(&node->raft, from, *(const struct slice *)(at + gate->cluster)))
        return;
    bool accepted = !gate->term || follows(node, from, *(const term_t *)(at + gate->term));
    if (accepted || gate->cluster)
        hand_on(node, from, message, accepted);
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
                       struct value_id id)
{
    typedef void schedule_fn(struct schedule * schedule, struct value_id id);
    typedef void snapshot_fn(struct snapshots * snapshots, struct value_id id);
    typedef void worker_fn(struct worker * worker, struct value_id id);
    typedef void raft_fn(struct raft * raft, struct value_id id);
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
    if (user == USER_SNAPSHOT && snapshots[at])
        snapshots[at](&node->snapshots, id);
    if (rafts[user][at])
        rafts[user][at](&node->raft, id);
}

static void take_event(struct node *node, const struct event *event)
{
    switch (event->kind) {
    case EVENT_TICK:
        break;
    case EVENT_MESSAGE:
        take_message(node, event->message.plane, event->message.from, event->message.message);
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
    case EVENT_VALUE_READY:
    case EVENT_VALUE_FAILED:
    case EVENT_VALUE_KEPT:
        if (event->kind == EVENT_VALUE_FAILED && event->value.used &&
            event->value.user == USER_FOLLOWER)
            follower_value_used(&node->raft, event->value.id);
        else
            take_value(node, event->kind, event->value.user, event->value.id);
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
    health_note(&node->raft, event);
    check_lateness(node);
    settle(node);
    take_event(node, event);
    settle(node);
#define TICK(room, at)      \
    room##_tick(&node->at); \
    settle(node);
    if (event->kind == EVENT_TICK) {
        ROOMS(TICK)
    }
#undef TICK
#define PUMP(room, at)      \
    room##_pump(&node->at); \
    settle(node);
    ROOMS(PUMP)
#undef PUMP
    links_send(&node->links);
    service_publish(&node->service);
    outbox_end(&node->step.out);
    node->last_us = node->step.now_us;
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
