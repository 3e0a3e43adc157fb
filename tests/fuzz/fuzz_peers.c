/* fuzz_peers.c - libFuzzer on honest nodes of which one more, with a right key, is hostile.
 *
 * The honest ones are a majority of the voters: they are real, and speak with each other (mesh.h).
 * The hostile one connects, greets, answers what it was asked and what nobody asked, repeats and
 * changes what it has heard, and sends any message of any plane with fields that are small, extreme
 * or lately heard. Between that the clock, the disks, the executors, clients and restarts go on,
 * and at times the honest ones do not hear each other. No step panics and what must hold of a node
 * holds (host.h); no term rises but by an election (X15), and what comes of what is sent takes a
 * bounded room (X4, X10). */
#include <assert.h>
#include <stdlib.h>

#include "nodes/core/raft/raft.h"
#include "shared/base/error.h"
#include "tests/fuzz/forge.h"
#include "tests/fuzz/mesh.h"
#include "tests/harness/inside.h"
#include "tests/sim/founded.h"

#define EVENTS_MAX 300
#define HEARD_MAX  16
/* Of all nodes and what is under way, over what they had after the start; an input has 4 KiB. */
#define ROOM_BYTES ((size_t)64 << 20)

struct letter {
    enum plane plane;
    struct message *message; /* owned reference; NULL: none yet */
};

struct attack {
    struct reader in;
    struct forge forge;
    struct mesh mesh;
    struct letter heard[HEARD_MAX]; /* the last that the hostile one was sent */
    uint64_t n_heard, connection, seq;
    term_t top;      /* of all honest nodes, before the step under way ... */
    term_t own;      /* ... and of the node that takes it */
    bool asks_votes; /* it is a vote request of the hostile one */
    size_t room;     /* at the start */
    struct {
        uint64_t since_us, raised; /* in this life, by candidacies of the hostile one */
    } lives[MESH_NODES + 1];
};

/* Of the sanitizer's allocator; without it memory is not watched. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
    return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
}

/* --- what must hold --- */

static term_t term_of(const struct attack *it, node_id_t id)
{
    return inside_step(it->mesh.hosts[id].node)->term;
}

static void before(void *context, node_id_t id)
{
    struct attack *it = context;
    it->top = 0;
    it->own = term_of(it, id);
    for (node_id_t other = 1; other <= it->mesh.n_nodes; other++)
        if (other != it->mesh.hostile && it->mesh.hosts[other].node && term_of(it, other) > it->top)
            it->top = term_of(it, other);
}

static void after(void *context, node_id_t id)
{
    struct attack *it = context;
    term_t term = term_of(it, id);
    uint64_t lived_us = it->mesh.now_us - it->lives[id].since_us;
    assert(term >= it->own);
    assert(term <= it->top + TERM_CLIMB_MAX);
    if (!it->asks_votes || term == it->own)
        return;
    assert(term <= it->top + 1 || term <= it->own + 1);
    it->lives[id].raised++;
    assert(it->lives[id].raised <=
           CANDIDACIES_MAX + lived_us / (CANDIDACY_TIMEOUTS * ELECTION_TIMEOUT_DEFAULT_US) + 1);
}

/* --- what the hostile one knows --- */

static void spied(void *context, node_id_t from, enum plane plane, const struct message *message)
{
    struct attack *it = context;
    struct letter *letter = &it->heard[it->n_heard++ % HEARD_MAX];
    (void)from;
    message_drop(&letter->message);
    *letter = (struct letter){plane, message_ref((struct message *)message)};
}

static void learn(struct attack *it, const struct host *victim)
{
    const struct raft *raft = inside_raft(victim->node);
    struct forge *forge = &it->forge;
    uint64_t known[] = {inside_step(victim->node)->term,
                        raft->log.last,
                        raft->log.commit,
                        raft_log_last_term(raft),
                        raft->replication.round,
                        victim->config.incarnation,
                        victim->config.id,
                        it->mesh.hostile,
                        mesh_incarnation(&it->mesh, it->mesh.hostile),
                        (uint64_t)raft_log_last_term(raft) << JOB_INDEX_BITS | raft->log.last};
    forge->n_numbers = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        forge->numbers[forge->n_numbers++] = known[i];
    for (size_t i = 0; i < victim->n_heard && i < HOST_HEARD_MAX; i++)
        forge->numbers[forge->n_numbers++] = victim->heard[i];
    assert(forge->n_numbers <= FORGE_NUMBERS_MAX);
}

