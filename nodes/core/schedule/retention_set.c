#include "nodes/core/schedule/retention_set.h"

#include <inttypes.h>

#include "nodes/core/raft/raft.h"

struct retention schedule_retention(const struct schedule *schedule)
{
    const struct node_config *config = &schedule->step->config;
    struct retention now = retention_of(schedule->state);
    bool said = schedule->state->retention.jobs != 0;
    if (!config->sets_retention)
        return now;
    if (config->keep_jobs)
        now.jobs = config->keep_jobs;
    if (config->keep_bytes)
        now.bytes = config->keep_bytes;
    else if (!said)
        now.bytes = KEEP_BYTES_DEFAULT;
    return now;
}

static bool holds(const struct schedule *schedule, struct retention wanted)
{
    struct retention now = schedule->state->retention;
    return now.jobs == wanted.jobs && now.bytes == wanted.bytes;
}

void retention_pump(struct schedule *schedule)
{
    struct retention wanted = schedule_retention(schedule);
    if (!schedule->step->config.sets_retention || schedule->retention > schedule->raft->log.applied)
        return;
    if (holds(schedule, wanted) && !retention_is_behind(schedule->state))
        return;
    if (!members_know_entries(schedule->raft, ENTRY_LEVEL_RETENTION, NULL))
        return;
    if (!holds(schedule, wanted))
        outbox_log(&schedule->step->out, LOG_INFO,
                   "logs what is kept: %" PRIu64 " finished jobs, and %" PRIu64
                   " bytes of their results",
                   wanted.jobs, wanted.bytes);
    struct message *entry = message_new(MESSAGE_ENTRY_RETENTION_SET);
    entry->as.entry_retention_set =
        (struct wire_entry_retention_set){.jobs = wanted.jobs, .bytes = wanted.bytes};
    schedule->retention = raft_log_propose(schedule->raft, entry);
}
