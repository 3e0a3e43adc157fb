#include "tests/sim/swarm.h"

#include <inttypes.h>
#include <stdlib.h>

#include "nodes/core/node.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state.h"
#include "shared/base/text.h"
#include "shared/base/mutant.h"
#include "shared/base/random.h"
#include "tests/harness/inside.h"
#include "tests/sim/after.h"
#include "tests/sim/aims.h"
#include "tests/sim/bank.h"
#include "tests/sim/brokers.h"
#include "tests/sim/clients.h"
#include "tests/sim/hostile.h"
#include "tests/sim/oracle.h"
#include "tests/sim/quiet.h"
#include "tests/sim/restored.h"
#include "tests/sim/rot.h"
#include "tests/sim/scenario.h"
#include "tests/sim/shared.h"
#include "tests/sim/tasks.h"

/* After healing: a coordinator within this time, all jobs done and all logs equal within that. */
#define ELECTED_WITHIN_US (20 * SECOND_US)
#define HOSTILE_FACTOR    3 /* so much more, with a node that lies on in every election */
/* In one world of so many a node does what is due at the end of a turn, not after each event. */
#define GATHERS_EACH 8
/* Where one node alone executes, nobody copies the tasks that are slow. */
#define SETTLED_WITHIN_US  (240 * SECOND_US)
#define SWEPT_WITHIN_US    (10 * SECOND_US) /* and then no disk has what no state names */
#define REPAIRED_WITHIN_US (20 * SECOND_US) /* and then no value that is named is damaged */
#define SNAPSHOT_WITHIN_US (30 * SECOND_US) /* and then a snapshot that is complete (S16) */

/* What the driver does to the world: X(symbol, weight). */
#define DEEDS(X)       \
    X(KILL, 6)         \
    X(KILL_LEADER, 4)  \
    X(WIPE, 3)         \
    X(BLACKOUT, 1)     \
    X(PAUSE, 3)        \
    X(PAUSE_LEADER, 2) \
    X(CUT_LINK, 3)     \
    X(CUT_NODE, 3)     \
    X(CUT_GROUPS, 2)   \
    X(CUT_BRIDGE, 1)   \
    X(CLOG, 3)         \
    X(PLANE, 5)        \
    X(HANG_DISK, 3)    \
    X(BREAK, 3)        \
    X(SLOW_DISK, 2)    \
    X(FULL_DISK, 2)    \
    X(JUMP, 1)         \
    X(KILL_BROKER, 3)  \
    X(DEAFEN_BROKER, 4)

enum deed {
#define X(symbol, weight) DEED_##symbol,
    DEEDS(X)
#undef X
        DEED_KINDS
};

struct swarm {
    struct world *world;
    uint32_t weights[DEED_KINDS]; /* 0: this seed does without */
    uint32_t total;
    uint64_t gap_us;    /* between two deeds, about */
    uint64_t length_us; /* of what lasts a while, at most */
    bool wipes;
    enum aim aim;
};

const char *swarm_fault_text(enum fault fault)
{
    static const char *const texts[] = {
#define X(symbol, text) text,
        FAULTS(X)
#undef X
    };
    return texts[fault];
}

/* --- drawing deeds and clients --- */

static void draw_deeds(struct swarm *swarm)
{
    static const uint32_t weights[] = {
#define X(symbol, weight) weight,
        DEEDS(X)
#undef X
    };
    struct world *world = swarm->world;
    for (int deed = 0; deed < DEED_KINDS; deed++) {
        swarm->weights[deed] = world_random(world, 2) ? weights[deed] : 0;
        swarm->total += swarm->weights[deed];
    }
    swarm->gap_us = scenario_scale(world, 50 * MS_US, 2 * SECOND_US);
    swarm->length_us = scenario_scale(world, 20 * MS_US, 5 * SECOND_US);
    swarm->wipes = world_random(world, 2);
}

/* Every third seed has a bank that is open all the time, and snapshots of it. A planted bug is
 * looked for where it shows: those of snapshots and outbox messages with the bank, the others
 * without. */
static bool has_bank(const struct world *world)
{
#ifdef CONCLAVE_MUTANTS
    if (mutant_planted != MUTANT_none)
        return mutant_planted >= MUTANT_marker_overtakes;
#endif
    return world->options.seed % 3 == 0;
}

/* The window of forgotten keys is short in some seeds: then keys are executed again, and the oracle
 * knows which may be. A bank counts money, so its keys stay. */
