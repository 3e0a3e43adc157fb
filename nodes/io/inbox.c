#include "nodes/io/inbox.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/io/askers.h"
#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/base/log_limit.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/bus/bundle.h"
#include "shared/bus/intake.h"
#include "shared/bus/roster.h"
#include "shared/wire/codec.h"

#define REFUSALS_MAX 1024 /* that wait to be sent, besides the requests that wait for answers */

/* A node's heartbeats and events. */
struct feed {
    incarnation_t heard, connected; /* whose feed was heard; for whom it was connected again */
    uint64_t connected_us;
};

struct inbox {
    node_id_t self;
    uint32_t n_nodes;
    struct mesh *mesh;
    struct clients *clients;
    struct gate *gate;
    struct roster *roster;
    const struct node *node; /* NULL: none that refuses */
    incarnation_t incarnation;
    struct feed *feeds; /* by node */
    struct bus_parts parts;
    struct bus_parts bundle; /* that requests are taken from, one after another */
    struct slice bundled;    /* what is left of it */
    struct visitor visitor;  /* who sent it, by the key of the connection; not without keys */
    struct asker asker;      /* whose request it is; lent out likewise */
    struct message *message; /* lent out until the next call */
    uint64_t rejected;
    struct log_limit complaints;
};

struct inbox *inbox_new(const char *cluster, node_id_t self, uint32_t n_nodes, struct mesh *mesh,
                        struct clients *clients, struct gate *gate)
{
    struct inbox *inbox = mem_new(1, sizeof *inbox);
    inbox->self = self;
    inbox->n_nodes = n_nodes;
    inbox->mesh = mesh;
    inbox->clients = clients;
    inbox->gate = gate;
    inbox->roster = roster_new(cluster, self, n_nodes);
    inbox->feeds = mem_new(n_nodes + 1, sizeof *inbox->feeds);
    return inbox;
}

void inbox_destroy(struct inbox **inbox)
{
    struct inbox *it = *inbox;
    *inbox = NULL;
    if (!it)
        return;
    bus_parts_clear(&it->parts);
    bus_parts_clear(&it->bundle);
    message_drop(&it->message);
    roster_destroy(&it->roster);
    free(it->feeds);
    free(it);
}

/* --- rejecting --- */

void inbox_reject(struct inbox *inbox, enum plane plane, node_id_t from, uint64_t now_us,
                  const char *why)
{
    uint64_t unsaid;
    inbox->rejected++;
    if (!log_limit_allows(&inbox->complaints, now_us, LOG_REJECTED_PER_S, &unsaid))
        return;
    char sender[32] = "an unknown sender";
    if (from)
        text_format(sender, sizeof sender, "node %u", (unsigned)from);
    log_write(LOG_WARN, "rejected %" PRIu64 " message%s; the last came from %s on the %s plane: %s",
              unsaid + 1, unsaid ? "s" : "", sender, plane_name(plane), why);
}

uint64_t inbox_rejected(const struct inbox *inbox)
{
    return inbox->rejected + intake_ended();
}

/* --- between nodes --- */

static bool is_peer(const struct inbox *inbox, uint64_t node)
{
    return node >= 1 && node <= inbox->n_nodes && node != inbox->self;
}

void inbox_serve(struct inbox *inbox, const struct node *node, incarnation_t incarnation)
{
    inbox->node = node;
    inbox->incarnation = incarnation;
}

/* With keys: whether the connection's key is that of a node, and of this one. */
static bool has_key_of(const struct inbox *inbox, uint64_t node)
{
    return doors_are_insecure(mesh_doors(inbox->mesh)) ||
           (inbox->visitor.role == ROLE_node && inbox->visitor.node == node) ||
           MUTANT(hello_unbound);
}

/* Before the roster, which would fence the connections of the one that lives. */
static bool refuse_double(struct inbox *inbox, enum plane plane, const struct wire_hello *hello,
                          struct text *why)
{
    struct message *refusal;
    if (!inbox->node || !is_peer(inbox, hello->src) ||
        !node_refuses(inbox->node, (node_id_t)hello->src, hello->incarnation, &refusal))
        return false;
    struct slice to = bus_part(&inbox->parts, 0);
    if (plane == PLANE_CONTROL)
        bus_send(mesh_socket(inbox->mesh, plane), &to, 1, refusal);
    message_drop(&refusal);
    text_add(why, "HELLO of a second node %u, which runs already", (unsigned)hello->src);
    return true;
}

/* It is there: the connection to its feed need not sleep until its next try. One that is being made
 * is not begun again for each HELLO. */
