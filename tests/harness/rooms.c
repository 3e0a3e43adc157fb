#include "tests/harness/rooms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void note_applied(void *rooms, log_index_t index, void *made)
{
    struct rooms *it = rooms;
    struct job *job;
    (void)index;
    (void)made;
    it->applied++;
    while ((job = state_forget_one(&it->state)))
        job_destroy(&job);
}

static bool names_snapshot(const void *rooms, struct value_id id)
{
    (void)id;
    return ((const struct rooms *)rooms)->snapshots_named;
}

static const struct raft_owner owner = {.applied = note_applied, .names = names_snapshot};

struct rooms *rooms_new(uint32_t n_voters)
{
    struct rooms *it = mem_new(1, sizeof *it);
    it->step.config = (struct node_config){.id = SELF,
                                           .n_nodes = NODES,
                                           .n_voters = n_voters,
                                           .incarnation = 11,
                                           .heartbeat_us = HEARTBEAT_DEFAULT_US,
                                           .election_timeout_us = ELECTION_TIMEOUT_DEFAULT_US,
                                           .result_max_bytes = RESULT_MAX_DEFAULT_BYTES,
                                           .compact_entries = 1000,
                                           .snapshot_timeout_us = SECOND_US,
                                           .snapshot_keep = 3,
                                           .cluster = "rooms",
                                           .host = "host",
                                           .version = "0"};
    it->step.now_us = SECOND_US;
    outbox_begin(&it->step.out);
    it->links.step = &it->step;
    state_init(&it->state, &it->step);
    it->raft = (struct raft){.step = &it->step,
                             .links = &it->links,
                             .machine = &state_machine,
                             .state = &it->state,
                             .owner = &owner,
                             .node = it};
    struct node_durable durable = {.voter = true, .birth = 7};
    durable.identity = (struct identity){.cluster_id = {1},
                                         .founder = SELF,
                                         .n_nodes = NODES,
                                         .n_voters = n_voters,
                                         .births = {0, 7, 8, 9}};
    raft_init(&it->raft, &durable);
    return it;
}

void rooms_free(struct rooms *it)
{
    raft_clear(&it->raft);
    state_clear(&it->state);
    links_clear(&it->links);
    outbox_destroy(&it->step.out);
    free(it);
}

void rooms_drop_facts(struct rooms *it)
{
    struct raft_fact raft;
    struct link_fact link;
    while (raft_take_fact(&it->raft, &raft) || peers_take_fact(&it->links, &link))
        ;
}

size_t rooms_count_outputs(const struct rooms *it, enum output_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < it->step.out.n; i++)
        n += it->step.out.at[i].kind == kind;
    return n;
}

void rooms_elect_alone(struct rooms *it)
{
    it->step.now_us = election_deadline(&it->raft);
    raft_tick(&it->raft);
    assert_true(election_leads(&it->raft));
}
