#include "nodes/core/node.h"

#include <assert.h>
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

/* --- what the log sees of the state --- */

/* Which room hears of a committed entry, and in what order. */
static void apply(void *context, log_index_t index, term_t term, const struct message *entry)
{
    struct node *node = context;
    settle(node);
    struct job *job = state_apply(&node->state, index, term, entry);
    bool kept = job && (job->keeps || schedule_keeps(&node->schedule, job->id));
    if (job && job_is_finished(job) && (kept || job->state != JOB_DONE))
        sweep_job(&node->raft, job->id);
    if (job && job_is_finished(job))
        schedule_job_finished(&node->schedule, job);
    else if (job)
        schedule_job_accepted(&node->schedule, job);
    requests_applied(&node->service, index, job);
    while ((job = state_forget_one(&node->state))) {
        sweep_job(&node->raft, job->id);
        job_destroy(&job);
    }
}

/* Snapshots have no term in their numbers, jobs always have one. */
static bool names(const void *context, struct value_id id)
{
    const struct node *node = context;
    return id.job >> JOB_INDEX_BITS ? state_names(&node->state, id)
                                    : snapshot_names(&node->snapshots, id);
}

static bool describe(const void *context, struct value_id id, uint64_t *len,
                     uint8_t hash[HASH_BYTES])
{
    return state_describes(&((const struct node *)context)->state, id, len, hash);
}

static bool rests(const void *context)
{
    return !((const struct node *)context)->state.jobs.open;
}

static incarnation_t *births(void *context)
{
    return ((struct node *)context)->state.births.at;
}

static struct image_build *save(void *context)
{
    return image_begin(&((struct node *)context)->state, IMAGE_WHOLE);
}

static void stores(void *context, const struct image *image)
{
    keys_store_blocks(&((struct node *)context)->state, image);
}

static void end_build(void *context, struct image_build **build)
{
    image_end(&((struct node *)context)->state, build);
}

static void *fresh(const void *context)
{
    return image_scratch_new(&((const struct node *)context)->state);
}

static int load(void *fresh, struct slice part, machine_value *each, void *each_context)
{
    return image_load_part(fresh, part, each, each_context);
}

static bool is_whole(const void *fresh, const struct image *image)
{
    const struct state *state = fresh;
    return state->applied == image->index && state->applied_term == image->term &&
           !state->keys.window.missing;
}

static void replace(void *context, void **fresh)
{
    struct state *state = &((struct node *)context)->state, *loaded = *fresh;
    image_replace_state(state, &loaded);
    keys_forget_blocks(state);
    *fresh = NULL;
}

static void drop(void **fresh)
{
    struct state *loaded = *fresh;
    image_scratch_drop(&loaded);
    *fresh = NULL;
}

static const struct machine machine = {
    .check = jobs_entry_is_valid,
    .values = state_entry_values,
    .apply = apply,
    .names = names,
    .describe = describe,
    .rests = rests,
    .births = births,
    .save = save,
    .saved = image_of,
    .stores = stores,
    .end = end_build,
    .fresh = fresh,
    .load = load,
    .is_whole = is_whole,
    .replace = replace,
    .drop = drop,
};

/* --- life --- */