static void draw_window(struct world *world)
{
    struct key_limits *keys = &world->options.keys;
    if (keys->block && !has_bank(world) && world_random(world, 2))
        keys->blocks = scenario_scale(world, 1, 8);
}

/* Whoever is told a story asks two coordinators at the same time, as no broker does. */
static void draw_brokers(struct world *world, enum aim aim)
{
    if (!aim && world_random(world, 2))
        brokers_open(world, 1 + (unsigned)world_random(world, WORLD_BROKERS_MAX));
    if (world_random(world, 2))
        shared_open(world);
}

static void draw_bank(struct world *world)
{
    if (!has_bank(world))
        return;
    unsigned takers = 1 + (unsigned)world_random(world, BANK_TAKERS);
    bank_open(world, UINT64_MAX, takers, UINT64_MAX, scenario_scale(world, 5 * MS_US, 300 * MS_US));
}

/* --- deeds --- */

static node_id_t any_node(struct world *world)
{
    return 1 + (node_id_t)world_random(world, world->options.n_nodes);
}

static node_id_t another_node(struct world *world, node_id_t than)
{
    node_id_t id = 1 + (node_id_t)world_random(world, world->options.n_nodes - 1);
    return id < than ? id : id + 1;
}

static uint64_t a_while(struct swarm *swarm)
{
    return scenario_scale(swarm->world, 5 * MS_US, swarm->length_us);
}

static void kill_one(struct swarm *swarm, node_id_t id)
{
    struct world *world = swarm->world;
    if (!id || !world->nodes[id].core)
        return;
    world_crash(world, id);
    if (swarm->wipes && oracle_may_wipe(world, id) && world_random(world, 3) &&
        !world_put_back(world, id))
        world_wipe(world, id);
    world_start_later(world, id, a_while(swarm));
}

/* A node comes back without its disk, and soon the coordinator is gone: the newcomer is wanted for
 * a majority, and must not help to elect one that lacks what it had acknowledged. */
static void wipe_one(struct swarm *swarm, node_id_t id)
{
    struct world *world = swarm->world;
    node_id_t leader = world_coordinator(world);
    if (!world->nodes[id].core || id == leader || !oracle_may_wipe(world, id))
        return;
    world_crash(world, id);
    if (world_random(world, 4) == 0 || !world_put_back(world, id))
        world_wipe(world, id);
    world_start_later(world, id, scenario_scale(world, MS_US, 100 * MS_US));
    if (world_random(world, 2))
        kill_one(swarm, leader);
}

static void black_out(struct swarm *swarm)
{
    struct world *world = swarm->world;
    world_count(world, FAULT_BLACKOUT);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        world_crash(world, id);
        world_start_later(world, id, a_while(swarm));
    }
}

static void cut_both(struct world *world, node_id_t a, node_id_t b, uint64_t for_us)
{
    world_cut_for(world, a, b, for_us);
    world_cut_for(world, b, a, for_us);
    world_count(world, FAULT_CUT_BOTH);
}

static void cut_one_way(struct world *world, node_id_t from, node_id_t to, uint64_t for_us)
{
    world_cut_for(world, from, to, for_us);
    world_count(world, FAULT_CUT_ONE_WAY);
}

static void cut_link(struct swarm *swarm)
{
    struct world *world = swarm->world;
    node_id_t a = any_node(world), b = another_node(world, a);
    if (world_random(world, 2))
        cut_both(world, a, b, a_while(swarm));
    else
        cut_one_way(world, a, b, a_while(swarm));
}

static void reset_all(struct world *world, node_id_t from, node_id_t to)
{
    static const enum plane planes[] = {PLANE_CONTROL, PLANE_CHANNEL, PLANE_CHECKPOINT,
                                        PLANE_VALUE};
    for (unsigned i = 0; i < sizeof planes / sizeof planes[0]; i++)
        world_break(world, from, to, planes[i]);
}

/* A node that nobody reaches, that reaches nobody, or both. When the others' connections to it are
 * reset as well they replace it long before it notices: that is when it would answer what is no
 * longer so. */
static void cut_node(struct swarm *swarm)
{
    struct world *world = swarm->world;
    node_id_t id = world_random(world, 2) ? world_coordinator(world) : any_node(world);
    uint64_t for_us = a_while(swarm), how = world_random(world, 3);
    bool resets = world_random(world, 2);
    for (node_id_t other = 1; id && other <= world->options.n_nodes; other++) {
        if (other == id)
            continue;
        if (how == 0)
            cut_both(world, id, other, for_us);
        else
            cut_one_way(world, how == 1 ? id : other, how == 1 ? other : id, for_us);
        if (resets)
            reset_all(world, other, id);
    }
}

