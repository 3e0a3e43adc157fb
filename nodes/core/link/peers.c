/* Whether peers live, and what is refused of them. */
#include "nodes/core/link/peers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/link/peers_internal.h"
#include "shared/base/text.h"

#define COMPLAINT_US (10 * SECOND_US)

#define REFUSAL_SHOWN_US (3 * SECOND_US) /* several heartbeats, of any sane configuration */

/* --- facts --- */

void peers_report(struct links *links, enum link_fact_kind kind, node_id_t id, bool flag)
{
    struct link_facts *facts = &links->facts;
    if (facts->n == facts->size) {
        facts->size = facts->size ? 2 * facts->size : 16;
        facts->at = mem_grow(facts->at, facts->size, sizeof *facts->at);
    }
    facts->at[facts->n++] = (struct link_fact){kind, id, flag};
}

bool peers_take_fact(struct links *links, struct link_fact *fact)
{
    struct link_facts *facts = &links->facts;
    if (!facts->n)
        return false;
    *fact = facts->at[0];
    memmove(facts->at, facts->at + 1, --facts->n * sizeof *fact);
    return true;
}

/* --- life and death --- */

/* `died`: its process is gone, as far as we can tell; else it may only be out of reach. */
void peers_declare_dead(struct links *links, node_id_t id, const char *why, bool died)
{
    struct peer *peer = &links->peers[id];
    if (peer->alive && step_coordinates(links->step))
        step_event(links->step, "node_suspected", id, JOB_NONE, "node %u is suspected: %s", id,
                   why);
    peer->alive = false;
    peers_report(links, LINK_LOST, id, died);
}

static void declare_alive(struct links *links, node_id_t id)
{
    struct peer *peer = &links->peers[id];
    if (!peer->alive && step_coordinates(links->step))
        step_event(links->step, "node_up", id, JOB_NONE, "node %u is up", id);
    if (!peer->alive)
        peers_report(links, LINK_BACK, id, false);
    peer->alive = true;
}

void peers_end_life(struct links *links, node_id_t id, incarnation_t incarnation)
{
    if (links->peers[id].incarnation && links->peers[id].incarnation != incarnation)
        peers_declare_dead(links, id, "it was started again", true);
}

void peers_meet(struct links *links, node_id_t id, incarnation_t incarnation)
{
    struct peer *peer = &links->peers[id];
    if (peer->incarnation == incarnation)
        return;
    peer->incarnation = incarnation;
    peer->excused = false;
    peer->distrust_until_us = 0; /* leftovers are of the old one: this one is used at once */
    channel_open(&peer->channel, incarnation);
    peer->counted_sent = peer->counted_received = 0;
    message_drop(&peer->heartbeat);
    /* A connection that its former incarnation had welcomed is not welcomed by this one. */
    for (int plane = 0; plane < PLANE_COUNT; plane++)
        if (peer->links[plane].state == LINK_WELCOMED)
            peer->links[plane].state = LINK_GREETED;
    peers_report(links, LINK_MET, id, false);
}

/* --- heartbeats --- */

bool peers_follows(const struct links *links, node_id_t id)
{
    const struct message *heartbeat = links->peers[id].heartbeat;
    return heartbeat && heartbeat->as.heartbeat.term == links->step->term &&
           heartbeat->as.heartbeat.coordinator == links->step->config.id;
}

bool peers_heartbeat(struct links *links, node_id_t from, struct message *message)
{
    const struct wire_heartbeat *heartbeat = &message->as.heartbeat;
    struct peer *peer = &links->peers[from];
    if (peer->incarnation && peer->incarnation != heartbeat->incarnation)
        return false; /* a leftover, or a new incarnation that has not said HELLO yet */
    if (!peer->incarnation || links->step->now_us < peer->distrust_until_us)
        return false;
    bool followed = peers_follows(links, from);
    message_drop(&peer->heartbeat);
    peer->heartbeat = message_ref(message);
    peer->heard_us = links->step->now_us;
    peer->begins = !followed && peers_follows(links, from);
    if (peers_follows(links, from))
        peer->follows_us = links->step->now_us;
    declare_alive(links, from);
    return true;
}

void peers_forgive(struct links *links)
{
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        struct peer *peer = &links->peers[id];
        if (peer->alive)
            peer->heard_us = peer->follows_us = links->step->now_us;
        for (int plane = 0; plane < PLANE_COUNT; plane++)
            peer->links[plane].greeted_us = links->step->now_us;
    }
}

bool peers_is_linked(const struct links *links, node_id_t id)
{
    const struct peer *peer = &links->peers[id];
    return step_is_peer(links->step, id) && peer->alive &&
           peer->links[PLANE_CHANNEL].state == LINK_WELCOMED;
}

/* --- complaints --- */

void peers_complain(struct links *links, node_id_t from, const char *what)
{
    struct peer *peer = &links->peers[from];
    uint64_t now_us = links->step->now_us;
    links->step->rejected_here++;
    peer->refused_us = now_us;
    text_format(peer->refusal, sizeof peer->refusal, "%s", what);
    if (peer->complained_us && now_us < peer->complained_us + COMPLAINT_US)
        return;
    peer->complained_us = now_us;
    outbox_log(&links->step->out, LOG_WARN, "refuses node %u: %s", from, what);
}

const char *peers_refusal(const struct links *links, node_id_t id)
{
    const struct peer *peer = &links->peers[id];
    bool now = peer->refused_us && links->step->now_us < peer->refused_us + REFUSAL_SHOWN_US;
    return now ? peer->refusal : "";
}

/* --- the room --- */

/* When one that lives is suspected, unless it is heard until then. */
static uint64_t silent_at_us(const struct links *links, const struct peer *peer)
{
    return peer->heard_us + links->step->config.election_timeout_us;
}

void links_tick(struct links *links)
{
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        struct peer *peer = &links->peers[id];
        if (!step_is_peer(links->step, id))
            continue;
        peers_check_greetings(links, id);
        channel_tick(&peer->channel, links->step->now_us);
        if (peer->alive && links->step->now_us >= silent_at_us(links, peer))
            peers_declare_dead(links, id, "its heartbeats stopped", false);
    }
}

uint64_t links_deadline(const struct links *links)
{
    uint64_t at = UINT64_MAX;
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        const struct peer *peer = &links->peers[id];
        at = earlier_us(at, channel_deadline(&peer->channel));
        at = earlier_us(at, peers_greetings_deadline(links, id));
        if (peer->alive)
            at = earlier_us(at, silent_at_us(links, peer));
    }
    return at;
}

void links_clear(struct links *links)
{
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        channel_close(&links->peers[id].channel);
        message_drop(&links->peers[id].heartbeat);
    }
    free(links->facts.at);
    links->facts = (struct link_facts){0};
}

void links_check_invariants(const struct links *links)
{
    assert(!links->facts.n);
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        const struct peer *peer = &links->peers[id];
        channel_check_invariants(&peer->channel);
        assert(step_is_peer(links->step, id) || !peer->incarnation);
        assert(peer->channel.peer == peer->incarnation); /* an incarnation has one channel */
        assert(!peer->alive || (peer->incarnation && peer->heartbeat));
        assert(!peer->channel.linked || peer->links[PLANE_CHANNEL].state == LINK_WELCOMED);
    }
}
