#include "nodes/io/gate.h"

#include <stdlib.h>

#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

/* Destinations are numbered: planes of peers, then all clients, then the feed. */
#define DESTINATIONS_EXTRA 2

struct item {
    struct item *next;
    size_t destination;
    uint64_t client;
    struct message *message; /* owned reference */
    uint64_t after_seq;
    uint64_t bytes; /* of an answer's frames, once it is held back */
};

struct gate {
    struct mesh *mesh;
    struct clients *clients;
    uint64_t durable_seq;
    struct item *first, **end; /* held back, in the order in which they came */
    size_t n_held;
    uint64_t held_bytes; /* of answers: what is sent to peers shares its frames */
    size_t n_peers;      /* destinations that are planes of peers */
    uint32_t *waiting;   /* by destination: items that are held back */
};

static size_t to_clients(const struct gate *gate)
{
    return gate->n_peers;
}

static size_t to_feed(const struct gate *gate)
{
    return gate->n_peers + 1;
}

static size_t to_peer(enum plane plane, node_id_t peer)
{
    return (size_t)peer * PLANE_COUNT + plane;
}

struct gate *gate_new(struct mesh *mesh, struct clients *clients, uint32_t n_nodes)
{
    struct gate *gate = mem_new(1, sizeof *gate);
    gate->mesh = mesh;
    gate->clients = clients;
    gate->n_peers = (size_t)(n_nodes + 1) * PLANE_COUNT;
    gate->waiting = mem_new(gate->n_peers + DESTINATIONS_EXTRA, sizeof *gate->waiting);
    gate->end = &gate->first;
    return gate;
}

void gate_destroy(struct gate **gate)
{
    struct gate *it = *gate;
    *gate = NULL;
    if (!it)
        return;
    while (it->first) {
        struct item *item = it->first;
        it->first = item->next;
        message_drop(&item->message);
        free(item);
    }
    free(it->waiting);
    free(it);
}

/* --- the one function that sends --- */

static int reply(struct gate *gate, uint64_t number, const struct message *message)
{
    struct client *client = clients_take(gate->clients, number);
    if (!client)
        return ERR_NOT_FOUND;
    int error = mesh_reply(gate->mesh, client, message);
    client_free(client);
    return error;
}

static void let_out(struct gate *gate, const struct item *item)
{
    int error;
    if (item->destination == to_clients(gate))
        error = reply(gate, item->client, item->message);
    else if (item->destination == to_feed(gate))
        error = mesh_publish(gate->mesh, item->message);
    else
        error = mesh_send(gate->mesh, (enum plane)(item->destination % PLANE_COUNT),
                          (node_id_t)(item->destination / PLANE_COUNT), item->message);
    if (error == ERR_TOO_BIG || error == ERR_MALFORMED)
        log_write(LOG_ERROR, "a %s message cannot be sent: %s", message_name(item->message->type),
                  error_text(error));
}

/* --- holding back --- */

static void pass(struct gate *gate, struct item item)
{
    bool waits = item.after_seq > gate->durable_seq || gate->waiting[item.destination] > 0;
    if (!waits) {
        let_out(gate, &item);
        return;
    }
    bool answer = item.destination == to_clients(gate);
    for (size_t i = 0; answer && i < item.message->n_frames; i++)
        item.bytes += item.message->frames[i]->len;
    bool too_long = item.bytes && gate->held_bytes + item.bytes > GATE_HELD_BYTES;
    if (gate->n_held == GATE_HELD_MAX || (too_long && !MUTANT(held_unbounded))) {
        if (answer)
            client_free(clients_take(gate->clients, item.client));
        return;
    }
    struct item *held = mem_new(1, sizeof *held);
    *held = item;
    message_ref(held->message);
    *gate->end = held;
    gate->end = &held->next;
    gate->waiting[item.destination]++;
    gate->n_held++;
    gate->held_bytes += item.bytes;
}

/* Unlinks the item that *at points to and frees it. */
static void remove_held(struct gate *gate, struct item **at)
{
    struct item *item = *at;
    *at = item->next;
    if (!item->next)
        gate->end = at;
    gate->waiting[item->destination]--;
    gate->n_held--;
    gate->held_bytes -= item->bytes;
    message_drop(&item->message);
    free(item);
}

void gate_send(struct gate *gate, enum plane plane, node_id_t to, struct message *message,
               uint64_t after_seq)
{
    size_t destination = to_peer(plane, to);
    if (destination < gate->n_peers)
        pass(gate,
             (struct item){.destination = destination, .message = message, .after_seq = after_seq});
}

void gate_reply(struct gate *gate, uint64_t client, struct message *message, uint64_t after_seq)
{
    pass(gate, (struct item){.destination = to_clients(gate),
                             .client = client,
                             .message = message,
                             .after_seq = after_seq});
}

void gate_publish(struct gate *gate, struct message *message, uint64_t after_seq)
{
    pass(gate,
         (struct item){.destination = to_feed(gate), .message = message, .after_seq = after_seq});
}

void gate_durable(struct gate *gate, uint64_t seq)
{
    gate->durable_seq = seq;
    if (!gate->n_held)
        return;
    /* An item that must still wait blocks those behind it for the same destination,
     * and no others. */
    bool *blocked = mem_new(gate->n_peers + DESTINATIONS_EXTRA, sizeof *blocked);
    for (struct item **at = &gate->first; *at;) {
        struct item *item = *at;
        if (item->after_seq > seq)
            blocked[item->destination] = true;
        if (blocked[item->destination]) {
            at = &item->next;
            continue;
        }
        let_out(gate, item);
        remove_held(gate, at);
    }
    free(blocked);
}

void gate_forget(struct gate *gate, enum plane plane, node_id_t peer)
{
    size_t destination = to_peer(plane, peer);
    if (destination >= gate->n_peers || !gate->waiting[destination])
        return;
    for (struct item **at = &gate->first; *at;)
        if ((*at)->destination == destination)
            remove_held(gate, at);
        else
            at = &(*at)->next;
}
