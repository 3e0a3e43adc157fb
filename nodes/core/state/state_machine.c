#include "nodes/core/state/state_machine.h"

#include <assert.h>

#include "nodes/core/state/apply.h"
#include "nodes/core/state/checkpoint.h"
#include "nodes/core/state/keys_replicated.h"
#include "nodes/core/state/state_table.h"

/* --- machine.h --- */

static void *apply(void *state, log_index_t index, term_t term, const struct message *entry)
{
    return state_apply(state, index, term, entry);
}

static bool names(const void *state, struct value_id id)
{
    return state_names(state, id);
}

static bool describe(const void *state, struct value_id id, uint64_t *len, uint8_t hash[HASH_BYTES])
{
    return state_describes(state, id, len, hash);
}

static bool released(void *state, struct value_id *id, uint64_t *len)
{
    return released_take(&((struct state *)state)->released, id, len);
}

static void holds(void *state, struct value_id id)
{
    struct job *job = jobs_find(&((struct state *)state)->jobs, id.job);
    if (job)
        job->keeps = true; /* its end sweeps them */
}

static bool rests(const void *state)
{
    return !((const struct state *)state)->jobs.open;
}

static incarnation_t *births(void *state)
{
    return ((struct state *)state)->head.births;
}

static struct checkpoint_build *save(void *state)
{
    return checkpoint_begin(state, CHECKPOINT_WHOLE);
}

static void stores(void *state, const struct checkpoint *checkpoint)
{
    keys_store_blocks(state, checkpoint);
}

static void end(void *state, struct checkpoint_build **build)
{
    checkpoint_end(state, build);
}

static void *fresh(const void *state)
{
    return checkpoint_scratch_new(state);
}

static int load(void *fresh, struct slice part, machine_value *each, void *each_context)
{
    return checkpoint_load_part(fresh, part, each, each_context);
}

static bool is_whole(const void *fresh, const struct checkpoint *checkpoint)
{
    const struct state *loaded = fresh;
    return loaded->applied == checkpoint->index && loaded->applied_term == checkpoint->term &&
           !loaded->keys.window.missing && state_has_all_inputs(loaded);
}

static void replace(void *state, void **fresh)
{
    struct state *loaded = *fresh;
    checkpoint_replace_state(state, &loaded);
    keys_forget_blocks(state);
    *fresh = NULL;
}

static void drop(void **fresh)
{
    struct state *loaded = *fresh;
    checkpoint_scratch_drop(&loaded);
    *fresh = NULL;
}

const struct machine state_machine = {
    .check = state_entry_is_valid,
    .values = state_entry_values,
    .apply = apply,
    .names = names,
    .describe = describe,
    .released = released,
    .holds = holds,
    .rests = rests,
    .births = births,
    .save = save,
    .saved = checkpoint_of,
    .stores = stores,
    .end = end,
    .fresh = fresh,
    .load = load,
    .is_whole = is_whole,
    .replace = replace,
    .drop = drop,
};

/* --- the room --- */

void state_init(struct state *state, struct step *step)
{
    state->step = step;
    checkpoint_init(state);
}

void state_pump(struct state *state)
{
    checkpoint_pump(state);
}

uint64_t state_deadline(const struct state *state)
{
    return checkpoint_deadline(state);
}

void state_clear(struct state *state)
{
    checkpoint_clear_state(state);
    released_clear(&state->released);
}

void state_check_invariants(const struct state *state)
{
    assert(state->step->term >= state->applied_term);
    assert(state->keys_stored_first <= state->keys_stored_next);
    for (int i = 0; i < TABLE_COUNT; i++)
        if (state_tables[i]->check_invariants)
            state_tables[i]->check_invariants(state);
    checkpoint_check_invariants(state);
}
