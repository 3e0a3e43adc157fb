#include "nodes/core/service/reports.h"

#include <inttypes.h>
#include <string.h>

#include "nodes/core/raft/raft.h"
#include "nodes/core/link/link.h"
#include "nodes/core/schedule/schedule.h"
#include "nodes/core/service/heartbeat.h"
#include "nodes/core/service/rights.h"

#define PAGE_BYTES_MAX (FRAME_MAP_MAX_BYTES / 2) /* of texts in one page of jobs */

/* Of a job of tasks: `done` and `total` are theirs, as those of operations are of another. */
static void report_tasks(const struct service *service, struct message *message,
                         const struct job *job, struct wire_job_row *row)
{
    const struct task_job *tasks = task_jobs_find(&service->state->task_jobs, job->id);
    row->tasks.n = 1;
    row->tasks.at = message_room(message, 1, sizeof *row->tasks.at);
    tasks_count(service->tasks, tasks, &row->tasks.at[0]);
    row->parent = tasks->parent;
    row->total = tasks->total;
    row->done = tasks->decided.count;
    row->executed = tasks->attempts;
    if (tasks_is_active(service->tasks, job->id))
        row->state = message_text(message, "running");
}

void report_job(const struct service *service, struct message *message, const struct job *job,
                struct wire_job_row *row)
{
    struct job_status status = schedule_status(service->schedule, job);
    job_write_row(message, job, row);
    row->key = message_text(message, rights_given_key(job));
    if (!rights_see_results(service))
        row->sha256 = row->text = row->head = row->tail = (struct slice){0};
    row->state = message_text(message, status.state);
    row->done = status.done;
    row->executed = status.executed;
    if (plan_tasks(&job->plan))
        report_tasks(service, message, job, row);
}

void report_losses(const struct service *service, struct message *message, const struct job *job,
                   struct wire_job *answer)
{
    const struct job_losses *losses = schedule_status(service->schedule, job).losses;
    answer->losses.n = job_losses_write(losses, message, &answer->losses.at);
}

void report_timing(const struct service *service, struct message *message, const struct job *job,
                   struct wire_job *answer)
{
    struct timing timing;
    if (plan_tasks(&job->plan) || !schedule_timing(service->schedule, job, &timing))
        return;
    answer->since_ms = timing.since_ms;
    answer->timing.n = PHASE_KINDS;
    answer->timing.at = message_room(message, PHASE_KINDS, sizeof *answer->timing.at);
    for (enum phase phase = 0; phase < PHASE_KINDS; phase++)
        answer->timing.at[phase] =
            (struct wire_phase_row){slice_of(phase_name(phase)), timing.us[phase]};
}

void report_jobs(const struct service *service, struct message *message, job_id_t after,
                 struct wire_job_page *page)
{
    const struct jobs *jobs = &service->state->jobs;
    size_t at = jobs_after(jobs, after), bytes = 0;
    page->jobs.at = message_room(message, JOB_PAGE_MAX, sizeof *page->jobs.at);
    for (size_t seen = 0; at < jobs->n && page->jobs.n < JOB_PAGE_MAX; at++) {
        const struct job *job = jobs->at[at];
        if (seen++ == JOB_PAGE_LOOK_MAX)
            break;
        if (!rights_see_job(service, job))
            continue;
        /* Room for the numbers and names, and for the texts of this one. */
        size_t wanted = 560 + (job->text ? job->text->len : 0) + slice_of(job->reason).len;
        if (bytes + wanted > PAGE_BYTES_MAX)
            break;
        bytes += wanted;
        report_job(service, message, job, &page->jobs.at[page->jobs.n++]);
    }
    page->more = at < jobs->n;
    page->after = page->more && at ? jobs->at[at - 1]->id : after;
}

