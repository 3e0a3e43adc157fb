#include "nodes/core/raft/raft.h"

#include <assert.h>
#include <string.h>

/* --- facts --- */

void raft_report(struct raft *raft, enum raft_fact_kind kind, term_t term)
{
    if (kind == RAFT_FOLLOWS) {
        if (raft->reported_term == term)
            return;
        raft->reported_term = term;
    }
    assert(raft->n_facts < RAFT_FACTS_MAX);
    raft->facts[raft->n_facts++] = (struct raft_fact){kind, term};
}

bool raft_take_fact(struct raft *raft, struct raft_fact *fact)
{
    if (!raft->n_facts)
        return false;
    *fact = raft->facts[0];
    memmove(raft->facts, raft->facts + 1, --raft->n_facts * sizeof *fact);
    return true;
}

/* --- the room --- */

void raft_init(struct raft *raft, const struct node_durable *durable)
{
    members_init(raft, durable);
    raft->members.began_us = raft->step->now_us;
    election_init(raft, durable);
}

void raft_tick(struct raft *raft)
{
    health_tick(raft);
    founding_tick(raft);
    election_tick(raft);
    follower_tick(raft);
    repair_tick(raft);
    offers_tick(raft);
}

void raft_persisted(struct raft *raft, uint64_t seq)
{
    raft_log_persisted(raft, seq);
    replication_advance(raft);
}

void raft_pump(struct raft *raft)
{
    replication_pump(raft);
    members_pump(raft);
    raft_log_compact(raft);
    sweep_pump(raft);
    health_pump(raft);
}

uint64_t raft_deadline(const struct raft *raft)
{
    uint64_t (*const waits[])(const struct raft *) = {
        election_deadline, founding_deadline, replication_deadline,
        follower_deadline, repair_deadline,   raft_log_deadline,
        sweep_deadline,    health_deadline,   offers_deadline,
    };
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++)
        at = earlier_us(at, waits[i](raft));
    return at;
}

void raft_clear(struct raft *raft)
{
    replication_clear(raft);
    follower_clear(raft);
    raft_log_clear(raft);
    sweep_clear(raft);
    members_clear(raft);
}

void raft_check_invariants(const struct raft *raft)
{
    assert(!raft->n_facts);
    assert(raft->offers.n_made <= OFFERS_MAX && raft->offers.n_taken <= OFFERS_MAX);
    assert(raft->repairs.n <= REPAIRS_MAX && raft->sweep.n_jobs <= SWEEP_JOBS_MAX);
    assert(raft->follower.n_parked <= APPEND_WINDOW);
    assert(!raft->follower.loaded == !raft->follower.checkpoint);
    election_check_invariants(raft);
    raft_log_check_invariants(raft);
    replication_check_invariants(raft);
}
