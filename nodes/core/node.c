#include "nodes/core/node.h"

#include <assert.h>
#include <stdlib.h>

#include "nodes/core/schedule/deadlines.h"
#include "nodes/core/raft/election.h"
#include "nodes/core/raft/follower.h"
#include "nodes/core/raft/health.h"
#include "nodes/core/service/heartbeat.h"
#include "nodes/core/raft/founding.h"
#include "nodes/core/state/checkpoint.h"
#include "nodes/core/raft/journal.h"
#include "nodes/core/state/keys_replicated.h"
#include "nodes/core/ledger/ledger_outbox.h"
#include "nodes/core/ledger/ledger_queries.h"
#include "nodes/core/raft/members.h"
#include "nodes/core/link/peers.h"
#include "nodes/core/step/record.h"
#include "nodes/core/raft/repair.h"
#include "nodes/core/raft/replication.h"
#include "nodes/core/service/requests.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/raft/space.h"
#include "nodes/core/state.h"
#include "nodes/core/raft/sweep.h"
#include "nodes/core/worker/worker.h"
#include "shared/base/error.h"

/* --- life --- */

struct node *node_new(const struct node_config *config, const struct node_durable *durable,
                      uint64_t now_us)
{
    struct node *node = mem_new(1, sizeof *node);
    node->step.config = *config;
    node->step.now_us = node->last_us = node->promised_us = now_us;
    node->step.random = config->random;
    node->step.out.level = config->log_level;
    node->heartbeat_at_us = now_us;
    keys_init(&node->state.keys, &config->keys);
    keys_init(&node->ledger.keys.forgotten, &config->keys);
    node->state.step = &node->step;
    image_init(&node->state);
    node->links.step = &node->step;
    members_init(node, durable);
    node->members.began_us = now_us;
    election_init(node, durable);
    return node;
}

int node_restore_part(struct node *node, struct slice part)
{
    struct state *state = &node->state;
    if (image_load_part(state, part, NULL, NULL) || state->applied_term > node->step.term)
        return ERR_CORRUPT;
    if (state->applied != node->journal.image)
        journal_reset(node, state->applied, state->applied_term);
    node->journal.saved = node->journal.image;
    return OK;
}

int node_restore_entry(struct node *node, log_index_t index, term_t term, struct blob *entry)
{
    return journal_restore(node, index, term, entry);
}

int node_restore_record(struct node *node, struct slice key, struct slice value)
{
    if (key.len && key.at[0] == 's')
        return snapshot_restore(node, value);
    if (key.len && key.at[0] == RECORD_FORGOTTEN)
        return keys_restore_block(&node->state, (struct slice){key.at + 1, key.len - 1}, value);
    return ledger_restore(node, key, value);
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
    schedule_clear(it);
    worker_clear(it);
    requests_clear(it);
    snapshot_clear(it);
    replication_clear(it);
    follower_clear(it);
    journal_clear(it);
    sweep_clear(it);
    peers_clear(&it->links);
    members_clear(it);
    jobs_clear(&it->state.jobs);
    keys_clear(&it->state.keys);
    progress_clear(&it->state.progress);
    ledger_clear(it);
    outbox_destroy(&it->step.out);
    free(it);
}

/* --- facts: which room hears what, and in what order --- */

static void settle_link(struct node *node, const struct link_fact *fact)
{
    switch (fact->kind) {
    case LINK_LOST:
        schedule_worker_lost(node, fact->node, fact->died);
        break;
    case LINK_BACK:
        schedule_worker_lives(node, fact->node, true);
        break;
    case LINK_MET:
        members_forget(node, fact->node);
        schedule_worker_lives(node, fact->node, false);
        replication_forget(node, fact->node);
        snapshot_peer_met(node, fact->node); /* before: what the ledger sends counts */
        ledger_peer_met(node, fact->node);
        break;
    case LINK_GONE:
        election_peer_lost(node, fact->node);
        break;
    case LINK_OPEN:
        replication_probe(node, fact->node);
        break;
    }
}