struct node *node_new(const struct node_config *config, const struct node_durable *durable,
                      uint64_t now_us)
{
    struct node *node = mem_new(1, sizeof *node);
    node->step.config = *config;
    node->step.now_us = node->last_us = node->promised_us = now_us;
    node->step.random = config->random;
    node->step.out.level = config->log_level;
    keys_init(&node->state.keys, &config->keys);
    keys_init(&node->ledger.keys.forgotten, &config->keys);
    node->state.step = &node->step;
    image_init(&node->state);
    node->links.step = &node->step;
    node->raft.step = &node->step;
    node->raft.links = &node->links;
    node->raft.machine = &machine;
    node->raft.context = node;
    node->worker.step = &node->step;
    node->worker.links = &node->links;
    node->worker.raft = &node->raft;
    node->worker.state = &node->state;
    node->schedule.step = &node->step;
    node->schedule.links = &node->links;
    node->schedule.raft = &node->raft;
    node->schedule.state = &node->state;
    node->snapshots.step = &node->step;
    node->snapshots.links = &node->links;
    node->snapshots.raft = &node->raft;
    node->snapshots.state = &node->state;
    node->snapshots.worker = &node->worker;
    node->snapshots.schedule = &node->schedule;
    node->snapshots.ledger = &node->ledger;
    node->service = (struct service){.step = &node->step,
                                     .links = &node->links,
                                     .raft = &node->raft,
                                     .state = &node->state,
                                     .worker = &node->worker,
                                     .schedule = &node->schedule,
                                     .ledger = &node->ledger,
                                     .snapshots = &node->snapshots,
                                     .heartbeat_at_us = now_us};
    node->ledger.step = &node->step;
    node->ledger.links = &node->links;
    node->ledger.raft = &node->raft;
    members_init(&node->raft, durable);
    node->raft.members.began_us = now_us;
    election_init(&node->raft, durable);
    return node;
}

int node_restore_part(struct node *node, struct slice part)
{
    struct state *state = &node->state;
    if (image_load_part(state, part, NULL, NULL) || state->applied_term > node->step.term)
        return ERR_CORRUPT;
    if (state->applied != node->raft.journal.image)
        journal_reset(&node->raft, state->applied, state->applied_term);
    node->raft.journal.saved = node->raft.journal.image;
    return OK;
}

