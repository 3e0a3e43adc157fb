/* Workers that die, stop, dawdle, refuse and return, in the deterministic world. Each story names
 * the statement of the checks that it shows (T1, T2, ...). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/core/schedule/assignments.h"
#include "nodes/core/link/link.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/state/state.h"
#include "nodes/core/worker/worker.h"
#include "shared/base/text.h"
#include "tests/harness/inside.h"
#include "tests/harness/worlds.h"
#include "tests/sim/world.h"

#define NOBODY (WORLD_CLIENTS_MAX - 1) /* a client that does nothing by itself */

/* --- a world, its jobs, its coordinator --- */

static struct world *begin_with(struct world_options options)
{
    options.delay_us = 100;
    options.jitter_us = 200;
    options.disk_us = 500;
    options.story = getenv("STORY") != NULL;
    struct world *world = world_new(&options);
    worlds_start(world);
    return world;
}

static bool is_whole(const struct world *world)
{
    node_id_t id = world_coordinator(world);
    if (!id)
        return false;
    for (node_id_t peer = 1; peer <= world->options.n_nodes; peer++)
        if (peer != id &&
            (!inside_links(world->nodes[id].core)->peers[peer].alive ||
             inside_links(world->nodes[id].core)->peers[peer].links[PLANE_CHANNEL].state !=
                 LINK_WELCOMED))
            return false;
    return true;
}

static struct world *begin(uint64_t seed, uint64_t op_us)
{
    struct world *world = begin_with(
        (struct world_options){.seed = seed, .n_nodes = 6, .op_us = op_us, .poison_deaths = 3});
    assert_true(world_run_until(world, is_whole, 5 * SECOND_US));
    return world;
}

static struct node *coordinator(const struct world *world)
{
    node_id_t id = world_coordinator(world);
    return id ? world->nodes[id].core : NULL;
}

static void submit(struct world *world, const char *key, uint64_t n)
{
    struct text spec = {0};
    struct message *message = message_new(MESSAGE_SUBMIT);
    text_add(&spec, "%u", (unsigned)n);
    message->as.submit.request = 1;
    message->as.submit.key = message_text(message, key);
    message->as.submit.kind = message_text(message, "factorial");
    message->as.submit.spec = message_text(message, spec.at);
    struct event event = {.kind = EVENT_REQUEST};
    event.request.client = (uint64_t)NOBODY << 32 | 1;
    event.request.message = message;
    world_step(world, world_coordinator(world), &event);
    message_drop(&message);
}

static struct job *job_of(const struct world *world, const char *key)
{
    struct node *node = coordinator(world);
    return node ? jobs_find_key(&inside_state(node)->jobs, slice_of(key)) : NULL;
}

/* What its coordinator has of it; NULL: nothing. */
static struct job_schedule *run_of_key(const struct world *world, const char *key)
{
    struct job *job = job_of(world, key);
    return job ? job_schedule_of(inside_schedule(coordinator(world)), job->id) : NULL;
}

static uint64_t executed_of(const struct world *world, const char *key)
{
    return schedule_status(inside_schedule(coordinator(world)), job_of(world, key)).executed;
}

static const char *awaited;

static bool is_running(const struct world *world)
{
    const struct job_schedule *job_schedule = run_of_key(world, awaited);
    return job_schedule && job_schedule->out.n;
}

static bool is_over(const struct world *world)
{
    struct job *job = job_of(world, awaited);
    return job && job_is_finished(job);
}

static void run_until_running(struct world *world, const char *key)
{
    awaited = key;
    assert_true(world_run_until(world, is_running, SECOND_US));
}

static struct job *run_until_over(struct world *world, const char *key, uint64_t for_us)
{
    awaited = key;
    assert_true(world_run_until(world, is_over, for_us));
    return job_of(world, key);
}

static void assert_done(struct world *world, const char *key, uint64_t for_us)
{
    struct job *job = run_until_over(world, key, for_us);
    assert_int_equal(job->state, JOB_DONE);
    assert_int_equal(job->done, job->plan.total);
}

