/* fuzz_step.c - libFuzzer on a whole node: bytes become a sequence of events, and after each what
 * must hold of the node holds.
 *
 * The node, number 1, has up to four peers, all of them hostile: they send whatever the schema
 * allows, in the middle of what honest ones would. What its own runtime promises is kept (see
 * host.h): a message arrives on a plane that it may stand on, from the node that it says it is
 * from, and each wait ends in one event. Whatever was sent to it, the node starts again on what it
 * has written. */
#include <assert.h>
#include <stdlib.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/checkpoint.h"
#include "shared/base/error.h"
#include "shared/wire/codec.h"
#include "tests/fuzz/forge.h"
#include "tests/fuzz/forge_tasks.h"
#include "tests/fuzz/host.h"
#include "tests/harness/inside.h"
#include "tests/sim/founded.h"

#define NODES        5
#define EVENTS_MAX   400
#define SUBMIT_TASKS 255 /* the byte that means it: older inputs say what they said */

struct attack {
    struct reader in;
    struct forge forge;
    struct host host;
    bool up[NODES + 1][PLANE_COUNT]; /* our connections to each peer */
    uint64_t connection;
};

/* --- what everybody knows of the node --- */

static incarnation_t incarnation_of(node_id_t peer)
{
    return 100 + peer;
}

static void learn(struct attack *it)
{
    const struct host *host = &it->host;
    const struct raft *raft = inside_raft(host->node);
    struct forge *forge = &it->forge;
    term_t last_term = 0;
    raft_log_term(raft, raft->log.last, &last_term);
    uint64_t known[] = {inside_step(host->node)->term,
                        raft->log.last,
                        raft->log.commit,
                        last_term,
                        raft->replication.round,
                        host->config.incarnation,
                        HOST_SELF,
                        incarnation_of(2),
                        (uint64_t)last_term << JOB_INDEX_BITS | raft->log.last};
    forge->n_numbers = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        forge->numbers[forge->n_numbers++] = known[i];
    for (size_t i = 0; i < host->n_heard && i < HOST_HEARD_MAX; i++)
        forge->numbers[forge->n_numbers++] = host->heard[i];
    assert(forge->n_numbers <= FORGE_NUMBERS_MAX);
}

static node_id_t read_peer(struct attack *it)
{
    return it->host.config.n_nodes > 1 ? 2 + reader_below(&it->in, it->host.config.n_nodes - 1)
                                       : NODE_NONE;
}

/* --- messages --- */

/* Puts a message of a channel in its place in it. */
static void stamp(struct attack *it, node_id_t from, struct message *message)
{
    struct wire_channel *channel = &message->as.channel;
    channel->src_incarnation = incarnation_of(from);
    channel->dst_incarnation = it->host.config.incarnation;
    channel->seq = inside_links(it->host.node)->peers[from].channel.delivered + 1;
    channel->ack = 0;
}

/* Delivers it (takes it), as its codec has it. */
static void deliver(struct attack *it, enum plane plane, node_id_t from, struct message *message)
{
    founded_sign(message);
    message = forge_transmit(message);
    if (!message)
        return;
    struct event event = {.kind = EVENT_MESSAGE};
    event.message.plane = plane;
    event.message.from = from;
    event.message.incarnation = incarnation_of(from);
    event.message.message = message;
    host_step(&it->host, event);
    message_drop(&message);
}

static void say_hello(struct attack *it, enum plane plane, node_id_t from)
{
    struct message *message = message_new(MESSAGE_HELLO);
    message->as.hello = (struct wire_hello){.cluster = message_text(message, "conclave"),
                                            .plane = plane,
                                            .src = from,
                                            .dst = HOST_SELF,
                                            .incarnation = incarnation_of(from),
                                            .birth = incarnation_of(from),
                                            .connection = ++it->connection,
                                            .nodes = it->host.config.n_nodes,
                                            .voters = it->host.config.n_voters};
    deliver(it, plane, from, message);
}

static void say_welcome(struct attack *it, enum plane plane, node_id_t from)
{
    const struct peer *peer = &inside_links(it->host.node)->peers[from];
    struct message *message = message_new(MESSAGE_WELCOME);
    message->as.welcome = (struct wire_welcome){.plane = plane,
                                                .src = from,
                                                .incarnation = incarnation_of(from),
                                                .dst_incarnation = it->host.config.incarnation,
                                                .connection = peer->links[plane].connection,
                                                .last_delivered = peer->channel.acked};
    deliver(it, plane, from, message);
}

