/* Who votes when nobody says so, and what those keep who do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nodes/core/raft/members.h"
#include "nodes/core/state/state.h"
#include "shared/base/quorum.h"
#include "tests/harness/inside.h"
#include "tests/harness/stage.h"
#include "tests/harness/worlds.h"

static void at_most_five_vote_when_nothing_is_said(void **state)
{
    (void)state;
    const uint32_t voters[] = {0, 1, 2, 3, 4, 5, 5, 5};
    for (uint32_t n = 1; n < sizeof voters / sizeof voters[0]; n++)
        assert_int_equal(quorum_voters_default(n), voters[n]);
    assert_int_equal(quorum_voters_default(NODES_MAX), VOTERS_DEFAULT_MAX);
    /* Six voters bear no more failures than five. */
    assert_int_equal(quorum_spare(6, 6), quorum_spare(5, 5));
}

static uint32_t voters_of(const struct stage *stage, node_id_t id)
{
    return stage_raft(stage, id)->step->config.n_voters;
}

/* A cluster of three that vote, node 3 of which comes back with an empty disk. */
static struct stage *come_back(uint32_t n_voters, bool open)
{
    struct stage *stage = stage_begin(3);
    stage_kill(stage, 3);
    stage_wipe(stage, 3);
    stage->n_voters = n_voters;
    stage->voters_open = open;
    stage_start(stage, 3);
    stage->n_voters = 3;
    stage->voters_open = false;
    stage_run(stage, 3 * SECOND_US);
    return stage;
}

static void an_empty_disk_takes_the_number_of_the_cluster_that_it_joins(void **state)
{
    (void)state;
    struct stage *stage = come_back(1, true);
    assert_int_equal(voters_of(stage, 3), 3);
    assert_true(members_counts(stage_raft(stage, 3), 3));
    assert_true(members_counts(stage_raft(stage, 1), 3));
    /* From its disk it has it, too. */
    assert_int_equal(stage->nodes[3].durable.identity.n_voters, 3);
    stage_free(&stage);
}

static void another_number_that_somebody_said_is_refused_R33(void **state)
{
    (void)state;
    struct stage *stage = come_back(1, false);
    assert_false(identity_is_set(&stage->nodes[3].durable.identity));
    assert_true(stage_told(stage, "voters"));
    stage_free(&stage);
}

static void a_new_cluster_of_nodes_that_were_told_nothing_founds_itself(void **state)
{
    (void)state;
    struct stage *stage = stage_new(6, quorum_voters_default(6));
    stage->unfounded = stage->voters_open = true;
    stage_start_all(stage);
    stage_run(stage, 5 * SECOND_US);
    assert_true(stage_coordinator(stage) != NODE_NONE);
    for (node_id_t id = 1; id <= 6; id++) {
        assert_int_equal(voters_of(stage, id), VOTERS_DEFAULT_MAX);
        assert_int_equal(members_counts(stage_raft(stage, 1), id), id <= VOTERS_DEFAULT_MAX);
    }
    stage_free(&stage);
}

/* They have the log, and nobody's values: they acknowledge nothing that counts. */
static void who_does_not_vote_keeps_no_values(void **state)
{
    (void)state;
    struct world_options options = worlds_usual(5, 6);
    options.n_voters = 3;
    options.inline_bytes = 64;
    struct world *world = worlds_begin_with(options);
    world_client(world, 0, 20, 2000);
    assert_true(world_run_until(world, world_is_idle, 60 * SECOND_US));
    world_run(world, 5 * SECOND_US);
    for (node_id_t id = 1; id <= 6; id++) {
        const struct jobs *jobs = &inside_state(world->nodes[id].core)->jobs;
        assert_int_equal(jobs->n, 20);
        for (size_t i = 0; i < jobs->n; i++)
            assert_int_equal(jobs->at[i]->state, JOB_DONE);
        if (id <= 3)
            assert_true(world->nodes[id].kept.count > 0);
        else
            assert_int_equal(world->nodes[id].kept.count, 0);
    }
    world_free(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_most_five_vote_when_nothing_is_said),
        cmocka_unit_test(an_empty_disk_takes_the_number_of_the_cluster_that_it_joins),
        cmocka_unit_test(another_number_that_somebody_said_is_refused_R33),
        cmocka_unit_test(a_new_cluster_of_nodes_that_were_told_nothing_founds_itself),
        cmocka_unit_test(who_does_not_vote_keeps_no_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