static void connect_feed(struct inbox *inbox, node_id_t peer, incarnation_t incarnation,
                         uint64_t now_us)
{
    struct feed *feed = &inbox->feeds[peer];
    if (feed->heard == incarnation ||
        (feed->connected == incarnation && now_us < feed->connected_us + FEED_RETRY_MS * MS_US))
        return;
    feed->connected = incarnation;
    feed->connected_us = now_us;
    mesh_refeed(inbox->mesh, peer);
}

static int take_hello(struct inbox *inbox, enum plane plane, uint64_t now_us, struct event *event,
                      struct text *why)
{
    const struct wire_hello *hello = &inbox->message->as.hello;
    bool first;
    if (!has_key_of(inbox, hello->src)) {
        text_add(why, "HELLO of node %" PRIu64 " with the key of %s", hello->src,
                 inbox->visitor.name);
        return ERR_MALFORMED;
    }
    if (refuse_double(inbox, plane, hello, why))
        return ERR_STALE;
    int error = roster_hello(inbox->roster, plane, bus_part(&inbox->parts, 0), hello, &first, why);
    if (error)
        return error;
    node_id_t peer = (node_id_t)hello->src;
    event->message.from = peer;
    event->message.incarnation = hello->incarnation;
    /* It is there: our own connections need not sleep until their next try. */
    mesh_hurry(inbox->mesh, plane, peer);
    if (plane == PLANE_CONTROL)
        connect_feed(inbox, peer, hello->incarnation, now_us);
    return OK;
}

/* Whom the message itself names as its sender; 0: it names none. */
static uint64_t claimed_sender(const struct message *message)
{
    switch (message_kind(message->type)->place) {
    case PLACE_CHANNEL:
        return message->as.channel.src;
    case PLACE_VALUE: /* both begin with it */
        return message->as.value_get.src;
    case PLACE_LINK:
        return message->as.welcome.src;
    default:
        return 0;
    }
}

static bool fits_plane(enum message_place place, enum plane plane)
{
    switch (plane) {
    case PLANE_CONTROL:
        return place == PLACE_CONTROL || place == PLACE_LINK;
    case PLANE_CHANNEL:
        return place == PLACE_CHANNEL || place == PLACE_LINK;
    case PLANE_CHECKPOINT:
        return place == PLACE_REPLICATION || place == PLACE_LINK;
    case PLANE_HEARTBEAT:
        return place == PLACE_FEED;
    case PLANE_VALUE:
        return place == PLACE_VALUE || place == PLACE_LINK;
    case PLANE_COUNT:
        break;
    }
    return false;
}

static int take_from_node(struct inbox *inbox, enum plane plane, uint64_t now_us,
                          struct event *event, struct text *why)
{
    bool known = roster_find(inbox->roster, plane, bus_part(&inbox->parts, 0), &event->message.from,
                             &event->message.incarnation);
    int error = bus_decode(&inbox->parts, 1, &inbox->message, why);
    if (error)
        return error;
    const struct message *message = inbox->message;
    if (!fits_plane(message_kind(message->type)->place, plane)) {
        text_add(why, "%s does not belong here", message_name(message->type));
        return ERR_MALFORMED;
    }
    if (message->type == MESSAGE_HELLO)
        return take_hello(inbox, plane, now_us, event, why);
    if (!known) {
        text_add(why, "%s on a connection without a HELLO that counts",
                 message_name(message->type));
        return ERR_STALE;
    }
    if (!has_key_of(inbox, event->message.from)) {
        text_add(why, "%s on a connection of node %u, with the key of %s",
                 message_name(message->type), (unsigned)event->message.from, inbox->visitor.name);
        return ERR_MALFORMED;
    }
    uint64_t claimed = claimed_sender(message);
    if (claimed && claimed != event->message.from) {
        text_add(why, "%s says that it is from node %" PRIu64, message_name(message->type),
                 claimed);
        return ERR_MALFORMED;
    }
    return OK;
}

static int take_from_feed(struct inbox *inbox, node_id_t feed, struct event *event,
                          struct text *why)
{
    int error = bus_decode(&inbox->parts, 0, &inbox->message, why);
    if (error)
        return error;
    const struct message *message = inbox->message;
    /* Heartbeats and events both begin with node and incarnation. */
    uint64_t node = message->as.heartbeat.node;
    if (!fits_plane(message_kind(message->type)->place, PLANE_HEARTBEAT) || !is_peer(inbox, node)) {
        text_add(why, "%s does not belong on the feed", message_name(message->type));
        return ERR_MALFORMED;
    }
    event->message.from = feed;
    if (node != feed && !MUTANT(feed_unbound)) {
        text_add(why, "%s says that it is from node %" PRIu64, message_name(message->type), node);
        return ERR_MALFORMED;
    }
    event->message.from = (node_id_t)node;
    event->message.incarnation = message->as.heartbeat.incarnation;
    inbox->feeds[node].heard = event->message.incarnation;
    return OK;
}