/* A connection that is there ends before another one is made. */
static void change_link(struct attack *it, enum event_kind kind, enum plane plane, node_id_t peer)
{
    struct event event = {.kind = kind};
    bool *up = &it->up[peer][plane];
    if (kind == EVENT_LINK_UP && *up)
        change_link(it, EVENT_LINK_DOWN, plane, peer);
    if (*up == (kind == EVENT_LINK_UP))
        return;
    *up = kind == EVENT_LINK_UP;
    event.link.plane = plane;
    event.link.peer = peer;
    host_step(&it->host, event);
}

static void connect(struct attack *it, node_id_t peer)
{
    static const enum plane planes[] = {PLANE_CONTROL, PLANE_CHANNEL, PLANE_CHECKPOINT};
    for (size_t i = 0; i < sizeof planes / sizeof *planes; i++) {
        change_link(it, EVENT_LINK_UP, planes[i], peer);
        say_hello(it, planes[i], peer);
        say_welcome(it, planes[i], peer);
    }
}

static void beat(struct attack *it, node_id_t from)
{
    struct message *message = message_new(MESSAGE_HEARTBEAT);
    uint8_t how = reader_byte(&it->in);
    bool leads = how & 1;
    message->as.heartbeat =
        (struct wire_heartbeat){.node = from,
                                .incarnation = incarnation_of(from),
                                .birth = incarnation_of(from),
                                .seq = ++it->connection,
                                .term = inside_step(it->host.node)->term,
                                .coordinator =
                                    leads ? from : inside_step(it->host.node)->coordinator,
                                .entries = how & 2 ? 0 : ENTRY_LEVEL, /* or of an earlier release */
                                .role = message_text(message, leads ? "coordinator" : "worker")};
    deliver(it, PLANE_HEARTBEAT, from, message);
}

/* All peers, or one of them, say that they are in a term that may be any, and whom they follow. */
static void say_term(struct attack *it, node_id_t from)
{
    static const char *const roles[] = {"worker", "candidate", "coordinator", "worker"};
    uint8_t how = reader_byte(&it->in);
    term_t ours = inside_step(it->host.node)->term;
    term_t term = how & 1 ? ours + (how >> 4) : reader_u64(&it->in) % (TERM_MAX + 1);
    if (how & 2)
        term = TERM_MAX - (how >> 4);
    for (node_id_t peer = 2; peer <= it->host.config.n_nodes; peer++) {
        if (how & 4 && peer != from)
            continue;
        struct message *message = message_new(MESSAGE_HEARTBEAT);
        message->as.heartbeat =
            (struct wire_heartbeat){.node = peer,
                                    .incarnation = incarnation_of(peer),
                                    .birth = incarnation_of(peer),
                                    .seq = ++it->connection,
                                    .term = term,
                                    .voter = true,
                                    .entries = ENTRY_LEVEL,
                                    .coordinator = from,
                                    .role = message_text(message, roles[how >> 6 & 3])};
        deliver(it, PLANE_HEARTBEAT, peer, message);
    }
}

static void grant(struct attack *it, node_id_t from, bool pre)
{
    struct message *message = message_new(MESSAGE_VOTE_REPLY);
    message->as.vote_reply =
        (struct wire_vote_reply){.pre = pre,
                                 .granted = true,
                                 .term = inside_step(it->host.node)->term + pre};
    deliver(it, PLANE_CONTROL, from, message);
}

static void acknowledge(struct attack *it, node_id_t from)
{
    struct message *message = message_new(MESSAGE_APPEND_REPLY);
    const struct raft *raft = inside_raft(it->host.node);
    message->as.append_reply = (struct wire_append_reply){.term = inside_step(it->host.node)->term,
                                                          .ok = true,
                                                          .match = raft->log.last,
                                                          .round = raft->replication.round};
    deliver(it, PLANE_CHECKPOINT, from, message);
}

