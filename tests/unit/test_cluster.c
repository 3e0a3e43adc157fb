/* Complete nodes in a deterministic world: elections, jobs, failures. Statements of the checks are
 * named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nodes/core/node.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/state/state.h"
#include "tests/harness/inside.h"
#include "tests/harness/worlds.h"

static struct world *begin(uint64_t seed, uint32_t n_nodes)
{
    struct world_options options = worlds_usual(seed, n_nodes);
    return world_new(&options);
}

static void one_coordinator_comes_up(void **state)
{
    (void)state;
    const uint32_t sizes[] = {1, 2, 3, 4, 5, 6, 9, 25};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint64_t seed = 1; seed <= 10; seed++) {
            struct world *world = begin(seed, sizes[i]);
            worlds_start(world);
            assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US));
            world_free(&world);
        }
    }
}

static void nodes_that_start_one_by_one_elect_once(void **state)
{
    (void)state;
    struct world *world = begin(7, 6);
    for (node_id_t id = 6; id >= 1; id--) {
        world_start(world, id);
        world_run(world, 100 * MS_US);
    }
    assert_true(world_run_until(world, worlds_serves, 2 * SECOND_US));
    node_id_t first = world_coordinator(world);
    world_run(world, 20 * SECOND_US);
    assert_int_equal(world_coordinator(world), first);
    assert_int_equal(world->counts.elections, 1);
    world_free(&world);
}

static void no_majority_elects_nobody_R27(void **state)
{
    (void)state;
    struct world *world = begin(3, 6);
    for (node_id_t id = 1; id <= 6; id++)
        world_start(world, id);
    assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US)); /* it is founded */
    for (node_id_t id = 1; id <= 6; id++)
        world_crash(world, id);
    term_t term = world->nodes[1].durable.term;
    for (node_id_t id = 1; id <= 3; id++)
        world_start(world, id);
    world_run(world, 20 * SECOND_US);
    assert_int_equal(world_coordinator(world), NODE_NONE);
    assert_int_equal(world->nodes[1].durable.term, term); /* R5: pre-votes change no term */
    world_start(world, 4);
    assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US));
    world_free(&world);
}

static void a_killed_coordinator_is_replaced_in_tens_of_ms(void **state)
{
    (void)state;
    uint64_t worst_us = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct world *world = begin(seed, 6);
        worlds_start(world);
        assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US));
        world_run(world, SECOND_US);
        node_id_t old = world_coordinator(world);
        term_t term = world->nodes[old].durable.term;
        uint64_t killed_us = world->now_us;
        world_crash(world, old);
        assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US));
        node_id_t next = world_coordinator(world);
        assert_true(world->nodes[next].durable.term > term);
        worst_us = world->now_us - killed_us > worst_us ? world->now_us - killed_us : worst_us;
        world_start(world, old);
        world_run(world, 2 * SECOND_US);
        assert_int_equal(world_coordinator(world), next); /* it returns as a worker */
        world_free(&world);
    }
    print_message("worst of 50: %u us\n", (unsigned)worst_us);
    assert_true(worst_us < 100 * MS_US);
}

/* On a slow network and slow disks candidates meet, and votes split; three times in a row, once in
 * hundreds of elections. */
static void a_split_vote_after_a_kill_costs_no_full_timeout(void **state)
{
    (void)state;
    uint64_t split = 0, slow = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct world *world = begin(seed, 6);
        world->options.jitter_us = 12 * MS_US;
        world->options.disk_us = 8 * MS_US;
        worlds_start(world);
        assert_true(world_run_until(world, worlds_serves, 10 * SECOND_US));
        world_run(world, SECOND_US);
        node_id_t old = world_coordinator(world);
        term_t term = world->nodes[old].durable.term;
        uint64_t killed_us = world->now_us;
        world_crash(world, old);
        assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US));
        split += world->nodes[world_coordinator(world)].durable.term > term + 1;
        assert_true(world->now_us - killed_us < 2 * ELECTION_TIMEOUT_DEFAULT_US);
        slow += world->now_us - killed_us >= ELECTION_TIMEOUT_DEFAULT_US;
        world_free(&world);
    }
    assert_true(split > 0);
    assert_true(slow <= 2);
}

