/* The compute thread as a model (nodes/work/executor.h): the operation itself is the real one, its
 * time is arithmetic. A node executes one after another in each of its slots; a result is there
 * when its time is over, and the world then wakes the node. */
#include <inttypes.h>
#include <stdlib.h>

#include "nodes/core/step/step.h"
#include "tests/harness/folding.h"
#include "tests/harness/inside.h"
#include "tests/sim/world.h"

#define PIECES 4 /* of an operation: it can be stopped between two of them */

struct execution {
    struct executor_result result; /* first */
    struct execution *next;
    uint64_t lane;
    uint64_t begin_us, took_us;
    uint64_t starved_us; /* of these */
};

struct world_executor {
    struct executor executor; /* first */
    struct world *world;
    node_id_t id;
    struct execution *first;           /* in the order in which they were started */
    uint64_t busy_us[WORLD_SLOTS_MAX]; /* of each slot: its last one ends */
};

static struct blob *value_at(void *context, struct value_id id)
{
    return values_get(context, id);
}

/* From now on, or when what was started before is done. */
static void schedule(struct world_executor *it, struct execution *execution)
{
    struct world *world = it->world;
    uint64_t *busy_us = &it->busy_us[execution->lane];
    execution->begin_us = *busy_us > world->now_us ? *busy_us : world->now_us;
    *busy_us = execution->begin_us + execution->took_us;
    execution->result.computed.elapsed_us = execution->took_us;
}

static uint64_t end_of(const struct execution *execution)
{
    return execution->begin_us + execution->took_us;
}

/* The slot that is free first. */
static uint64_t choose_lane(const struct world_executor *it)
{
    uint64_t slots = it->world->options.operation_slots, best = 0;
    for (uint64_t lane = 1; lane < slots; lane++)
        if (it->busy_us[lane] < it->busy_us[best])
            best = lane;
    return best;
}

static void wake(const struct world_executor *it, uint64_t lane)
{
    world_post(it->world, &(struct pending){.at_us = it->busy_us[lane],
                                            .kind = PENDING_COMPUTED,
                                            .to = it->id,
                                            .incarnation = it->world->nodes[it->id].incarnation});
}

static uint64_t root_of(uint64_t number)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1)
        if ((root | bit) * (root | bit) <= number)
            root |= bit;
    return root;
}

static uint64_t length_of(const struct compute_op *op, operation_lookup *lookup, void *context,
                          const struct blob *value)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < op->n_operands; i++) {
        const struct compute_operand *operand = &op->operands[i];
        const struct blob *blob =
            operand->kind == OPERAND_VALUE ? lookup(context, operand->id) : operand->blob;
        bytes += operand->kind == OPERAND_LITERAL || !blob ? sizeof(uint64_t) : blob->len;
    }
    return op->count && value ? value->len : bytes;
}

/* What it takes beyond the time of every operation, alone on a processor. */
static uint64_t growth_us(const struct world *world, uint64_t bytes)
{
    return bytes * root_of(bytes) * world->options.growth_ns / 1000;
}

/* Processors are shared: by two and a half who compute, or now and then with others by six. */
static uint64_t starved_us(struct world *world, uint64_t alone_us)
{
    if (!world->options.growth_ns)
        return 0;
    uint64_t percent = world_random(world, 6) ? world_random(world, 151) : 500;
    return alone_us * percent / 100;
}

static void start(struct executor *executor, const struct compute_op *op, operation_lookup *lookup,
                  void *context)
{
    struct world_executor *it = (struct world_executor *)executor;
    struct execution *execution = mem_new(1, sizeof *execution), **last = &it->first;
    struct executor_result *result = &execution->result;
    folding_run(op, lookup, context, world_inline_bytes(it->world), &result->computed,
                &result->value);
    result->computed.value = result->value;
    uint64_t operations = result->computed.error ? 1 : result->computed.operations;
    execution->took_us =
        operations * failures_op_us(it->world, it->id) + /* failing takes time, too */
        growth_us(it->world, length_of(op, lookup, context, result->value));
    execution->starved_us = starved_us(it->world, execution->took_us);
    execution->took_us += execution->starved_us;
    result->computed.starved_us = execution->starved_us;
    execution->lane = choose_lane(it);
    schedule(it, execution);
    failures_compute(it->world, it->id, op, &result->computed, it->busy_us[execution->lane]);
    while (*last)
        last = &(*last)->next;
    *last = execution;
    wake(it, execution->lane);
}

/* One at a time: each is an event of its own. */
static struct executor_result *take(struct executor *executor)
{
    struct world_executor *it = (struct world_executor *)executor;
    struct execution **at = &it->first;
    while (*at && end_of(*at) > it->world->now_us)
        at = &(*at)->next;
    struct execution *done = *at;
    if (!done)
        return NULL;
    *at = done->next;
    if (done->result.cancelled) {
        blob_drop(&done->result.value);
        done->result.computed.value = NULL;
    }
    return &done->result;
}