/* It wakes whenever it wants to: who wakes late blames nobody for what it has not heard. */
static void wait_in_time(struct host *host, uint64_t for_us)
{
    uint64_t end_us = host->now_us + for_us;
    while (host->now_us < end_us) {
        uint64_t due_us = node_deadline(host->node);
        if (due_us <= host->now_us)
            due_us = host->now_us + MS_US;
        host->now_us = due_us < end_us ? due_us : end_us;
        host_step(host, (struct event){.kind = EVENT_TICK});
    }
}

/* The node leads, or did its best. */
static void elect(struct attack *it)
{
    struct host *host = &it->host;
    for (node_id_t peer = 2; peer <= host->config.n_nodes; peer++)
        connect(it, peer);
    wait_in_time(host, 3 * ELECTION_TIMEOUT_DEFAULT_US);
    for (int pre = 1; pre >= 0; pre--)
        for (node_id_t peer = 2; peer <= host->config.n_nodes; peer++)
            grant(it, peer, pre);
    host_persisted(host, true);
    for (node_id_t peer = 2; peer <= host->config.n_nodes; peer++) {
        beat(it, peer);
        acknowledge(it, peer);
    }
}

/* As a coordinator would: entries behind those that are there, of its term. */
static void append(struct attack *it, node_id_t from)
{
    const struct raft *raft = inside_raft(it->host.node);
    struct message *message = message_new(MESSAGE_APPEND);
    struct wire_append *append = &message->as.append;
    struct blob *packed;
    uint8_t how = reader_byte(&it->in);
    append->term = inside_step(it->host.node)->term + (how & 1);
    append->round = raft->follower.round + 1;
    append->prev_index = raft->log.last;
    append->prev_term = raft_log_last_term(raft);
    append->entries.n = how >> 1 & 3;
    append->entries.at = message_room(message, append->entries.n, sizeof *append->entries.at);
    for (size_t i = 0; i < append->entries.n; i++) {
        append->entries.at[i].term = append->term;
        packed = forge_packed(&it->forge, PLACE_ENTRY);
        if (packed)
            append->entries.at[i].frame = message_add_frame(message, packed);
        blob_drop(&packed);
    }
    append->commit = raft->log.last + (how & 8 ? append->entries.n : 0);
    deliver(it, PLANE_CHECKPOINT, from, message);
}

/* The node's own state as a checkpoint, some entries later: with a part in the place of one, before
 * it, or at the end. */
static void install(struct attack *it, node_id_t from)
{
    struct state *state = inside_state_to_change(it->host.node);
    struct checkpoint_build *build = checkpoint_begin(state, CHECKPOINT_OPEN);
    struct message *message = message_new(MESSAGE_INSTALL), *head = NULL;
    struct wire_install *install = &message->as.install;
    const struct checkpoint *own = checkpoint_of(build);
    struct blob *extra = forge_packed(&it->forge, PLACE_CHECKPOINT), *first = NULL;
    struct text why = {0};
    uint8_t how = reader_byte(&it->in);
    size_t n = own ? own->n : 0, chosen = n ? how % (n + 1) : 0;
    for (size_t i = 0; i <= n && i < APPEND_ENTRIES_MAX; i++) {
        if (i == chosen && i && extra)
            message_add_frame(message, extra);
        if (i < n && i)
            message_add_frame(message, own->parts[i]);
        if (i || !n ||
            codec_unpack((struct slice){own->parts[0]->at, own->parts[0]->len}, &head, &why))
            continue;
        head->as.image_head.index = install->index = own->index + 1 + (how >> 5);
        head->as.image_head.index_term = install->index_term =
            inside_step(it->host.node)->term + (how >> 4 & 1);
        first = codec_pack(head);
        message_drop(&head);
        message_add_frame(message, first);
    }
    install->term = inside_step(it->host.node)->term;
    install->round = inside_raft(it->host.node)->follower.round + 1;
    install->parts = install->items.n = message->n_frames;
    install->items.at = message_room(message, install->items.n, sizeof *install->items.at);
    for (size_t i = 0; i < install->items.n; i++)
        install->items.at[i] = (struct wire_log_item){.frame = i + 1};
    checkpoint_end(state, &build);
    blob_drop(&extra);
    blob_drop(&first);
    deliver(it, PLANE_CHECKPOINT, from, message);
}

