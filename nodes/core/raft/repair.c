#include "nodes/core/raft/repair.h"

#include <inttypes.h>
#include <string.h>

#include "nodes/core/snapshot/snapshot.h"
#include "nodes/core/raft/sweep.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

#define REPAIR_RETRY_US (200 * MS_US) /* between one node and the next */

static struct repair *find(struct node *node, struct value_id id)
{
    for (size_t i = 0; i < node->repairs.n; i++)
        if (node->repairs.at[i].id.job == id.job && node->repairs.at[i].id.op == id.op)
            return &node->repairs.at[i];
    return NULL;
}

static void forget(struct node *node, struct repair *repair)
{
    outbox_drop(&node->step.out, USER_REPAIR, repair->id);
    *repair = node->repairs.at[--node->repairs.n];
}

/* What the state says of the value; false: it tells no hash, so no other node's can be checked. */
static bool describe(const struct node *node, struct repair *repair)
{
    const struct job *job = jobs_find(&node->state.jobs, repair->id.job);
    if (!job || !sweep_names(node, repair->id))
        return false;
    const struct done_op *done = map_get(&job->frontier, (struct map_key){repair->id.op, 0});
    bool result = job->state == JOB_DONE && repair->id.op == job_text_op(job);
    if (!result && (!done || done->value))
        return false;
    repair->len = result ? job->digits : done->len;
    memcpy(repair->hash, result ? job->sha256 : done->hash, HASH_BYTES);
    return true;
}

static void say(struct node *node, enum log_level level, struct value_id id, const char *what)
{
    char job[JOB_TEXT_MAX];
    outbox_log(&node->step.out, level, "value %s-%" PRIu64 " on this disk %s",
               job_id_text(id.job, job), id.op, what);
}

static void fetch(struct node *node, struct repair *repair)
{
    uint32_t n = node->step.config.n_nodes;
    repair->wake_us = node->step.now_us + REPAIR_RETRY_US;
    for (uint32_t i = 0; i < n; i++) {
        node_id_t id = (repair->source + i) % n + 1;
        if (!step_is_peer(&node->step, id) || !node->links.peers[id].alive)
            continue;
        repair->source = id;
        repair->waits = true;
        repair->wake_us = node->step.now_us + value_wait_us(repair->len);
        outbox_fetch(&node->step.out, USER_REPAIR, repair->id, id, repair->len, repair->hash, 0);
        return;
    }
}

void repair_lost(struct node *node, struct value_id id)
{
    struct repair repair = {.id = id, .source = node->step.config.id};
    if (find(node, id) || node->repairs.n == REPAIRS_MAX || MUTANT(rot_stays))
        return;
    if (!describe(node, &repair)) {
        if (snapshot_names(node, id)) /* only this node has it */
            say(node, LOG_WARN, id, "is missing or damaged: that snapshot cannot be read");
        return;
    }
    say(node, LOG_WARN, id, "is missing or damaged: it is fetched from another node");
    struct repair *it = &node->repairs.at[node->repairs.n++];
    *it = repair;
    fetch(node, it);
}

void repair_value_ready(struct node *node, struct value_id id)
{
    struct repair *repair = find(node, id);
    if (!repair)
        return;
    repair->wake_us = node->step.now_us + value_wait_us(repair->len);
    outbox_keep(&node->step.out, USER_REPAIR, id, NULL);
}

void repair_value_failed(struct node *node, struct value_id id)
{
    struct repair *repair = find(node, id);
    if (!repair)
        return;
    repair->waits = false;
    repair->wake_us = node->step.now_us + REPAIR_RETRY_US;
}

void repair_value_kept(struct node *node, struct value_id id)
{
    struct repair *repair = find(node, id);
    if (!repair)
        return;
    say(node, LOG_INFO, id, "is repaired");
    forget(node, repair);
}

void repair_tick(struct node *node)
{
    for (size_t i = node->repairs.n; i-- > 0;) {
        struct repair *repair = &node->repairs.at[i];
        if (node->step.now_us < repair->wake_us)
            continue;
        if (!sweep_names(node, repair->id)) {
            forget(node, repair);
            continue;
        }
        if (repair->waits)
            outbox_drop(&node->step.out, USER_REPAIR, repair->id);
        fetch(node, repair);
    }
}