/* Somebody who executes something now, and has something else waiting when `queue`. */
static node_id_t somebody_busy(const struct world *world, bool queue)
{
    for (node_id_t id = 1; id <= world->options.n_nodes; id++) {
        const struct node *node = world->nodes[id].core;
        if (node && coordinator(world) && node != coordinator(world) &&
            inside_worker(node)->n_submitted && inside_worker(node)->queued > queue &&
            inside_schedule(coordinator(world))->slots[id].outstanding > queue)
            return id;
    }
    return NODE_NONE;
}

static bool is_somebody_busy(const struct world *world)
{
    return somebody_busy(world, false) != NODE_NONE;
}

static bool has_somebody_a_queue(const struct world *world)
{
    return somebody_busy(world, true) != NODE_NONE;
}

/* --- stories --- */

static void a_late_result_changes_nothing_T1(void **state)
{
    (void)state;
    struct world *world = begin(1, 100);
    submit(world, "a", 30000);
    run_until_running(world, "a");
    assert_true(world_run_until(world, is_somebody_busy, SECOND_US));
    node_id_t late = somebody_busy(world, false);
    world_pause(world, late, 20 * SECOND_US);
    assert_done(world, "a", 15 * SECOND_US);
    struct node *node = coordinator(world);
    uint64_t executed = executed_of(world, "a"), operations = inside_schedule(node)->operations;
    world_run(world, 30 * SECOND_US); /* it returns what it had, and is a worker again */
    assert_ptr_equal(coordinator(world), node);
    assert_int_equal(executed_of(world, "a"), executed);
    assert_int_equal(inside_schedule(node)->operations, operations);
    assert_true(inside_links(node)->peers[late].alive);
    submit(world, "b", 30000);
    assert_done(world, "b", 15 * SECOND_US);
    world_free(&world);
}

static void a_node_that_returns_is_a_new_worker_and_used_at_once_T2(void **state)
{
    (void)state;
    struct world *world = begin(2, 1000);
    submit(world, "a", 60000);
    run_until_running(world, "a");
    world_run(world, 200 * MS_US);
    node_id_t victim = somebody_busy(world, false);
    incarnation_t before = world->nodes[victim].incarnation;
    world_crash(world, victim);
    world_run(world, 100 * MS_US);
    world->nodes[victim].computed = 0;
    world_start(world, victim);
    world_run(world, 250 * MS_US); /* its connections are made, its first heartbeat arrives */
    assert_int_not_equal(inside_links(coordinator(world))->peers[victim].incarnation, before);
    assert_true(world->nodes[victim].computed > 0);
    assert_done(world, "a", 60 * SECOND_US);
    world_free(&world);
}

static void nothing_stays_with_a_departed_worker_T3(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world *world = begin(seed, 100);
        submit(world, "a", 20000);
        run_until_running(world, "a");
        world_run(world, world_random(world, 50 * MS_US));
        assert_true(world_run_until(world, is_somebody_busy, SECOND_US));
        node_id_t victim = somebody_busy(world, false);
        world_crash(world, victim);
        world_run(world, 5 * MS_US);
        struct node *node = coordinator(world);
        assert_int_equal(inside_schedule(node)->slots[victim].outstanding, 0);
        assert_null(inside_schedule(node)->slots[victim].first);
        assert_done(world, "a", 60 * SECOND_US);
        world_free(&world);
    }
}

static unsigned suspects(const struct world *world, const char *key, op_id_t *op)
{
    unsigned n = 0;
    for (struct open_op *open = run_of_key(world, key)->newest; open; open = open->older) {
        n += open->deaths;
        if (open->deaths)
            *op = open->op;
    }
    return n;
}

