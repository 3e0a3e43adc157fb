#include "tests/fuzz/mesh.h"

#include <assert.h>
#include <string.h>

#include "nodes/core/raft/raft.h"
#include "tests/fuzz/forge.h"
#include "tests/harness/inside.h"
#include "tests/sim/founded.h"

#define BIRTHS           100 /* of node i's disk: that and i */
#define FLUSH_MAX        400 /* steps; two that answer each other do not go on for ever */
#define SETTLE_WAITS_MAX 64
#define ELECT_TURNS      80

static const enum plane planes[] = {PLANE_CONTROL, PLANE_CHANNEL, PLANE_CHECKPOINT};

enum { N_PLANES = sizeof planes / sizeof *planes };

static bool is_there(const struct mesh *mesh, node_id_t id)
{
    return id >= 1 && id <= mesh->n_nodes && id != mesh->hostile;
}

incarnation_t mesh_incarnation(const struct mesh *mesh, node_id_t id)
{
    return id == mesh->hostile ? BIRTHS + id : mesh->hosts[id].config.incarnation;
}

struct host *mesh_host(struct mesh *mesh, unsigned which)
{
    node_id_t id = 1 + which % mesh->n_nodes;
    if (id == mesh->hostile)
        id = id % mesh->n_nodes + 1;
    return &mesh->hosts[id];
}

/* --- the network --- */

static void remove_letter(struct mesh *mesh, size_t at)
{
    message_drop(&mesh->letters[at].message);
    memmove(&mesh->letters[at], &mesh->letters[at + 1],
            (--mesh->n_letters - at) * sizeof *mesh->letters);
}

static void send(struct mesh *mesh, const struct host *from, node_id_t to, enum plane plane,
                 struct message *message, uint64_t after_seq)
{
    if (to == mesh->hostile) {
        if (mesh->spied)
            mesh->spied(mesh->context, from->config.id, plane, message);
        return;
    }
    if (mesh->cut)
        return;
    if (mesh->n_letters == MESH_LETTERS_MAX)
        remove_letter(mesh, 0);
    mesh->letters[mesh->n_letters++] =
        (struct mesh_letter){plane, from->config.id, to, after_seq, message_ref(message)};
}

static void post(void *context, const struct host *host, const struct output *output)
{
    struct mesh *mesh = context;
    if (output->kind == OUTPUT_SEND)
        send(mesh, host, output->send.to, output->send.plane, output->send.message,
             output->after_seq);
    else if (output->kind == OUTPUT_REPLY && mesh->replied)
        mesh->replied(mesh->context, host->config.id, output->reply.client, output->reply.message);
    for (node_id_t to = 1; output->kind == OUTPUT_PUBLISH && to <= mesh->n_nodes; to++)
        if (to != host->config.id)
            send(mesh, host, to, PLANE_HEARTBEAT, output->publish, output->after_seq);
}

static void step(struct mesh *mesh, node_id_t id, struct event event)
{
    if (mesh->before)
        mesh->before(mesh->context, id);
    mesh->hosts[id].now_us = mesh->now_us;
    host_step(&mesh->hosts[id], event);
    if (mesh->after)
        mesh->after(mesh->context, id);
}

static void deliver(struct mesh *mesh, enum plane plane, node_id_t from, node_id_t to,
                    struct message *message)
{
    struct event event = {.kind = EVENT_MESSAGE};
    event.message.plane = plane;
    event.message.from = from;
    event.message.incarnation = mesh_incarnation(mesh, from);
    event.message.message = message;
    step(mesh, to, event);
}

void mesh_flush(struct mesh *mesh)
{
    size_t at = 0;
    for (unsigned done = 0; at < mesh->n_letters && done < FLUSH_MAX;) {
        struct mesh_letter letter = mesh->letters[at];
        if (letter.after_seq > host_durable(&mesh->hosts[letter.from])) {
            at++;
            continue;
        }
        message_ref(letter.message);
        remove_letter(mesh, at);
        struct message *message = forge_transmit(letter.message);
        assert(message);
        deliver(mesh, letter.plane, letter.from, letter.to, message);
        message_drop(&message);
        done++;
        at = 0; /* what is sent is behind the others, but one may be gone from the front */
    }
}

void mesh_say(struct mesh *mesh, enum plane plane, node_id_t to, struct message *message)
{
    founded_sign(message);
    message = forge_transmit(message);
    if (message)
        deliver(mesh, plane, mesh->hostile, to, message);
    message_drop(&message);
}

static void change_link(struct mesh *mesh, enum event_kind kind, enum plane plane, node_id_t of,
                        node_id_t to)
{
    struct event event = {.kind = kind};
    event.link.plane = plane;
    event.link.peer = to;
    step(mesh, of, event);
}

