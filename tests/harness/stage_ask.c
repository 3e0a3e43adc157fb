/* What a test asks of the nodes on a stage, and what it looks at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "nodes/core/node.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/step/step.h"
#include "tests/harness/inside.h"
#include "tests/harness/stage_internal.h"

struct stage *stage_begin(uint32_t n_nodes)
{
    struct stage *stage = stage_new(n_nodes, n_nodes);
    stage_start_all(stage);
    stage_elect(stage, 1);
    stage_run(stage, 100 * MS_US);
    stage_forget_story(stage);
    return stage;
}

node_id_t stage_coordinator(const struct stage *stage)
{
    node_id_t best = NODE_NONE;
    term_t term = 0;
    for (node_id_t id = 1; id <= stage->n_nodes; id++) {
        const struct node *node = stage->nodes[id].core;
        if (node && node_coordinates(node) && inside_step(node)->term > term) {
            best = id;
            term = inside_step(node)->term;
        }
    }
    return best;
}

void stage_elect(struct stage *stage, node_id_t id)
{
    stage_campaign(stage, id);
    stage_run(stage, 20 * MS_US);
    if (!node_coordinates(stage->nodes[id].core))
        fail_msg("node %u was not elected:\n%s", id, stage->story);
}

/* --- clients --- */

void stage_ask(struct stage *stage, node_id_t id, struct message *request)
{
    struct event event = {.kind = EVENT_REQUEST};
    event.request.client = 1;
    event.request.message = request;
    event.request.asker = stage->asker;
    message_drop(&stage->answer);
    stage_step(stage, id, event);
    message_drop(&request);
}

struct message *stage_submit_request(const char *key, const char *n)
{
    struct message *message = message_new(MESSAGE_SUBMIT);
    message->as.submit = (struct wire_submit){.key = message_text(message, key),
                                              .kind = message_text(message, "factorial"),
                                              .spec = message_text(message, n)};
    return message;
}

void stage_set(struct stage *stage, node_id_t at, uint64_t index, uint64_t state)
{
    struct message *message = message_new(MESSAGE_PROGRESS_SET);
    message->as.progress_set.index = index;
    message->as.progress_set.state = state;
    stage_ask(stage, at, message);
}

void stage_read(struct stage *stage, node_id_t at, uint64_t index)
{
    struct message *message = message_new(MESSAGE_PROGRESS_GET);
    message->as.progress_get.index = index;
    stage_ask(stage, at, message);
}

bool stage_answered(const struct stage *stage, enum message_type type)
{
    return stage->answer && stage->answer->type == type;
}

bool stage_refused(const struct stage *stage, const char *code)
{
    return stage_answered(stage, MESSAGE_ERROR) && slice_equals(stage->answer->as.error.code, code);
}

/* --- what is compared --- */

bool stage_logs_are_equal(const struct stage *stage, node_id_t a, node_id_t b)
{
    const struct node *one = stage_core(stage, a), *other = stage_core(stage, b);
    const struct raft_log *log = &inside_raft(one)->log;
    if (log->last != inside_raft(other)->log.last || log->commit != inside_raft(other)->log.commit)
        return false;
    log_index_t base =
        log->base > inside_raft(other)->log.base ? log->base : inside_raft(other)->log.base;
    for (log_index_t index = base + 1; index <= log->last; index++)
        if (raft_log_at(inside_raft(one), index)->term !=
            raft_log_at(inside_raft(other), index)->term)
            return false;
    return true;
}