/* One that runs ends with the piece that it is at. */
static void stop(struct world *world, struct execution *at)
{
    uint64_t piece_us = at->took_us / PIECES + 1, done_us = world->now_us - at->begin_us;
    uint64_t end_us = (done_us / piece_us + 1) * piece_us;
    if (end_us >= at->took_us)
        return; /* it is at its last one: it is done */
    at->result.computed.error = EXECUTOR_CANCELLED;
    at->result.computed.operations = 0;
    at->result.computed.elapsed_us = at->took_us = end_us;
}

/* What comes after one that ends, or does not begin, begins earlier. */
static void cancel(struct executor *executor, struct value_id id, uint64_t attempt)
{
    struct world_executor *it = (struct world_executor *)executor;
    struct execution *at = it->first;
    while (at && (at->result.computed.id.job != id.job || at->result.computed.id.op != id.op ||
                  at->result.computed.attempt != attempt))
        at = at->next;
    if (!at)
        return;
    at->result.cancelled = true;
    if (at->begin_us <= it->world->now_us) {
        stop(it->world, at);
    } else {
        at->result.computed.error = EXECUTOR_CANCELLED;
        at->result.computed.operations = 0;
        at->took_us = 0;
    }
    uint64_t lane = at->lane;
    it->busy_us[lane] = end_of(at);
    wake(it, lane); /* the one at the old time finds nothing */
    for (at = at->next; at; at = at->next)
        if (at->lane == lane) {
            schedule(it, at);
            wake(it, lane);
        }
}

static uint64_t starved(const struct executor *executor)
{
    const struct world_executor *it = (const struct world_executor *)executor;
    const struct execution *first = it->first;
    if (!first || !first->took_us || it->world->now_us <= first->begin_us)
        return 0;
    uint64_t done_us = it->world->now_us - first->begin_us;
    return done_us < first->took_us ? first->starved_us * done_us / first->took_us
                                    : first->starved_us;
}

static const struct executor_kind model = {
    .start = start,
    .poll = take,
    .cancel = cancel,
    .free = executor_result_free,
    .fd = executor_no_fd,
    .starved_us = starved,
};

struct executor *executor_of(struct world *world, node_id_t id)
{
    struct world_executor **it = &world->nodes[id].executor;
    if (!*it) {
        *it = mem_new(1, sizeof **it);
        **it = (struct world_executor){.executor = {&model}, .world = world, .id = id};
    }
    return &(*it)->executor;
}

void executor_check_slots(struct world *world, node_id_t id)
{
    const struct world_executor *it = world->nodes[id].executor;
    uint64_t slots = world->options.operation_slots, operations = 0;
    const struct node *core =
        world->nodes[id].core; /* NULL: an executor without one, in a unit test */
    uint64_t tasks = core ? inside_step(core)->slots.tasks : 0;
    for (const struct execution *at = it ? it->first : NULL; at; at = at->next)
        operations += at->begin_us <= world->now_us && end_of(at) > world->now_us;
    if (slots && operations + tasks > slots)
        world_fail(world, "a node executes no more than it has slots",
                   "%" PRIu64 " operations, and tasks in %" PRIu64 " of %" PRIu64 " slots",
                   operations, tasks, slots);
}

void executor_start(struct world *world, node_id_t id, const struct compute_op *op)
{
    struct executor *executor = executor_of(world, id);
    executor->kind->start(executor, op, value_at, &world->nodes[id].values);
    executor_check_slots(world, id);
}

void executor_cancel(struct world *world, node_id_t id, struct value_id op, uint64_t attempt)
{
    struct executor *executor = executor_of(world, id);
    executor->kind->cancel(executor, op, attempt);
}

void executor_finished(struct world *world, node_id_t id)
{
    struct executor *executor = executor_of(world, id);
    struct executor_result *result = executor->kind->poll(executor);
    if (!result)
        return;
    struct event event = {.kind = EVENT_COMPUTED, .computed = {&result->computed, 1}};
    if (result->value && result->value->len > world_inline_bytes(world)) {
        values_put(&world->nodes[id].values, result->computed.id, result->value,
                   value_user_bit(USER_WORKER));
        result->computed.value = NULL;
    }
    world_step(world, id, &event);
    executor->kind->free(result);
}

uint64_t executor_starved_us(const struct world *world, node_id_t id)
{
    const struct world_executor *it = world->nodes[id].executor;
    return it ? starved(&it->executor) : 0;
}

void executor_lose(struct world *world, node_id_t id)
{
    struct world_executor *it = world->nodes[id].executor;
    world->nodes[id].executor = NULL;
    for (struct execution *next, *at = it ? it->first : NULL; at; at = next) {
        next = at->next;
        executor_result_free(&at->result);
    }
    free(it);
}