/* --- clients --- */

/* Whether the request at hand came in a bundle. */
static bool is_bundled(const struct inbox *inbox)
{
    return inbox->bundle.n > 0;
}

/* Answers the envelope at hand with an error. */
static void refuse_request(struct inbox *inbox, uint64_t request, const char *code,
                           const char *reason)
{
    uint64_t number =
        clients_add(inbox->clients, bus_part(&inbox->parts, 0), bus_part(&inbox->parts, 1),
                    is_bundled(inbox), REQUEST_CLIENTS_MAX + REFUSALS_MAX);
    if (!number)
        return; /* the client asks again */
    struct message *answer = message_new(MESSAGE_ERROR);
    answer->as.error.request = request;
    answer->as.error.code = message_text(answer, code);
    answer->as.error.reason = message_text(answer, reason);
    gate_reply(inbox->gate, number, answer, 0);
    message_drop(&answer);
}

/* Of a request that cannot be read: it may be of a later release, and who asked waits for an answer
 * with its number. 0: it has none. */
static uint64_t number_of_request(const struct inbox *inbox)
{
    uint64_t number;
    bool found = inbox->parts.n > ENVELOPE_PARTS &&
                 codec_find_number(bus_part(&inbox->parts, ENVELOPE_PARTS), "request", &number);
    return found ? number : 0;
}

static int take_request(struct inbox *inbox, struct event *event, struct text *why)
{
    bool secure = !doors_are_insecure(mesh_doors(inbox->mesh));
    if (secure && inbox->visitor.role != ROLE_broker) {
        text_add(why, "a request with the key of %s, which is not a broker's", inbox->visitor.name);
        return ERR_MALFORMED;
    }
    int error = bus_decode(&inbox->parts, ENVELOPE_PARTS, &inbox->message, why);
    if (!error && message_kind(inbox->message->type)->place != PLACE_REQUEST) {
        text_add(why, "%s is not a request", message_name(inbox->message->type));
        error = ERR_MALFORMED;
    }
    if (error) {
        refuse_request(inbox, number_of_request(inbox), "malformed", why->at);
        return error;
    }
    const struct wire_access_set *set = &inbox->message->as.access_set;
    if (inbox->message->type == MESSAGE_ACCESS_SET &&
        (error = doors_check(mesh_doors(inbox->mesh), set->list, set->version, why))) {
        refuse_request(inbox, set->request, "invalid", why->at);
        return error;
    }
    /* The broker states the client's key, and no more: what it is for is in our own list. */
    if (secure && !askers_find(mesh_doors(inbox->mesh), &inbox->parts, STATED_PART, inbox->self,
                               inbox->incarnation, &inbox->asker)) {
        text_add(why, "the key of this client is not in the list of keys of node %u",
                 (unsigned)inbox->self);
        refuse_request(inbox, inbox->message->as.request.request, "key_unknown", why->at);
        return ERR_REFUSED;
    }
    event->kind = EVENT_REQUEST;
    event->request.message = inbox->message;
    event->request.asker = secure ? &inbox->asker : NULL;
    event->request.client =
        clients_add(inbox->clients, bus_part(&inbox->parts, 0), bus_part(&inbox->parts, 1),
                    is_bundled(inbox), REQUEST_CLIENTS_MAX);
    if (event->request.client)
        return OK;
    text_add(why, "too many requests wait for an answer: at most %d in all, and of one client less",
             REQUEST_CLIENTS_MAX);
    refuse_request(inbox, inbox->message->as.request.request, "busy", why->at);
    return ERR_FULL;
}

/* --- receiving --- */

static bool is_of_node(const struct inbox *inbox, enum plane plane)
{
    node_id_t node;
    incarnation_t incarnation;
    return roster_find(inbox->roster, plane, bus_part(&inbox->parts, 0), &node, &incarnation);
}

/* [broker's routing id][client's routing id][client's public key][frame 0]... from somebody who is
 * no node; without keys the third part is empty. */
