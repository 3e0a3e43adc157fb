/* The head as a table of the state: the first part of a checkpoint. */
#include <string.h>

#include "nodes/core/state/state_table.h"
#include "shared/base/error.h"

/* --- entries --- */

static bool check(const struct message *entry)
{
    return entry->type == MESSAGE_ENTRY_NOOP || entry->type == MESSAGE_ENTRY_VOTER_ADMITTED;
}

/* What comes after the end of its job is not counted, but for how often it was handed out. */
static struct job *apply(struct state *state, log_index_t index, term_t term,
                         const struct message *entry)
{
    struct head *head = &state->head;
    (void)index;
    (void)term;
    head->elections += entry->type == MESSAGE_ENTRY_NOOP;
    if (!jobs_entry_is_done(entry))
        return NULL;
    const struct wire_done *done = &entry->as.done;
    head->reassigned += done->reassigned;
    for (size_t i = 0; i < done->tallies.n && jobs_is_open(&state->jobs, entry); i++) {
        const struct wire_tally *tally = &done->tallies.at[i];
        head->operations[tally->node] += tally->operations;
        head->conversions[tally->node] += tally->conversions;
    }
    return NULL;
}

/* --- saving --- */

static void save_births(const struct state *state, struct message *message,
                        struct wire_image_head *head)
{
    uint32_t n = state->step->config.n_voters;
    if (!step_is_founded(state->step))
        return;
    head->cluster_id = message_copy(message, step_cluster_id(state->step));
    head->births.n = n;
    head->births.at = message_room(message, n, sizeof *head->births.at);
    for (node_id_t id = 1; id <= n; id++)
        head->births.at[id - 1] = (struct wire_voter_birth){id, state->head.births[id]};
}

static void save_all(struct checkpoint_sink *sink, const struct state *state)
{
    struct message *message = message_new(MESSAGE_IMAGE_HEAD);
    struct wire_image_head *head = &message->as.image_head;
    head->index = sink->index;
    head->index_term = sink->term;
    head->elections = state->head.elections;
    head->reassigned = state->head.reassigned;
    head->values_ms = sink->use == CHECKPOINT_OPEN ? 0 : state->stored.clock_ms;
    save_births(state, message, head);
    head->tallies.n = NODES_MAX;
    head->tallies.at = message_room(message, NODES_MAX, sizeof *head->tallies.at);
    for (node_id_t id = 1; id <= NODES_MAX; id++)
        head->tallies.at[id - 1] = (struct wire_tally){.node = id,
                                                       .operations = state->head.operations[id],
                                                       .conversions = state->head.conversions[id]};
    checkpoint_sink_add(sink, message);
}

/* --- loading --- */

/* The births in the head; of another cluster: those of our founding. */
static void load_births(struct state *state, const struct wire_image_head *head)
{
    const struct identity *identity = &state->step->identity;
    memcpy(state->head.births, identity->births, sizeof state->head.births);
    /* That of a cluster from whose snapshot this one was made, or that was recovered. */
    if (!step_is_ours(state->step, head->cluster_id))
        return;
    for (size_t i = 0; i < head->births.n; i++)
        if (head->births.at[i].node <= state->step->config.n_voters) /* as save_births() has them */
            state->head.births[head->births.at[i].node] = head->births.at[i].birth;
}

static int load(struct state *state, const struct message *part, struct slice packed)
{
    const struct wire_image_head *head = &part->as.image_head;
    (void)packed;
    state->applied = head->index;
    state->applied_term = head->index_term;
    state->head.elections = head->elections;
    state->head.reassigned = head->reassigned;
    state->stored.clock_ms = head->values_ms;
    for (size_t i = 0; i < head->births.n; i++)
        if (!head->births.at[i].node)
            return ERR_MALFORMED;
    load_births(state, head);
    for (size_t i = 0; i < head->tallies.n; i++) {
        const struct wire_tally *tally = &head->tallies.at[i];
        if (!tally->node)
            return ERR_MALFORMED;
        state->head.operations[tally->node] = tally->operations;
        state->head.conversions[tally->node] = tally->conversions;
    }
    return OK;
}

/* --- comparing --- */

static const struct member head_fields[] = {
    FIELD(head, births, bytes),    FIELD(head, operations, bytes), FIELD(head, conversions, bytes),
    FIELD(head, elections, bytes), FIELD(head, reassigned, bytes),
};

static uint64_t digest(const struct state *state)
{
    return digest_fields(FIELDS_OF(head), &state->head);
}

static void compare(const struct comparison *to, const struct state *a, const struct state *b)
{
    compare_fields(to, FIELDS_OF(head), &a->head, &b->head);
}

/* --- the table --- */

const struct state_table state_head = {
    .name = "head",
    .check = check,
    .apply = apply,
    .save_all = save_all,
    .parts = {MESSAGE_IMAGE_HEAD},
    .load = load,
    .digest = digest,
    .compare = compare,
};