/* --- what it says --- */

/* In its place in the channel, unless the input wants another one. */
static void stamp(struct attack *it, const struct host *to, struct message *message)
{
    struct wire_channel *channel = &message->as.channel;
    uint8_t how = reader_byte(&it->in);
    channel->src = it->mesh.hostile;
    if (how & 1)
        return;
    channel->src_incarnation = mesh_incarnation(&it->mesh, it->mesh.hostile);
    channel->dst_incarnation = to->config.incarnation;
    channel->seq = inside_links(to->node)->peers[it->mesh.hostile].channel.delivered + 1;
    channel->ack = how & 2 ? channel->ack : 0;
}

/* The identity is right: the runtime has seen to that. */
static void sign(struct attack *it, const struct host *to, struct message *message)
{
    enum message_place place = message_kind(message->type)->place;
    if (place == PLACE_CHANNEL)
        stamp(it, to, message);
    if (place == PLACE_FEED) {
        message->as.heartbeat.node = it->mesh.hostile;
        message->as.heartbeat.incarnation = mesh_incarnation(&it->mesh, it->mesh.hostile);
    }
    if (message->type == MESSAGE_HELLO) {
        message->as.hello.src = it->mesh.hostile;
        message->as.hello.dst = to->config.id;
        message->as.hello.incarnation = mesh_incarnation(&it->mesh, it->mesh.hostile);
    }
    if (message->type == MESSAGE_WELCOME)
        message->as.welcome.src = it->mesh.hostile;
}

static bool is_of_nodes(enum message_place place)
{
    return place == PLACE_CONTROL || place == PLACE_CHANNEL || place == PLACE_REPLICATION ||
           place == PLACE_FEED || place == PLACE_LINK;
}

/* The plane that the runtime lets it stand on. */
static enum plane plane_of(const struct message *message)
{
    enum message_place place = message_kind(message->type)->place;
    uint64_t plane = message->type == MESSAGE_HELLO     ? message->as.hello.plane
                     : message->type == MESSAGE_WELCOME ? message->as.welcome.plane
                     : place == PLACE_CHANNEL           ? PLANE_CHANNEL
                     : place == PLACE_REPLICATION       ? PLANE_CHECKPOINT
                     : place == PLACE_FEED              ? PLANE_HEARTBEAT
                                                        : PLANE_CONTROL;
    return plane < PLANE_COUNT ? (enum plane)plane : PLANE_CONTROL;
}

/* Takes it. */
static void say(struct attack *it, struct host *to, struct message *message)
{
    sign(it, to, message);
    it->asks_votes = message->type == MESSAGE_VOTE_REQUEST;
    mesh_say(&it->mesh, plane_of(message), to->config.id, message);
    it->asks_votes = false;
}

static void say_anything(struct attack *it, struct host *to)
{
    static const enum message_place places[] = {PLACE_CONTROL, PLACE_CHANNEL,    PLACE_REPLICATION,
                                                PLACE_FEED,    PLACE_LINK,       PLACE_CHANNEL,
                                                PLACE_CONTROL, PLACE_REPLICATION};
    enum message_place place = places[reader_below(&it->in, sizeof places / sizeof *places)];
    struct message *message = forge_message(&it->forge, forge_type(&it->forge, place));
    if (message && message->type != MESSAGE_REFUSED)
        say(it, to, message);
    else
        message_drop(&message);
}

/* What it was sent, to whom it likes: with one field that is another, or none. */
static void repeat(struct attack *it, struct host *to)
{
    const struct letter *letter = &it->heard[reader_below(&it->in, HEARD_MAX)];
    uint8_t how = reader_byte(&it->in);
    if (!letter->message || !is_of_nodes(message_kind(letter->message->type)->place) ||
        letter->message->type == MESSAGE_REFUSED)
        return;
    struct message *message = forge_transmit(message_ref(letter->message));
    if (!message)
        return;
    const struct record *record = message_kind(message->type)->record();
    const struct field *field = &record->fields[how % record->n_fields];
    uint64_t *number = (uint64_t *)((uint8_t *)&message->as + field->offset);
    if (how & 128 && field->kind == FIELD_U64) {
        uint8_t by = reader_byte(&it->in);
        *number = by & 1 ? *number + (by >> 1) : reader_u64(&it->in);
        *number = *number > field->max ? field->max : *number;
    }
    say(it, to, message);
}

