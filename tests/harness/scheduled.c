#include "tests/harness/scheduled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ME 1

void scheduled_pump(struct scheduled *it)
{
    schedule_tick(&it->schedule);
    schedule_pump(&it->schedule);
    schedule_check_invariants(&it->schedule);
}

void scheduled_apply(struct scheduled *it)
{
    while (it->raft.log.applied < it->raft.log.last) {
        log_index_t index = it->raft.log.applied + 1;
        struct job *job =
            state_apply(&it->state, index, it->step.term, raft_log_waiting(&it->raft, index));
        it->raft.log.applied = index;
        if (job && job_is_finished(job))
            schedule_job_finished(&it->schedule, job);
        else if (job)
            schedule_job_accepted(&it->schedule, job);
        schedule_check_invariants(&it->schedule);
        state_check_invariants(&it->state);
    }
}

static void submit(struct scheduled *it)
{
    struct message *entry = message_new(MESSAGE_ENTRY_JOB_SUBMITTED);
    entry->as.entry_job_submitted.key = message_text(entry, "a");
    entry->as.entry_job_submitted.kind = message_text(entry, "factorial");
    entry->as.entry_job_submitted.spec = message_text(entry, "10");
    raft_log_propose(&it->raft, entry);
    scheduled_apply(it);
    it->job = jobs_find_key(&it->state.jobs, slice_of("a"));
    assert_non_null(it->job);
}

int scheduled_begin(void **context)
{
    struct scheduled *it = calloc(1, sizeof *it);
    *context = it;
    it->step = (struct step){.config = {.id = ME,
                                        .n_nodes = SCHEDULED_NODES,
                                        .n_voters = SCHEDULED_NODES,
                                        .heartbeat_us = 60 * SECOND_US,
                                        .result_max_bytes = 1000,
                                        .checkpoint_interval_us = SCHEDULED_INTERVAL_US,
                                        .checkpoint_bytes = 1000,
                                        .log_level = LOG_ERROR},
                             .identity = {.cluster_id = {1}},
                             .now_us = SECOND_US,
                             .term = 3,
                             .coordinator = ME};
    state_init(&it->state, &it->step);
    it->links.step = &it->step;
    it->raft = (struct raft){.step = &it->step,
                             .links = &it->links,
                             .machine = &state_machine,
                             .state = &it->state};
    it->raft.election.role = ROLE_COORDINATOR;
    it->raft.election.serving = it->raft.election.voter = true;
    it->schedule = (struct schedule){.step = &it->step,
                                     .links = &it->links,
                                     .raft = &it->raft,
                                     .state = &it->state};
    for (node_id_t id = 2; id <= SCHEDULED_NODES; id++) {
        struct peer *peer = &it->links.peers[id];
        peer->alive = true;
        peer->heard_us = it->step.now_us;
        peer->links[PLANE_CHANNEL].state = LINK_WELCOMED;
        peer->incarnation = 7;
        channel_open(&peer->channel, 7);
        peer->heartbeat = message_new(MESSAGE_HEARTBEAT);
        peer->heartbeat->as.heartbeat.term = it->step.term;
        peer->heartbeat->as.heartbeat.coordinator = ME;
        it->raft.members.of[id].voter = true;
        memcpy(it->raft.members.of[id].cluster_id, it->step.identity.cluster_id, CLUSTER_ID_BYTES);
    }
    outbox_begin(&it->step.out);
    schedule_start(&it->schedule);
    submit(it);
    scheduled_pump(it);
    return 0;
}

int scheduled_end(void **context)
{
    struct scheduled *it = *context;
    schedule_clear(&it->schedule);
    raft_clear(&it->raft);
    state_clear(&it->state);
    links_clear(&it->links);
    outbox_end(&it->step.out);
    outbox_destroy(&it->step.out);
    free(it);
    return 0;
}

void scheduled_return(struct scheduled *it, node_id_t from, struct wire_result_op result,
                      struct blob *value)
{
    static const uint8_t hash[HASH_BYTES] = {1};
    struct message *message = message_new(MESSAGE_RESULT);
    message->as.result.ops.n = 1;
    message->as.result.ops.at = message_room(message, 1, sizeof *message->as.result.ops.at);
    result.job = it->job->id;
    struct slice its = result.hash.len ? result.hash : (struct slice){hash, sizeof hash};
    result.hash = message_copy(message, its);
    result.frame = value ? message_add_frame(message, value) : 0;
    message->as.result.ops.at[0] = result;
    schedule_results(&it->schedule, from, message);
    message_drop(&message);
    scheduled_pump(it);
}

void scheduled_refuse(struct scheduled *it, node_id_t from, op_id_t op, op_id_t lacks)
{
    scheduled_return(it, from,
                     (struct wire_result_op){.op = op,
                                             .attempt = 1,
                                             .again = true,
                                             .lacks = lacks,
                                             .error = slice_of("an operand cannot be fetched")},
                     NULL);
}

void scheduled_give(struct scheduled *it, node_id_t from, op_id_t op, uint64_t executed,
                    uint64_t keeps)
{
    struct blob *value = blob_copy("3628800", 7);
    scheduled_return(it, from,
                     (struct wire_result_op){.op = op,
                                             .attempt = 1,
                                             .executed = executed,
                                             .elapsed_us = 1000,
                                             .len = keeps ? keeps : value->len,
                                             .head = slice_of("362"),
                                             .tail = slice_of("800")},
                     keeps ? NULL : value);
    blob_drop(&value);
}

void scheduled_give_back(struct scheduled *it, node_id_t from, op_id_t op, uint64_t executed)
{
    scheduled_give(it, from, op, executed, 0);
}

void scheduled_log(struct scheduled *it)
{
    it->step.now_us += SCHEDULED_INTERVAL_US;
    scheduled_pump(it);
    scheduled_apply(it);
}

const struct wire_task_op *scheduled_task(struct scheduled *it, op_id_t op)
{
    uint64_t after_seq;
    for (node_id_t id = 2; id <= SCHEDULED_NODES; id++) {
        struct channel *channel = &it->links.peers[id].channel;
        const struct message *message;
        channel->linked = true;
        channel->sent = 0;
        while ((message = channel_next(channel, it->step.now_us, &after_seq)))
            for (size_t i = 0; message->type == MESSAGE_TASK && i < message->as.task.ops.n; i++)
                if (message->as.task.ops.at[i].job == it->job->id &&
                    message->as.task.ops.at[i].op == op)
                    return &message->as.task.ops.at[i];
    }
    fail_msg("operation %d was not handed out", (int)op);
    return NULL;
}