/* Two groups that do not reach each other; with a bridge, one node reaches both (R6). */
static void cut_groups(struct swarm *swarm, bool bridge)
{
    struct world *world = swarm->world;
    uint64_t for_us = a_while(swarm), sides = world_random(world, UINT64_MAX);
    node_id_t both = bridge ? any_node(world) : NODE_NONE;
    for (node_id_t a = 1; a <= world->options.n_nodes; a++)
        for (node_id_t b = a + 1; b <= world->options.n_nodes; b++)
            if (a != both && b != both && (sides >> a & 1) != (sides >> b & 1))
                cut_both(world, a, b, for_us);
}

static void clog_links(struct swarm *swarm)
{
    struct world *world = swarm->world;
    node_id_t from = any_node(world), to = another_node(world, from);
    uint64_t for_us = a_while(swarm);
    bool all = world_random(world, 3) == 0;
    for (node_id_t other = 1; other <= world->options.n_nodes; other++)
        if (other != from && (all || other == to))
            world_clog(world, from, other, for_us);
}

/* What lasts long enough for a coordinator to be taken for dead, or to find out that it is of no
 * use. */
static uint64_t a_long_while(struct swarm *swarm)
{
    uint64_t most_us = 16 * swarm->world->options.election_timeout_us;
    return scenario_scale(swarm->world, 5 * MS_US,
                          most_us > swarm->length_us ? most_us : swarm->length_us);
}

/* One plane of a pair of nodes, or of a node with all others; mostly that of the log, in one
 * direction or both. */
static void trouble_plane(struct swarm *swarm)
{
    static const enum plane planes[] = {PLANE_CONTROL,    PLANE_CHANNEL,   PLANE_CHECKPOINT,
                                        PLANE_CHECKPOINT, PLANE_HEARTBEAT, PLANE_VALUE};
    struct world *world = swarm->world;
    node_id_t leader = world_coordinator(world);
    node_id_t id = leader && world_random(world, 2) ? leader : any_node(world);
    node_id_t only = another_node(world, id);
    enum plane plane = planes[world_random(world, sizeof planes / sizeof planes[0])];
    uint64_t for_us = a_long_while(swarm), ways = 1 + world_random(world, 3);
    bool all = world_random(world, 2), clogs = world_random(world, 3) == 0;
    for (node_id_t other = 1; other <= world->options.n_nodes; other++) {
        if (other == id || (!all && other != only))
            continue;
        if (ways & 1)
            (clogs ? world_clog_plane : world_cut_plane)(world, id, other, plane, for_us);
        if (ways & 2)
            (clogs ? world_clog_plane : world_cut_plane)(world, other, id, plane, for_us);
    }
}

static void reset_connection(struct swarm *swarm)
{
    static const enum plane planes[] = {PLANE_CONTROL, PLANE_CHANNEL, PLANE_CHECKPOINT,
                                        PLANE_VALUE};
    struct world *world = swarm->world;
    node_id_t from = any_node(world), to = another_node(world, from);
    uint64_t which = world_random(world, 5);
    if (which == 4)
        reset_all(world, from, to);
    else
        world_break(world, from, to, planes[which]);
}

static void pause_one(struct swarm *swarm, node_id_t id)
{
    if (id && swarm->world->nodes[id].core)
        world_pause(swarm->world, id, a_while(swarm));
}

static bool needs_two(enum deed deed)
{
    return deed == DEED_CUT_LINK || deed == DEED_CLOG || deed == DEED_BREAK || deed == DEED_PLANE;
}

