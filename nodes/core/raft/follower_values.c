/* The values that entries and checkpoints refer to: looked for here, fetched, kept. */
#include <string.h>

#include "nodes/core/raft/follower_internal.h"
#include "nodes/core/raft/members.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"

#define FETCH_TRIES 5 /* at least, in rounds of all nodes: then a checkpoint is asked for */

#define FETCH_RETRY_US (100 * MS_US)

/* --- what is needed --- */

static struct need *find_need(struct follower *follower, struct value_id id)
{
    for (size_t i = 0; i < follower->n_needs; i++)
        if (value_id_same(follower->needs[i].id, id))
            return &follower->needs[i];
    return NULL;
}

/* First it may be here already: on disk, or in memory because this very node computed it. */
static void look(struct raft *raft, struct need *need)
{
    need->state = NEED_LOOKING;
    need->wake_us = raft->step->now_us + value_wait_us(need->len);
    outbox_keep(&raft->step->out, USER_FOLLOWER, need->id, NULL);
}

void follower_want(struct raft *raft, node_id_t source, struct value_id id, uint64_t len,
                   struct slice hash, log_index_t index)
{
    struct follower *follower = &raft->follower;
    /* Who does not vote acknowledges nothing that counts, and never coordinates. */
    if (!members_is_voter(raft, raft->step->config.id))
        return;
    if (find_need(follower, id) || map_get(&follower->kept, (struct map_key){id.job, id.op}))
        return;
    if (follower->n_needs == follower->needs_size) {
        follower->needs_size = follower->needs_size ? 2 * follower->needs_size : 16;
        follower->needs = mem_grow(follower->needs, follower->needs_size, sizeof *follower->needs);
    }
    struct need *need = &follower->needs[follower->n_needs++];
    *need = (struct need){.id = id, .source = source, .len = len, .index = index};
    if (hash.len == HASH_BYTES)
        memcpy(need->hash, hash.at, HASH_BYTES);
    look(raft, need);
}

void follower_forget_needs(struct raft *raft)
{
    struct follower *follower = &raft->follower;
    for (size_t i = 0; i < follower->n_needs; i++)
        outbox_drop(&raft->step->out, USER_FOLLOWER, follower->needs[i].id);
    follower->n_needs = 0;
    map_clear(&follower->kept);
}

/* --- values that come --- */

/* It is on disk here, or nobody needs it any more. */
static void meet(struct raft *raft, struct need *need)
{
    struct follower *follower = &raft->follower;
    struct map_key key = {need->id.job, need->id.op};
    *need = follower->needs[--follower->n_needs];
    map_put(&follower->kept, key, follower);
    follower_go_on(raft);
}

void follower_value_kept(struct raft *raft, struct value_id id)
{
    struct need *need = find_need(&raft->follower, id);
    if (!need)
        return;
    outbox_drop(&raft->step->out, USER_FOLLOWER,
                id); /* from memory, where it is of no use any more */
    meet(raft, need);
}

void follower_value_used(struct raft *raft, struct value_id id)
{
    struct need *need = find_need(&raft->follower, id);
    if (need)
        meet(raft, need);
}

void follower_value_ready(struct raft *raft, struct value_id id)
{
    struct need *need = find_need(&raft->follower, id);
    if (!need || need->state != NEED_FETCHING)
        return;
    need->state = NEED_KEEPING;
    need->wake_us = raft->step->now_us + value_wait_us(need->len);
    outbox_keep(&raft->step->out, USER_FOLLOWER, id, NULL);
}

/* --- values that do not --- */

/* One comes while another one is written; more as long as these are short. So the disk may be
 * slower than the network, and an entry name more than memory holds. */
static bool has_room(const struct follower *follower, const struct need *need)
{
    uint64_t bytes = need->len;
    size_t n = 0;
    for (size_t i = 0; i < follower->n_needs; i++) {
        const struct need *it = &follower->needs[i];
        if (it == need || (it->state != NEED_FETCHING && it->state != NEED_KEEPING))
            continue;
        bytes += it->len;
        n++;
    }
    return n < FOLLOWER_MOVING_LEAST || bytes <= FOLLOWER_MOVING_BYTES || MUTANT(needs_unbounded);
}

static void fetch(struct raft *raft, struct need *need)
{
    if (!has_room(&raft->follower, need)) {
        need->state = NEED_WAITING;
        need->wake_us = UINT64_MAX;
        return;
    }
    need->state = NEED_FETCHING;
    need->wake_us = raft->step->now_us + value_wait_us(need->len);
    outbox_fetch(&raft->step->out, USER_FOLLOWER, need->id, need->source, need->len, need->hash,
                 need->index);
}

static void fetch_waiting(struct raft *raft)
{
    struct follower *follower = &raft->follower;
    for (size_t i = 0; i < follower->n_needs; i++) {
        struct need *need = &follower->needs[i];
        if (need->state != NEED_WAITING)
            continue;
        fetch(raft, need);
        if (need->state == NEED_WAITING)
            return;
    }
}

/* Whom to ask after a source that did not have it: the coordinator, then one node after another. */
static node_id_t next_source(const struct raft *raft, const struct need *need)
{
    uint32_t n = raft->step->config.n_nodes;
    node_id_t coordinator = raft->step->coordinator;
    if (need->tries == 1 && need->source != coordinator && step_is_peer(raft->step, coordinator))
        return coordinator;
    for (uint32_t i = 0; i < n; i++) {
        node_id_t id = (need->source + i) % n + 1;
        if (step_is_peer(raft->step, id) && raft->links->peers[id].alive)
            return id;
    }
    return need->source;
}

void follower_value_failed(struct raft *raft, struct value_id id)
{
    struct need *need = find_need(&raft->follower, id);
    node_id_t coordinator = raft->step->coordinator;
    if (!need)
        return;
    if (need->state == NEED_LOOKING && step_is_peer(raft->step, need->source)) {
        fetch(raft, need);
        return;
    }
    need->tries++;
    need->source = next_source(raft, need);
    bool all_asked = need->tries % (raft->step->config.n_nodes - 1) == 0;
    if (!all_asked) {
        fetch(raft, need); /* who does not have it says so at once: no reason to rest */
        return;
    }
    need->state = NEED_RESTING;
    need->wake_us = raft->step->now_us + FETCH_RETRY_US;
    if (need->tries < FETCH_TRIES || !step_is_peer(raft->step, coordinator))
        return;
    follower_reset(raft);
    follower_reply_append(raft, coordinator,
                          (struct wire_append_reply){.ok = true,
                                                     .match = raft->log.commit,
                                                     .install = true});
}

void follower_tick(struct raft *raft)
{
    struct follower *follower = &raft->follower;
    for (size_t i = 0; i < follower->n_needs; i++) {
        struct need *need = &follower->needs[i];
        if (raft->step->now_us < need->wake_us)
            continue;
        if (need->state == NEED_FETCHING)
            outbox_drop(&raft->step->out, USER_FOLLOWER, need->id);
        look(raft, need);
    }
    fetch_waiting(raft);
}

uint64_t follower_deadline(const struct raft *raft)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < raft->follower.n_needs; i++)
        at = earlier_us(at, raft->follower.needs[i].wake_us);
    return at;
}
