#include "nodes/core/runner/inputs.h"

#include <assert.h>

#include "nodes/core/runner/bundles.h"
#include "nodes/core/runner/needs.h"
#include "shared/base/mutant.h"

static struct task_input *find(struct runner *runner, struct value_id id)
{
    for (size_t i = 0; i < runner->n_inputs; i++)
        if (value_id_same(runner->inputs[i].id, id))
            return &runner->inputs[i];
    return NULL;
}

/* In memory no more, and fetched no more. */
static void let_go(struct runner *runner, struct task_input *input)
{
    outbox_drop(&runner->step->out, USER_RUNNER, input->id);
    blob_drop(&input->bytes);
    *input = runner->inputs[--runner->n_inputs];
}

/* --- fetching --- */

static bool is_asked(const struct task_input *input, node_id_t id)
{
    for (size_t i = 0; i < input->n_sources; i++)
        if (input->sources[i] == id)
            return true;
    return false;
}

/* The coordinator, which has all; then voters that live, another one for each segment. */
static node_id_t next_source(const struct runner *runner, const struct task_input *input)
{
    node_id_t coordinator = runner->step->coordinator;
    uint32_t voters = runner->step->config.n_voters;
    if (step_is_peer(runner->step, coordinator) && !is_asked(input, coordinator))
        return coordinator;
    for (uint32_t i = 0; i < voters; i++) {
        node_id_t id = (node_id_t)((input->id.op + i) % voters) + 1;
        if (step_is_peer(runner->step, id) && runner->links->peers[id].alive &&
            !is_asked(input, id))
            return id;
    }
    return NODE_NONE;
}

static void fetch(struct runner *runner, struct task_input *input)
{
    node_id_t source =
        input->n_sources < INPUT_SOURCES_MAX ? next_source(runner, input) : NODE_NONE;
    input->state = source ? INPUT_FETCHING : INPUT_FAILED;
    if (!source)
        return;
    input->sources[input->n_sources++] = source;
    outbox_fetch(&runner->step->out, USER_RUNNER, input->id, source, input->len, input->hash, 0);
}

void runner_value_ready(struct runner *runner, struct value_id id, struct blob *bytes)
{
    struct task_input *input = find(runner, id);
    if (!input) {
        outbox_drop(&runner->step->out, USER_RUNNER, id);
        return;
    }
    input->state = INPUT_HERE;
    blob_drop(&input->bytes);
    input->bytes = blob_ref(bytes);
}

void runner_value_failed(struct runner *runner, struct value_id id)
{
    struct task_input *input = find(runner, id);
    if (input)
        fetch(runner, input);
    else
        bundles_failed(runner, id);
}

/* --- what is wanted --- */

void inputs_look(struct runner *runner)
{
    runner->looks++;
}

/* There is room, or the one makes it that was not wanted for longest; not one of this look. */
static bool make_room(struct runner *runner)
{
    struct task_input *oldest = NULL;
    if (runner->n_inputs < INPUTS_HELD_MAX)
        return true;
    for (size_t i = 0; i < runner->n_inputs; i++)
        if (runner->inputs[i].wanted < runner->looks &&
            (!oldest || runner->inputs[i].wanted < oldest->wanted))
            oldest = &runner->inputs[i];
    if (!oldest)
        return false;
    let_go(runner, oldest);
    return true;
}

static enum input_state want(struct runner *runner, job_id_t job, const struct stored_value *value,
                             const struct stored_segment *segment)
{
    struct value_id id = {value->id, segment->op};
    struct task_input *input = find(runner, id);
    if (!input) {
        if (!make_room(runner))
            return INPUT_FETCHING;
        input = &runner->inputs[runner->n_inputs++];
        *input = (struct task_input){.id = id, .len = segment->len};
        memcpy(input->hash, segment->sha256, HASH_BYTES);
        fetch(runner, input);
    }
    input->job = job;
    input->wanted = runner->looks;
    return input->state;
}

