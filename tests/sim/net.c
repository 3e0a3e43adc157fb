#include <inttypes.h>
#include <stdlib.h>

#include "shared/base/error.h"
#include "shared/wire/codec.h"
#include "tests/sim/brokers.h"
#include "tests/sim/hostile.h"

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

uint64_t net_delay(struct world *world)
{
    const struct world_options *options = &world->options;
    uint64_t us =
        options->delay_us + (options->jitter_us ? world_random(world, options->jitter_us) : 0);
    if (!world_chance(world, options->spikes))
        return us;
    world_count(world, FAULT_DELAY);
    return us + world_random(world, options->spike_us + 1);
}

static bool is_lost(struct world *world)
{
    if (!world_chance(world, world->options.loss))
        return false;
    world_count(world, FAULT_LOSS);
    return true;
}

bool world_is_cut(const struct world *world, node_id_t from, node_id_t to)
{
    return world->cut_until_us[from][to] > world->now_us;
}

static void count_entries(struct world *world, const struct wire_append *append)
{
    for (size_t i = 0; i < append->entries.n; i++)
        world->counts.entries += append->entries.at[i].count ? append->entries.at[i].count : 1;
}

void net_send(struct world *world, node_id_t from, enum plane plane, node_id_t to,
              struct message *message)
{
    struct world_link *link = &world->links[from][to][plane];
    world->counts.messages++;
    if (message->type == MESSAGE_APPEND)
        count_entries(world, &message->as.append);
    if (message->type == MESSAGE_INSTALL && message->as.install.part)
        world_count(world, FAULT_MANY_PARTS);
    if (!link->up || planes_are_cut(world, from, to, plane) || is_lost(world))
        return;
    unsigned copies = 1;
    if (world_chance(world, world->options.duplication)) {
        world_count(world, FAULT_DUPLICATE);
        copies = 2;
    }
    struct message *arrives = world_transmit(message);
    while (copies--) {
        uint64_t at_us = world->now_us + net_delay(world);
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
                                            .message = message_ref(arrives)});
    }
    message_drop(&arrives);
}

void net_publish(struct world *world, node_id_t from, struct message *message)
{
    struct message *arrives = world_transmit(message);
    hostile_hear(world, from, arrives);
    for (node_id_t to = 1; to <= world->options.n_nodes; to++) {
        if (to == from || !world->nodes[to].core ||
            planes_are_cut(world, from, to, PLANE_HEARTBEAT) || is_lost(world))
            continue;
        uint64_t at_us = world->now_us + net_delay(world);
        if (at_us < world->feed_last_us[from][to])
            world_count(world, FAULT_REORDER);
        else
            world->feed_last_us[from][to] = at_us;
        world_post(world, &(struct pending){.at_us = at_us,
                                            .kind = PENDING_FEED,
                                            .to = to,
                                            .from = from,
                                            .incarnation = world->nodes[to].incarnation,
                                            .plane = PLANE_HEARTBEAT,
                                            .message = message_ref(arrives)});
    }
    brokers_publish(world, from, arrives);
    message_drop(&arrives);
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
            if (node_refuses(world->nodes[pending->to].core, pending->from,
                             message->as.hello.incarnation, NULL))
                return; /* the former life is still heard: it says HELLO again */
            link->greeted = link->epoch;
            link->greeter = message->as.hello.incarnation;
        } else if (link->greeted != link->epoch) {
            world->nodes[pending->to].rejected++;
            return;
        }
        event.message.incarnation = link->greeter;
        if (message->type == MESSAGE_VALUE_GET || message->type == MESSAGE_VALUE_CHUNK) {
            values_message(world, pending->to, pending->from, message);
            return;
        }
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
    if (!up && plane == PLANE_VALUE)
        values_link_down(world, from, to);
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
    if (!world->nodes[to].core || planes_are_cut(world, from, to, pending->plane) ||
        planes_are_cut(world, to, from, pending->plane)) {
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

/* A connection breaks; its owner notices within half a millisecond. */
static void lose(struct world *world, node_id_t from, node_id_t to, enum plane plane)
{
    struct world_link *link = &world->links[from][to][plane];
    link->up = false;
    world_post(world, &(struct pending){.at_us = world->now_us + 1 + world_random(world, 500),
                                        .kind = PENDING_LINK,
                                        .to = from,
                                        .from = to,
                                        .plane = plane,
                                        .incarnation = world->nodes[from].incarnation,
                                        .epoch = link->epoch});
}

/* What it has sent may still arrive, until it connects again; connections to it break. */
void net_node_died(struct world *world, node_id_t id)
{
    for (node_id_t other = 1; other <= world->options.n_nodes; other++) {
        for (int plane = 0; plane < PLANE_COUNT && other != id; plane++) {
            world->links[id][other][plane].up = false;
            if (world->links[other][id][plane].up)
                lose(world, other, id, (enum plane)plane);
        }
    }
}

/* --- faults --- */

void world_cut(struct world *world, node_id_t from, node_id_t to, bool cut)
{
    /* As a cable does: connections stay and are silent. */
    world_say(world, from, cut ? "is cut off from %u" : "reaches %u again", to);
    world->cut_until_us[from][to] = cut ? UINT64_MAX : 0;
}

void world_cut_for(struct world *world, node_id_t from, node_id_t to, uint64_t for_us)
{
    world_say(world, from, "is cut off from %u for %" PRIu64 " ms", to, for_us / 1000);
    world_extend(&world->cut_until_us[from][to], world->now_us + for_us);
}

void world_clog(struct world *world, node_id_t from, node_id_t to, uint64_t for_us)
{
    world_say(world, from, "its link to %u is clogged for %" PRIu64 " ms", to, for_us / 1000);
    world_count(world, FAULT_CLOG);
    world_extend(&world->clog_until_us[from][to], world->now_us + for_us);
}

void world_break(struct world *world, node_id_t from, node_id_t to, enum plane plane)
{
    struct world_link *link = &world->links[from][to][plane];
    if (!link->up || !world->nodes[from].core)
        return;
    world_say(world, from, "its connection to %u on plane %d is reset", to, (int)plane);
    world_count(world, FAULT_BREAK);
    lose(world, from, to, plane);
}