static void do_one(struct swarm *swarm, enum deed deed)
{
    struct world *world = swarm->world;
    if (needs_two(deed) && world->options.n_nodes < 2)
        return;
    switch (deed) {
    case DEED_KILL:
        kill_one(swarm, any_node(world));
        break;
    case DEED_KILL_LEADER:
        kill_one(swarm, world_coordinator(world));
        break;
    case DEED_WIPE:
        wipe_one(swarm, any_node(world));
        break;
    case DEED_BLACKOUT:
        black_out(swarm);
        break;
    case DEED_PAUSE:
        pause_one(swarm, any_node(world));
        break;
    case DEED_PAUSE_LEADER:
        pause_one(swarm, world_coordinator(world));
        break;
    case DEED_CUT_LINK:
        cut_link(swarm);
        break;
    case DEED_CUT_NODE:
        cut_node(swarm);
        break;
    case DEED_CUT_GROUPS:
        cut_groups(swarm, false);
        break;
    case DEED_CUT_BRIDGE:
        cut_groups(swarm, true);
        break;
    case DEED_CLOG:
        clog_links(swarm);
        break;
    case DEED_BREAK:
        reset_connection(swarm);
        break;
    case DEED_PLANE:
        trouble_plane(swarm);
        break;
    case DEED_HANG_DISK:
        world_hang_disk(world, any_node(world), a_long_while(swarm));
        break;
    case DEED_SLOW_DISK:
        world_slow_disk(world, any_node(world), scenario_scale(world, MS_US, 300 * MS_US),
                        a_while(swarm));
        break;
    case DEED_FULL_DISK:
        world_fill_disk(world, any_node(world), a_while(swarm));
        break;
    case DEED_JUMP:
        world_jump(world, any_node(world),
                   (int64_t)world_random(world, 7200000) - (int64_t)3600000);
        break;
    case DEED_KILL_BROKER:
        brokers_kill(world, a_while(swarm));
        break;
    case DEED_DEAFEN_BROKER:
        brokers_deafen(world, a_long_while(swarm));
        break;
    case DEED_KINDS:
        break;
    }
}

static enum deed choose(struct swarm *swarm)
{
    uint64_t at = world_random(swarm->world, swarm->total);
    int deed = 0;
    while (at >= swarm->weights[deed])
        at -= swarm->weights[deed++];
    return (enum deed)deed;
}

/* --- running --- */

static void trouble(struct swarm *swarm)
{
    struct world *world = swarm->world;
    uint64_t until_us = world->now_us + scenario_scale(world, SECOND_US, 10 * SECOND_US);
    while (world->now_us < until_us) {
        world_run(world, scenario_scale(world, swarm->gap_us / 8 + 1, 2 * swarm->gap_us));
        after_check_circles(world);
        if (swarm->total)
            do_one(swarm, choose(swarm));
        rot_trouble(world, 2 * swarm->gap_us);
    }
}

/* The story of the aim, two to four times, with one other deed each. */
static void trouble_aimed(struct swarm *swarm)
{
    struct world *world = swarm->world;
    for (uint64_t n = 2 + world_random(world, 3); n; n--) {
        aims_tell(world, swarm->aim);
        after_check_circles(world);
        if (swarm->total)
            do_one(swarm, choose(swarm));
        rot_trouble(world, 2 * swarm->gap_us);
    }
}

static bool is_settled(const struct world *world)
{
    return after_is_settled(world) &&
           (!has_bank(world) || (bank_is_idle(world) && bank_is_quiet(world)));
}

static _Noreturn void fail_unsettled(const struct world *world)
{
    struct text text = {0};
    text_add(&text, "not within %u s;", (unsigned)(SETTLED_WITHIN_US / SECOND_US));
    for (unsigned client = 0; client < WORLD_CLIENTS_MAX; client++)
        if (world->clients[client].wish != WISH_NONE)
            text_add(&text, " client %u waits;", client);
    for (unsigned asker = 0; asker < WORLD_ASKERS_MAX; asker++)
        if (world->askers[asker].request)
            text_add(&text, " asker %u waits;", asker);
    if (has_bank(world) && !bank_is_quiet(world))
        text_add(&text, " outbox messages or snapshots are under way;");
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        text_add(&text, " %u%s: %" PRIu64 "/%" PRIu64, id, node_coordinates(node) ? " serves" : "",
                 inside_raft(node)->log.applied, inside_raft(node)->log.last);
    }
    world_fail(world, "after healing every job is done and all logs are equal", "%s", text.at);
}

static bool is_answered(const struct world *world)
{
    return world->askers[0].answer != NULL;
}

/* With messages still being lost the first may be partial. */
static void take_last(struct world *world)
{
    uint64_t until_us = world->now_us + SNAPSHOT_WITHIN_US;
    for (bool complete = false; !complete;) {
        world_ask(world, 0, any_node(world), message_new(MESSAGE_SNAPSHOT_TAKE));
        after_wait_for(world, is_answered, SNAPSHOT_WITHIN_US);
        const struct message *answer = world->askers[0].answer;
        complete =
            answer && answer->type == MESSAGE_SNAPSHOT && answer->as.snapshot.heads.at[0].complete;
        if (!complete && world->now_us >= until_us)
            world_fail(world, "S16: after healing a snapshot completes", "not within %u s",
                       (unsigned)(SNAPSHOT_WITHIN_US / SECOND_US));
    }
    if (!after_wait_for(world, bank_is_quiet, SNAPSHOT_WITHIN_US))
        world_fail(world, "S11: nothing of a snapshot is left", "not within %u s",
                   (unsigned)(SNAPSHOT_WITHIN_US / SECOND_US));
}