/* A worker's answer to what it was given. */
static void answer_task(struct attack *it)
{
    struct host *host = &it->host;
    if (!host->n_tasks)
        return;
    const struct host_task *task =
        &host->tasks[reader_byte(&it->in) %
                     (host->n_tasks < HOST_TASKS_MAX ? host->n_tasks : HOST_TASKS_MAX)];
    if (task->count || task->asked) {
        struct message *ended = forge_tasks_end(&it->in, task);
        ended->as.channel.src = task->to;
        stamp(it, task->to, ended);
        deliver(it, PLANE_CHANNEL, task->to, ended);
        return;
    }
    struct message *message = message_new(MESSAGE_RESULT);
    struct wire_result *result = &message->as.result;
    uint8_t limb[8] = {9}, hash[HASH_BYTES], how = reader_byte(&it->in);
    struct blob *value = task->text ? blob_copy("5040", 4) : blob_copy(limb, sizeof limb);
    blob_hash(value, hash);
    result->ops.n = 1;
    result->ops.at = message_room(message, 1, sizeof *result->ops.at);
    result->ops.at[0] =
        (struct wire_result_op){.job = task->job,
                                .op = task->op,
                                .attempt = task->attempt,
                                .operations = 1,
                                .len = value->len + (how & 16 ? 100000 : 0),
                                .hash = message_copy(message, (struct slice){hash, sizeof hash}),
                                .head = message_text(message, task->text ? "5040" : ""),
                                .tail = message_text(message, task->text ? "5040" : ""),
                                .frame = how & 16 ? 0 : message_add_frame(message, value),
                                .error =
                                    message_text(message, how & 32 ? "it cannot be computed" : "")};
    blob_drop(&value);
    message->as.channel.src = task->to;
    stamp(it, task->to, message);
    deliver(it, PLANE_CHANNEL, task->to, message);
}

/* --- anything else --- */

/* Who a message says it is from; the runtime has compared that with the connection. */
static void sign(struct attack *it, enum message_place place, node_id_t from,
                 struct message *message)
{
    if (place == PLACE_CHANNEL)
        message->as.channel.src = from;
    if (place == PLACE_CHANNEL && reader_byte(&it->in) & 7)
        stamp(it, from, message);
    if (place == PLACE_FEED) {
        message->as.heartbeat.node = from;
        message->as.heartbeat.incarnation = incarnation_of(from);
    }
    if (message->type == MESSAGE_HELLO) {
        message->as.hello.src = from;
        message->as.hello.dst = HOST_SELF;
        message->as.hello.incarnation = incarnation_of(from);
    }
    if (message->type == MESSAGE_WELCOME)
        message->as.welcome.src = from;
}

static void say_anything(struct attack *it, enum message_place place, enum plane plane)
{
    node_id_t from = read_peer(it);
    struct message *message = forge_message(&it->forge, forge_type(&it->forge, place));
    if (!message || !from || message->type == MESSAGE_REFUSED) {
        message_drop(&message);
        return;
    }
    sign(it, place, from, message);
    if (message->type == MESSAGE_HELLO)
        plane = (enum plane)message->as.hello.plane;
    deliver(it, plane < PLANE_COUNT ? plane : PLANE_CONTROL, from, message);
}

static void ask(struct attack *it)
{
    struct message *request = forge_message(&it->forge, forge_type(&it->forge, PLACE_REQUEST));
    if (request && reader_byte(&it->in) & 3)
        request->as.request.node = reader_byte(&it->in) & 1 ? HOST_SELF : NODE_NONE;
    if (request)
        host_ask(&it->host, request);
}

static void pass(struct attack *it)
{
    static const uint64_t times_us[] = {0,           MS_US,     10 * MS_US,     50 * MS_US,
                                        200 * MS_US, SECOND_US, 10 * SECOND_US, 3600 * SECOND_US};
    struct host *host = &it->host;
    uint8_t how = reader_byte(&it->in);
    uint64_t due_us = node_deadline(host->node);
    if (how & 8 && due_us > host->now_us && due_us < host->now_us + 3600 * SECOND_US)
        host->now_us = due_us;
    else
        host->now_us += times_us[how & 7];
    host_step(host, (struct event){.kind = EVENT_TICK});
}

static void lose_value(struct attack *it)
{
    struct event event = {.kind = EVENT_VALUE_LOST};
    if (!it->host.n_kept)
        return;
    event.value.id = it->host.kept[reader_byte(&it->in) % it->host.n_kept];
    host_step(&it->host, event);
}

