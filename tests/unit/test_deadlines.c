/* A node promises when it is to be woken. All that it waits for with a deadline must be in that
 * promise, for nothing else may come: and once it is served, it must be in the future again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/core/ledger/ledger.h"
#include "nodes/core/link/link.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/service/heartbeat.h"
#include "nodes/core/service/service.h"
#include "nodes/core/snapshot/snapshot.h"
#include "nodes/core/worker/worker.h"
#include "nodes/core/worker/work.h"
#include "shared/base/random.h"
#include "tests/harness/inside.h"
#include "tests/harness/stage.h"

/* --- what each room waits for, read from its state, not from its own deadline --- */

static uint64_t first_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t link_waits(const struct links *links)
{
    uint64_t at = UINT64_MAX;
    for (node_id_t id = 1; id <= links->step->config.n_nodes; id++) {
        const struct peer *peer = &links->peers[id];
        for (int plane = 0; plane < PLANE_COUNT; plane++)
            if (peer->links[plane].state == LINK_GREETED)
                at = first_of(at, peer->links[plane].greeted_us +
                                      (HELLO_RETRY_MS * MS_US << peer->links[plane].unanswered));
        if (peer->channel.resend_at_us)
            at = first_of(at, peer->channel.resend_at_us);
    }
    return at;
}

static uint64_t replica_waits(const struct raft *raft, node_id_t id)
{
    const struct replica *replica = &raft->replicas[id];
    bool linked = raft->links->peers[id].links[PLANE_CHECKPOINT].state == LINK_WELCOMED;
    bool builds = replica->state == REPLICA_INSTALL && !replica->checkpoint;
    return linked && replica->in_flight && !builds ? replica->sent_us + APPEND_RESEND_US
                                                   : UINT64_MAX;
}

static uint64_t raft_waits(const struct raft *raft)
{
    uint64_t at = election_leads(raft) ? UINT64_MAX : raft->election.timeout_us;
    for (node_id_t id = 1; election_leads(raft) && id <= raft->step->config.n_nodes; id++)
        if (step_is_peer(raft->step, id))
            at = first_of(at, replica_waits(raft, id));
    for (size_t i = 0; i < raft->follower.n_needs; i++)
        at = first_of(at, raft->follower.needs[i].wake_us);
    for (size_t i = 0; i < raft->repairs.n; i++)
        at = first_of(at, raft->repairs.at[i].wake_us);
    if (raft->sweep.listing)
        at = first_of(at, raft->sweep.asked_us + VALUE_WAIT_US);
    if (raft->sweep.pinned_until_us)
        at = first_of(at, raft->sweep.pinned_until_us);
    return first_of(at, raft->sweep.next_us);
}

static uint64_t worker_waits(const struct worker *worker)
{
    uint64_t at = UINT64_MAX;
    for (const struct work *work = worker->first; work; work = work->next)
        if (work->missing)
            at = first_of(at, work->deadline_us);
    return at;
}

static uint64_t ledger_waits(const struct ledger *ledger)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < ledger->queries.n; i++)
        at = first_of(at, first_of(ledger->queries.waits[i].ask_us,
                                   ledger->queries.waits[i].deadline_us));
    return at;
}

static uint64_t snapshot_waits(const struct snapshots *snapshots)
{
    uint64_t at = UINT64_MAX;
    for (const struct recording *it = snapshots->recordings; it; it = it->next)
        at = first_of(at, it->began_us + 2 * snapshots->step->config.snapshot_timeout_us);
    for (const struct recording *it = snapshots->recordings; it; it = it->next)
        if (it->open) /* the longest patience; with the dead there is less */
            at = first_of(at, it->began_us + snapshots->step->config.snapshot_timeout_us / 4 * 3);
    for (const struct collection *it = snapshots->collections; it; it = it->next)
        if (!it->keeping)
            at = first_of(at, it->deadline_us);
    return at;
}

static uint64_t service_waits(const struct service *service)
{
    uint64_t at = heartbeat_deadline(service);
    for (size_t i = 0; i < service->waiters.n; i++)
        if (!service->waiters.at[i].index)
            at = first_of(at, service->waiters.at[i].deadline_us);
    return at;
}