static void greet(struct attack *it, struct host *to)
{
    static const enum plane planes[] = {PLANE_CONTROL, PLANE_CHANNEL, PLANE_CHECKPOINT};
    node_id_t self = it->mesh.hostile;
    for (size_t i = 0; i < sizeof planes / sizeof *planes; i++) {
        struct message *hello = message_new(MESSAGE_HELLO), *welcome = message_new(MESSAGE_WELCOME);
        mesh_link(&it->mesh, planes[i], to->config.id, true);
        const struct peer *peer = &inside_links(to->node)->peers[self];
        hello->as.hello = (struct wire_hello){.cluster = message_text(hello, "conclave"),
                                              .plane = planes[i],
                                              .birth = mesh_incarnation(&it->mesh, self),
                                              .connection = ++it->connection,
                                              .nodes = it->mesh.n_nodes,
                                              .voters = to->config.n_voters};
        welcome->as.welcome =
            (struct wire_welcome){.plane = planes[i],
                                  .incarnation = mesh_incarnation(&it->mesh, self),
                                  .dst_incarnation = to->config.incarnation,
                                  .connection = peer->links[planes[i]].connection,
                                  .last_delivered = peer->channel.acked};
        say(it, to, hello);
        say(it, to, welcome);
    }
}

/* That it is in a term, whom it follows, and what it is. */
static void beat(struct attack *it, struct host *to)
{
    static const char *const roles[] = {"worker", "candidate", "coordinator", "coordinator"};
    struct message *message = message_new(MESSAGE_HEARTBEAT);
    uint8_t how = reader_byte(&it->in);
    term_t term = inside_step(to->node)->term + (how >> 5);
    if (how & 16)
        term = reader_u64(&it->in) % (TERM_MAX + 1);
    message->as.heartbeat =
        (struct wire_heartbeat){.birth = mesh_incarnation(&it->mesh, it->mesh.hostile),
                                .seq = ++it->seq,
                                .term = term,
                                .coordinator = how & 4 ? it->mesh.hostile : to->config.id,
                                .serving = how & 8,
                                .entries = ENTRY_LEVEL,
                                .role = message_text(message, roles[how & 3])};
    say(it, to, message);
}

static void stand(struct attack *it, struct host *to)
{
    struct message *message = message_new(MESSAGE_VOTE_REQUEST);
    uint8_t how = reader_byte(&it->in);
    message->as.vote_request =
        (struct wire_vote_request){.pre = how & 1,
                                   .term = inside_step(to->node)->term + (how >> 6),
                                   .last_term = inside_step(to->node)->term + (how >> 4 & 1),
                                   .last_index = inside_raft(to->node)->log.last + (how >> 1 & 7)};
    say(it, to, message);
}

static void grant(struct attack *it, struct host *to)
{
    struct message *message = message_new(MESSAGE_VOTE_REPLY);
    uint8_t how = reader_byte(&it->in);
    message->as.vote_reply =
        (struct wire_vote_reply){.pre = how & 1,
                                 .granted = !(how & 2),
                                 .term = inside_step(to->node)->term + (how & 1) + (how >> 6)};
    say(it, to, message);
}

static void acknowledge(struct attack *it, struct host *to)
{
    const struct raft *raft = inside_raft(to->node);
    struct message *message = message_new(MESSAGE_APPEND_REPLY);
    uint8_t how = reader_byte(&it->in);
    message->as.append_reply =
        (struct wire_append_reply){.term = inside_step(to->node)->term,
                                   .ok = !(how & 1),
                                   .install = (how & 6) == 2,
                                   .wait = (how & 6) == 4,
                                   .match = raft->log.last + (how >> 6),
                                   .commit = how & 8 ? raft->log.commit + (how >> 4 & 3) : 0,
                                   .round = raft->replication.round};
    say(it, to, message);
}

/* --- the others --- */

static void pass(struct attack *it)
{
    static const uint64_t times_us[] = {MS_US,       50 * MS_US, 50 * MS_US,    200 * MS_US,
                                        600 * MS_US, SECOND_US,  5 * SECOND_US, 10 * MS_US};
    mesh_pass(&it->mesh, times_us[reader_below(&it->in, 8)]);
}