static bool is_request(const struct inbox *inbox, enum plane plane)
{
    size_t stated = doors_are_insecure(mesh_doors(inbox->mesh)) ? 0 : KEY_TEXT_LEN;
    return plane == PLANE_CONTROL && inbox->parts.n > ENVELOPE_PARTS &&
           bus_part(&inbox->parts, 1).len > 0 &&
           bus_part(&inbox->parts, STATED_PART).len == stated && !is_of_node(inbox, plane);
}

/* --- who has sent it --- */

/* Finds who sent the message, by its last part; false: its key is no more allowed. What comes from
 * the feed is from nodes that we have connected to by their keys. */
static bool find_visitor(struct inbox *inbox, enum plane plane, struct bus_parts *parts)
{
    struct doors *doors = mesh_doors(inbox->mesh);
    return plane == PLANE_HEARTBEAT || doors_are_insecure(doors) ||
           (parts->n > 1 && doors_who(doors, parts, parts->n - 1, &inbox->visitor));
}

static int refuse_key(struct text *why)
{
    text_add(why, "its key is no longer allowed");
    return ERR_STALE;
}

/* --- bundles --- */

static void end_bundle(struct inbox *inbox)
{
    bus_parts_clear(&inbox->bundle);
    inbox->bundled = (struct slice){0};
}

/* What was received is a bundle: its requests are taken from it. */
static void begin_bundle(struct inbox *inbox)
{
    bus_parts_take(&inbox->bundle, &inbox->parts);
    inbox->bundled = bus_part(&inbox->bundle, inbox->bundle.n - 1);
}

/* The next request of the bundle becomes the message at hand, as if it had come by itself. */
static int take_bundled(struct inbox *inbox, struct event *event, struct text *why)
{
    struct bundled request;
    bus_parts_clear(&inbox->parts);
    if (!bus_bundle_next(&inbox->bundled, &request)) {
        text_add(why, "a bundle of requests that is cut short");
        end_bundle(inbox);
        return ERR_MALFORMED;
    }
    const struct slice parts[] = {bus_part(&inbox->bundle, 0), request.client, request.stated,
                                  request.frame};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        bus_bundle_part(&inbox->parts.at[inbox->parts.n++], parts[i]);
    /* Others may have been heard since the one before. */
    if (!MUTANT(bundle_of_anybody) && !find_visitor(inbox, PLANE_CONTROL, &inbox->bundle))
        return refuse_key(why);
    if (is_request(inbox, PLANE_CONTROL))
        return take_request(inbox, event, why);
    text_add(why, "a bundle with what is not a request");
    return ERR_MALFORMED;
}

bool inbox_has_more(const struct inbox *inbox)
{
    return inbox->bundled.len > 0;
}

/* Takes in the next message of the socket. */
static int receive(struct inbox *inbox, enum plane plane, uint64_t now_us, struct event *event,
                   struct text *why)
{
    node_id_t feed;
    if (plane == PLANE_CONTROL || MUTANT(bundle_ends_early))
        end_bundle(inbox);
    int error = mesh_take(inbox->mesh, plane, &inbox->parts, &feed);
    if (error == ERR_NOT_FOUND)
        return error;
    if (error)
        text_add(why, "too many parts or bytes");
    else if (!find_visitor(inbox, plane, &inbox->parts))
        error = refuse_key(why);
    else if (plane == PLANE_HEARTBEAT)
        error = take_from_feed(inbox, feed, event, why);
    else if (is_request(inbox, plane))
        error = take_request(inbox, event, why);
    else if (plane == PLANE_CONTROL && bus_bundle_is(&inbox->parts, 1) &&
             !is_of_node(inbox, plane)) {
        begin_bundle(inbox);
        error = take_bundled(inbox, event, why);
    } else
        error = take_from_node(inbox, plane, now_us, event, why);
    return error;
}

int inbox_receive(struct inbox *inbox, enum plane plane, uint64_t now_us, struct event *event)
{
    message_drop(&inbox->message);
    struct text why = {0};
    *event = (struct event){.kind = EVENT_MESSAGE};
    event->message.plane = plane;
    int error = plane == PLANE_CONTROL && inbox_has_more(inbox)
                    ? take_bundled(inbox, event, &why)
                    : receive(inbox, plane, now_us, event, &why);
    if (error == ERR_NOT_FOUND)
        return error;
    if (!error && event->kind == EVENT_MESSAGE)
        event->message.message = inbox->message;
    if (!error)
        return OK;
    node_id_t from = event->kind == EVENT_MESSAGE ? event->message.from : NODE_NONE;
    inbox_reject(inbox, plane, from, now_us, why.at);
    return ERR_MALFORMED;
}
