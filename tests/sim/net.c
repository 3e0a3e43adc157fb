#include <inttypes.h>
#include <stdlib.h>

#include "shared/base/error.h"
#include "shared/wire/codec.h"
#include "tests/sim/world.h"

#define CONNECT_US (2 * MS_US)  /* of a connection to a node that lives */
#define RETRY_US   (50 * MS_US) /* between attempts to reach one that does not */

struct message *world_transmit(const struct message *message)
{
    struct codec_buffer buffer = {0};
    struct message *copy;
    struct text why = {0}, shown = {0};
    int error = codec_encode(message, &buffer);
    if (!error)
        error = codec_decode((struct slice){buffer.at, buffer.len}, &copy, &why);
    if (error) {
        codec_print(message, &shown);
        panic("%s cannot be transmitted: %s: %s", shown.at, error_text(error), why.at);
    }
    codec_buffer_clear(&buffer);
    for (size_t i = 0; i < message->n_frames; i++)
        message_add_frame(copy, message->frames[i]);
    return copy;
}

static bool chance(struct world *world, uint32_t per_million)
{
    return per_million && world_random(world, 1000000) < per_million;
}

static uint64_t delay(struct world *world)
{
    return world->options.delay_us +
           (world->options.jitter_us ? world_random(world, world->options.jitter_us) : 0);
}

void net_send(struct world *world, node_id_t from, enum plane plane, node_id_t to,
              struct message *message)
{
    struct world_link *link = &world->links[from][to][plane];
    world->counts.messages++;
    if (!link->up || world->cut[from][to])
        return;
    if (chance(world, world->options.loss)) {
        world->counts.lost++;
        return;
    }
    unsigned copies = 1;
    if (chance(world, world->options.duplication)) {
        world->counts.duplicated++;
        copies = 2;
    }
    while (copies--) {
        uint64_t at_us = world->now_us + delay(world);
        if (at_us <= link->last_us)
            at_us = link->last_us + 1;
        link->last_us = at_us;
        world_post(world, &(struct pending){.at_us = at_us,
                                            .kind = PENDING_DELIVER,
                                            .to = to,
                                            .from = from,
                                            .incarnation = world->nodes[to].incarnation,
                                            .plane = plane,
                                            .epoch = link->epoch,
                                            .message = world_transmit(message)});
    }
}

void net_publish(struct world *world, node_id_t from, struct message *message)
{
    for (node_id_t to = 1; to <= world->options.n_nodes; to++) {
        if (to == from || !world->nodes[to].core || world->cut[from][to] ||
            chance(world, world->options.loss))
            continue;
        world_post(world, &(struct pending){.at_us = world->now_us + delay(world),
                                            .kind = PENDING_FEED,
                                            .to = to,
                                            .from = from,
                                            .incarnation = world->nodes[to].incarnation,
                                            .plane = PLANE_HEARTBEAT,
                                            .message = world_transmit(message)});
    }
}

void net_deliver(struct world *world, struct pending *pending)
{
    struct message *message = pending->message;
    struct event event = {.kind = EVENT_MESSAGE};
    event.message.plane = pending->plane;
    event.message.from = pending->from;
    event.message.message = message;
    if (pending->kind == PENDING_DELIVER) {
        struct world_link *link = &world->links[pending->from][pending->to][pending->plane];
        if (link->epoch != pending->epoch)
            return; /* that connection broke */
        if (message->type == MESSAGE_HELLO) {
            link->greeted = link->epoch;
            link->greeter = message->as.hello.incarnation;
        } else if (link->greeted != link->epoch) {
            world->nodes[pending->to].rejected++;
            return;
        }
        event.message.incarnation = link->greeter;
    } else {
        event.message.incarnation = message->type == MESSAGE_HEARTBEAT
                                        ? message->as.heartbeat.incarnation
                                        : message->as.event.incarnation;
    }
    world_step(world, pending->to, &event);
}

/* --- connections --- */

static void attempt(struct world *world, node_id_t from, node_id_t to, enum plane plane,
                    uint64_t after_us)
{
    world_post(world, &(struct pending){.at_us = world->now_us + after_us,
                                        .kind = PENDING_LINK,
                                        .to = from,
                                        .from = to,
                                        .plane = plane,
                                        .ok = true,
                                        .incarnation = world->nodes[from].incarnation,
                                        .epoch = world->links[from][to][plane].epoch});
}

static void report(struct world *world, node_id_t from, node_id_t to, enum plane plane, bool up)
{
    struct event event = {.kind = up ? EVENT_LINK_UP : EVENT_LINK_DOWN};
    event.link.plane = plane;
    event.link.peer = to;
    world_step(world, from, &event);
}

/* A connection from pending->to to pending->from is attempted, or is noticed to have broken. */
void net_link(struct world *world, struct pending *pending)
{
    node_id_t from = pending->to, to = pending->from;
    struct world_link *link = &world->links[from][to][pending->plane];
    if (link->epoch != pending->epoch)
        return;
    if (!pending->ok) {
        link->epoch++;
        report(world, from, to, pending->plane, false);
        attempt(world, from, to, pending->plane, RETRY_US);
        return;
    }
    if (!world->nodes[to].core || world->cut[from][to] || world->cut[to][from]) {
        attempt(world, from, to, pending->plane, RETRY_US);
        return;
    }
    link->up = true;
    link->last_us = world->now_us;
    report(world, from, to, pending->plane, true);
}

void net_relink(struct world *world, node_id_t from, node_id_t to, enum plane plane)
{
    struct world_link *link = &world->links[from][to][plane];
    link->up = false;
    link->epoch++;
    attempt(world, from, to, plane, CONNECT_US);
}

void net_node_started(struct world *world, node_id_t id)
{
    for (node_id_t to = 1; to <= world->options.n_nodes; to++)
        for (int plane = 0; plane < PLANE_COUNT && to != id; plane++)
            if (plane != PLANE_HEARTBEAT)
                net_relink(world, id, to, (enum plane)plane);
}

/* Its own connections are gone at once; those to it break, and their owners notice within half a
 * millisecond. */
void net_node_died(struct world *world, node_id_t id)
{
    for (node_id_t other = 1; other <= world->options.n_nodes; other++) {
        for (int plane = 0; plane < PLANE_COUNT && other != id; plane++) {
            struct world_link *ours = &world->links[id][other][plane];
            struct world_link *theirs = &world->links[other][id][plane];
            ours->up = false;
            ours->epoch++;
            if (!theirs->up)
                continue;
            theirs->up = false;
            world_post(world,
                       &(struct pending){.at_us = world->now_us + 1 + world_random(world, 500),
                                         .kind = PENDING_LINK,
                                         .to = other,
                                         .from = id,
                                         .plane = (enum plane)plane,
                                         .incarnation = world->nodes[other].incarnation,
                                         .epoch = theirs->epoch});
        }
    }
}

void world_cut(struct world *world, node_id_t from, node_id_t to, bool cut)
{
    /* As a cable does: connections stay and are silent. */
    world_say(world, from, cut ? "is cut off from %u" : "reaches %u again", to);
    world->counts.cuts += cut;
    world->cut[from][to] = cut;
}