static void restart(struct attack *it, struct host *host)
{
    if (reader_byte(&it->in) & 1)
        host_persisted(host, true);
    it->lives[host->config.id].raised = 0;
    it->lives[host->config.id].since_us = it->mesh.now_us;
    mesh_restart(&it->mesh, host);
}

static void ask(struct attack *it, struct host *host)
{
    struct message *request = forge_message(&it->forge, forge_type(&it->forge, PLACE_REQUEST));
    struct asker asker = {.role = ROLE_admin, .name = "root", .proof = PROOF_GOOD};
    asker.counter = ++it->seq;
    if (request && reader_byte(&it->in) & 3)
        request->as.request.node = reader_byte(&it->in) & 1 ? host->config.id : NODE_NONE;
    before(it, host->config.id);
    if (request)
        host_ask_as(host, request, &asker);
    after(it, host->config.id);
}

/* The disk, the executor and the values of a node answer. */
static void take_own(struct attack *it, struct host *host, unsigned what)
{
    uint8_t how = reader_byte(&it->in);
    before(it, host->config.id);
    switch (what) {
    case 0:
        host_persisted(host, how & 1);
        break;
    case 1:
        host_compute(host, how & 63, how & 64);
        break;
    case 2:
        host_value(host, how & 63, how & 64, how & 128);
        break;
    default:
        host_list(host);
    }
    after(it, host->config.id);
}

static void take_hostile(struct attack *it, struct host *to, unsigned what)
{
    switch (what) {
    case 0:
        greet(it, to);
        break;
    case 1:
        beat(it, to);
        break;
    case 2:
        stand(it, to);
        break;
    case 3:
        grant(it, to);
        break;
    case 4:
        acknowledge(it, to);
        break;
    case 5:
    case 6:
        repeat(it, to);
        break;
    case 7:
        mesh_link(&it->mesh, (enum plane)reader_below(&it->in, PLANE_HEARTBEAT), to->config.id,
                  false);
        break;
    default:
        say_anything(it, to);
    }
}

static void take_event(struct attack *it)
{
    unsigned what = reader_below(&it->in, 27);
    struct host *host = mesh_host(&it->mesh, reader_byte(&it->in));
    learn(it, host);
    if (what < 3)
        pass(it);
    else if (what < 5)
        mesh_settle(&it->mesh, 1 + reader_below(&it->in, 3));
    else if (what < 9)
        take_own(it, host, what - 5);
    else if (what == 9)
        restart(it, host);
    else if (what < 12)
        ask(it, host);
    else if (what == 26)
        it->mesh.cut = !it->mesh.cut;
    else
        take_hostile(it, host, what - 12);
    mesh_flush(&it->mesh);
    assert(allocated() <= it->room + ROOM_BYTES);
}

static void begin(struct attack *it)
{
    uint8_t how = reader_byte(&it->in), limits = reader_byte(&it->in);
    uint32_t n_nodes = how & 1 ? 5 : 3, n_voters = how & 2 ? 3 : n_nodes;
    it->mesh.spied = spied;
    it->mesh.before = before;
    it->mesh.after = after;
    it->mesh.context = it;
    for (node_id_t id = 1; id <= n_nodes; id++)
        it->lives[id].since_us = SECOND_US;
    mesh_begin(&it->mesh, n_nodes, n_voters, 1 + (how >> 2) % n_nodes, limits & 7, how & 128);
    if (!(limits & 128))
        mesh_elect(&it->mesh);
    it->mesh.cut = limits & 64;
    it->room = allocated();
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
    const struct identity identity = founded_identity(1, 1);
    struct attack *it = mem_new(1, sizeof *it);
    it->in = (struct reader){at, len};
    it->forge =
        (struct forge){.in = &it->in, .cluster_id = {identity.cluster_id, CLUSTER_ID_BYTES}};
    begin(it);
    for (unsigned i = 0; i < EVENTS_MAX && it->in.left; i++)
        take_event(it);
    mesh_end(&it->mesh);
    for (size_t i = 0; i < HEARD_MAX; i++)
        message_drop(&it->heard[i].message);
    free(it);
    return 0;
}