static void a_silent_coordinator_is_replaced_and_steps_down(void **state)
{
    (void)state;
    struct world *world = begin(11, 5);
    worlds_start(world);
    assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US));
    node_id_t old = world_coordinator(world);
    world_pause(world, old, 10 * SECOND_US);
    world_run(world, 3 * SECOND_US);
    assert_int_not_equal(world_coordinator(world), old);
    world_run(world, 8 * SECOND_US);
    assert_false(node_coordinates(world->nodes[old].core));
    world_free(&world);
}

static void a_deaf_coordinator_steps_down_R7(void **state)
{
    (void)state;
    struct world *world = begin(12, 5);
    worlds_start(world);
    assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US));
    node_id_t old = world_coordinator(world);
    for (node_id_t id = 1; id <= 5; id++)
        if (id != old)
            world_cut(world, id, old, true);
    world_run(world, ELECTION_TIMEOUT_DEFAULT_US + 3 * HEARTBEAT_DEFAULT_US);
    assert_false(election_leads(inside_raft(world->nodes[old].core)));
    world_free(&world);
}

static void jobs_get_their_results(void **state)
{
    (void)state;
    const uint32_t sizes[] = {2, 3, 6, 9};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct world *world = begin(20 + i, sizes[i]);
        worlds_start(world);
        world_client(world, 0, 100, 70);
        world_client(world, 1, 20, 3000);
        world_client(world, 2, 2, 60000); /* values beyond 64 KiB, texts on disk */
        assert_true(world_run_until(world, world_is_idle, 120 * SECOND_US));
        assert_int_equal(world->counts.jobs_done, 122);
        /* What the nodes did adds up to what the jobs needed. */
        const struct node *node = world->nodes[world_coordinator(world)].core;
        uint64_t by_nodes = 0, by_jobs = 0;
        for (node_id_t id = 1; id <= sizes[i]; id++)
            by_nodes += inside_schedule(node)->slots[id].operations;
        for (size_t at = 0; at < inside_state(node)->jobs.n; at++)
            by_jobs += inside_state(node)->jobs.at[at]->plan.total;
        assert_int_equal(by_nodes, by_jobs);
        assert_int_equal(inside_schedule(node)->open_ops.count, 0);
        world_free(&world);
    }
}

static void lost_and_doubled_messages_change_no_result(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = begin(seed, 4);
        world->options.loss = 20000;
        world->options.duplication = 20000;
        worlds_start(world);
        world_client(world, 0, 10, 5000);
        assert_true(world_run_until(world, world_is_idle, 600 * SECOND_US));
        world_free(&world);
    }
}

static void killed_workers_lose_no_job(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = begin(seed, 6);
        world->options.op_us = 300;
        worlds_start(world);
        assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US));
        world_client(world, 0, 5, 40000);
        for (unsigned kills = 0; kills < 20 && !world_is_idle(world); kills++) {
            world_run(world, 100 * MS_US);
            node_id_t victim = 1 + (node_id_t)world_random(world, 6);
            if (victim != world_coordinator(world))
                world_crash(world, victim);
            world_run(world, 100 * MS_US);
            for (node_id_t id = 1; id <= 6; id++)
                world_start(world, id);
        }
        assert_true(world_run_until(world, world_is_idle, 600 * SECOND_US));
        world_free(&world);
    }
}

static void killed_coordinators_lose_no_client_its_result(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = begin(seed, 5);
        worlds_start(world);
        world_client(world, 0, 50, 3000);
        world_client(world, 1, 50, 100);
        for (unsigned kills = 0; kills < 30 && !world_is_idle(world); kills++) {
            world_run(world, 200 * MS_US);
            node_id_t victim = world_coordinator(world);
            if (victim)
                world_crash(world, victim);
            world_run(world, 200 * MS_US);
            if (victim)
                world_start(world, victim);
        }
        assert_true(world_run_until(world, world_is_idle, 600 * SECOND_US));
        world_free(&world);
    }
}