static void settle(struct node *node)
{
    struct link_facts *facts = &node->links.facts;
    for (size_t i = 0; i < facts->n; i++) {
        struct link_fact fact = facts->at[i]; /* more may come meanwhile */
        settle_link(node, &fact);
    }
    facts->n = 0;
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
    if (!members_welcomes(node, from, hello))
        return;
    meet(node, from, hello->incarnation);
    members_learn(node, from, hello->cluster_id, hello->birth);
    if (hello->plane == PLANE_CONTROL)
        founding_met(node, from);
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
        election_vote_request(node, from, &message->as.vote_request);
    else if (message->type == MESSAGE_VOTE_REPLY)
        election_vote_reply(node, from, &message->as.vote_reply);
    else if (message->type == MESSAGE_FOUND)
        founding_take(node, from, &message->as.found);
    else if (message->type == MESSAGE_GOODBYE)
        peers_goodbye(&node->links, from, &message->as.goodbye);
    else if (message->type == MESSAGE_ACCOUNT_QUERY)
        ledger_query(node, from, &message->as.account_query);
    else if (message->type == MESSAGE_ACCOUNT_REPLY)
        ledger_query_reply(node, from, &message->as.account_reply);
    else
        step_reject(&node->step, from, "it does not belong on the control plane");
}

