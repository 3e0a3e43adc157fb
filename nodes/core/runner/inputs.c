#include "nodes/core/runner/inputs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/core/runner/bundles.h"
#include "nodes/core/runner/needs.h"
#include "shared/base/mutant.h"

static struct map_key key_of(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

static struct task_input *find(const struct runner *runner, struct value_id id)
{
    return map_get(&runner->inputs_by_id, key_of(id));
}

/* It has bytes in memory, or will have. */
static bool is_moving(const struct task_input *input)
{
    return input->file && (input->state == INPUT_FETCHING || input->state == INPUT_WRITING);
}

static void set_state(struct runner *runner, struct task_input *input, enum input_state state)
{
    runner->n_moving -= is_moving(input);
    input->state = state;
    runner->n_moving += is_moving(input);
}

static void forget(struct runner *runner, struct task_input *input)
{
    size_t at = input->at;
    map_remove(&runner->inputs_by_id, key_of(input->id));
    runner->inputs[at] = runner->inputs[--runner->n_inputs];
    runner->inputs[at]->at = at;
    runner->n_files -= input->file;
    runner->n_moving -= is_moving(input);
    blob_drop(&input->bytes);
    free(input);
}

/* Neither in memory nor on the scratch disk any more, and fetched no more. */
static void let_go(struct runner *runner, struct task_input *input)
{
    if (!input->file || input->state != INPUT_HERE)
        outbox_drop(&runner->step->out, USER_RUNNER, input->id);
    if (input->file && input->state != INPUT_FETCHING)
        outbox_drop(&runner->step->out, USER_FILES, input->id);
    forget(runner, input);
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
    set_state(runner, input, source ? INPUT_FETCHING : INPUT_FAILED);
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
    if (input->file) { /* in memory until it is written, and no longer */
        set_state(runner, input, INPUT_WRITING);
        outbox_keep(&runner->step->out, USER_FILES, id, bytes);
        return;
    }
    set_state(runner, input, INPUT_HERE);
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

void runner_file_kept(struct runner *runner, struct value_id id)
{
    struct task_input *input = find(runner, id);
    if (!input || input->state != INPUT_WRITING)
        return;
    outbox_drop(&runner->step->out, USER_RUNNER, id);
    set_state(runner, input, INPUT_HERE);
}

void runner_file_failed(struct runner *runner, struct value_id id, bool full)
{
    struct task_input *input = find(runner, id);
    if (!input || input->state != INPUT_WRITING)
        return;
    outbox_drop(&runner->step->out, USER_RUNNER, id);
    set_state(runner, input, full ? INPUT_FULL : INPUT_UNWRITTEN);
}

/* --- what is wanted --- */

void inputs_look(struct runner *runner)
{
    runner->looks++;
}

/* There is room for another one of its kind, or the one makes it that was not wanted for longest;
 * not one of this look. */
static bool make_room(struct runner *runner, bool file)
{
    struct task_input *oldest = NULL;
    size_t n = file ? runner->n_files : runner->n_inputs - runner->n_files;
    if (file && runner->n_moving == INPUTS_MOVING_MAX)
        return false;
    if (n < (file ? INPUTS_FILES_MAX : INPUTS_HELD_MAX))
        return true;
    if (file && runner->files_full == runner->looks)
        return false;
    for (size_t i = 0; i < runner->n_inputs; i++) {
        struct task_input *it = runner->inputs[i];
        if (it->file == file && it->wanted < runner->looks &&
            (!oldest || it->wanted < oldest->wanted))
            oldest = it;
    }
    if (oldest)
        let_go(runner, oldest);
    else if (file)
        runner->files_full = runner->looks;
    return oldest != NULL;
}

static struct task_input *add(struct runner *runner, struct value_id id, bool file)
{
    struct task_input *input = mem_new(1, sizeof *input);
    if (runner->n_inputs == runner->inputs_size) {
        runner->inputs_size = runner->inputs_size ? 2 * runner->inputs_size : 16;
        runner->inputs = mem_grow(runner->inputs, runner->inputs_size, sizeof(struct task_input *));
    }
    *input = (struct task_input){.id = id, .file = file, .at = runner->n_inputs};
    input->state = INPUT_FAILED; /* nothing is asked for yet */
    runner->inputs[runner->n_inputs++] = input;
    runner->n_files += file;
    map_put(&runner->inputs_by_id, key_of(id), input);
    return input;
}

static enum input_state want(struct runner *runner, job_id_t job, const struct stored_value *value,
                             const struct stored_segment *segment, bool file)
{
    struct value_id id = {value->id, segment->op};
    struct task_input *input = find(runner, id);
    if (!input) {
        if (!make_room(runner, file))
            return INPUT_FETCHING;
        input = add(runner, id, file);
        input->len = segment->len;
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
        if (runner->inputs[i]->state >= INPUT_FAILED)
            let_go(runner, runner->inputs[i]);
        else
            i++;
}

static enum inputs_state lacking(struct runner *runner, enum inputs_state state, const char **why)
{
    forget_failed(runner);
    *why = state == INPUTS_RETURN ? "its inputs cannot be fetched" : "its files cannot be written";
    return state;
}

/* --- files --- */

/* What other tasks need, or have needed, goes from the disk, once for each attempt. False: it did.
 */
static bool make_space(struct runner *runner, const struct task_order *order)
{
    if (runner->spaced_job == order->job && runner->spaced_hand == order->hand &&
        runner->spaced_task == order->task)
        return false;
    runner->spaced_job = order->job;
    runner->spaced_hand = order->hand;
    runner->spaced_task = order->task;
    for (size_t i = 0; i < runner->n_inputs;) {
        struct task_input *it = runner->inputs[i];
        if (it->file && (it->wanted < runner->looks || it->state == INPUT_FULL))
            let_go(runner, it);
        else
            i++;
    }
    return true;
}

/* This disk does not take them, or nobody has them. */
static enum inputs_state lack_parts(struct runner *runner, enum input_state worst, const char **why)
{
    if (worst == INPUT_FAILED && MUTANT(lacking_file_begins))
        return INPUTS_HERE;
    if (worst == INPUT_FAILED) {
        enum inputs_state state = lacking(runner, INPUTS_RETURN, why);
        return MUTANT(lacking_file_is_failure) ? INPUTS_FAIL : state;
    }
    lacking(runner, INPUTS_FAIL, why);
    if (worst == INPUT_FULL)
        *why = "disk full: no room for its files";
    return INPUTS_FAIL;
}

/* The segments of the job's second input, once those of the first are here. Where these do not say
 * which, or others than there can be, the attempt begins without, and has that for its reason. */
static enum inputs_state want_parts(struct runner *runner, const struct job *job,
                                    const struct task_order *order, bool now, const char **why)
{
    const struct stored_value *value = stored_values_find(&runner->state->stored, job->inputs[1]);
    struct needs_range ranges[NEEDS_MAX];
    enum input_state worst = INPUT_HERE;
    if (!value ||
        !needs_read(find(runner, order->spec), find(runner, order->record), order->place, ranges) ||
        !needs_parts(value, ranges, runner->parts, &runner->n_parts)) {
        runner->n_parts = 0;
        return INPUTS_HERE;
    }
    for (size_t i = 0; i < runner->n_parts; i++) {
        enum input_state state =
            want(runner, job->id, value, stored_value_segment(value, runner->parts[i].id.op), true);
        worst = state > worst ? state : worst;
    }
    if (worst < INPUT_FAILED)
        return worst == INPUT_HERE || MUTANT(files_not_awaited) ? INPUTS_HERE : INPUTS_WAIT;
    /* What is to begin now has its files now or fails; what waits may find more room then. */
    if (worst == INPUT_FULL && !now)
        return INPUTS_WAIT;
    if (worst == INPUT_FULL && make_space(runner, order))
        return want_parts(runner, job, order, now, why);
    return lack_parts(runner, worst, why);
}

enum inputs_state inputs_want(struct runner *runner, struct task_order *order, bool now,
                              const char **why)
{
    const struct job *job = jobs_find(&runner->state->jobs, order->job);
    runner->n_parts = 0;
    if (!job)
        return INPUTS_WAIT; /* the log will tell of it */
    const struct stored_value *value =
        job->n_inputs ? stored_values_find(&runner->state->stored, job->inputs[0]) : NULL;
    uint64_t place = 0;
    /* Record 0 is what all have in common. */
    const struct stored_segment *spec = value ? segment_of(value, 0, &place) : NULL;
    const struct stored_segment *record = spec ? segment_of(value, order->task, &place) : NULL;
    if (!record) {
        *why = "its inputs are not there";
        return INPUTS_NONE;
    }
    enum input_state a = want(runner, job->id, value, spec, false);
    enum input_state b = want(runner, job->id, value, record, false);
    if (a == INPUT_FAILED || b == INPUT_FAILED)
        return lacking(runner, INPUTS_RETURN, why);
    if (a != INPUT_HERE || b != INPUT_HERE)
        return INPUTS_WAIT;
    order->spec = (struct value_id){value->id, spec->op};
    order->record = (struct value_id){value->id, record->op};
    order->place = place - MUTANT(record_off_by_one);
    return job->n_inputs > 1 ? want_parts(runner, job, order, now, why) : INPUTS_HERE;
}

const struct task_part *inputs_parts(struct runner *runner, size_t *n)
{
    struct task_part *parts = arena_new(&runner->step->out.arena, runner->n_parts * sizeof *parts);
    *n = runner->n_parts;
    memcpy(parts, runner->parts, *n * sizeof *parts);
    return parts;
}

void inputs_clear(struct runner *runner)
{
    while (runner->n_inputs)
        forget(runner, runner->inputs[0]);
    map_clear(&runner->inputs_by_id);
    free(runner->inputs);
    runner->inputs = NULL;
    runner->inputs_size = 0;
}

void inputs_let_go(struct runner *runner)
{
    for (size_t i = 0; i < runner->n_inputs;)
        if (runner_is_over(runner, runner->inputs[i]->job))
            let_go(runner, runner->inputs[i]);
        else
            i++;
}

void inputs_check_invariants(const struct runner *runner)
{
    size_t files = 0, moving = 0;
    for (size_t i = 0; i < runner->n_inputs; i++) {
        const struct task_input *it = runner->inputs[i];
        assert(it->at == i && find(runner, it->id) == it);
        files += it->file;
        moving += is_moving(it);
    }
    assert(runner->inputs_by_id.count == runner->n_inputs);
    assert(files == runner->n_files && moving == runner->n_moving);
    assert(files <= INPUTS_FILES_MAX && moving <= INPUTS_MOVING_MAX);
    assert(runner->n_inputs - files <= INPUTS_HELD_MAX);
}
