#include "tests/sim/hostile.h"

#include <inttypes.h>
#include <stdlib.h>

#include "nodes/core/node.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/step/step.h"
#include "shared/base/mutant.h"
#include "shared/base/random.h"
#include "tests/harness/inside.h"

/* Of so many seeds one has a stolen key. It shares no factor with 3 (bank.h), 5 (aims.h), 8
 * (quiet.h) and 64 (run twice). */
#define HOSTILE_EVERY 7

#define LIES_FOR_TIMEOUTS 40 /* after all is quiet, it is watched for so long */
/* Elections that it may cause meanwhile: after 1, 2, 4, 8, 16 timeouts, where one node coordinates
 * all the time; one that was not there for the others begins with 1 again. */
#define LIES_ELECTIONS_MAX 12

struct hostile {
    node_id_t id;
    uint64_t random; /* a sequence of its own: other seeds are what they were */
    uint64_t next_us, gap_us;
    bool watched;              /* elections are counted: it does not end its own term */
    struct message *heartbeat; /* the last real one of its node; NULL: none */
};

static uint64_t draw(struct world *world, uint64_t limit)
{
    return random_below(&world->hostile->random, limit);
}

static bool is_planted(void)
{
#ifdef CONCLAVE_MUTANTS
    return mutant_planted == MUTANT_term_of_one || mutant_planted == MUTANT_climbs_at_once ||
           mutant_planted == MUTANT_coordinator_of_one || mutant_planted == MUTANT_commit_of_one ||
           mutant_planted == MUTANT_recalls_without_end;
#else
    return false;
#endif
}

void hostile_open(struct world *world)
{
    /* A minority of two voters is none. */
    if (world_voters(world) < 3 || (world->options.seed % HOSTILE_EVERY != 1 && !is_planted()))
        return;
    world->hostile = mem_new(1, sizeof *world->hostile);
    world->hostile->random = world->options.seed * RANDOM_GAMMA;
    world->hostile->id = 1 + (node_id_t)draw(world, world_voters(world));
    world->hostile->gap_us = MS_US << draw(world, 8);
    world_say(world, NODE_NONE, "somebody has the key of node %u", world->hostile->id);
}

void hostile_free(struct hostile **hostile)
{
    if (!*hostile)
        return;
    message_drop(&(*hostile)->heartbeat);
    free(*hostile);
    *hostile = NULL;
}

void hostile_hear(struct world *world, node_id_t from, struct message *message)
{
    struct hostile *hostile = world->hostile;
    if (!hostile || hostile->id != from || message->type != MESSAGE_HEARTBEAT)
        return;
    message_drop(&hostile->heartbeat);
    hostile->heartbeat = message_ref(message);
}

/* --- numbers --- */

/* A term that is not the one in which the node of the key may rightly speak. */
static term_t forge_term(struct world *world, const struct node *victim)
{
    term_t theirs = inside_step(victim)->term;
    switch (draw(world, 8)) {
    case 0:
        return theirs + 1;
    case 1:
        return theirs + 2 + draw(world, TERM_CLIMB_MAX);
    case 2:
        return theirs + 1000000;
    case 3:
        return theirs + draw(world, TERM_MAX - theirs);
    case 4:
        return TERM_MAX;
    case 5:
        return theirs ? theirs - 1 : 1;
    default:
        return theirs + 1 + draw(world, 3);
    }
}

/* --- messages --- */

static struct slice cluster_of(const struct node *node, struct message *message)
{
    return message_copy(message, step_cluster_id(inside_step(node)));
}

static struct message *forge_heartbeat(struct world *world, const struct node *victim)
{
    static const char *const roles[] = {"worker", "candidate", "coordinator", "coordinator"};
    struct message *message = world_transmit(world->hostile->heartbeat);
    struct wire_heartbeat *beat = &message->as.heartbeat;
    const char *role = roles[draw(world, 4)];
    beat->role = message_text(message, role);
    beat->term = forge_term(world, victim);
    /* That it coordinates the very term of the others, who have another coordinator. */
    if (role[0] == 'c' && role[1] == 'o' && draw(world, 2))
        beat->term = inside_step(victim)->term;
    beat->coordinator =
        draw(world, 2) ? world->hostile->id : draw(world, 1 + world->options.n_nodes);
    beat->serving = draw(world, 2);
    return message;
}