static void only_what_was_executing_is_suspected_T4(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = begin(seed, 200);
        submit(world, "a", 20000); /* operations of 4 ms: several wait at each worker */
        run_until_running(world, "a");
        world_run(world, 100 * MS_US + world_random(world, 50 * MS_US));
        assert_true(world_run_until(world, has_somebody_a_queue, SECOND_US));
        node_id_t victim = somebody_busy(world, true);
        op_id_t executing = worker_executing(inside_worker(world->nodes[victim].core)).op,
                suspected = 0;
        world_crash(world, victim);
        world_run(world, 2 * MS_US);
        assert_int_equal(suspects(world, "a", &suspected), 1);
        assert_int_equal(suspected, executing);
        assert_done(world, "a", 60 * SECOND_US);
        world_free(&world);
    }
}

static void revive(struct world *world)
{
    world_run(world, 100 * MS_US);
    for (node_id_t id = 1; id <= world->options.n_nodes; id++)
        world_start(world, id);
}

static void poison_fails_its_job_and_no_other_T5(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world *world = begin(seed, 100);
        world->options.poison = 17; /* a unit of 100!, and inside of one of 20000! */
        submit(world, "good", 20000);
        submit(world, "bad", 100);
        awaited = "bad";
        for (unsigned i = 0; i < 50 && !is_over(world); i++)
            revive(world);
        struct job *job = run_until_over(world, "bad", SECOND_US);
        assert_int_equal(job->state, JOB_FAILED);
        assert_non_null(strstr(job->reason, "R17 killed its worker 3 times (nodes "));
        /* Its first death may have been laid to what was executed just before. */
        assert_in_range(world->counts.faults[FAULT_CRASH], 3, 4);
        assert_done(world, "good", 60 * SECOND_US);
        world_free(&world);
    }
}

static void deliberate_stops_and_injected_failures_are_no_poison_T6(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world *world = begin(seed, 50 * MS_US);
        submit(world, "a", 1200);
        run_until_running(world, "a");
        for (unsigned i = 0; i < 12; i++) {
            assert_true(world_run_until(world, is_somebody_busy, 20 * SECOND_US));
            world_stop(world, somebody_busy(world, false), seed % 2);
            op_id_t op;
            assert_int_equal(suspects(world, "a", &op), 0);
            revive(world);
            assert_true(world_run_until(world, worlds_serves, 5 * SECOND_US));
        }
        assert_done(world, "a", 60 * SECOND_US);
        world_free(&world);
    }
}

static void who_lives_after_all_has_not_died_of_its_operation_T6(void **state)
{
    (void)state;
    struct world *world = begin(3, 50 * MS_US);
    submit(world, "a", 64);
    run_until_running(world, "a");
    assert_true(world_run_until(world, is_somebody_busy, SECOND_US));
    node_id_t victim = somebody_busy(world, false);
    op_id_t op;
    struct event event = {.kind = EVENT_LINK_DOWN};
    event.link.plane = PLANE_CHANNEL;
    event.link.peer = victim;
    world_step(world, world_coordinator(world), &event); /* a connection breaks, nobody dies */
    net_relink(world, world_coordinator(world), victim, PLANE_CHANNEL);
    assert_int_equal(suspects(world, "a", &op), 1);
    world_run(world, 300 * MS_US);
    if (!is_over(world))
        assert_int_equal(suspects(world, "a", &op), 0);
    assert_done(world, "a", 60 * SECOND_US);
    world_free(&world);
}

static void an_operation_of_ten_minutes_is_not_lost_T7_T8(void **state)
{
    (void)state;
    struct world *world = begin(4, 600 * SECOND_US);
    submit(world, "a", 4);
    run_until_running(world, "a");
    uint64_t began_us = world->now_us;
    world_run(world, 599 * SECOND_US);
    /* It was overtaken by one copy, which started later, and nobody was declared dead. */
    assert_int_equal(inside_schedule(coordinator(world))->copied, 1);
    assert_true(is_whole(world));
    world_run(world, 2 * SECOND_US);
    const struct job_schedule *job_schedule = run_of_key(world, "a");
    assert_int_equal(job_schedule->done, 1);
    assert_int_equal(job_schedule->trace[0].attempt, 1);
    assert_true(world->now_us - began_us < 602 * SECOND_US);
    assert_done(world, "a", 1300 * SECOND_US); /* the text takes as long */
    world_free(&world);
}