bool report_trace(const struct service *service, struct message *message, const struct job *job,
                  op_id_t after, struct wire_trace_page *page)
{
    const struct trace_mark *trace = schedule_status(service->schedule, job).trace;
    /* Of an unfinished job it is told before anything is done: nobody has executed anything yet. */
    if (plan_tasks(&job->plan))
        return false;
    if (!trace && job->plan.total && (job_is_finished(job) || job->plan.total > TRACE_OPS_MAX))
        return false;
    page->ops.at = message_room(message, TRACE_PAGE_MAX, sizeof *page->ops.at);
    for (op_id_t op = after + 1; op <= job->plan.total && page->ops.n < TRACE_PAGE_MAX; op++) {
        struct wire_trace_row *row = &page->ops.at[page->ops.n++];
        struct plan_operand operands[OPERANDS_MAX];
        size_t n = plan_operands(&job->plan, op, operands);
        row->op = op;
        row->opcode = message_text(message, operator_traits(plan_opcode(&job->plan, op))->name);
        row->node = trace ? trace[op - 1].node : NODE_NONE;
        row->attempt = trace ? trace[op - 1].attempt : 0;
        row->operands.n = n;
        row->operands.at = message_room(message, n, sizeof *row->operands.at);
        for (size_t i = 0; i < n; i++)
            row->operands.at[i] =
                (struct wire_operand){.op = operands[i].op, .literal = operands[i].literal};
    }
    page->more = after + page->ops.n < job->plan.total;
    return true;
}

static void report_self(const struct service *service, struct message *message,
                        struct wire_node_row *row)
{
    row->host = message_text(message, service->step->config.host);
    row->pid = service->step->config.pid;
    row->role = message_text(message, election_role_name(service->raft));
    row->alive = true;
    row->incarnation = service->step->config.incarnation;
    row->term = service->step->term;
    row->slots = service->step->config.slots;
    row->operation_slots = service->step->config.operation_slots;
    row->slots_used = service->step->slots.operations + service->step->slots.tasks;
    row->held = service->worker->held.map.count;
    row->held_bytes = held_memory_bytes(&service->worker->held);
    row->spilled_bytes = held_spilled_bytes(&service->worker->held);
    row->unspillable = service->worker->unspillable;
    row->pressed = service->worker->pressed;
    row->applied = service->raft->log.applied;
    row->committed = service->raft->log.commit;
    row->rejected = service->step->rejected;
    row->refused = service->step->refused;
    row->forbidden = service->step->forbidden;
    row->insecure = service->step->config.insecure;
    row->full = service->raft->full;
    row->turn_us = service->turn.us;
    row->turn_in = message_text(message, service->turn.in ? service->turn.in : "");
    row->turn_own_us = service->turn.own_us;
    row->turn_own_in = message_text(message, service->turn.own_in ? service->turn.own_in : "");
    row->turn_faults = service->turn.faults;
    row->turn_blocked = service->turn.blocked;
    row->syncs = heartbeat_syncs(service, message);
    row->cluster_id = message_copy(message, step_cluster_id(service->step));
    row->version = message_text(message, service->step->config.version);
}

static void report_peer(const struct service *service, node_id_t id, struct message *message,
                        struct wire_node_row *row)
{
    const struct peer *peer = &service->links->peers[id];
    const uint8_t *cluster_id = service->raft->members.of[id].cluster_id;
    row->alive = peer->alive;
    row->incarnation = peer->incarnation;
    if (memcmp(cluster_id, (uint8_t[CLUSTER_ID_BYTES]){0}, CLUSTER_ID_BYTES))
        row->cluster_id = message_copy(message, (struct slice){cluster_id, CLUSTER_ID_BYTES});
    row->role = message_text(message, "unknown");
    if (!peer->heartbeat)
        return;
    const struct wire_heartbeat *heartbeat = &peer->heartbeat->as.heartbeat;
    row->host = message_copy(message, heartbeat->host);
    row->pid = heartbeat->pid;
    if (peer->alive)
        row->role = message_copy(message, heartbeat->role);
    row->term = heartbeat->term;
    row->slots = heartbeat->slots;
    row->operation_slots = heartbeat->operation_slots;
    row->slots_used = heartbeat->slots_used;
    row->held = heartbeat->held;
    row->held_bytes = heartbeat->held_bytes;
    row->spilled_bytes = heartbeat->spilled_bytes;
    row->unspillable = heartbeat->unspillable;
    row->pressed = heartbeat->pressed;
    row->applied = heartbeat->applied;
    row->committed = heartbeat->committed;
    row->rejected = heartbeat->rejected;
    row->refused = heartbeat->refused;
    row->forbidden = heartbeat->forbidden;
    row->insecure = heartbeat->insecure;
    row->full = heartbeat->full;
    row->turn_us = heartbeat->turn_us;
    row->turn_own_us = heartbeat->turn_own_us;
    row->turn_in = message_copy(message, heartbeat->turn_in);
    row->turn_own_in = message_copy(message, heartbeat->turn_own_in);
    row->turn_faults = heartbeat->turn_faults;
    row->turn_blocked = heartbeat->turn_blocked;
    row->syncs = message_copy(message, heartbeat->syncs);
    row->version = message_copy(message, heartbeat->version);
}