/* The segment with that record, from 0, of all; and its place in there. NULL: there is none. */
static const struct stored_segment *segment_of(const struct stored_value *value, uint64_t record,
                                               uint64_t *place)
{
    for (size_t i = 0; i < value->n_segments; i++) {
        if (record < value->segments[i].items) {
            *place = record;
            return &value->segments[i];
        }
        record -= value->segments[i].items;
    }
    return NULL;
}

/* One that failed goes: the next attempt fetches it again. */
static void forget_failed(struct runner *runner)
{
    for (size_t i = 0; i < runner->n_inputs;)
        if (runner->inputs[i].state == INPUT_FAILED)
            let_go(runner, &runner->inputs[i]);
        else
            i++;
}

static enum inputs_state lacking(struct runner *runner, const char **why)
{
    forget_failed(runner);
    *why = "its inputs cannot be fetched";
    return INPUTS_LACKING;
}

static enum inputs_state parts_state(struct runner *runner, bool here, bool failed,
                                     const char **why, bool *for_all)
{
    *for_all = failed && MUTANT(lacking_file_is_failure);
    if (failed && !MUTANT(lacking_file_begins))
        return lacking(runner, why);
    return here || MUTANT(files_not_awaited) || failed ? INPUTS_HERE : INPUTS_WAIT;
}

/* The segments of the job's second input, once those of the first are here. Where these do not say
 * which, or others than there can be, the attempt begins without, and has that for its reason. */
static enum inputs_state want_parts(struct runner *runner, const struct job *job,
                                    struct task_order *order, const char **why, bool *for_all)
{
    const struct stored_value *value = stored_values_find(&runner->state->stored, job->inputs[1]);
    struct needs_range ranges[NEEDS_MAX];
    bool here = true, failed = false;
    if (!value ||
        !needs_read(find(runner, order->spec), find(runner, order->record), order->place, ranges) ||
        !needs_parts(value, ranges, order->parts, &order->n_parts)) {
        order->n_parts = 0;
        return INPUTS_HERE;
    }
    for (size_t i = 0; i < order->n_parts; i++) {
        enum input_state state =
            want(runner, job->id, value, stored_value_segment(value, order->parts[i].id.op));
        here = here && state == INPUT_HERE;
        failed = failed || state == INPUT_FAILED;
    }
    return parts_state(runner, here, failed, why, for_all);
}

enum inputs_state inputs_want(struct runner *runner, struct task_order *order, const char **why,
                              bool *for_all)
{
    const struct job *job = jobs_find(&runner->state->jobs, order->job);
    if (!job)
        return INPUTS_WAIT; /* the log will tell of it */
    const struct stored_value *value =
        job->n_inputs ? stored_values_find(&runner->state->stored, job->inputs[0]) : NULL;
    uint64_t place = 0;
    /* Record 0 is what all have in common. */
    const struct stored_segment *spec = value ? segment_of(value, 0, &place) : NULL;
    const struct stored_segment *record = spec ? segment_of(value, order->task, &place) : NULL;
    *for_all = !record;
    if (!record) {
        *why = "its inputs are not there";
        return INPUTS_LACKING;
    }
    enum input_state a = want(runner, job->id, value, spec);
    enum input_state b = want(runner, job->id, value, record);
    if (a == INPUT_FAILED || b == INPUT_FAILED)
        return lacking(runner, why);
    if (a != INPUT_HERE || b != INPUT_HERE)
        return INPUTS_WAIT;
    order->spec = (struct value_id){value->id, spec->op};
    order->record = (struct value_id){value->id, record->op};
    order->place = place - MUTANT(record_off_by_one);
    order->n_parts = 0;
    return job->n_inputs > 1 ? want_parts(runner, job, order, why, for_all) : INPUTS_HERE;
}

void inputs_clear(struct runner *runner)
{
    for (size_t i = 0; i < runner->n_inputs; i++)
        blob_drop(&runner->inputs[i].bytes);
    runner->n_inputs = 0;
}

void inputs_let_go(struct runner *runner)
{
    for (size_t i = 0; i < runner->n_inputs;)
        if (runner_is_over(runner, runner->inputs[i].job))
            let_go(runner, &runner->inputs[i]);
        else
            i++;
}