static bool all_equal(const struct world *world)
{
    return world_is_idle(world) && world_is_equal(world);
}

static bool all_vote(const struct world *world)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        if (!world->nodes[id].core || !inside_raft(world->nodes[id].core)->election.voter)
            return false;
    return true;
}

static void chaos(uint64_t seed, uint64_t compact_entries, bool wipe)
{
    struct world *world = begin(seed, 3 + (uint32_t)(seed % 4));
    uint32_t n = world->options.n_nodes;
    world->options.compact_entries = compact_entries;
    world->options.loss = seed % 3 ? 0 : 10000;
    world->options.op_us = 20;
    worlds_start(world);
    assert_true(world_run_until(world, worlds_serves, 10 * SECOND_US));
    world_run(world, SECOND_US);
    world_client(world, 0, 30, 3000);
    world_client(world, 1, 30, 100);
    world_client(world, 2, 2, 45000);
    for (unsigned round = 0; round < 40 && !world_is_idle(world); round++) {
        world_run(world, world_random(world, 300 * MS_US));
        node_id_t victim = 1 + (node_id_t)world_random(world, n);
        if (world_random(world, 2) && world_coordinator(world))
            victim = world_coordinator(world);
        switch (world_random(world, 4)) {
        case 0:
        case 1:
            world_crash(world, victim);
            world_run(world, world_random(world, 500 * MS_US));
            if (wipe && n > 3 && world_random(world, 3) == 0)
                world_wipe(world, victim);
            world_start(world, victim);
            world_run(world, 2 * SECOND_US);
            /* A wiped one has caught up before the next fault: two at once may be one too many. */
            assert_true(world_run_until(world, all_vote, 60 * SECOND_US));
            break;
        case 2:
            world_pause(world, victim, world_random(world, 3 * SECOND_US));
            break;
        default:
            for (node_id_t id = 1; id <= n; id++)
                if (id != victim)
                    world_cut(world, id, victim, true);
            world_run(world, world_random(world, 2 * SECOND_US));
            for (node_id_t id = 1; id <= n; id++)
                world_cut(world, id, victim, false);
            break;
        }
    }
    assert_true(world_run_until(world, all_equal, 600 * SECOND_US));
    assert_int_equal(world->counts.jobs_done, 62);
    world_free(&world);
}

static void chaos_loses_no_accepted_job(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        chaos(seed, 0, false);
}

static void compaction_and_installs_lose_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed <= 112; seed++)
        chaos(seed, 16, true);
}

/* What the coordinator had counted beyond its last checkpoint ends with a job that is cancelled: a
 * checkpoint that kept it made replicas differ. */
static void a_cancelled_job_is_the_same_on_all_nodes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world *world = begin(seed, 4);
        world->options.compact_entries = 2;
        world->options.checkpoint_interval_us = 400 * MS_US;
        world->options.cancels = 1000000;
        world->options.op_us = 300;
        worlds_start(world);
        world_client(world, 0, 3, 3000);
        assert_true(world_run_until(world, world_is_idle, 60 * SECOND_US));
        assert_true(world->counts.jobs_cancelled > 0);
        for (node_id_t id = 1; id <= 4; id++)
            world_crash(world, id);
        worlds_start(world);
        assert_true(world_run_until(world, all_equal, 60 * SECOND_US));
        world_free(&world);
    }
}

/* An entry that waits for values makes the follower refuse those that were sent behind it. Every
 * refusal began a new window of appends: millions of them, and no end. */