void report_status(const struct service *service, struct message *message,
                   struct wire_status *status)
{
    const size_t *states = service->state->jobs.states;
    uint32_t n = service->step->config.n_nodes;
    struct text founding = {0};
    *status = (struct wire_status){
        .coordinator = service->step->coordinator,
        .term = service->step->term,
        .quorum = election_quorum(service->raft),
        .healthy = health_is_good(service->raft),
        .may_fail = health_may_fail(service->raft),
        .queued = states[JOB_QUEUED] - service->schedule->n_active - service->tasks->n_active,
        .running = service->schedule->n_active + service->tasks->n_active,
        .done = states[JOB_DONE],
        .failed = states[JOB_FAILED],
        .cancelled = states[JOB_CANCELLED],
        .operations = service->schedule->operations,
        .reassigned = service->state->head.reassigned + service->schedule->reassigned,
        .copied = service->schedule->copied,
        .elections = service->state->head.elections,
        .founded = step_is_founded(service->step),
        .cluster_id = message_copy(message, step_cluster_id(service->step)),
        .kept_jobs = service->state->jobs.finished.n,
        .kept_bytes = service->state->jobs.finished.bytes,
        .keep_jobs = retention_of(service->state).jobs,
        .keep_bytes = service->state->retention.bytes,
    };
    founding_reason(service->raft, &founding);
    status->founding = message_text(message, founding.at);
    status->nodes.n = n;
    status->nodes.at = message_room(message, n, sizeof *status->nodes.at);
    for (node_id_t id = 1; id <= n; id++) {
        struct wire_node_row *row = &status->nodes.at[id - 1];
        const struct peer *peer = &service->links->peers[id];
        row->node = id;
        if (id == service->step->config.id)
            report_self(service, message, row);
        else
            report_peer(service, id, message, row);
        row->behind_ms = health_behind_ms(service->raft, id);
        row->stalled_ms = health_stalled_ms(service->raft, id);
        row->voter = id <= service->step->config.n_voters;
        row->admitted = id != service->step->config.id && peer->heartbeat
                            ? peer->heartbeat->as.heartbeat.voter
                            : members_counts(service->raft, id);
        row->refusal = message_text(message, peers_refusal(service->links, id));
        row->boots = row->incarnation >> 32;
        status->restarts += row->boots ? row->boots - 1 : 0;
        row->operations = service->schedule->slots[id].operations;
        row->conversions = service->schedule->slots[id].conversions;
        row->assigned = service->schedule->slots[id].outstanding;
    }
}

void report_explanation(const struct service *service, const struct job *job, struct text *out)
{
    char id[JOB_TEXT_MAX];
    struct text full = {0};
    struct job_status status = schedule_status(service->schedule, job);
    text_add(out, "job %s, ", job_id_text(job->id, id));
    plan_name(&job->plan, out);
    if (plan_tasks(&job->plan)) {
        tasks_explain(service->tasks, job, out);
        return;
    }
    text_add(out, ", is %s\n", status.state);
    text_add(out, "%" PRIu64 " of %" PRIu64 " operations done, %" PRIu64 " executed in all\n",
             status.done, job->plan.total, status.executed);
    if (job->state == JOB_DONE)
        text_add(out, "its result has %" PRIu64 " digit%s, converted by node %u\n", job->digits,
                 job->digits == 1 ? "" : "s", job->converter);
    else if (job_is_finished(job))
        text_add(out, "%s\n", job->reason);
    else if (!space_suffices(service->raft, &full))
        text_add(out, "it waits: %s\n", full.at);
    else
        schedule_explain(service->schedule, job, out);
}