static void take_channel(struct node *node, node_id_t from, struct message *message)
{
    if (!peers_receive(&node->links, from, message))
        return;
    snapshot_record(node, from, message);
    switch (message->type) {
    case MESSAGE_TASK:
        if (election_accept_coordinator(node, from, message->as.task.term))
            worker_task(node, from, message);
        break;
    case MESSAGE_RELEASE:
        if (election_accept_coordinator(node, from, message->as.release.term))
            worker_release(node, from, message->as.release.job, message->as.release.op);
        break;
    case MESSAGE_RESULT:
        schedule_results(node, from, message);
        break;
    case MESSAGE_TRANSFER:
    case MESSAGE_APP:
    case MESSAGE_LEDGER_ACK:
        ledger_message(node, from, message);
        break;
    case MESSAGE_MARKER:
        snapshot_marker(node, from, &message->as.marker);
        break;
    case MESSAGE_SNAPSHOT_REPORT:
        snapshot_report(node, from, message);
        break;
    case MESSAGE_SNAPSHOT_END:
        snapshot_end(node, from, &message->as.snapshot_end);
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
        follower_append(node, from, message);
        break;
    case MESSAGE_APPEND_REPLY:
        replication_append_reply(node, from, &message->as.append_reply);
        break;
    case MESSAGE_INSTALL:
        follower_install(node, from, message);
        break;
    case MESSAGE_INSTALL_REPLY:
        replication_install_reply(node, from, &message->as.install_reply);
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
    founding_heartbeat(node, from, &message->as.heartbeat);
    if (members_is_foreign(node, from)) {
        if (message->as.heartbeat.term) /* else it may still join ours */
            peers_complain(&node->links, from, PEERS_FOREIGN);
        return;
    }
    election_heartbeat(node, from, &message->as.heartbeat);
    if (!peers_heartbeat(&node->links, from, message))
        return;
    health_heartbeat(node, from, &message->as.heartbeat);
    settle(node);
    if (node_serves(node))
        deadlines_heartbeat(node, from);
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
    if (members_is_foreign(node, from) && !joins) {
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

/* Who wakes long after the promised time was stopped or starved, and must not blame others for it.
 */
static void check_lateness(struct node *node)
{
    uint64_t since = node->promised_us > node->last_us ? node->promised_us : node->last_us;
    uint64_t late_us = node->step.now_us > since ? node->step.now_us - since : 0;
    if (late_us >= node->step.config.heartbeat_us) {
        peers_forgive(&node->links);
        deadlines_forgive(node);
    }
    if (late_us >= LATE_US)
        election_late(node, late_us);
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
    typedef void take_fn(struct node * node, struct value_id id);
    static take_fn *const table[VALUE_USERS][3] = {
        [USER_SCHEDULE] = {schedule_value_ready, schedule_value_failed, schedule_value_kept},
        [USER_WORKER] = {worker_value_ready, worker_value_failed, NULL},
        [USER_FOLLOWER] = {follower_value_ready, follower_value_failed, follower_value_kept},
        [USER_SNAPSHOT] = {NULL, snapshot_value_failed, snapshot_value_kept},
        [USER_REPAIR] = {repair_value_ready, repair_value_failed, repair_value_kept},
    };
    take_fn *take = table[user][kind - EVENT_VALUE_READY];
    if (take)
        take(node, id);
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
        journal_persisted(node, event->persisted);
        replication_advance(node);
        ledger_persisted(node, event->persisted);
        break;
    case EVENT_COMPUTED:
        worker_computed(node, event->computed.at, event->computed.n);
        break;
    case EVENT_VALUE_READY:
    case EVENT_VALUE_FAILED:
    case EVENT_VALUE_KEPT:
        if (event->kind == EVENT_VALUE_FAILED && event->value.used &&
            event->value.user == USER_FOLLOWER)
            follower_value_used(node, event->value.id);
        else
            take_value(node, event->kind, event->value.user, event->value.id);
        break;
    case EVENT_VALUE_LOST:
        repair_lost(node, event->value.id);
        break;
    case EVENT_VALUES_LISTED:
        sweep_listed(node, event->listed.ids, event->listed.n, event->listed.end);
        break;
    case EVENT_SPACE:
        space_event(node, event->full);
        break;
    case EVENT_REQUEST:
        requests_handle(node, event->request.client, event->request.message);
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
    node->turn_us = event->turn_us;
    node->turn_own_us = event->turn_own_us;
    node->turn_in = event->turn_in;
    health_note(node, event);
    check_lateness(node);
    take_event(node, event);
    settle(node);
    if (event->kind == EVENT_TICK) {
        peers_tick(&node->links);
        settle(node);
        health_tick(node);
        founding_tick(node);
        election_tick(node);
        requests_tick(node);
        follower_tick(node);
        worker_tick(node);
        repair_tick(node);
        ledger_queries_tick(node);
        snapshot_tick(node);
    }
    schedule_pump(node);
    worker_pump(node);
    image_pump(&node->state);
    replication_pump(node);
    members_pump(node);
    requests_confirmed(node);
    journal_compact(node);
    ledger_pump(node);
    snapshot_pump(node);
    sweep_pump(node);
    peers_pump(&node->links);
    heartbeat_tick(node);
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
    uint64_t at = node->heartbeat_at_us;
    at = earlier(at, election_deadline(node));
    at = earlier(at, peers_deadline(&node->links));
    at = earlier(at, schedule_deadline(node));
    at = earlier(at, ledger_queries_deadline(node));
    at = earlier(at, snapshot_deadline(node));
    at = earlier(at, image_deadline(&node->state));
    return earlier(at, requests_deadline(node));
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
    return sweep_names(node, id);
}

bool node_is_done_with(const struct node *node, struct value_id id, log_index_t index)
{
    return index && node->journal.applied >= index && !sweep_keeps(node, id);
}

void node_check_invariants(const struct node *node)
{
    election_check_invariants(node);
    journal_check_invariants(node);
    replication_check_invariants(node);
    jobs_check_invariants(&node->state.jobs);
    keys_check_invariants(&node->state.keys);
    schedule_check_invariants(node);
    worker_check_invariants(node);
    ledger_check_invariants(node);
    snapshot_check_invariants(node);
    for (node_id_t id = 1; id <= node->step.config.n_nodes; id++)
        channel_check_invariants(&node->links.peers[id].channel);
}
