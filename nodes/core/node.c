#include "nodes/core/node.h"

#include <assert.h>
#include <stdlib.h>

#include "nodes/core/election.h"
#include "nodes/core/feed.h"
#include "nodes/core/journal.h"
#include "nodes/core/peers.h"
#include "nodes/core/requests.h"
#include "nodes/core/schedule.h"
#include "nodes/core/state.h"
#include "nodes/core/worker.h"
#include "shared/base/error.h"

/* --- life --- */

struct node *node_new(const struct node_config *config, const struct node_durable *durable,
                      uint64_t now_us)
{
    struct node *node = mem_new(1, sizeof *node);
    node->config = *config;
    node->now_us = node->last_us = node->promised_us = now_us;
    node->random = config->random;
    node->heartbeat_at_us = now_us;
    election_init(node, durable);
    return node;
}

int node_restore_entry(struct node *node, log_index_t index, term_t term, struct message *entry)
{
    return journal_restore(node, index, term, entry);
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
    journal_clear(it);
    peers_clear(it);
    jobs_clear(&it->jobs);
    outbox_destroy(&it->out);
    free(it);
}

/* --- helpers of all core files --- */

uint64_t node_random(struct node *node, uint64_t limit)
{
    /* splitmix64 (Steele, Lea & Flood 2014). */
    uint64_t x = node->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (x ^ x >> 31) % limit;
}

void node_reject(struct node *node, node_id_t from, const char *why)
{
    node->rejected_here++;
    outbox_log(&node->out, LOG_WARN, "dropped a message of node %u: %s", from, why);
}

/* --- messages --- */

static void take_control(struct node *node, node_id_t from, const struct message *message)
{
    if (message->type == MESSAGE_VOTE_REQUEST)
        election_vote_request(node, from, &message->as.vote_request);
    else if (message->type == MESSAGE_VOTE_REPLY)
        election_vote_reply(node, from, &message->as.vote_reply);
    else
        node_reject(node, from, "it does not belong on the control plane");
}

static void take_channel(struct node *node, node_id_t from, struct message *message)
{
    if (!peers_receive(node, from, message))
        return;
    switch (message->type) {
    case MESSAGE_TASK:
        if (election_accept_coordinator(node, from, message->as.task.term))
            worker_task(node, from, message);
        break;
    case MESSAGE_RELEASE:
        if (election_accept_coordinator(node, from, message->as.release.term))
            worker_release(node, message->as.release.job);
        break;
    case MESSAGE_RESULT:
        schedule_results(node, from, message);
        break;
    default:
        node_reject(node, from, "it does not belong on a channel");
        break;
    }
}

static void take_feed(struct node *node, node_id_t from, struct message *message)
{
    if (message->type != MESSAGE_HEARTBEAT)
        return;
    election_heartbeat(node, from, &message->as.heartbeat);
    peers_heartbeat(node, from, message);
}

/* The place of a message on a plane was checked by the runtime; who sent it, too. What is in it was
 * not. */
static void take_message(struct node *node, enum plane plane, node_id_t from,
                         struct message *message)
{
    if (!node_is_peer(node, from)) {
        node_reject(node, from, "there is no such node");
        return;
    }
    if (message->type == MESSAGE_HELLO && message->as.hello.plane == plane)
        peers_hello(node, from, &message->as.hello);
    else if (message->type == MESSAGE_WELCOME && message->as.welcome.plane == plane)
        peers_welcome(node, from, &message->as.welcome);
    else if (plane == PLANE_CONTROL)
        take_control(node, from, message);
    else if (plane == PLANE_CHANNEL)
        take_channel(node, from, message);
    else if (plane == PLANE_HEARTBEAT)
        take_feed(node, from, message);
    else
        node_reject(node, from, "it does not belong on its plane");
}

/* --- the door --- */

/* Who wakes long after the promised time was stopped or starved, and must not blame others for it.
 */
static void check_lateness(struct node *node)
{
    uint64_t since = node->promised_us > node->last_us ? node->promised_us : node->last_us;
    if (node->now_us < since + LATE_US)
        return;
    uint64_t late_us = node->now_us - since;
    peers_forgive(node);
    election_late(node, late_us);
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
        peers_link_up(node, event->link.plane, event->link.peer);
        break;
    case EVENT_LINK_DOWN:
        peers_link_down(node, event->link.plane, event->link.peer);
        break;
    case EVENT_PERSISTED:
        journal_persisted(node, event->persisted);
        break;
    case EVENT_COMPUTED:
        worker_computed(node, event->computed.at, event->computed.n);
        break;
    case EVENT_VALUE_READY:
        schedule_value_ready(node, event->value.id);
        worker_value_ready(node, event->value.id);
        break;
    case EVENT_VALUE_FAILED:
        schedule_value_failed(node, event->value.id, event->value.from);
        worker_value_failed(node, event->value.id, event->value.from);
        break;
    case EVENT_VALUE_KEPT:
        schedule_value_kept(node, event->value.id);
        break;
    case EVENT_REQUEST:
        requests_handle(node, event->request.client, event->request.message);
        break;
    }
}

struct node_outputs node_step(struct node *node, const struct event *event)
{
    outbox_begin(&node->out);
    node->now_us = event->now_us;
    node->wall_ms = event->wall_ms;
    node->random ^= event->random;
    node->rejected = event->rejected + node->rejected_here;
    check_lateness(node);
    take_event(node, event);
    if (event->kind == EVENT_TICK) {
        peers_tick(node);
        election_tick(node);
        requests_tick(node);
    }
    schedule_pump(node);
    worker_pump(node);
    peers_pump(node);
    feed_tick(node);
    outbox_end(&node->out);
    node->last_us = node->now_us;
    node->promised_us = node_deadline(node);
    return (struct node_outputs){node->out.at, node->out.n};
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t node_deadline(const struct node *node)
{
    uint64_t at = node->heartbeat_at_us;
    at = earlier(at, election_deadline(node));
    at = earlier(at, peers_deadline(node));
    return earlier(at, requests_deadline(node));
}

void node_check_invariants(const struct node *node)
{
    election_check_invariants(node);
    journal_check_invariants(node);
    jobs_check_invariants(&node->jobs);
    schedule_check_invariants(node);
    worker_check_invariants(node);
    for (node_id_t id = 1; id <= node->config.n_nodes; id++)
        channel_check_invariants(&node->peers[id].channel);
}