static struct message *forge_vote_request(struct world *world, const struct node *victim)
{
    struct message *message = message_new(MESSAGE_VOTE_REQUEST);
    struct wire_vote_request *request = &message->as.vote_request;
    request->pre = draw(world, 2);
    request->term = forge_term(world, victim);
    request->last_term = draw(world, 4) ? 0 : request->term; /* out of range */
    request->last_index = request->last_term ? LOG_INDEX_MAX : 0;
    request->cluster_id = cluster_of(victim, message);
    return message;
}

static struct message *forge_vote_reply(struct world *world, const struct node *victim)
{
    struct message *message = message_new(MESSAGE_VOTE_REPLY);
    struct wire_vote_reply *reply = &message->as.vote_reply;
    reply->pre = draw(world, 2);
    reply->term = forge_term(world, victim);
    reply->granted = draw(world, 2);
    reply->voter = true;
    reply->cluster_id = cluster_of(victim, message);
    /* What is asked for now gets no vote but the node's own. */
    if (reply->granted && reply->term <= inside_step(victim)->term + 1)
        reply->term = inside_step(victim)->term + 2;
    return message;
}

/* Its log goes on where nobody's ends, and all of it is committed. */
static struct message *forge_append(struct world *world, const struct node *victim)
{
    struct message *message = message_new(MESSAGE_APPEND);
    struct wire_append *append = &message->as.append;
    append->term = draw(world, 3) ? forge_term(world, victim) : inside_step(victim)->term;
    append->prev_index = append->commit = LOG_INDEX_MAX;
    append->prev_term = append->term;
    append->cluster_id = cluster_of(victim, message);
    return message;
}

static struct message *forge_install(struct world *world, const struct node *victim)
{
    struct message *message = message_new(MESSAGE_INSTALL);
    struct wire_install *install = &message->as.install;
    install->term = inside_step(victim)->term + 1 + draw(world, TERM_MAX / 2);
    install->index = LOG_INDEX_MAX;
    install->index_term = install->term;
    install->parts = 1;
    install->cluster_id = cluster_of(victim, message);
    return message;
}

/* More than there is, more than is committed, of a round that was never asked for. */
static struct message *forge_append_reply(struct world *world, const struct node *victim)
{
    const struct raft *raft = inside_raft(victim);
    struct message *message = message_new(MESSAGE_APPEND_REPLY);
    struct wire_append_reply *reply = &message->as.append_reply;
    term_t last_term = raft_log_last_term(raft), ours = inside_step(victim)->term;
    reply->term = ours;
    reply->voter = raft->members.of[world->hostile->id].voter;
    reply->ok = true;
    switch (draw(world, 4)) {
    case 0:
        reply->term = forge_term(world, victim);
        break;
    case 1:
        reply->match = raft->log.last + 1 + draw(world, LOG_INDEX_MAX - raft->log.last);
        break;
    case 2:
        reply->round = raft->replication.round + 1 + draw(world, UINT64_MAX / 2);
        break;
    default: /* only where it is a lie for sure */
        reply->ok = false;
        reply->commit = last_term == ours ? raft->log.last : raft->log.commit;
    }
    return message;
}

static struct message *forge_install_reply(struct world *world, const struct node *victim)
{
    struct message *message = message_new(MESSAGE_INSTALL_REPLY);
    message->as.install_reply = (struct wire_install_reply){.term = forge_term(world, victim),
                                                            .index = LOG_INDEX_MAX,
                                                            .next = UINT64_MAX};
    return message;
}

/* Work of a coordinator to come, in its place; acknowledgements and places that are none. */
static struct message *forge_channel(struct world *world, const struct node *victim)
{
    const struct channel *channel = &inside_links(victim)->peers[world->hostile->id].channel;
    bool work = draw(world, 2);
    struct message *message = message_new(work             ? MESSAGE_TASK
                                          : draw(world, 2) ? MESSAGE_CHANNEL_ACK
                                                           : MESSAGE_RESULT);
    struct wire_channel *header = &message->as.channel;
    header->src = world->hostile->id;
    header->src_incarnation = world->nodes[world->hostile->id].incarnation;
    header->dst_incarnation = inside_step(victim)->config.incarnation;
    header->clock = 1;
    if (work) {
        header->seq = channel->delivered + 1;
        message->as.task.term = inside_step(victim)->term + 1 + draw(world, 1000000);
    } else if (message->type == MESSAGE_RESULT) {
        header->seq = channel->delivered + 2 + draw(world, UINT64_MAX / 2);
    } else {
        header->ack = channel->acked + channel->queue.n + 1 + draw(world, UINT64_MAX / 2);
    }
    return message;
}