static void refused_appends_are_not_answered_with_more(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world *world = begin(seed, 5);
        world->options.append_entries = 1;
        world->options.inline_bytes = 64;
        world->options.checkpoint_interval_us = 5 * MS_US;
        world->options.jitter_us = 10 * MS_US;
        world->options.disk_us = MS_US;
        worlds_start(world);
        assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US));
        world_client(world, 0, 3, 900);
        world_client(world, 1, 3, 900);
        world_run(world, 200 * MS_US);
        node_id_t late = world_coordinator(world) == 5 ? 4 : 5;
        world_crash(world, late);
        assert_true(world_run_until(world, world_is_idle, 60 * SECOND_US));
        world_start(world, late);
        uint64_t before = world->counts.messages;
        assert_true(world_run_until(world, all_equal, 60 * SECOND_US));
        assert_true(world->counts.messages - before < 20000);
        world_free(&world);
    }
}

/* Entries whose texts must be fetched first, one after the other, far away: the log is sent about
 * once, not again and again until nothing else gets through. */
static void a_slow_network_is_not_flooded(void **state)
{
    (void)state;
    struct world *world = begin(1, 5);
    world->options.jitter_us = 0;
    worlds_start(world);
    assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US));
    world->options.delay_us = 60 * MS_US;
    world_run(world, SECOND_US);
    for (unsigned client = 0; client < WORLD_CLIENTS_MAX; client++)
        world_client(world, client, 10, 1500);
    assert_true(world_run_until(world, all_equal, 600 * SECOND_US));
    uint64_t entries = inside_raft(world->nodes[1].core)->log.last;
    assert_true(world->counts.entries < 2 * 4 * entries); /* to four followers */
    world_free(&world);
}

static void the_whole_cluster_loses_power_and_goes_on(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world *world = begin(seed, 5);
        world->options.op_us = 200;
        worlds_start(world);
        assert_true(world_run_until(world, worlds_serves, 3 * SECOND_US));
        world_client(world, 0, 1, 60000);
        world_client(world, 1, 20, 100);
        world_run(world, 700 * MS_US);
        for (node_id_t id = 1; id <= 5; id++)
            world_crash(world, id);
        world_run(world, SECOND_US);
        worlds_start(world);
        assert_true(world_run_until(world, all_equal, 600 * SECOND_US));
        world_free(&world);
    }
}

static void the_same_seed_tells_the_same_story(void **state)
{
    (void)state;
    uint64_t hashes[2];
    for (int i = 0; i < 2; i++) {
        struct world *world = begin(99, 5);
        world->options.loss = 5000;
        worlds_start(world);
        world_client(world, 0, 20, 2000);
        world_run(world, 5 * SECOND_US);
        hashes[i] = world->hash;
        world_free(&world);
    }
    assert_true(hashes[0] == hashes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_coordinator_comes_up),
        cmocka_unit_test(nodes_that_start_one_by_one_elect_once),
        cmocka_unit_test(no_majority_elects_nobody_R27),
        cmocka_unit_test(a_killed_coordinator_is_replaced_in_tens_of_ms),
        cmocka_unit_test(a_split_vote_after_a_kill_costs_no_full_timeout),
        cmocka_unit_test(a_silent_coordinator_is_replaced_and_steps_down),
        cmocka_unit_test(a_deaf_coordinator_steps_down_R7),
        cmocka_unit_test(jobs_get_their_results),
        cmocka_unit_test(lost_and_doubled_messages_change_no_result),
        cmocka_unit_test(killed_workers_lose_no_job),
        cmocka_unit_test(killed_coordinators_lose_no_client_its_result),
        cmocka_unit_test(chaos_loses_no_accepted_job),
        cmocka_unit_test(compaction_and_installs_lose_nothing),
        cmocka_unit_test(a_cancelled_job_is_the_same_on_all_nodes),
        cmocka_unit_test(refused_appends_are_not_answered_with_more),
        cmocka_unit_test(a_slow_network_is_not_flooded),
        cmocka_unit_test(the_whole_cluster_loses_power_and_goes_on),
        cmocka_unit_test(the_same_seed_tells_the_same_story),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
