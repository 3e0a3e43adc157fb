#include "nodes/core/service/heartbeat.h"

#include "nodes/core/link/link.h"
#include "nodes/core/raft/raft.h"
#include "nodes/core/worker/worker.h"
#include "shared/base/heartbeat.h"
#include "shared/base/text.h"

static struct slice access_hash(const struct access_list *list)
{
    return (struct slice){list->hash, list->version ? sizeof list->hash : 0};
}

/* --- what others act on --- */

static struct heartbeat_told to_tell(const struct service *service)
{
    const struct worker *worker = service->worker;
    const struct raft *raft = service->raft;
    return (struct heartbeat_told){.applied = raft->log.applied,
                                   .committed = raft->log.commit,
                                   .fetched = raft->follower.fetched,
                                   .operations = worker->operations + worker->conversions,
                                   .held = worker->held.map.count,
                                   .rejected = service->step->rejected,
                                   .refused = service->step->refused,
                                   .forbidden = service->step->forbidden,
                                   .access_version = service->state->access_list.version,
                                   .full = raft->full,
                                   .pressed = worker_is_pressed(worker),
                                   .voter = members_counts(raft, service->step->config.id)};
}

static bool works(const struct service *service)
{
    const struct worker *worker = service->worker;
    return worker->queued || worker->held.map.count || worker_executing(worker).op ||
           service->step->slots.operations + service->step->slots.tasks;
}

static bool is_same(const struct heartbeat_told *a, const struct heartbeat_told *b)
{
    return a->applied == b->applied && a->committed == b->committed && a->fetched == b->fetched &&
           a->operations == b->operations && a->held == b->held && a->rejected == b->rejected &&
           a->refused == b->refused && a->forbidden == b->forbidden &&
           a->access_version == b->access_version && a->full == b->full &&
           a->pressed == b->pressed && a->voter == b->voter;
}

/* Whoever returns, or lags behind an election, believes a term only when several tell it, and waits
 * for their heartbeats: all beat as ever until all that live follow one coordinator. */
static bool all_agree(const struct service *service)
{
    const struct step *step = service->step;
    bool agree = true;
    for (node_id_t id = 1; agree && id <= step->config.n_nodes; id++) {
        const struct peer *peer = &service->links->peers[id];
        const struct wire_heartbeat *of = peer->heartbeat ? &peer->heartbeat->as.heartbeat : NULL;
        agree =
            !peer->alive || (of && of->term == step->term && of->coordinator == step->coordinator);
    }
    return agree;
}

/* It follows a coordinator as all do, or serves with no job open, its disk does not wait, and what
 * it said last is still so. */
static bool has_nothing_to_tell(const struct service *service)
{
    const struct step *step = service->step;
    bool serves = service->raft->election.serving && !service->state->jobs.open;
    if (!step->coordinator || (step->coordinator == step->config.id && !serves) || works(service) ||
        service->raft->disk_busy_us >= MS_US)
        return false;
    struct heartbeat_told now = to_tell(service);
    return is_same(&now, &service->told) && all_agree(service);
}

uint64_t heartbeat_deadline(const struct service *service)
{
    bool rests = service->heartbeat_rest_us > service->heartbeat_at_us;
    return rests && has_nothing_to_tell(service) ? service->heartbeat_rest_us
                                                 : service->heartbeat_at_us;
}

/* Multiples of the period: nodes of one machine, whose clock is one, then wake each other once a
 * period and not once for every peer, which halves what an idle cluster costs. */
static uint64_t multiple_after(uint64_t now_us, uint64_t period_us)
{
    return (now_us / period_us + 1) * period_us;
}

struct slice heartbeat_syncs(const struct service *service, struct message *message)
{
    if (!histogram_count(&service->syncs))
        return (struct slice){0};
    uint8_t *at = message_room(message, HISTOGRAM_BYTES, 1);
    histogram_pack(&service->syncs, at);
    return (struct slice){at, HISTOGRAM_BYTES};
}

static void publish_heartbeat(struct service *service)
{
    const struct node_config *config = &service->step->config;
    struct value_id executing = worker_executing(service->worker);
    struct message *message = message_new(MESSAGE_HEARTBEAT);
    message->as.heartbeat = (struct wire_heartbeat){
        .node = config->id,
        .incarnation = config->incarnation,
        .seq = ++service->step->feed_seq,
        .time_ms = service->step->wall_ms,
        .term = service->step->term,
        .role = message_text(message, election_role_name(service->raft)),
        .coordinator = service->step->coordinator,
        .serving = service->raft->election.serving,
        .operations = service->worker->operations,
        .conversions = service->worker->conversions,
        .queued = service->worker->queued,
        .executing_job = executing.job,
        .executing_op = executing.op,
        .executing_starved_us = executing.op ? service->starved_us : 0,
        .delay_us = config->delay_us,
        .slots = config->slots,
        .operation_slots = config->operation_slots,
        .slots_used = service->step->slots.operations + service->step->slots.tasks,
        .held_bytes = held_memory_bytes(&service->worker->held),
        .spilled_bytes = held_spilled_bytes(&service->worker->held),
        .unspillable = service->worker->unspillable,
        .pressed = worker_is_pressed(service->worker),
        .held = service->worker->held.map.count,
        .applied = service->raft->log.applied,
        .committed = service->raft->log.commit,
        .rejected = service->step->rejected,
        .refused = service->step->refused,
        .forbidden = service->step->forbidden,
        .insecure = config->insecure,
        .jobs = step_coordinates(service->step) ? service->state->jobs.open : 0,
        .full = service->raft->full,
        .turn_us = service->turn.us,
        .turn_in = message_text(message, service->turn.in ? service->turn.in : ""),
        .turn_own_us = service->turn.own_us,
        .turn_own_in = message_text(message, service->turn.own_in ? service->turn.own_in : ""),
        .turn_faults = service->turn.faults,
        .turn_blocked = service->turn.blocked,
        .fetched = service->raft->follower.fetched,
        .disk_ms = service->raft->disk_busy_us / MS_US,
        .syncs = heartbeat_syncs(service, message),
        .host = message_text(message, config->host),
        .pid = config->pid,
        .version = message_text(message, config->version),
        .cluster_id = message_copy(message, step_cluster_id(service->step)),
        .birth = service->step->birth,
        .voter = members_counts(service->raft, config->id),
        .entries = ENTRY_LEVEL,
        .bundles = true,
        .access_version = service->state->access_list.version,
        .access_hash = message_copy(message, access_hash(&service->state->access_list)),
        .voters = step_is_founded(service->step) ? config->n_voters : 0,
    };
    outbox_publish(&service->step->out, message);
}

void heartbeat_tick(struct service *service)
{
    if (!service->step->news && service->step->now_us < heartbeat_deadline(service))
        return;
    publish_heartbeat(service);
    const struct node_config *config = &service->step->config;
    uint64_t now_us = service->step->now_us, period_us = config->heartbeat_us;
    service->step->news = false;
    service->told = to_tell(service);
    service->heartbeat_at_us = multiple_after(now_us, period_us);
    period_us =
        heartbeat_idle_us(period_us, config->election_timeout_us, step_coordinates(service->step));
    service->heartbeat_rest_us = multiple_after(now_us, period_us);
}
