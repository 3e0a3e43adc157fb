/* How much is remembered, as a table of the state: one entry sets it. */
#include "nodes/core/state/retention.h"

#include "nodes/core/state/state_table.h"
#include "shared/base/error.h"

static bool check(const struct message *entry)
{
    return entry->type == MESSAGE_ENTRY_RETENTION_SET && entry->as.entry_retention_set.jobs;
}

static struct job *apply(struct state *state, log_index_t index, term_t term,
                         const struct message *entry)
{
    (void)index;
    (void)term;
    if (check(entry))
        state->retention = (struct retention){entry->as.entry_retention_set.jobs,
                                              entry->as.entry_retention_set.bytes};
    return NULL;
}

/* Before the log says anything there is no part, so that earlier releases read the checkpoint. A
 * fresh cluster that goes on from a snapshot sets its own. */
static void save_all(struct checkpoint_sink *sink, const struct state *state)
{
    if (!state->retention.jobs || sink->use == CHECKPOINT_OPEN)
        return;
    struct message *message = message_new(MESSAGE_IMAGE_RETENTION);
    message->as.image_retention =
        (struct wire_image_retention){state->retention.jobs, state->retention.bytes};
    checkpoint_sink_add(sink, message);
}

static int load(struct state *state, const struct message *part, struct slice packed)
{
    (void)packed;
    if (!part->as.image_retention.jobs)
        return ERR_MALFORMED;
    state->retention =
        (struct retention){part->as.image_retention.jobs, part->as.image_retention.bytes};
    return OK;
}

static const struct member retention_fields[] = {
    FIELD(retention, jobs, bytes),
    FIELD(retention, bytes, bytes),
};

static uint64_t digest(const struct state *state)
{
    return digest_fields(FIELDS_OF(retention), &state->retention);
}

static void compare(const struct comparison *to, const struct state *a, const struct state *b)
{
    compare_fields(to, FIELDS_OF(retention), &a->retention, &b->retention);
}

static void clear(struct state *state)
{
    state->retention = (struct retention){0};
}

const struct state_table state_retention = {
    .name = "retention",
    .clear = clear,
    .check = check,
    .apply = apply,
    .save_all = save_all,
    .parts = {MESSAGE_IMAGE_RETENTION},
    .load = load,
    .digest = digest,
    .compare = compare,
};
