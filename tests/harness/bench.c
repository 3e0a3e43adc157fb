#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/step/step.h"
#include "shared/base/error.h"
#include "shared/base/text.h"
#include "tests/harness/inside.h"
#include "tests/sim/founded.h"
#include "tests/harness/bench.h"

#define BIRTH 77 /* of its disk; peers' are 100 + id */

struct bench bench;

static void bench_release(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < bench.n_held; i++) {
        if (bench.held_seq[i] <= bench.disk_seq) {
            bench.sent[bench.n_sent] = bench.held[i];
            bench.sent_to[bench.n_sent++] = bench.held_to[i];
        } else {
            bench.held[kept] = bench.held[i];
            bench.held_to[kept] = bench.held_to[i];
            bench.held_seq[kept++] = bench.held_seq[i];
        }
    }
    bench.n_held = kept;
}

void bench_sync_disk(void)
{
    if (bench.disk_seq == bench.wanted_seq)
        return;
    for (size_t i = 0; i < bench.n_wanted; i++)
        if (bench.wanted[i].kind == WRITE_VOTE)
            node_durable_write(&bench.disk, &bench.wanted[i]);
    bench.n_wanted = 0;
    bench.disk_seq = bench.wanted_seq;
    bench_release();
    bench_step((struct event){.kind = EVENT_PERSISTED, .persisted = bench.disk_seq});
}

/* The last identity is that of all. */
static void bench_want(const struct write *write)
{
    struct write *wanted = &bench.wanted[bench.n_wanted++];
    *wanted = *write;
    if (write->identity) {
        bench.identity = *write->identity;
        wanted->identity = &bench.identity;
    }
}

static void bench_take(const struct output *output)
{
    switch (output->kind) {
    case OUTPUT_PERSIST:
        assert_int_equal(output->persist.seq, bench.wanted_seq + 1);
        bench.wanted_seq = output->persist.seq;
        for (size_t i = 0; i < output->persist.n; i++)
            bench_want(&output->persist.writes[i]);
        break;
    case OUTPUT_SEND:
        if (output->send.plane != PLANE_CONTROL)
            break;
        assert_true(bench.n_held < 1024 && bench.n_sent < 1024);
        bench.held[bench.n_held] = message_ref(output->send.message);
        bench.held_to[bench.n_held] = output->send.to;
        bench.held_seq[bench.n_held++] = output->after_seq;
        break;
    default:
        break;
    }
}

void bench_step(struct event event)
{
    event.now_us = bench.now_us;
    event.random = bench.now_us * 7;
    struct node_outputs outputs = node_step(bench.node, &event);
    for (size_t i = 0; i < outputs.n; i++)
        bench_take(&outputs.at[i]);
    node_check_invariants(bench.node);
    bench_release();
    if (!bench.slow_disk)
        bench_sync_disk();
}

void bench_forget_sent(void)
{
    while (bench.n_sent)
        message_drop(&bench.sent[--bench.n_sent]);
}

void bench_crash(void)
{
    bench_forget_sent();
    while (bench.n_held)
        message_drop(&bench.held[--bench.n_held]);
    node_destroy(&bench.node);
    bench.n_wanted = 0;
    bench.wanted_seq = bench.disk_seq = 0;
}

void bench_deliver(enum plane plane, node_id_t from, struct message *message)
{
    founded_sign(message);
    struct event event = {.kind = EVENT_MESSAGE};
    event.message.plane = plane;
    event.message.from = from;
    event.message.incarnation = 100 + from;
    event.message.message = message;
    bench_step(event);
    message_drop(&message);
}

void bench_start(void)
{
    static uint64_t boots;
    struct node_config config = {.id = 1,
                                 .n_nodes = N_NODES,
                                 .n_voters = N_NODES,
                                 .incarnation = ++boots << 32 | 1,
                                 .heartbeat_us = HEARTBEAT_DEFAULT_US,
                                 .election_timeout_us = T,
                                 .result_max_bytes = RESULT_MAX_DEFAULT_BYTES,
                                 .random = boots,
                                 .insecure = true,
                                 .cluster = "conclave",
                                 .host = "host",
                                 .version = "0"};
    bench.node = node_new(&config, &bench.disk, bench.now_us);
    for (node_id_t id = 2; id <= N_NODES; id++) {
        struct event event = {.kind = EVENT_LINK_UP};
        event.link.plane = PLANE_CONTROL;
        event.link.peer = id;
        bench_step(event);
        struct message *hello = message_new(MESSAGE_HELLO);
        hello->as.hello.src = id;
        hello->as.hello.dst = 1;
        hello->as.hello.incarnation = 100 + id;
        hello->as.hello.birth = 100 + id;
        hello->as.hello.connection = 1;
        bench_deliver(PLANE_CONTROL, id, hello);
        struct message *welcome = message_new(MESSAGE_WELCOME);
        welcome->as.welcome.src = id;
        welcome->as.welcome.incarnation = 100 + id;
        welcome->as.welcome.dst_incarnation = config.incarnation;
        welcome->as.welcome.connection = 1;
        bench_deliver(PLANE_CONTROL, id, welcome);
    }
    bench_forget_sent();
}

