/* The state's part of a snapshot: what the log knows of the unfinished jobs, in the form of a full
 * checkpoint. From this a fresh cluster goes on. */
#include "nodes/core/state/checkpoint.h"
#include "nodes/core/state/state_machine.h"

static void count(const void *room, struct wire_cut_state *head)
{
    const struct state *state = room;
    head->jobs_open = state->jobs.open;
    head->jobs_finished = state->jobs.n - state->jobs.open;
}

static void *record(void *room, const struct cut_writer *writer)
{
    (void)writer;
    return checkpoint_begin(room, CHECKPOINT_OPEN);
}

static enum cut_progress pack(void *room, void *rest, const struct cut_writer *writer,
                              uint64_t bytes)
{
    const struct checkpoint *checkpoint = checkpoint_of(rest);
    (void)room;
    (void)bytes; /* it is packed already, slice by slice (checkpoint_pump()) */
    for (size_t i = 0; checkpoint && i < checkpoint->n; i++)
        writer->add_packed(writer->context, checkpoint->parts[i]);
    return checkpoint ? CUT_WRITTEN : checkpoint_is_lost(rest) ? CUT_LOST : CUT_GOES_ON;
}

static bool can_pack(const void *rest)
{
    return checkpoint_of(rest) || checkpoint_is_lost(rest);
}

static void drop(void *room, void *rest)
{
    struct checkpoint_build *build = rest;
    checkpoint_end(room, &build);
}

const struct participant state_participant = {
    .name = "state",
    .coordinators = true,
    .count = count,
    .record = record,
    .pack = pack,
    .can_pack = can_pack,
    .drop = drop,
};
