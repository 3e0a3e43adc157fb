#include "tests/sim/brokers.h"

#include <inttypes.h>
#include <stdlib.h>

#include "broker/tracker.h"
#include "nodes/core/node.h"

/* A request for a node that is down is tried again after this long. */
#define RECONNECT_US (50 * MS_US)

/* Of a caller's number: the client's, the broker's, the broker's life, the request's. */
#define CALLER_CLIENT_BITS 8
#define CALLER_BROKER_BITS 4
#define CALLER_LIFE_BITS   20

struct world_broker {
    struct tracker tracker;
    uint64_t life;
    uint64_t down_until_us, deaf_until_us;
    uint64_t late_until_us; /* what it would hear comes then */
};

struct world_brokers {
    unsigned n;
    struct world_broker at[WORLD_BROKERS_MAX];
};

static void start(struct world *world, struct world_broker *broker)
{
    uint64_t timeout_us = world->options.election_timeout_us;
    tracker_init(&broker->tracker, world->options.n_nodes, world_voters(world),
                 timeout_us ? timeout_us : ELECTION_TIMEOUT_DEFAULT_US);
    broker->life++;
}

void brokers_open(struct world *world, unsigned n)
{
    world->brokers = mem_new(1, sizeof *world->brokers);
    world->brokers->n = n;
    for (unsigned i = 0; i < n; i++)
        start(world, &world->brokers->at[i]);
}

void brokers_free(struct world_brokers **brokers)
{
    free(*brokers);
    *brokers = NULL;
}

unsigned brokers_next(const struct world *world, unsigned broker)
{
    return world->brokers ? (broker + 1) % world->brokers->n : 0;
}

static bool is_down(const struct world *world, const struct world_broker *broker)
{
    return broker->down_until_us > world->now_us;
}

/* The broker that something was meant for; NULL: it died meanwhile. */
static struct world_broker *meant(const struct world *world, const struct pending *pending)
{
    struct world_broker *broker = &world->brokers->at[pending->broker - 1];
    return broker->life == pending->broker_life && !is_down(world, broker) ? broker : NULL;
}

/* Likewise, for requests and answers: what dies with it is counted. */
static struct world_broker *through(struct world *world, const struct pending *pending)
{
    struct world_broker *broker = meant(world, pending);
    if (!broker)
        world_count(world, FAULT_BROKER_LOST);
    return broker;
}

/* --- the feed --- */

void brokers_publish(struct world *world, node_id_t from, struct message *message)
{
    if (!world->brokers)
        return;
    for (unsigned i = 0; i < world->brokers->n; i++) {
        struct world_broker *broker = &world->brokers->at[i];
        if (is_down(world, broker) || broker->deaf_until_us > world->now_us ||
            world_chance(world, world->options.loss))
            continue;
        uint64_t at_us = world->now_us + net_delay(world);
        world_extend(&at_us, broker->late_until_us);
        world_post(world, &(struct pending){.at_us = at_us,
                                            .kind = PENDING_HEARD,
                                            .from = from,
                                            .broker = i + 1,
                                            .broker_life = broker->life,
                                            .message = message_ref(message)});
    }
}

/* --- requests --- */

void brokers_ask(struct world *world, unsigned broker, unsigned client, uint64_t number,
                 const struct message *message)
{
    world_post(world, &(struct pending){.at_us = world->now_us + net_delay(world),
                                        .kind = PENDING_TO_PASS,
                                        .client = client,
                                        .seq = number,
                                        .broker = broker + 1,
                                        .broker_life = world->brokers->at[broker].life,
                                        .message = world_transmit(message)});
}

static void refuse(struct world *world, const struct pending *request, const char *code,
                   const char *why)
{
    struct message *message = message_new(MESSAGE_ERROR);
    message->as.error.request = request->seq;
    message->as.error.code = message_text(message, code);
    message->as.error.reason = message_text(message, why);
    world_post(world, &(struct pending){.at_us = world->now_us + net_delay(world),
                                        .kind = PENDING_REPLY,
                                        .client = request->client,
                                        .seq = request->seq,
                                        .message = message});
}

static void pass_on(struct world *world, const struct pending *request)
{
    const struct world_broker *broker = through(world, request);
    const char *code = NULL;
    struct text why = {0};
    if (!broker)
        return;
    node_id_t node = tracker_route(&broker->tracker, request->message, world->now_us, &code, &why);
    if (!node) {
        refuse(world, request, code, why.at);
        return;
    }
    struct pending passed = *request;
    passed.at_us = world->now_us + net_delay(world);
    passed.kind = PENDING_REQUEST;
    passed.to = node;
    passed.meant = world->nodes[node].incarnation;
    passed.message = message_ref(request->message);
    world_post(world, &passed);
}