static void the_first_result_wins_and_copies_are_cancelled_T9(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world *world = begin(seed, 100);
        submit(world, "a", 20000);
        run_until_running(world, "a");
        world_run(world, 50 * MS_US);
        node_id_t slow = world_coordinator(world) % 6 + 1;
        world_pace(world, slow, 20 * MS_US); /* 200 times slower: 27 s for a unit */
        assert_done(world, "a", 5 * SECOND_US);
        assert_true(inside_schedule(coordinator(world))->copied > 0);
        world_run(world, 10 * MS_US);
        assert_int_equal(inside_worker(world->nodes[slow].core)->queued, 0);
        assert_int_equal(inside_schedule(coordinator(world))->slots[slow].outstanding, 0);
        world_free(&world);
    }
}

static void a_stopped_straggler_is_overtaken_before_its_heartbeats_are_missed_T9(void **state)
{
    (void)state;
    struct world *world = begin(5, 20 * MS_US);
    submit(world, "a", 80); /* 20 operations, 7 others, 20 ms each */
    run_until_running(world, "a");
    assert_true(world_run_until(world, is_somebody_busy, SECOND_US));
    node_id_t straggler = somebody_busy(world, false);
    world_pause(world, straggler, 30 * SECOND_US);
    uint64_t stopped_us = world->now_us;
    assert_done(world, "a", 10 * SECOND_US);
    assert_true(world->now_us - stopped_us < ELECTION_TIMEOUT_DEFAULT_US);
    assert_true(
        inside_links(coordinator(world))->peers[straggler].alive); /* not declared dead yet */
    world_free(&world);
}

/* Slow operations go one at a time, so a worker has room only in the step in which it returns one:
 * what waits for it then is the copy, not what is ready. */
static void a_copy_of_what_is_overdue_goes_before_what_is_ready_T9(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world *world = begin(seed, 30 * MS_US);
        submit(world, "a", 20000);
        run_until_running(world, "a");
        world_run(world, SECOND_US);
        node_id_t slow = world_coordinator(world) % 6 + 1;
        world_pace(world, slow, 100 * SECOND_US);
        world_run(world, 20 * SECOND_US);
        const struct job_schedule *job_schedule = run_of_key(world, "a");
        assert_true(job_schedule && job_schedule->done < job_schedule->job->plan.total / 2);
        assert_int_equal(inside_schedule(coordinator(world))->copied, 1);
        world_free(&world);
    }
}

/* On a machine that is busy heartbeats come late. A copy of what takes seconds would not be done
 * before it is known whether the worker lives. */
static void late_heartbeats_are_no_reason_to_copy_a_long_operation(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world *world = begin(seed, 3 * SECOND_US);
        submit(world, "warm", 4);
        assert_done(world, "warm", 20 * SECOND_US);
        submit(world, "a", 4);
        assert_true(world_run_until(world, is_somebody_busy, SECOND_US));
        world_run(world, 500 * MS_US);
        world_pause(world, somebody_busy(world, false), 350 * MS_US);
        world_run(world, SECOND_US);
        assert_true(is_whole(world));
        assert_int_equal(inside_schedule(coordinator(world))->copied, 0);
        assert_done(world, "a", 20 * SECOND_US);
        assert_int_equal(inside_schedule(coordinator(world))->copied, 0);
        world_free(&world);
    }
}