void bench_begin(term_t term, node_id_t vote)
{
    bench = (struct bench){.disk = {.term = term,
                                    .vote = vote,
                                    .voter = true,
                                    .birth = BIRTH,
                                    .identity = founded_identity(N_NODES, N_NODES)},
                           .now_us = SECOND_US};
    bench.disk.identity.births[1] = BIRTH;
    for (node_id_t id = 2; id <= N_NODES; id++)
        bench.disk.identity.births[id] = 100 + id;
    bench_start();
}

void bench_finish(void)
{
    bench_crash();
}

void bench_request_vote(node_id_t from, bool pre, term_t term, log_index_t index, term_t last)
{
    struct message *message = message_new(MESSAGE_VOTE_REQUEST);
    message->as.vote_request = (struct wire_vote_request){.pre = pre,
                                                          .term = term,
                                                          .last_index = index,
                                                          .last_term = last};
    bench_deliver(PLANE_CONTROL, from, message);
}

void bench_reply_vote(node_id_t from, bool pre, term_t term, bool granted)
{
    struct message *message = message_new(MESSAGE_VOTE_REPLY);
    message->as.vote_reply = (struct wire_vote_reply){.pre = pre, .term = term, .granted = granted};
    bench_deliver(PLANE_CONTROL, from, message);
}

void bench_heartbeat(node_id_t from, const char *role, term_t term, node_id_t coordinator)
{
    struct message *message = message_new(MESSAGE_HEARTBEAT);
    message->as.heartbeat = (struct wire_heartbeat){.node = from,
                                                    .incarnation = 100 + from,
                                                    .term = term,
                                                    .coordinator = coordinator,
                                                    .birth = 100 + from,
                                                    .voter = true,
                                                    .role = message_text(message, role)};
    bench_deliver(PLANE_HEARTBEAT, from, message);
}

void bench_pass(uint64_t us)
{
    for (uint64_t until = bench.now_us + us; bench.now_us < until;) {
        bench.now_us += 10 * MS_US;
        bench_step((struct event){.kind = EVENT_TICK});
    }
}

void bench_pass_until_candidate(bool pre)
{
    bench_forget_sent();
    for (int i = 0; i < 1000; i++) {
        bench_pass(10 * MS_US);
        for (size_t j = 0; j < bench.n_sent; j++)
            if (bench.sent[j]->type == MESSAGE_VOTE_REQUEST &&
                bench.sent[j]->as.vote_request.pre == pre)
                return;
    }
    fail_msg("no election begins");
}

const struct wire_vote_reply *bench_answer(void)
{
    for (size_t i = bench.n_sent; i > 0; i--)
        if (bench.sent[i - 1]->type == MESSAGE_VOTE_REPLY)
            return &bench.sent[i - 1]->as.vote_reply;
    return NULL;
}

bool bench_answered(bool granted, term_t term)
{
    const struct wire_vote_reply *reply = bench_answer();
    bool is = reply && reply->granted == granted && reply->term == term;
    bench_forget_sent();
    return is;
}

void bench_acknowledge(node_id_t from)
{
    struct event event = {.kind = EVENT_MESSAGE};
    event.message.plane = PLANE_CHECKPOINT;
    event.message.from = from;
    event.message.incarnation = 100 + from;
    event.message.message = message_new(MESSAGE_APPEND_REPLY);
    event.message.message->as.append_reply =
        (struct wire_append_reply){.term = inside_step(bench.node)->term,
                                   .ok = true,
                                   .match = inside_raft(bench.node)->log.last,
                                   .round = inside_raft(bench.node)->replication.round};
    founded_sign(event.message.message);
    bench_step(event);
    message_drop(&event.message.message);
}

void bench_become_candidate(void)
{
    bench_pass_until_candidate(true);
    term_t term = inside_step(bench.node)->term + 1;
    for (node_id_t id = 2; id <= 3; id++)
        bench_reply_vote(id, true, term, true);
    assert_int_equal(inside_raft(bench.node)->election.role, ROLE_CANDIDATE);
    assert_int_equal(inside_step(bench.node)->term, term);
}

void bench_become_coordinator(void)
{
    bench_become_candidate();
    for (node_id_t id = 2; id <= 3; id++)
        bench_reply_vote(id, false, inside_step(bench.node)->term, true);
    assert_true(election_leads(inside_raft(bench.node)));
}
