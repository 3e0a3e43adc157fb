
#include "nodes/io/runtime_internal.h"
#include "shared/base/clock.h"
#include "shared/base/log.h"
#include "shared/base/mutant.h"
#include "shared/base/random.h"

static struct blob *value_at(void *context, struct value_id id)
{
    return values_get(context, id);
}

static void keep(struct runtime *runtime, enum value_user user, struct value_id id,
                 struct blob *value)
{
    if (!value)
        value = values_get(&runtime->values, id);
    if (user == USER_FILES) {
        tasks_run_keep(runtime->tasks, id, value);
        return;
    }
    for (int i = 0; value && MUTANT(loop_hashes) && i < 16; i++) { /* quick ones, too */
        uint8_t hash[HASH_BYTES];
        hash_bytes(value->at, value->len, hash);
    }
    store_keep(runtime->store, user, id, value); /* without one: it may be on disk already */
}

static void spill(struct runtime *runtime, const struct spill_order *order)
{
    struct blob *value =
        order->step == SPILL_WRITE ? values_get(&runtime->values, order->id) : NULL;
    if (order->step == SPILL_UNLOAD)
        values_drop(&runtime->values, USER_WORKER, order->id);
    else
        store_spill(runtime->store, order, value);
}

static struct executor *executor_for(struct runtime *runtime, const struct compute_op *op)
{
    return programs_are_for(op) ? programs_executor(runtime->programs) : runtime->executor;
}

/* Whoever does not have it does nothing. */
static void cancel(struct runtime *runtime, struct value_id id, uint64_t attempt)
{
    struct executor *programs = programs_executor(runtime->programs);
    runtime->executor->kind->cancel(runtime->executor, id, attempt);
    programs->kind->cancel(programs, id, attempt);
}

static void execute(struct runtime *runtime, const struct output *output, uint64_t now_us)
{
    switch (output->kind) {
    case OUTPUT_PERSIST:
        store_persist(runtime->store, output->persist.seq, output->persist.writes,
                      output->persist.n);
        break;
    case OUTPUT_SEND:
        gate_send(runtime->gate, output->send.plane, output->send.to, output->send.message,
                  output->after_seq);
        break;
    case OUTPUT_REPLY:
        if (output->reply.chunk)
            serve_client(runtime->serve, output->reply.client, output->reply.message,
                         output->reply.id, output->reply.offset, output->reply.len,
                         output->after_seq);
        else
            gate_reply(runtime->gate, output->reply.client, output->reply.message,
                       output->after_seq);
        break;
    case OUTPUT_PUBLISH:
        gate_publish(runtime->gate, output->publish, output->after_seq);
        break;
    case OUTPUT_COMPUTE: {
        struct executor *executor = executor_for(runtime, &output->compute);
        executor->kind->start(executor, &output->compute, value_at, &runtime->values);
        break;
    }
    case OUTPUT_CANCEL:
        cancel(runtime, output->cancel.id, output->cancel.attempt);
        break;
    case OUTPUT_FEED:
        transfer_feed(runtime->transfer, &output->feed, now_us);
        break;
    case OUTPUT_TASK:
        tasks_run_begin(runtime->tasks, &output->task);
        break;
    case OUTPUT_TASK_CANCEL:
        tasks_run_cancel(runtime->tasks, &output->task);
        break;
    case OUTPUT_FETCH:
        transfer_fetch(runtime->transfer, &output->fetch, now_us);
        break;
    case OUTPUT_KEEP:
        keep(runtime, output->keep.user, output->keep.id, output->keep.value);
        break;
    case OUTPUT_DROP:
        if (output->drop.user == USER_FILES)
            tasks_run_drop(runtime->tasks, output->drop.id);
        else
            transfer_drop(runtime->transfer, output->drop.user, output->drop.id, now_us);
        break;
    case OUTPUT_SPILL:
        spill(runtime, &output->spill);
        break;
    case OUTPUT_LIST:
        store_list(runtime->store, output->list.job, output->list.after);
        break;
    case OUTPUT_FORGET:
        store_drop(runtime->store, output->forget.ids, output->forget.n);
        break;
    case OUTPUT_RELINK:
        gate_forget(runtime->gate, output->relink.plane, output->relink.peer);
        mesh_remake(runtime->mesh, output->relink.plane, output->relink.peer, now_us);
        break;
    case OUTPUT_LOG:
        log_write(output->log.level, "%s", output->log.text);
        break;
    }
}

/* Within a turn, but a turn that takes long makes others wait for what they could have already. */
static bool has_more(struct runtime *runtime, const struct event *event)
{
    bool more = runtime->in_turn && event->kind != EVENT_STOP &&
                event->now_us < runtime->pumped_us + TURN_GATHER_US;
    if (!more)
        runtime->pumped_us = event->now_us;
    return more;
}

void runtime_step(struct runtime *runtime, struct event *event)
{
    event->now_us = clock_now_us();
    event->more = has_more(runtime, event);
    event->wall_ms = clock_wall_ms();
    event->random = random_u64(&runtime->random);
    event->rejected = inbox_rejected(runtime->inbox);
    event->refused = doors_refused(runtime->doors);
    event->turn = turns_longest(&runtime->turns, event->now_us);
    if (event->kind == EVENT_TICK) { /* heartbeats are made then, and it is read from a file */
        runtime->starved_us = runtime->executor->kind->starved_us(runtime->executor);
        disk_sync_times(runtime->disk, &runtime->syncs);
        event->syncs = &runtime->syncs;
    }
    event->starved_us = runtime->starved_us;
    event->value_bytes = transfer_received(runtime->transfer) + disk_written_bytes(runtime->disk);
    event->disk_busy_us = disk_busy_us(runtime->disk, event->now_us);
    struct node_outputs outputs = node_step(runtime->node, event);
    for (size_t i = 0; i < outputs.n; i++)
        execute(runtime, &outputs.at[i], event->now_us);
}