/* A request arrives at its node, or what is left of it. */
static void deliver(struct world *world, struct pending *request)
{
    const struct node *node = world->nodes[request->to].core;
    bool later = request->meant != world->nodes[request->to].incarnation;
    if (!through(world, request))
        return;
    if (!node) {
        struct pending waits = *request;
        waits.at_us = world->now_us + RECONNECT_US;
        waits.message = message_ref(request->message);
        if (world_random(world, 2))
            world_post(world, &waits);
        else
            message_drop(&waits.message); /* it had left: the bytes are lost with the process */
        return;
    }
    if (later)
        world_count(world, FAULT_BROKER_LATE);
    if (!request->message->as.request.node && !node_coordinates(node))
        world_count(world, FAULT_BROKER_WRONG);
    client_request(world, request);
}

/* --- answers --- */

uint64_t brokers_caller(const struct pending *request)
{
    uint64_t who = request->broker_life << CALLER_BROKER_BITS | request->broker;
    return (who << CALLER_CLIENT_BITS | request->client) << 32 | request->seq;
}

static struct pending called(uint64_t caller)
{
    uint64_t who = caller >> (32 + CALLER_CLIENT_BITS);
    return (struct pending){
        .seq = caller & UINT32_MAX,
        .client = caller >> 32 & ((1u << CALLER_CLIENT_BITS) - 1),
        .broker = who & ((1u << CALLER_BROKER_BITS) - 1),
        .broker_life = who >> CALLER_BROKER_BITS,
    };
}

void brokers_answer(struct world *world, node_id_t from, uint64_t caller, struct message *message)
{
    struct pending answer = called(caller);
    answer.at_us = world->now_us + world->options.delay_us;
    answer.kind = answer.broker ? PENDING_TO_RETURN : PENDING_REPLY;
    answer.from = from;
    answer.message = message;
    world_post(world, &answer);
}

static void hand_back(struct world *world, const struct pending *pending)
{
    if (!through(world, pending))
        return;
    struct pending answer = *pending;
    answer.at_us = world->now_us + net_delay(world);
    answer.kind = PENDING_REPLY;
    answer.message = message_ref(pending->message);
    world_post(world, &answer);
}

void brokers_pending(struct world *world, struct pending *pending)
{
    struct world_broker *broker;
    switch (pending->kind) {
    case PENDING_HEARD:
        broker = meant(world, pending);
        if (broker)
            tracker_hear(&broker->tracker, pending->message, world->now_us);
        break;
    case PENDING_TO_PASS:
        pass_on(world, pending);
        break;
    case PENDING_REQUEST:
        deliver(world, pending);
        break;
    default:
        hand_back(world, pending);
        break;
    }
}

/* --- faults --- */

static struct world_broker *any(struct world *world, unsigned *number)
{
    *number = (unsigned)world_random(world, world->brokers->n);
    return &world->brokers->at[*number];
}

void brokers_kill(struct world *world, uint64_t for_us)
{
    unsigned number;
    if (!world->brokers)
        return;
    struct world_broker *broker = any(world, &number);
    world_say(world, NODE_NONE, "broker %u is killed, for %" PRIu64 " ms", number, for_us / 1000);
    world_count(world, FAULT_BROKER_KILLED);
    start(world, broker);
    world_extend(&broker->down_until_us, world->now_us + for_us);
}

void brokers_deafen(struct world *world, uint64_t for_us)
{
    unsigned number;
    if (!world->brokers)
        return;
    struct world_broker *broker = any(world, &number);
    bool late = world_random(world, 2);
    world_say(world, NODE_NONE, "broker %u hears %s for %" PRIu64 " ms", number,
              late ? "all late" : "nothing", for_us / 1000);
    world_count(world, FAULT_BROKER_DEAF);
    world_extend(late ? &broker->late_until_us : &broker->deaf_until_us, world->now_us + for_us);
}

void brokers_heal(struct world *world)
{
    for (unsigned i = 0; world->brokers && i < world->brokers->n; i++) {
        struct world_broker *broker = &world->brokers->at[i];
        broker->down_until_us = broker->deaf_until_us = broker->late_until_us = 0;
    }
}