void mesh_link(struct mesh *mesh, enum plane plane, node_id_t of, bool up)
{
    bool *is = &mesh->up[of][plane];
    if (*is)
        change_link(mesh, EVENT_LINK_DOWN, plane, of, mesh->hostile);
    if (up)
        change_link(mesh, EVENT_LINK_UP, plane, of, mesh->hostile);
    *is = up;
}

static void connect(struct mesh *mesh, node_id_t id, node_id_t other)
{
    for (size_t i = 0; i < N_PLANES; i++) {
        change_link(mesh, EVENT_LINK_UP, planes[i], id, other);
        change_link(mesh, EVENT_LINK_UP, planes[i], other, id);
    }
}

/* --- life --- */

static void found(struct mesh *mesh, node_id_t id, uint32_t n_voters, unsigned limits,
                  bool insecure)
{
    struct host *host = &mesh->hosts[id];
    host_init(host, mesh->n_nodes, n_voters, limits);
    host->config.id = id;
    host->config.insecure = insecure;
    host->durable.birth = BIRTHS + id;
    host->durable.voter = id <= n_voters;
    for (node_id_t voter = 1; voter <= n_voters; voter++)
        host->durable.identity.births[voter] = BIRTHS + voter;
    host->now_us = mesh->now_us;
    host->post = post;
    host->post_context = mesh;
    host_start(host);
}

void mesh_begin(struct mesh *mesh, uint32_t n_nodes, uint32_t n_voters, node_id_t hostile,
                unsigned limits, bool insecure)
{
    mesh->n_nodes = n_nodes;
    mesh->hostile = hostile;
    mesh->now_us = SECOND_US;
    for (node_id_t id = 1; id <= n_nodes; id++)
        if (is_there(mesh, id))
            found(mesh, id, n_voters, limits, insecure);
    for (node_id_t id = 1; id <= n_nodes; id++)
        for (node_id_t other = 1; is_there(mesh, id) && other < id; other++)
            if (is_there(mesh, other))
                connect(mesh, id, other);
}

void mesh_end(struct mesh *mesh)
{
    while (mesh->n_letters)
        remove_letter(mesh, mesh->n_letters - 1);
    for (node_id_t id = 1; id <= mesh->n_nodes; id++)
        if (is_there(mesh, id))
            host_end(&mesh->hosts[id]);
}

void mesh_restart(struct mesh *mesh, struct host *host)
{
    node_id_t id = host->config.id;
    host_crash(host);
    memset(mesh->up[id], 0, sizeof mesh->up[id]);
    for (size_t at = mesh->n_letters; at-- > 0;)
        if (mesh->letters[at].from == id || mesh->letters[at].to == id)
            remove_letter(mesh, at);
    host_start(host);
    for (node_id_t other = 1; other <= mesh->n_nodes; other++) {
        if (!is_there(mesh, other) || other == id)
            continue;
        for (size_t i = 0; i < N_PLANES; i++)
            change_link(mesh, EVENT_LINK_DOWN, planes[i], other, id);
        connect(mesh, id, other);
    }
}

void mesh_pass(struct mesh *mesh, uint64_t us)
{
    mesh->now_us += us;
    for (node_id_t id = 1; id <= mesh->n_nodes; id++)
        if (is_there(mesh, id))
            step(mesh, id, (struct event){.kind = EVENT_TICK});
    mesh_flush(mesh);
}

static void settle_host(struct host *host)
{
    for (unsigned i = 0; i < SETTLE_WAITS_MAX && host->n_persists; i++)
        host_persisted(host, true);
    for (unsigned i = 0; i < SETTLE_WAITS_MAX && host->n_ops; i++)
        host_compute(host, 0, false);
    for (unsigned i = 0; i < SETTLE_WAITS_MAX && host->n_waits; i++)
        host_value(host, 0, false, false);
    host_list(host);
    host_persisted(host, true);
}

void mesh_settle(struct mesh *mesh, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        mesh_pass(mesh, HEARTBEAT_DEFAULT_US);
        for (node_id_t id = 1; id <= mesh->n_nodes; id++) {
            if (!is_there(mesh, id))
                continue;
            if (mesh->before)
                mesh->before(mesh->context, id);
            settle_host(&mesh->hosts[id]);
            if (mesh->after)
                mesh->after(mesh->context, id);
        }
        mesh_flush(mesh);
    }
}

static bool is_served(const struct mesh *mesh)
{
    for (node_id_t id = 1; id <= mesh->n_nodes; id++)
        if (is_there(mesh, id) && raft_serves(inside_raft(mesh->hosts[id].node)))
            return true;
    return false;
}

void mesh_elect(struct mesh *mesh)
{
    mesh_settle(mesh, 2); /* they have met */
    mesh->now_us += 2 * ELECTION_TIMEOUT_DEFAULT_US;
    for (unsigned i = 0; i < ELECT_TURNS && !is_served(mesh); i++)
        mesh_settle(mesh, 1);
    assert(is_served(mesh));
}