/* --- sending --- */

struct forgery {
    struct message *(*forge)(struct world *world, const struct node *victim);
    enum plane plane;
};

static const struct forgery forgeries[] = {
    {forge_heartbeat, PLANE_HEARTBEAT},     {forge_heartbeat, PLANE_HEARTBEAT},
    {forge_heartbeat, PLANE_HEARTBEAT},     {forge_vote_request, PLANE_CONTROL},
    {forge_vote_request, PLANE_CONTROL},    {forge_vote_reply, PLANE_CONTROL},
    {forge_vote_reply, PLANE_CONTROL},      {forge_append, PLANE_CHECKPOINT},
    {forge_install, PLANE_CHECKPOINT},      {forge_append_reply, PLANE_CHECKPOINT},
    {forge_append_reply, PLANE_CHECKPOINT}, {forge_install_reply, PLANE_CHECKPOINT},
    {forge_channel, PLANE_CHANNEL},
};

/* Where the node of the key has, or could have, a right to what is forged, nothing is: whoever has
 * no entry yet gives anybody a vote, and who voted for it believes that it leads. */
static bool is_forbearing(const struct world *world, const struct node *victim,
                          enum message_type type)
{
    const struct raft *raft = inside_raft(victim);
    bool speaks_as_coordinator = type == MESSAGE_APPEND || type == MESSAGE_HEARTBEAT;
    const struct node *own = world->nodes[world->hostile->id].core;
    if (type == MESSAGE_VOTE_REQUEST)
        return !raft->log.last || (world->hostile->watched && election_leads(inside_raft(own)));
    return speaks_as_coordinator && (raft->election.vote == world->hostile->id ||
                                     inside_raft(own)->election.role != ROLE_FOLLOWER);
}

static void forge(struct world *world)
{
    struct hostile *hostile = world->hostile;
    const struct forgery *forgery = &forgeries[draw(world, sizeof forgeries / sizeof *forgeries)];
    node_id_t to = 1 + (node_id_t)draw(world, world->options.n_nodes);
    const struct node *victim = world->nodes[to].core;
    struct world_link *link = &world->links[hostile->id][to][forgery->plane];
    bool feed = forgery->plane == PLANE_HEARTBEAT;
    if (to == hostile->id || !victim || !world->nodes[hostile->id].core || !hostile->heartbeat ||
        !step_is_founded(inside_step(victim)) ||
        planes_are_cut(world, hostile->id, to, forgery->plane) || (!feed && !link->up))
        return;
    struct message *made = forgery->forge(world, victim);
    if (!is_forbearing(world, victim, made->type)) {
        struct message *arrives = world_transmit(made);
        uint64_t at_us = world->now_us + world->options.delay_us + 1;
        if (!feed && at_us <= link->last_us)
            at_us = link->last_us + 1;
        if (!feed)
            link->last_us = at_us;
        world_count(world, FAULT_FORGED);
        world_post(world, &(struct pending){.at_us = at_us,
                                            .kind = feed ? PENDING_FEED : PENDING_DELIVER,
                                            .to = to,
                                            .from = hostile->id,
                                            .incarnation = world->nodes[to].incarnation,
                                            .plane = forgery->plane,
                                            .epoch = link->epoch,
                                            .message = arrives});
    }
    message_drop(&made);
}

void hostile_look(struct world *world)
{
    struct hostile *hostile = world->hostile;
    if (!hostile || world->now_us < hostile->next_us)
        return;
    hostile->next_us = world->now_us + 1 + draw(world, 2 * hostile->gap_us);
    forge(world);
}

/* --- afterwards --- */

void hostile_check(struct world *world)
{
    const struct world_options *options = &world->options;
    uint64_t elections = world->counts.elections;
    /* Loss and slow moments never end, and elect others without anybody's help. */
    if (!world->hostile || options->loss || options->spikes || options->drift ||
        options->disk_failures)
        return;
    world->hostile->watched = true;
    world_run(world, LIES_FOR_TIMEOUTS * options->election_timeout_us);
    elections = world->counts.elections - elections;
    if (elections > LIES_ELECTIONS_MAX)
        world_fail(world, "X15: nobody forces elections without end", "%" PRIu64 " in %u timeouts",
                   elections, LIES_FOR_TIMEOUTS);
    if (!world_run_until(world, world_is_served, 4 * options->election_timeout_us))
        world_fail(world, "X15: the others go on", "nobody serves");
}