static void restart(struct attack *it)
{
    if (reader_byte(&it->in) & 1)
        host_persisted(&it->host, true);
    host_crash(&it->host);
    memset(it->up, 0, sizeof it->up);
    host_start(&it->host);
}

/* --- the sequence --- */

/* Of the outside of the node: time, disk, executor, values. */
static void take_own(struct attack *it, unsigned what)
{
    struct host *host = &it->host;
    uint8_t how = what > 2 ? reader_byte(&it->in) : 0;
    switch (what) {
    case 0:
        pass(it);
        break;
    case 1:
        host_persisted(host, true);
        break;
    case 2:
        host_persisted(host, false);
        break;
    case 3:
        host_compute(host, how & 63, how & 64);
        break;
    case 4:
        host_value(host, how & 63, how & 64, how & 128);
        break;
    case 5:
        host_list(host);
        break;
    case 6:
        host_step(host, (struct event){.kind = EVENT_SPACE, .full = how & 1});
        break;
    case 7:
        lose_value(it);
        break;
    default:
        restart(it);
    }
}

/* Of an honest peer. */
static void take_honest(struct attack *it, unsigned what)
{
    node_id_t peer = read_peer(it);
    uint8_t how = what > 6 ? reader_byte(&it->in) : 0;
    if (!peer)
        return;
    switch (what) {
    case 0:
        elect(it);
        break;
    case 1:
        connect(it, peer);
        break;
    case 2:
        beat(it, peer);
        break;
    case 3:
        acknowledge(it, peer);
        break;
    case 4:
        append(it, peer);
        break;
    case 5:
        install(it, peer);
        break;
    case 6:
        answer_task(it);
        break;
    case 7:
        grant(it, peer, how & 1);
        if (how & 128)
            say_term(it, peer);
        break;
    case 8:
        change_link(it, EVENT_LINK_DOWN, (enum plane)(how % PLANE_COUNT), peer);
        break;
    default:
        change_link(it, EVENT_LINK_UP, (enum plane)(how % PLANE_COUNT), peer);
    }
}

static void take_event(struct attack *it)
{
    static const struct {
        enum message_place place;
        enum plane plane;
    } anything[] = {{PLACE_CONTROL, PLANE_CONTROL},        {PLACE_CHANNEL, PLANE_CHANNEL},
                    {PLACE_REPLICATION, PLANE_CHECKPOINT}, {PLACE_FEED, PLANE_HEARTBEAT},
                    {PLACE_LINK, PLANE_CONTROL},           {PLACE_CHANNEL, PLANE_CHANNEL},
                    {PLACE_REPLICATION, PLANE_CHECKPOINT}};
    uint8_t byte = reader_byte(&it->in), what = byte % 32;
    learn(it);
    if (byte == SUBMIT_TASKS)
        host_ask(&it->host, forge_tasks_submit(&it->in));
    else if (what < 9)
        take_own(it, what);
    else if (what < 19)
        take_honest(it, what - 9);
    else if (what < 26)
        say_anything(it, anything[what - 19].place, anything[what - 19].plane);
    else
        ask(it);
}

static void begin(struct attack *it)
{
    struct host *host = &it->host;
    uint8_t how = reader_byte(&it->in), limits = reader_byte(&it->in);
    uint32_t n_nodes = 1 + how % NODES;
    host_init(host, n_nodes, how & 64 ? n_nodes : 1 + n_nodes / 2, limits);
    host->durable.voter = !(how & 32);
    if (how & 128)
        host->durable = (struct node_durable){.birth = HOST_BIRTH, .voter = !(how & 32)};
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    const struct identity identity = founded_identity(1, 1);
    struct attack *it = mem_new(1, sizeof *it);
    it->in = (struct reader){at, len};
    it->forge =
        (struct forge){.in = &it->in, .cluster_id = {identity.cluster_id, CLUSTER_ID_BYTES}};
    begin(it);
    host_start(&it->host);
    for (unsigned i = 0; i < EVENTS_MAX && it->in.left; i++)
        take_event(it);
    host_persisted(&it->host, true);
    host_crash(&it->host);
    host_start(&it->host);
    host_end(&it->host);
    free(it);
    return 0;
}
