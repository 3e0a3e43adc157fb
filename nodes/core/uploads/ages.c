#include "nodes/core/uploads/ages.h"

#include <inttypes.h>

#include "shared/base/mutant.h"
#include "shared/base/text.h"

static uint64_t keep_us(const struct uploads *uploads)
{
    uint64_t keep = uploads->step->config.keep_values_us;
    return keep ? keep : KEEP_VALUES_DEFAULT_US;
}

/* How often time is logged. */
static uint64_t every_us(const struct uploads *uploads)
{
    return earlier_us(VALUES_AGE_EVERY_US, keep_us(uploads) / VALUES_AGE_PARTS + 1);
}

/* What is logged may have begun before a value was begun, or named last: so one is kept for as much
 * longer, and never less than it should be. */
uint64_t uploads_keep_ms(const struct uploads *uploads, bool whole)
{
    uint64_t keep = whole ? keep_us(uploads) : earlier_us(keep_us(uploads), KEEP_UNFINISHED_US);
    return (keep + every_us(uploads)) / MS_US + 1;
}

void ages_start(struct uploads *uploads)
{
    uploads->aged_us = uploads->aged_before_us = uploads->step->now_us;
    uploads->looked = false;
    uploads->dropping = 0;
}

static void log_time(struct uploads *uploads)
{
    uint64_t now_us = uploads->step->now_us;
    uint64_t from_us = MUTANT(values_age_twice) ? uploads->aged_before_us : uploads->aged_us;
    struct message *entry = message_new(MESSAGE_ENTRY_VALUE_AGED);
    entry->as.entry_value_aged.elapsed_ms = (now_us - from_us) / MS_US;
    uploads->aged_before_us = uploads->aged_us;
    uploads->aged_us = now_us - (now_us - uploads->aged_us) % MS_US; /* the rest counts later */
    raft_log_propose(uploads->raft, entry);
}

static bool is_old(const struct uploads *uploads, const struct stored_value *value)
{
    return !value->n_jobs && !stored_values_mean(&uploads->state->stored, value) &&
           stored_value_age_ms(&uploads->state->stored, value) >=
               uploads_keep_ms(uploads, value->whole);
}

/* Proposes to drop what is old; false: nothing is. */
static bool drop_old(struct uploads *uploads)
{
    const struct stored_values *stored = &uploads->state->stored;
    struct message *entry = message_new(MESSAGE_ENTRY_VALUE_DROPPED);
    struct wire_entry_value_dropped *dropped = &entry->as.entry_value_dropped;
    dropped->values.at = message_room(entry, DROP_VALUES_MAX, sizeof *dropped->values.at);
    for (size_t i = 0; i < stored->n && dropped->values.n < DROP_VALUES_MAX; i++)
        if (is_old(uploads, stored->at[i]) ||
            (MUTANT(named_value_dropped) && stored->at[i]->n_jobs))
            dropped->values.at[dropped->values.n++].value = stored->at[i]->id;
    if (!dropped->values.n) {
        message_drop(&entry);
        return false;
    }
    outbox_log(&uploads->step->out, LOG_INFO,
               "%zu stored values that no job names are too old and are dropped",
               dropped->values.n);
    uploads->dropping = raft_log_propose(uploads->raft, entry);
    return true;
}

void ages_pump(struct uploads *uploads)
{
    const struct stored_values *stored = &uploads->state->stored;
    if (!stored->unnamed)
        uploads->aged_us = uploads->aged_before_us = uploads->step->now_us;
    else if (uploads->step->now_us >= uploads->aged_us + every_us(uploads))
        log_time(uploads);
    if (uploads->dropping > uploads->state->applied)
        return;
    if (uploads->looked && uploads->looked_ms == stored->clock_ms)
        return;
    uploads->looked = !drop_old(uploads);
    uploads->looked_ms = stored->clock_ms;
}

uint64_t ages_deadline(const struct uploads *uploads)
{
    return uploads->state->stored.unnamed ? uploads->aged_us + every_us(uploads) : UINT64_MAX;
}
