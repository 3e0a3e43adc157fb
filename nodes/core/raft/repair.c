#include "nodes/core/raft/repair.h"

#include <inttypes.h>
#include <string.h>

#include "nodes/core/raft/sweep.h"
#include "shared/base/job_id.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define REPAIR_RETRY_US (200 * MS_US) /* between one node and the next */

static struct repair *find(struct raft *raft, struct value_id id)
{
    for (size_t i = 0; i < raft->repairs.n; i++)
        if (value_id_same(raft->repairs.at[i].id, id))
            return &raft->repairs.at[i];
    return NULL;
}

static void forget(struct raft *raft, struct repair *repair)
{
    outbox_drop(&raft->step->out, USER_REPAIR, repair->id);
    *repair = raft->repairs.at[--raft->repairs.n];
}

/* What the state says of the value; false: it tells no hash, so no other node's can be checked. */
static bool describe(const struct raft *raft, struct repair *repair)
{
    return sweep_names(raft, repair->id) &&
           raft->machine->describe(raft->state, repair->id, &repair->len, repair->hash);
}

static void say(struct raft *raft, enum log_level level, struct value_id id, const char *what)
{
    char job[JOB_TEXT_MAX];
    outbox_log(&raft->step->out, level, "value %s-%" PRIu64 " on this disk %s",
               job_id_text(id.job, job), id.op, what);
}

static void fetch(struct raft *raft, struct repair *repair)
{
    uint32_t n = raft->step->config.n_nodes;
    repair->wake_us = raft->step->now_us + REPAIR_RETRY_US;
    for (uint32_t i = 0; i < n; i++) {
        node_id_t id = (repair->source + i) % n + 1;
        if (!step_is_peer(raft->step, id) || !raft->links->peers[id].alive)
            continue;
        repair->source = id;
        repair->waits = true;
        repair->wake_us = raft->step->now_us + value_wait_us(repair->len);
        outbox_fetch(&raft->step->out, USER_REPAIR, repair->id, id, repair->len, repair->hash, 0);
        return;
    }
}

void repair_lost(struct raft *raft, struct value_id id)
{
    struct repair repair = {.id = id, .source = raft->step->config.id};
    if (find(raft, id) || raft->repairs.n == REPAIRS_MAX || MUTANT(rot_stays))
        return;
    if (!describe(raft, &repair)) {
        if (!job_id_has_term(id.job) && sweep_names(raft, id)) /* only this node has it */
            say(raft, LOG_WARN, id, "is missing or damaged: that snapshot cannot be read");
        return;
    }
    say(raft, LOG_WARN, id, "is missing or damaged: it is fetched from another node");
    struct repair *it = &raft->repairs.at[raft->repairs.n++];
    *it = repair;
    fetch(raft, it);
}

void repair_value_ready(struct raft *raft, struct value_id id)
{
    struct repair *repair = find(raft, id);
    if (!repair)
        return;
    repair->wake_us = raft->step->now_us + value_wait_us(repair->len);
    outbox_keep(&raft->step->out, USER_REPAIR, id, NULL);
}

void repair_value_failed(struct raft *raft, struct value_id id)
{
    struct repair *repair = find(raft, id);
    if (!repair)
        return;
    repair->waits = false;
    repair->wake_us = raft->step->now_us + REPAIR_RETRY_US;
}

void repair_value_kept(struct raft *raft, struct value_id id)
{
    struct repair *repair = find(raft, id);
    if (!repair)
        return;
    say(raft, LOG_INFO, id, "is repaired");
    forget(raft, repair);
}

void repair_tick(struct raft *raft)
{
    for (size_t i = raft->repairs.n; i-- > 0;) {
        struct repair *repair = &raft->repairs.at[i];
        if (raft->step->now_us < repair->wake_us)
            continue;
        if (!sweep_names(raft, repair->id)) {
            forget(raft, repair);
            continue;
        }
        if (repair->waits)
            outbox_drop(&raft->step->out, USER_REPAIR, repair->id);
        fetch(raft, repair);
    }
}

uint64_t repair_deadline(const struct raft *raft)
{
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < raft->repairs.n; i++)
        at = earlier_us(at, raft->repairs.at[i].wake_us);
    return at;
}