static void an_overdue_worker_keeps_no_queue_waiting_T9(void **state)
{
    (void)state;
    struct world *world = begin(6, 100);
    submit(world, "a", 100000);
    run_until_running(world, "a");
    world_run(world, 200 * MS_US);
    node_id_t slow = world_coordinator(world) % 6 + 1;
    world_pace(world, slow, 100 * MS_US);
    world_run(world, 3 * SECOND_US);
    assert_true(inside_schedule(coordinator(world))->slots[slow].outstanding <= 1);
    assert_true(inside_links(coordinator(world))->peers[slow].alive);
    assert_done(world, "a", 60 * SECOND_US);
    world_free(&world);
}

/* How often workers were short of memory, and had spilled, when they were looked at. */
struct memory_looks {
    unsigned pressed, spilled;
};

/* A job with values of 128 KiB and more on workers that may hold 100 KiB. `full`: the disk of one
 * of them has no room. */
static struct memory_looks run_short_of_memory(bool full)
{
    struct memory_looks looks = {0};
    struct world *world = begin_with((struct world_options){
        .seed = 7, .n_nodes = 4, .op_us = 20, .memory_limit = 100 * KIB_BYTES});
    assert_true(world_run_until(world, is_whole, 5 * SECOND_US));
    if (full)
        world_fill_disk(world, world_coordinator(world) % 4 + 1, 600 * SECOND_US);
    submit(world, "a", 200000);
    awaited = "a";
    while (!is_over(world) && world->now_us < 600 * SECOND_US) {
        world_run(world, MS_US);
        for (node_id_t id = 1; id <= 4; id++) {
            const struct worker *worker = inside_worker(world->nodes[id].core);
            looks.pressed += worker_is_pressed(worker) && worker->unspillable;
            looks.spilled += held_spilled_bytes(&worker->held) > 0;
        }
    }
    assert_done(world, "a", SECOND_US);
    world_free(&world);
    return looks;
}

static void a_worker_short_of_memory_is_throttled_T11(void **state)
{
    (void)state;
    assert_true(run_short_of_memory(true).pressed > 0);
}

static void a_worker_whose_disk_has_room_is_not_short_of_memory_T22(void **state)
{
    (void)state;
    struct memory_looks looks = run_short_of_memory(false);
    assert_true(looks.spilled > 0 && !looks.pressed);
}