int node_restore_entry(struct node *node, log_index_t index, term_t term, struct blob *entry)
{
    return journal_restore(&node->raft, index, term, entry);
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
    schedule_clear(&it->schedule);
    worker_clear(&it->worker);
    requests_clear(&it->service);
    snapshot_clear(&it->snapshots);
    replication_clear(&it->raft);
    follower_clear(&it->raft);
    journal_clear(&it->raft);
    sweep_clear(&it->raft);
    peers_clear(&it->links);
    members_clear(&it->raft);
    jobs_clear(&it->state.jobs);
    keys_clear(&it->state.keys);
    progress_clear(&it->state.progress);
    ledger_clear(&it->ledger);
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

/* Hands on all that was reported, and what that makes others report. Called wherever a room may
 * have reported something that the next call must not miss. */
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

static void take_control(struct node *node, node_id_t from, const struct message *message)
{
    if (message->type == MESSAGE_VOTE_REQUEST)
        election_vote_request(&node->raft, from, &message->as.vote_request);
    else if (message->type == MESSAGE_VOTE_REPLY)
        election_vote_reply(&node->raft, from, &message->as.vote_reply);
    else if (message->type == MESSAGE_FOUND)
        founding_take(&node->raft, from, &message->as.found);
    else if (message->type == MESSAGE_GOODBYE)
        peers_goodbye(&node->links, from, &message->as.goodbye);
    else if (message->type == MESSAGE_ACCOUNT_QUERY)
        ledger_query(&node->ledger, from, &message->as.account_query);
    else if (message->type == MESSAGE_ACCOUNT_REPLY)
        ledger_query_reply(&node->ledger, from, &message->as.account_reply);
    else
        step_reject(&node->step, from, "it does not belong on the control plane");
}

/* Something that only the coordinator of a term sends; what that changes is known before it is
 * read. */
static bool follows(struct node *node, node_id_t from, term_t term)
{
    bool accepted = election_accept_coordinator(&node->raft, from, term);
    settle(node);
    return accepted;
}

static void take_channel(struct node *node, node_id_t from, struct message *message)
{
    if (!peers_receive(&node->links, from, message))
        return;
    snapshot_record(&node->snapshots, from, message);
    switch (message->type) {
    case MESSAGE_TASK:
        if (follows(node, from, message->as.task.term))
            worker_task(&node->worker, from, message);
        break;
    case MESSAGE_RELEASE:
        if (follows(node, from, message->as.release.term))
            worker_release(&node->worker, from, message->as.release.job, message->as.release.op);
        break;
    case MESSAGE_RESULT:
        schedule_results(&node->schedule, from, message);
        break;
    case MESSAGE_TRANSFER:
    case MESSAGE_APP:
    case MESSAGE_LEDGER_ACK:
        ledger_message(&node->ledger, from, message);
        break;
    case MESSAGE_MARKER:
        snapshot_marker(&node->snapshots, from, &message->as.marker);
        break;
    case MESSAGE_SNAPSHOT_REPORT:
        snapshot_report(&node->snapshots, from, message);
        break;
    case MESSAGE_SNAPSHOT_END:
        snapshot_end(&node->snapshots, from, &message->as.snapshot_end);
        break;
    default:
        step_reject(&node->step, from, "it does not belong on a channel");
        break;
    }
}

static void take_checkpoint(struct node *node, node_id_t from, struct message *message)
{
    switch (message->type) {
    case MESSAGE_APPEND:
        if (members_accepts(&node->raft, from, message->as.append.cluster_id))
            follower_append(&node->raft, from, message,
                            follows(node, from, message->as.append.term));
        break;
    case MESSAGE_APPEND_REPLY:
        replication_append_reply(&node->raft, from, &message->as.append_reply);
        break;
    case MESSAGE_INSTALL:
        if (members_accepts(&node->raft, from, message->as.install.cluster_id))
            follower_install(&node->raft, from, message,
                             follows(node, from, message->as.install.term));
        break;
    case MESSAGE_INSTALL_REPLY:
        replication_install_reply(&node->raft, from, &message->as.install_reply);
        break;
    default:
        step_reject(&node->step, from, "it does not belong on the checkpoint plane");
        break;
    }
}

static void take_feed(struct node *node, node_id_t from, struct message *message)
{
    if (message->type != MESSAGE_HEARTBEAT)
        return;
    founding_heartbeat(&node->raft, from, &message->as.heartbeat);
    if (members_is_foreign(&node->raft, from)) {
        if (message->as.heartbeat.term) /* else it may still join ours */
            peers_complain(&node->links, from, PEERS_FOREIGN);
        return;
    }
    election_heartbeat(&node->raft, from, &message->as.heartbeat);
    settle(node);
    if (!peers_heartbeat(&node->links, from, message))
        return;
    health_heartbeat(&node->raft, from, &message->as.heartbeat);
    settle(node);
    if (node_serves(node))
        schedule_heartbeat(&node->schedule, from);
}

/* The place of a message on a plane was checked by the runtime; who sent it, too. What is in it was
 * not. */
static void take_message(struct node *node, enum plane plane, node_id_t from,
                         struct message *message)
{
    if (!step_is_peer(&node->step, from)) {
        step_reject(&node->step, from, "there is no such node");
        return;
    }
    bool joins = message->type == MESSAGE_HELLO || message->type == MESSAGE_FOUND ||
                 plane == PLANE_HEARTBEAT;
    if (members_is_foreign(&node->raft, from) && !joins) {
        peers_complain(&node->links, from, PEERS_FOREIGN);
        return;
    }
    if (message->type == MESSAGE_HELLO && message->as.hello.plane == plane)
        take_hello(node, from, &message->as.hello);
    else if (message->type == MESSAGE_WELCOME && message->as.welcome.plane == plane)
        take_welcome(node, from, &message->as.welcome);
    else if (plane == PLANE_CONTROL)
        take_control(node, from, message);
    else if (plane == PLANE_CHANNEL)
        take_channel(node, from, message);
    else if (plane == PLANE_CHECKPOINT)
        take_checkpoint(node, from, message);
    else if (plane == PLANE_HEARTBEAT)
        take_feed(node, from, message);
    else
        step_reject(&node->step, from, "it does not belong on its plane");
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

static void say_goodbye(struct node *node, bool injected)
{
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++) {
        if (!step_is_peer(&node->step, id) ||
            node->links.peers[id].links[PLANE_CONTROL].state == LINK_DOWN)
            continue;
        struct message *message = message_new(MESSAGE_GOODBYE);
        message->as.goodbye.incarnation = node->step.config.incarnation;
        message->as.goodbye.injected = injected;
        outbox_send(&node->step.out, PLANE_CONTROL, id, message);
    }
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
        journal_persisted(&node->raft, event->persisted);
        replication_advance(&node->raft);
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
        requests_handle(&node->service, event->request.client, event->request.message);
        break;
    case EVENT_STOP:
        say_goodbye(node, event->stop.injected);
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
    node->service.turn_us = event->turn_us;
    node->service.turn_own_us = event->turn_own_us;
    node->service.turn_in = event->turn_in;
    health_note(&node->raft, event);
    check_lateness(node);
    settle(node);
    take_event(node, event);
    settle(node);
    if (event->kind == EVENT_TICK) {
        peers_tick(&node->links);
        settle(node);
        health_tick(&node->raft);
        founding_tick(&node->raft);
        election_tick(&node->raft);
        settle(node);
        requests_tick(&node->service);
        follower_tick(&node->raft);
        worker_tick(&node->worker);
        repair_tick(&node->raft);
        ledger_queries_tick(&node->ledger);
        snapshot_tick(&node->snapshots);
    }
    schedule_pump(&node->schedule);
    worker_pump(&node->worker);
    image_pump(&node->state);
    replication_pump(&node->raft);
    members_pump(&node->raft);
    requests_confirmed(&node->service);
    journal_compact(&node->raft);
    ledger_pump(&node->ledger);
    snapshot_pump(&node->snapshots);
    sweep_pump(&node->raft);
    peers_pump(&node->links);
    heartbeat_tick(&node->service);
    outbox_end(&node->step.out);
    node->last_us = node->step.now_us;
    node->promised_us = node_deadline(node);
    return (struct node_outputs){node->step.out.at, node->step.out.n};
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t node_deadline(const struct node *node)
{
    uint64_t at = node->service.heartbeat_at_us;
    at = earlier(at, election_deadline(&node->raft));
    at = earlier(at, peers_deadline(&node->links));
    at = earlier(at, schedule_deadline(&node->schedule));
    at = earlier(at, ledger_queries_deadline(&node->ledger));
    at = earlier(at, snapshot_deadline(&node->snapshots));
    at = earlier(at, image_deadline(&node->state));
    return earlier(at, requests_deadline(&node->service));
}

bool node_refuses(const struct node *node, node_id_t from, incarnation_t incarnation,
                  struct message **refusal)
{
    if (!step_is_peer(&node->step, from) || !peers_is_doubled(&node->links, from, incarnation))
        return false;
    const struct peer *peer = &node->links.peers[from];
    const struct wire_heartbeat *heartbeat = &peer->heartbeat->as.heartbeat;
    if (!refusal)
        return true;
    *refusal = message_new(MESSAGE_REFUSED);
    (*refusal)->as.refused = (struct wire_refused){.plane = PLANE_CONTROL,
                                                   .src = node->step.config.id,
                                                   .incarnation = peer->incarnation,
                                                   .host = message_copy(*refusal, heartbeat->host),
                                                   .pid = heartbeat->pid};
    return true;
}

bool node_coordinates(const struct node *node)
{
    return node_serves(node);
}

bool node_names(const struct node *node, struct value_id id)
{
    return sweep_names(&node->raft, id);
}

bool node_is_done_with(const struct node *node, struct value_id id, log_index_t index)
{
    return index && node->raft.journal.applied >= index && !sweep_keeps(&node->raft, id);
}

void node_check_invariants(const struct node *node)
{
    assert(!node->raft.n_facts && !node->links.facts.n);
    election_check_invariants(&node->raft);
    journal_check_invariants(&node->raft);
    replication_check_invariants(&node->raft);
    jobs_check_invariants(&node->state.jobs);
    keys_check_invariants(&node->state.keys);
    schedule_check_invariants(&node->schedule);
    worker_check_invariants(&node->worker);
    ledger_check_invariants(&node->ledger);
    snapshot_check_invariants(&node->snapshots);
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++)
        channel_check_invariants(&node->links.peers[id].channel);
}
