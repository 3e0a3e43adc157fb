/* What other nodes say: from whom it is taken in, and which room takes it. */
#include <stddef.h>

#include "nodes/core/rooms.h"

/* --- those that say who is there --- */

/* A peer is heard as this incarnation. */
static void meet(struct node *node, node_id_t from, incarnation_t incarnation)
{
    peers_end_life(&node->links, from, incarnation);
    node_settle(node);
    peers_meet(&node->links, from, incarnation);
    node_settle(node);
}

static void take_hello(struct node *node, node_id_t from, const struct wire_hello *hello)
{
    if (peers_is_doubled(&node->links, from, hello->incarnation)) {
        peers_complain(&node->links, from, "another process of that id runs already");
        return;
    }
    if (!members_welcomes(&node->raft, from, hello))
        return;
    meet(node, from, hello->incarnation);
    members_learn(&node->raft, from, hello->cluster_id, hello->birth);
    if (hello->plane == PLANE_CONTROL)
        founding_met(&node->raft, from);
    peers_hello(&node->links, from, hello);
}

static void take_welcome(struct node *node, node_id_t from, const struct wire_welcome *welcome)
{
    if (!peers_is_ours(&node->links, from, welcome))
        return; /* it answers a connection that is no more */
    meet(node, from, welcome->incarnation);
    peers_welcome(&node->links, from, welcome);
}

static void take_heartbeat(struct node *node, node_id_t from, struct message *message)
{
    const struct wire_heartbeat *heartbeat = &message->as.heartbeat;
    founding_heartbeat(&node->raft, from, heartbeat);
    if (members_is_foreign(&node->raft, from)) {
        if (heartbeat->term) /* else it may still join ours */
            peers_complain(&node->links, from, PEERS_FOREIGN);
        return;
    }
    election_heartbeat(&node->raft, from, heartbeat);
    node_settle(node);
    if (!peers_heartbeat(&node->links, from, message))
        return;
    election_heard_follower(&node->raft, heartbeat);
    node_settle(node);
    replication_followed(&node->raft, from);
    health_heartbeat(&node->raft, from, heartbeat);
    node_settle(node);
    if (raft_serves(&node->raft))
        schedule_heartbeat(&node->schedule, from);
}

/* --- the table --- */

/* From whom a message is taken in. */
struct gate {
    bool stranger;  /* from a node of another cluster, too: it may come to belong to ours */
    size_t term;    /* where its term is: only that term's coordinator sends it; 0: anybody does */
    size_t cluster; /* where it names its cluster, when it must be ours; 0: it need not say */
};

#define ANYBODY \
    {           \
        0       \
    }
#define STRANGER         \
    {                    \
        .stranger = true \
    }
#define COORDINATOR(name)                              \
    {                                                  \
        .term = offsetof(struct message, as.name.term) \
    }
/* One of an old term is answered, so that it learns of the new one: see `accepted`. */
#define OUR_COORDINATOR(name)                                   \
    {                                                           \
        .term = offsetof(struct message, as.name.term),         \
        .cluster = offsetof(struct message, as.name.cluster_id) \
    }

/* Each message of another node: its plane, who may send it, and the function of a room that takes
 * it in. A message that is not here is rejected. */
#define MESSAGES(X)                                                                            \
    X(m->as.hello.plane, HELLO, STRANGER, take_hello(node, from, &m->as.hello))                \
    X(m->as.welcome.plane, WELCOME, ANYBODY, take_welcome(node, from, &m->as.welcome))         \
    X(PLANE_HEARTBEAT, HEARTBEAT, STRANGER, take_heartbeat(node, from, m))                     \
    X(PLANE_HEARTBEAT, EVENT, STRANGER, (void)0 /* for people */)                              \
    X(PLANE_CONTROL, FOUND, STRANGER, founding_take(raft, from, &m->as.found))                 \
    X(PLANE_CONTROL, GOODBYE, ANYBODY, peers_goodbye(links, from, &m->as.goodbye))             \
    X(PLANE_CONTROL, VOTE_REQUEST, ANYBODY,                                                    \
      election_vote_request(raft, from, &m->as.vote_request))                                  \
    X(PLANE_CONTROL, VOTE_REPLY, ANYBODY, election_vote_reply(raft, from, &m->as.vote_reply))  \
    X(PLANE_CONTROL, ACCOUNT_QUERY, ANYBODY, ledger_query(ledger, from, &m->as.account_query)) \
    X(PLANE_CONTROL, ACCOUNT_REPLY, ANYBODY,                                                   \
      ledger_query_reply(ledger, from, &m->as.account_reply))                                  \
    X(PLANE_CHECKPOINT, APPEND, OUR_COORDINATOR(append),                                       \
      accepted ? follower_append(raft, from, m) : follower_refuse_append(raft, from, m))       \
    X(PLANE_CHECKPOINT, APPEND_REPLY, ANYBODY,                                                 \
      replication_append_reply(raft, from, &m->as.append_reply))                               \
    X(PLANE_CHECKPOINT, INSTALL, OUR_COORDINATOR(install),                                     \
      accepted ? follower_install(raft, from, m) : follower_refuse_install(raft, from, m))     \
    X(PLANE_CHECKPOINT, INSTALL_REPLY, ANYBODY,                                                \
      replication_install_reply(raft, from, &m->as.install_reply))                             \
    X(PLANE_CHECKPOINT, VALUE_OFFER, COORDINATOR(value_offer),                                 \
      offers_take(raft, from, &m->as.value_offer))                                             \
    X(PLANE_CHECKPOINT, VALUE_HELD, ANYBODY, offers_held(raft, from, &m->as.value_held))       \
    X(PLANE_CHANNEL, TASK, COORDINATOR(task), worker_task(worker, from, m))                    \
    X(PLANE_CHANNEL, RELEASE, COORDINATOR(release),                                            \
      worker_release(worker, from, m->as.release.job, m->as.release.op))                       \
    X(PLANE_CHANNEL, RESULT, ANYBODY, schedule_results(schedule, from, m))                     \
    X(PLANE_CHANNEL, TASKS_GIVEN, COORDINATOR(tasks_given), runner_given(runner, m))           \
    X(PLANE_CHANNEL, TASKS_ASK, COORDINATOR(tasks_ask), runner_asked(runner, from))            \
    X(PLANE_CHANNEL, TASKS_ENDED, ANYBODY, tasks_ended(tasks, from, m))                        \
    X(PLANE_CHANNEL, TASKS_HELD, ANYBODY, tasks_held(tasks, from, m))                          \
    X(PLANE_CHANNEL, TRANSFER, ANYBODY, ledger_message(ledger, from, m))                       \
    X(PLANE_CHANNEL, APP, ANYBODY, ledger_message(ledger, from, m))                            \
    X(PLANE_CHANNEL, LEDGER_ACK, ANYBODY, ledger_message(ledger, from, m))                     \
    X(PLANE_CHANNEL, MARKER, ANYBODY, snapshot_marker(snapshots, from, &m->as.marker))         \
    X(PLANE_CHANNEL, SNAPSHOT_REPORT, ANYBODY, snapshot_report(snapshots, from, m))            \
    X(PLANE_CHANNEL, SNAPSHOT_END, ANYBODY, snapshot_end(snapshots, from, &m->as.snapshot_end))