static void votes_and_heartbeats_share_no_plane_with_bulk_data_T12(void **state)
{
    (void)state;
    static const struct {
        enum message_type type;
        enum message_place place;
    } places[] = {
        {MESSAGE_VOTE_REQUEST, PLACE_CONTROL}, {MESSAGE_VOTE_REPLY, PLACE_CONTROL},
        {MESSAGE_GOODBYE, PLACE_CONTROL},      {MESSAGE_HEARTBEAT, PLACE_FEED},
        {MESSAGE_TASK, PLACE_CHANNEL},         {MESSAGE_RESULT, PLACE_CHANNEL},
        {MESSAGE_APPEND, PLACE_REPLICATION},   {MESSAGE_INSTALL, PLACE_REPLICATION},
        {MESSAGE_VALUE_CHUNK, PLACE_VALUE},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        assert_int_equal(message_kind(places[i].type)->place, places[i].place);
}

static void after_a_restart_every_accepted_job_is_there_once_T13(void **state)
{
    (void)state;
    static const char *const keys[] = {"a", "b", "c", "d", "e"};
    struct world *world = begin(8, 1000);
    for (size_t i = 0; i < 5; i++)
        submit(world, keys[i], 5000);
    world_run(world, 300 * MS_US);
    assert_int_equal(inside_state(coordinator(world))->jobs.n, 5);
    for (node_id_t id = 1; id <= 6; id++)
        world_crash(world, id);
    for (node_id_t id = 1; id <= 6; id++)
        world_start(world, id);
    assert_true(world_run_until(world, is_whole, 10 * SECOND_US));
    assert_int_equal(inside_state(coordinator(world))->jobs.n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_done(world, keys[i], 120 * SECOND_US);
    world_free(&world);
}

static void a_worker_that_fails_fast_does_not_drain_the_queue_T14(void **state)
{
    (void)state;
    struct world *world = begin(9, 200);
    node_id_t broken = world_coordinator(world) % 6 + 1;
    world_refuse(world, broken, true);
    submit(world, "a", 50000);
    run_until_running(world, "a");
    uint64_t began_us = world->now_us;
    assert_done(world, "a", 60 * SECOND_US);
    uint64_t took_ms = (world->now_us - began_us) / MS_US;
    assert_true(world->nodes[broken].computed <= 3 + took_ms / 100);
    world_refuse(world, broken, false);
    world_run(world, 10 * SECOND_US);
    world->nodes[broken].computed = 0;
    submit(world, "b", 50000);
    assert_done(world, "b", 60 * SECOND_US);
    assert_true(world->nodes[broken].computed > 0);
    world_free(&world);
}

static void what_three_workers_refuse_fails_with_the_reason_T14(void **state)
{
    (void)state;
    struct world *world = begin(10, 200);
    for (node_id_t id = 1; id <= 6; id++)
        world_refuse(world, id, true);
    submit(world, "a", 4);
    struct job *job = run_until_over(world, "a", 5 * SECOND_US);
    assert_int_equal(job->state, JOB_FAILED);
    assert_non_null(strstr(job->reason, "this worker refuses everything (refused by nodes "));
    world_free(&world);
}

static void a_coordinator_that_was_late_suspects_nobody(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct world *world = begin(seed, 200);
        submit(world, "a", 30000);
        run_until_running(world, "a");
        struct node *node = coordinator(world);
        /* Too short for the others to elect another one, long enough to miss all heartbeats. */
        world_pause(world, world_coordinator(world), 60 * MS_US + 20 * MS_US * seed);
        world_run(world, 80 * MS_US + 20 * MS_US * seed);
        assert_ptr_equal(coordinator(world), node);
        assert_true(is_whole(world));
        assert_int_equal(inside_schedule(node)->copied, 0);
        assert_int_equal(inside_state(node)->head.reassigned + inside_schedule(node)->reassigned,
                         0);
        assert_done(world, "a", 60 * SECOND_US);
        world_free(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_result_changes_nothing_T1),
        cmocka_unit_test(a_node_that_returns_is_a_new_worker_and_used_at_once_T2),
        cmocka_unit_test(nothing_stays_with_a_departed_worker_T3),
        cmocka_unit_test(only_what_was_executing_is_suspected_T4),
        cmocka_unit_test(poison_fails_its_job_and_no_other_T5),
        cmocka_unit_test(deliberate_stops_and_injected_failures_are_no_poison_T6),
        cmocka_unit_test(who_lives_after_all_has_not_died_of_its_operation_T6),
        cmocka_unit_test(an_operation_of_ten_minutes_is_not_lost_T7_T8),
        cmocka_unit_test(the_first_result_wins_and_copies_are_cancelled_T9),
        cmocka_unit_test(a_stopped_straggler_is_overtaken_before_its_heartbeats_are_missed_T9),
        cmocka_unit_test(a_copy_of_what_is_overdue_goes_before_what_is_ready_T9),
        cmocka_unit_test(late_heartbeats_are_no_reason_to_copy_a_long_operation),
        cmocka_unit_test(an_overdue_worker_keeps_no_queue_waiting_T9),
        cmocka_unit_test(a_worker_short_of_memory_is_throttled_T11),
        cmocka_unit_test(a_worker_whose_disk_has_room_is_not_short_of_memory_T22),
        cmocka_unit_test(votes_and_heartbeats_share_no_plane_with_bulk_data_T12),
        cmocka_unit_test(after_a_restart_every_accepted_job_is_there_once_T13),
        cmocka_unit_test(a_worker_that_fails_fast_does_not_drain_the_queue_T14),
        cmocka_unit_test(what_three_workers_refuse_fails_with_the_reason_T14),
        cmocka_unit_test(a_coordinator_that_was_late_suspects_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
