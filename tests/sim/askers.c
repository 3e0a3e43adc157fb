/* Those who ask named nodes: their ledgers, mostly. They are numbered after the clients. */
#include "shared/base/text.h"
#include "tests/sim/brokers.h"
#include "tests/sim/clients.h"

#define RETRY_US (300 * MS_US)
#define TAKE_US  (3 * SECOND_US) /* for a snapshot: a node takes its time when others are silent */

static void wake_at(struct world *world, unsigned asker, uint64_t after_us)
{
    world->askers[asker].retry_us = world->now_us + after_us;
    world_post(world, &(struct pending){.at_us = world->now_us + after_us,
                                        .kind = PENDING_CLIENT,
                                        .client = WORLD_CLIENTS_MAX + asker});
}

/* As through a broker: a node that is down or stopped gets nothing. */
static void send(struct world *world, unsigned number)
{
    struct world_asker *asker = &world->askers[number];
    node_id_t node = (node_id_t)asker->request->as.request.node;
    asker->request->as.request.request = ++asker->number;
    wake_at(world, number, asker->request->type == MESSAGE_SNAPSHOT_TAKE ? TAKE_US : RETRY_US);
    if (world->brokers) {
        brokers_ask(world, asker->broker, WORLD_CLIENTS_MAX + number, asker->number,
                    asker->request);
        return;
    }
    if (!world->nodes[node].core || world->nodes[node].paused_until_us > world->now_us)
        return;
    struct message *message = world_transmit(asker->request);
    struct event event = {.kind = EVENT_REQUEST};
    event.request.client = brokers_caller(
        &(struct pending){.client = WORLD_CLIENTS_MAX + number, .seq = asker->number});
    event.request.message = message;
    event.request.asker = client_asker(world, WORLD_CLIENTS_MAX + number);
    world_step(world, node, &event);
    message_drop(&message);
}

void world_ask(struct world *world, unsigned number, node_id_t node, struct message *request)
{
    struct world_asker *asker = &world->askers[number];
    message_drop(&asker->request);
    message_drop(&asker->answer);
    asker->request = request;
    request->as.request.node = node;
    send(world, number);
}

void asker_wake(struct world *world, unsigned number)
{
    struct world_asker *asker = &world->askers[number];
    if (asker->request && world->now_us >= asker->retry_us) {
        asker->broker = brokers_next(world, asker->broker);
        send(world, number);
    }
    if (!asker->awake_us || world->now_us < asker->awake_us)
        return;
    asker->awake_us = 0;
    asker->awake(world, number);
}

void world_wake_asker(struct world *world, unsigned number, uint64_t after_us)
{
    world->askers[number].awake_us = world->now_us + after_us;
    world_post(world, &(struct pending){.at_us = world->now_us + after_us,
                                        .kind = PENDING_CLIENT,
                                        .client = WORLD_CLIENTS_MAX + number});
}

void asker_reply(struct world *world, unsigned number, const struct pending *pending)
{
    struct world_asker *asker = &world->askers[number];
    if (!asker->request || pending->seq != asker->number)
        return; /* an answer to an earlier try */
    const struct message *message = pending->message;
    bool later =
        message->type == MESSAGE_ERROR && (slice_equals(message->as.error.code, "busy") ||
                                           slice_equals(message->as.error.code, "unavailable"));
    if (later) {
        wake_at(world, number, RETRY_US / 6);
        return;
    }
    message_drop(&asker->request);
    asker->answer = message_ref(pending->message);
    if (asker->done)
        asker->done(world, number);
}

void askers_clear(struct world *world)
{
    for (unsigned i = 0; i < WORLD_ASKERS_MAX; i++) {
        message_drop(&world->askers[i].request);
        message_drop(&world->askers[i].answer);
    }
}