/* Any minority of the voters may stop: a submit is accepted all the same, and its job ends. */
static void stop_minority(struct world *world)
{
    if (!after_stop_minority(world))
        return;
    uint64_t within_us = ELECTED_WITHIN_US * (world->hostile ? HOSTILE_FACTOR : 1);
    if (!after_wait_for(world, after_job_done, within_us))
        world_fail(world, "any minority of the voters may stop", "no job ends within %u s",
                   (unsigned)(within_us / SECOND_US));
    world_heal(world);
    if (!after_wait_for(world, is_settled, SETTLED_WITHIN_US))
        fail_unsettled(world);
    after_wait_for(world, rot_is_repaired, REPAIRED_WITHIN_US);
    after_check_values(world);
}

static void wait_served(struct world *world)
{
    uint64_t within_us = ELECTED_WITHIN_US * (world->hostile ? HOSTILE_FACTOR : 1);
    if (!after_wait_for(world, world_is_served, within_us))
        world_fail(world, "after healing there is a coordinator", "there is none");
}

static size_t stored_values(const struct world *world)
{
    node_id_t coordinator = world_coordinator(world);
    return coordinator ? inside_state(world->nodes[coordinator].core)->stored.n : 0;
}

/* So long after the last stored value that grew too old in the meantime. */
static void check_swept(struct world *world)
{
    uint64_t swept_us = SWEPT_WITHIN_US * (world->hostile ? HOSTILE_FACTOR : 1);
    for (size_t stored = stored_values(world);
         !after_wait_for(world, values_are_swept, swept_us);) {
        if (stored_values(world) >= stored)
            world_fail(world, "W4: what no state names is collected", "some is still there");
        stored = stored_values(world);
    }
}

static uint64_t settle(struct world *world)
{
    uint64_t since_us = world->now_us, jobs = 0;
    world_heal(world);
    bank_close(world);
    wait_served(world);
    if (!after_wait_for(world, is_settled, SETTLED_WITHIN_US))
        fail_unsettled(world);
    after_wait_for(world, rot_is_repaired, REPAIRED_WITHIN_US); /* the oracle says what is not */
    oracle_end(world);
    after_check_values(world);
    check_swept(world);
    for (unsigned client = 0; client < WORLD_CLIENTS_MAX; client++)
        jobs += world->clients[client].jobs;
    jobs += shared_jobs(world) + world->counts.uploaders_jobs + tasks_jobs(world);
    wait_served(world); /* who forges messages may have ended a reign meanwhile */
    const struct node *node = world->nodes[world_coordinator(world)].core;
    if (inside_state(node)->jobs.n != jobs && !world_forgets_jobs(world))
        world_fail(world, "one job per key", "%zu jobs for %" PRIu64 " keys",
                   inside_state(node)->jobs.n, jobs);
    since_us = world->now_us - since_us;
    hostile_check(world);
    if (has_bank(world)) {
        bank_check(world);
        take_last(world);
    }
    stop_minority(world);
    return since_us;
}

struct swarm_result swarm_run(uint64_t seed, bool story)
{
    struct world_options options = {.seed = seed,
                                    .gathers = seed % GATHERS_EACH == 0,
                                    .story = story,
                                    .n_nodes = WORLD_NODES_MAX};
    struct swarm swarm = {.world = world_new(&options)};
    struct world *world = swarm.world;
    scenario_draw(world);
    swarm.aim = aims_draw(world);
    draw_deeds(&swarm);
    draw_window(world);
    draw_brokers(world, swarm.aim);
    world_say(world, NODE_NONE, "%u nodes, %u vote", world->options.n_nodes, world_voters(world));
    beginning_start(world);
    unsigned n_clients = scenario_clients(world);
    draw_bank(world);
    hostile_open(world);
    tasks_open(world);
    restored_open(world);
    if (swarm.aim)
        aims_clients(world, swarm.aim, n_clients);
    (swarm.aim ? trouble_aimed : trouble)(&swarm);
    struct swarm_result result = {.settle_us = settle(world)};
    uint64_t restored = restored_run(world);
    beginning_again(world);
    result.hash = restored ? random_fold(world->hash, restored) : world->hash;
    result.counts = world->counts;
    result.counts.simulated_us = world->now_us - SECOND_US;
    world_free(&world);
    if (quiet_is_due(seed))
        result.hash = random_fold(result.hash, quiet_run(seed, story, &result.counts));
    return result;
}
