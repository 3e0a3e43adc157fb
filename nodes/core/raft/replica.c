#include "nodes/core/raft/replica.h"

#include <assert.h>

#include "shared/base/limits.h"

void replica_drop_checkpoint(struct replica *replica)
{
    checkpoint_drop(&replica->checkpoint);
    replica->sent_parts = replica->acked_parts = 0;
    if (replica->state == REPLICA_INSTALL)
        replica->state = replica->match ? REPLICA_PIPELINE : REPLICA_SEARCH;
}

void replica_forget(struct replica *replica, log_index_t last)
{
    replica_drop_checkpoint(replica);
    *replica = (struct replica){.state = REPLICA_SEARCH, .next = last + 1, .probe = last + 1};
}

/* Back to what it is known to have. While nothing is, the probe is repeated; nothing says yet that
 * it lacks the log from the beginning. */
void replica_reconnected(struct replica *replica)
{
    replica_drop_checkpoint(replica);
    replica->state = replica->match ? REPLICA_PIPELINE : REPLICA_SEARCH;
    replica->next = replica->match ? replica->match + 1 : replica->probe;
    replica->in_flight = 0;
    replica->sent_us = 0;
    replica->sent_commit = 0;
}

/* By the time it answers a probe it has seen all that was sent before, so the answer tells what was
 * lost. */
bool replica_doubt(struct replica *replica, uint64_t round)
{
    bool begins = replica->state == REPLICA_PIPELINE;
    if (replica->state == REPLICA_SEARCH)
        replica->next = replica->probe;
    if (begins) {
        replica->state = REPLICA_PROBE;
        replica->probe_round = round;
    }
    replica->in_flight = 0;
    replica->sent_us = 0; /* what it said may be lost, too: the commit index, a round */
    return begins;
}

void replica_refused(struct replica *replica, log_index_t match)
{
    if (replica->state != REPLICA_SEARCH)
        return;
    log_index_t next = match + 1 < replica->next ? match + 1 : replica->next - 1;
    replica->probe = next ? next : 1;
}

bool replica_matched(struct replica *replica, log_index_t match)
{
    bool more = match > replica->match;
    if (more)
        replica->match = match;
    if (more && replica->state == REPLICA_SEARCH)
        replica->state = REPLICA_PIPELINE;
    if (replica->next <= replica->match)
        replica->next = replica->match + 1;
    return more;
}

void replica_answered(struct replica *replica, uint64_t now_us)
{
    if (replica->in_flight)
        replica->in_flight--;
    replica->sent_us = now_us;
}

void replica_agreed(struct replica *replica)
{
    if (replica->state == REPLICA_PROBE) {
        replica->state = REPLICA_PIPELINE;
        replica->next = replica->match + 1;
    }
    if (replica->next == replica->match + 1)
        replica->in_flight = 0; /* one answer may stand for several appends that waited */
}

void replica_install(struct replica *replica)
{
    replica_drop_checkpoint(replica);
    replica->state = REPLICA_INSTALL;
    replica->in_flight = 0;
}

void replica_installed(struct replica *replica, log_index_t index)
{
    if (index > replica->match)
        replica->match = index;
    replica_drop_checkpoint(replica);
    replica->next = replica->match + 1;
    replica->in_flight = 0;
    replica->sent_us = 0;
}

log_index_t replica_prev(const struct replica *replica)
{
    return replica->state == REPLICA_PROBE ? replica->match : replica->next - 1;
}

bool replica_is_ahead(const struct replica *replica)
{
    return replica->match && replica->next > replica->match + 1;
}

unsigned replica_window(const struct replica *replica)
{
    return replica->state == REPLICA_PIPELINE ? APPEND_WINDOW : 1;
}

void replica_check_invariants(const struct replica *replica, log_index_t last)
{
    assert(replica->next > replica->match); /* R14 */
    assert(replica->match <= last && replica->next <= last + 1);
    switch (replica->state) {
    case REPLICA_SEARCH:
        assert(!replica->match && replica->probe && !replica->checkpoint);
        break;
    case REPLICA_PIPELINE:
        assert(replica->match && !replica->checkpoint);
        break;
    case REPLICA_PROBE:
        assert(replica->match && !replica->checkpoint && replica->probe_round);
        break;
    case REPLICA_INSTALL:
        assert(!replica->checkpoint || replica->sent_parts <= replica->checkpoint->n);
        assert(!replica->checkpoint || replica->acked_parts <= replica->checkpoint->n);
        break;
    }
}
