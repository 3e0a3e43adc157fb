#include "nodes/core/schedule/shares.h"

#include "nodes/core/link/link.h"

static const struct wire_heartbeat *heartbeat_of(const struct schedule *schedule, node_id_t worker)
{
    const struct message *heartbeat = schedule->links->peers[worker].heartbeat;
    return heartbeat ? &heartbeat->as.heartbeat : NULL;
}

static bool is_shared(const struct schedule *schedule, node_id_t worker)
{
    const struct wire_heartbeat *heartbeat = heartbeat_of(schedule, worker);
    return heartbeat && heartbeat->operation_slots && heartbeat->slots;
}

uint64_t shares_slots(const struct schedule *schedule, node_id_t worker)
{
    const struct wire_heartbeat *heartbeat = heartbeat_of(schedule, worker);
    uint64_t slots = heartbeat ? heartbeat->operation_slots : 0;
    return slots < 1 ? 1 : slots < COMPUTE_IN_FLIGHT ? slots : COMPUTE_IN_FLIGHT;
}

bool shares_with_tasks(const struct schedule *schedule, node_id_t worker)
{
    return is_shared(schedule, worker) && (schedule->slots[worker].tasks || schedule->task_jobs);
}

static uint64_t rest_of(uint64_t slots, uint64_t taken)
{
    return taken < slots ? slots - taken : 0;
}

/* Of more than one slot: at least one for each sort. */
static uint64_t share_of_operations(const struct schedule *schedule, uint64_t slots)
{
    uint64_t share = slots * schedule->n_active / (schedule->n_active + schedule->task_jobs);
    return share < 1 ? 1 : share < slots ? share : slots - 1;
}

uint64_t shares_of_operations(const struct schedule *schedule, node_id_t worker)
{
    const struct worker_slot *slot = &schedule->slots[worker];
    uint64_t slots = shares_slots(schedule, worker), share = slots;
    if (!shares_with_tasks(schedule, worker))
        return slots;
    if (schedule->tasks_want)
        share = slots > 1 ? share_of_operations(schedule, slots) : slot->tasks_last;
    return earlier_us(share, rest_of(slots, slot->tasks));
}

uint64_t schedule_slots_for_tasks(const struct schedule *schedule, node_id_t worker, uint64_t slots)
{
    const struct worker_slot *slot = &schedule->slots[worker];
    uint64_t share = slots;
    if (!is_shared(schedule, worker) || (!slot->outstanding && !schedule->wants))
        return slots;
    if (schedule->wants)
        share = slots > 1 ? slots - share_of_operations(schedule, slots) : !slot->tasks_last;
    /* More may wait there than is executed: then tasks have their share as these end. */
    return schedule->wants && slots > 1 ? share
                                        : earlier_us(share, rest_of(slots, slot->outstanding));
}