static const struct gate gates[MESSAGE_TYPES] = {
#define GATE(at, NAME, gate, call) [MESSAGE_##NAME] = gate,
    MESSAGES(GATE)
#undef GATE
};

static bool is_on_its_plane(enum plane plane, const struct message *m)
{
    switch (m->type) {
#define PLANE(at, NAME, gate, call) \
    case MESSAGE_##NAME:            \
        return (at) == plane;
        MESSAGES(PLANE)
#undef PLANE
    default:
        return false;
    }
}

static void hand_on(struct node *node, node_id_t from, struct message *m, bool accepted)
{
    struct links *links = &node->links;
    struct raft *raft = &node->raft;
    struct worker *worker = &node->worker;
    struct schedule *schedule = &node->schedule;
    struct runner *runner = &node->runner;
    struct tasks *tasks = &node->tasks;
    struct ledger *ledger = &node->ledger;
    struct snapshots *snapshots = &node->snapshots;
    switch (m->type) {
#define TAKE(at, NAME, gate, call) \
    case MESSAGE_##NAME:           \
        call;                      \
        break;
        MESSAGES(TAKE)
#undef TAKE
    default:
        break;
    }
}

/* --- on their way in --- */

/* What only the coordinator of a term sends; what that changes is known before it is read. */
static bool follows(struct node *node, node_id_t from, term_t term)
{
    bool accepted = election_accept_coordinator(&node->raft, from, term);
    node_settle(node);
    return accepted;
}

/* Work of a coordinator that is not known to be one: it stays in the channel, as if it had been
 * lost on its way, until that is known. */
static bool is_early(const struct node *node, node_id_t from, const struct message *message)
{
    const struct gate *gate = &gates[message->type];
    if (!gate->term)
        return false;
    term_t term = *(const term_t *)((const char *)message + gate->term);
    return term > node->step.term ||
           (term == node->step.term && !election_may_lead(&node->raft, from));
}

/* A message that was delivered in its turn; it is noted for snapshots that record. */
static bool take_from_channel(struct node *node, node_id_t from, struct message *message)
{
    if (is_early(node, from, message) || !peers_receive(&node->links, from, message))
        return false;
    snapshot_record(&node->snapshots, from, message);
    return true;
}

void node_take_message(struct node *node, enum plane plane, node_id_t from, struct message *message)
{
    const struct gate *gate = &gates[message->type];
    const char *at = (const char *)message;
    bool begins = message->type == MESSAGE_HELLO || message->type == MESSAGE_WELCOME;
    if (!step_is_peer(&node->step, from)) {
        step_reject(&node->step, from, "there is no such node");
        return;
    }
    if (members_is_foreign(&node->raft, from) && !gate->stranger) {
        peers_complain(&node->links, from, PEERS_FOREIGN);
        return;
    }
    if (plane == PLANE_CHANNEL && !begins && !take_from_channel(node, from, message))
        return;
    if (!is_on_its_plane(plane, message)) {
        step_reject(&node->step, from, "it does not belong on its plane");
        return;
    }
    if (gate->cluster &&
        !members_accepts(&node->raft, from, *(const struct slice *)(at + gate->cluster)))
        return;
    bool accepted = !gate->term || follows(node, from, *(const term_t *)(at + gate->term));
    if (accepted || gate->cluster)
        hand_on(node, from, message, accepted);
}