static void check_promises(const struct stage *stage)
{
    for (node_id_t id = 1; id <= stage->n_nodes; id++) {
        const struct node *node = stage_core(stage, id);
        if (!node || stage->nodes[id].stopped)
            continue;
        uint64_t promised_us = node_deadline(node);
        assert_true(promised_us >= stage->now_us); /* what was due is served: it does not spin */
        assert_true(promised_us <= link_waits(inside_links(node)));
        assert_true(promised_us <= raft_waits(inside_raft(node)));
        assert_true(promised_us <= worker_waits(inside_worker(node)));
        assert_true(promised_us <= ledger_waits(inside_ledger(node)));
        assert_true(promised_us <= snapshot_waits(inside_snapshots(node)));
        assert_true(promised_us <= service_waits(inside_service(node)));
    }
}

static void job_schedule(struct stage *stage, uint64_t for_us)
{
    for (uint64_t until_us = stage->now_us + for_us; stage->now_us < until_us;) {
        stage_run(stage, MS_US);
        check_promises(stage);
    }
}

/* --- stories --- */

static void something_happens(struct stage *stage, uint64_t *random)
{
    node_id_t id = 1 + (node_id_t)random_below(random, stage->n_nodes);
    node_id_t other = 1 + (node_id_t)random_below(random, stage->n_nodes);
    switch (random_below(random, 9)) {
    case 0:
        if (stage_core(stage, id))
            stage_kill(stage, id);
        break;
    case 1:
    case 2:
        if (!stage_core(stage, id))
            stage_start(stage, id);
        break;
    case 3:
        stage_cut(stage, id, other, true);
        break;
    case 4:
        stage_cut(stage, id, other, false);
        break;
    case 5:
        stage->nodes[id].slow_values = !stage->nodes[id].slow_values;
        break;
    case 6:
        stage_lose_messages(stage, id, NODE_NONE,
                            random_below(random, 2) ? MESSAGE_APPEND_REPLY : MESSAGE_RESULT);
        break;
    case 7:
        stage_no_rules(stage);
        break;
    default:
        if (stage_coordinator(stage))
            stage_ask(stage, stage_coordinator(stage), message_new(MESSAGE_SNAPSHOT_TAKE));
        break;
    }
}

static void the_promise_covers_all_that_any_room_waits_for(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        uint64_t random = seed;
        struct stage *stage = stage_begin(5);
        stage->topics = 0;
        for (int i = 0; i < 40; i++) {
            char key[16];
            text_format(key, sizeof key, "job%d", i);
            node_id_t coordinator = stage_coordinator(stage);
            if (coordinator)
                stage_ask(stage, coordinator, stage_submit_request(key, "300"));
            something_happens(stage, &random);
            job_schedule(stage, (20 + random_below(&random, 200)) * MS_US);
        }
        stage_free(&stage);
    }
}

/* Between two heartbeats of its own, when nothing else wakes it. */
static void an_append_that_was_lost_is_sent_again_when_that_is_due(void **state)
{
    (void)state;
    struct stage *stage = stage_begin(3);
    const struct replica *replica = &stage_raft(stage, 1)->replicas[3];
    stage_run(stage, SECOND_US);
    stage_run(stage, 13 * MS_US - stage->now_us % (50 * MS_US) + 50 * MS_US);
    stage_lose_messages(stage, 1, 3, MESSAGE_APPEND);
    stage_set(stage, 1, 9, 1);
    stage_run(stage, 5 * MS_US); /* node 2 has it by now, and so it is committed */
    uint64_t sent_us = replica->sent_us;
    stage_run(stage, sent_us + APPEND_RESEND_US - 1 - stage->now_us);
    assert_int_equal(replica->sent_us, sent_us);
    stage_run(stage, 1);
    assert_int_equal(replica->sent_us, sent_us + APPEND_RESEND_US);
    stage_free(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_promise_covers_all_that_any_room_waits_for),
        cmocka_unit_test(an_append_that_was_lost_is_sent_again_when_that_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
