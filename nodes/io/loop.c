#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "nodes/io/runtime_internal.h"
#include "nodes/work/heap.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/gather.h"
#include "shared/base/limits.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/bus/intake.h"

/* Worth a line in the log: half an election timeout, or a tenth not counting what it waited for a
 * processor. */
#define TURN_LONG_US     (250 * MS_US)
#define TURN_LONG_OWN_US (50 * MS_US)

/* What is polled besides the mesh. */
enum { POLL_SIGNAL, POLL_STORE, POLL_BULK, POLL_COMPUTE, POLL_TASKS, POLL_FILES, POLL_OWN };

/* --- waiting --- */

static int timeout_ms(const struct runtime *runtime)
{
    uint64_t now_us = clock_now_us(), at_us = now_us + mesh_patience_us(runtime->mesh);
    uint64_t node_us = node_deadline(runtime->node),
             transfer_us = transfer_deadline(runtime->transfer);
    at_us = node_us < at_us ? node_us : at_us;
    at_us = transfer_us < at_us ? transfer_us : at_us;
    return at_us <= now_us ? 0 : (int)((at_us - now_us + MS_US - 1) / MS_US);
}

/* Waits for whatever comes first. Tells which receiving sockets may have something. */
static void wait_for_work(struct runtime *runtime, bool readable[PLANE_COUNT])
{
    struct pollfd items[POLL_OWN + MESH_POLL_MAX] = {
        [POLL_SIGNAL] = {.fd = runtime->signal_fd, .events = POLLIN},
        [POLL_STORE] = {.fd = store_fd(runtime->store), .events = POLLIN},
        [POLL_BULK] = {.fd = bulk_fd(runtime->bulk), .events = POLLIN},
        [POLL_COMPUTE] = {.fd = runtime->executor->kind->fd(runtime->executor), .events = POLLIN},
    };
    items[POLL_TASKS] = (struct pollfd){.fd = tasks_run_fd(runtime->tasks), .events = POLLIN};
    items[POLL_FILES] = (struct pollfd){.fd = tasks_run_files_fd(runtime->tasks), .events = POLLIN};
    bool at_once = mesh_look(runtime->mesh, readable) || inbox_has_more(runtime->inbox) ||
                   tasks_run_is_due(runtime->tasks) || programs_are_due(runtime->programs);
    readable[PLANE_CONTROL] = readable[PLANE_CONTROL] || inbox_has_more(runtime->inbox);
    size_t n = mesh_poll_items(runtime->mesh, items, POLL_OWN);
    int ready = poll(items, n, at_once ? 0 : timeout_ms(runtime));
    if (ready < 0 && errno != EINTR)
        panic("cannot poll: %s", strerror(errno));
    if (ready <= 0)
        return;
    for (int plane = 0; plane < PLANE_COUNT; plane++)
        readable[plane] = readable[plane] || items[POLL_OWN + plane].revents;
    for (size_t i = POLL_OWN + PLANE_COUNT; i < n; i++)
        if (items[i].revents)
            mesh_monitors_stir(runtime->mesh);
    if (items[POLL_SIGNAL].revents) {
        struct signalfd_siginfo info;
        runtime->stopping = read(runtime->signal_fd, &info, sizeof info) == sizeof info;
    }
}

/* --- what comes from the threads --- */

/* Until the next block is read again. */
static uint64_t scrub_pause_us(const struct store_report *report)
{
    uint64_t pause_us = report->total * SECOND_US / SCRUB_BYTES_PER_S;
    if (!report->id.job)
        return SCRUB_ROUND_US;
    return pause_us > SCRUB_LEAST_US ? pause_us : SCRUB_LEAST_US;
}

static void take_store_report(struct runtime *runtime, struct store_report *report)
{
    struct event event;
    if (report->kind == STORE_PERSISTED) {
        runtime_fail_coordinating(runtime);
        gate_durable(runtime->gate, report->seq);
    } else if (report->kind == STORE_READ) {
        serve_read(runtime->serve, report, clock_now_us());
    } else if (report->kind == STORE_SPILLED && report->blob) {
        values_put(&runtime->values, report->id, report->blob, value_user_bit(USER_WORKER));
    } else if (report->kind == STORE_SCRUBBED) {
        runtime->scrubbing = false;
        runtime->scrub_us = clock_now_us() + scrub_pause_us(report);
    }
    if (store_report_event(report, runtime->config.node.id, &event))
        runtime_step(runtime, &event);
    if (report->kind == STORE_KEPT && report->user == USER_REPAIR && !report->error)
        serve_repaired(runtime->serve, report->id);
}

static void take_store(struct runtime *runtime)
{
    for (struct store_report *next, *report = store_take(runtime->store); report; report = next) {
        next = store_next(report);
        take_store_report(runtime, report);
        store_report_free(report);
    }
}

static void take_computed(struct runtime *runtime, struct executor *executor)
{
    struct executor_result *results = executor->kind->poll(executor);
    if (!results)
        return;
    heap_worked(&runtime->heap_idle, clock_now_us());
    size_t n = 0;
    for (struct executor_result *result = results; result; result = executor_next(result)) {
        if (result->exit)
            runtime_fail(runtime);
        n++;
    }
    struct computed *computed = mem_new(n, sizeof *computed);
    n = 0;
    for (struct executor_result *result = results; result; result = executor_next(result)) {
        if (result->value && result->value->len > VALUE_INLINE_MAX_BYTES) {
            values_put(&runtime->values, result->computed.id, result->value,
                       value_user_bit(USER_WORKER));
            result->computed.value = NULL;
        }
        computed[n++] = result->computed;
    }
    struct event event = {.kind = EVENT_COMPUTED, .computed = {.at = computed, .n = n}};
    runtime_step(runtime, &event);
    free(computed);
    for (struct executor_result *next; results; results = next) {
        next = executor_next(results);
        executor->kind->free(results);
    }
}

static void take_tasks(struct runtime *runtime)
{
    struct event event;
    while (tasks_run_file(runtime->tasks, &event))
        runtime_step(runtime, &event);
    event = (struct event){.kind = EVENT_TASKS};
    event.tasks.n = tasks_run_take(runtime->tasks, &event.tasks.at);
    if (event.tasks.n)
        runtime_step(runtime, &event);
}

/* --- what comes from the network --- */

static void take_value_message(struct runtime *runtime, const struct event *event, uint64_t now_us)
{
    const struct message *message = event->message.message;
    node_id_t from = event->message.from;
    struct text why = {0};
    int error;
    if (message->type == MESSAGE_VALUE_GET) {
        const struct wire_value_get *get = &message->as.value_get;
        bool used =
            node_is_done_with(runtime->node, (struct value_id){get->job, get->op}, get->index);
        error = serve_peer(runtime->serve, from, get, used, &why);
    } else {
        error = transfer_chunk(runtime->transfer, from, message, now_us, &why);
    }
    if (error)
        inbox_reject(runtime->inbox, PLANE_VALUE, from, now_us, why.at);
}

static void drain(struct runtime *runtime, enum plane plane)
{
    uint64_t end_us = clock_now_us() + DRAIN_US;
    for (int i = 0; i < DRAIN_MAX; i++) {
        struct event event;
        uint64_t now_us = clock_now_us();
        if (now_us >= end_us)
            return; /* chunks of values take time: the other planes have their turn */
        int error = inbox_receive(runtime->inbox, plane, now_us, &event);
        if (error == ERR_NOT_FOUND)
            return;
        if (error)
            continue;
        if (plane == PLANE_VALUE || plane == PLANE_CHANNEL)
            heap_worked(&runtime->heap_idle, now_us);
        bool value = event.kind == EVENT_MESSAGE && plane == PLANE_VALUE &&
                     message_kind(event.message.message->type)->place == PLACE_VALUE;
        if (value) {
            take_value_message(runtime, &event, now_us);
        } else {
            runtime_step(runtime, &event);
        }
    }
}

static void take_link_news(struct runtime *runtime)
{
    bool up;
    enum plane plane;
    node_id_t peer;
    while (mesh_next(runtime->mesh, clock_now_us(), &up, &plane, &peer)) {
        struct event event = {.kind = up ? EVENT_LINK_UP : EVENT_LINK_DOWN,
                              .link = {.plane = plane, .peer = peer}};
        if (!up) {
            gate_forget(runtime->gate, plane, peer);
            if (plane == PLANE_VALUE)
                transfer_link_down(runtime->transfer, peer, clock_now_us());
        }
        log_write(LOG_DEBUG, "connection to node %u on the %s plane is %s", (unsigned)peer,
                  plane_name(plane), up ? "up" : "down");
        runtime_step(runtime, &event);
    }
}

/* Reads what is kept again, slowly: rot is found before it is needed. */
static void scrub(struct runtime *runtime, uint64_t now_us)
{
    if (runtime->scrubbing || now_us < runtime->scrub_us)
        return;
    runtime->scrubbing = true;
    store_scrub(runtime->store);
}

static void take_transfers(struct runtime *runtime)
{
    transfer_tick(runtime->transfer, clock_now_us());
    serve_tick(runtime->serve, clock_now_us());
    scrub(runtime, clock_now_us());
    struct transfer_output end;
    while (pull_next(&runtime->pull, &end)) {
        struct event event = transfer_event(&end);
        event.value.bytes = values_get(&runtime->values, end.id);
        runtime_step(runtime, &event);
    }
}

/* --- one turn --- */

/* Returns the time when it is done. */
static uint64_t give_back(struct runtime *runtime, uint64_t now_us)
{
    if (mesh_replies_bytes(runtime->mesh))
        heap_worked(&runtime->heap_idle, now_us); /* until the last is read, or dropped */
    if (!heap_is_idle(&runtime->heap_idle, now_us))
        return now_us;
    bulk_give_back(runtime->bulk);
    heap_give_back();
    intake_call_once(heap_give_back); /* sealed messages are made and opened in ZeroMQ's thread */
    now_us = clock_now_us();
    turns_part(&runtime->turns, "memory", now_us);
    return now_us;
}

static void log_long_turn(const struct turns *turns, uint64_t took_us)
{
    log_write(LOG_WARN,
              "a turn of the event loop took %" PRIu64 " ms, most of it in: %s (%" PRIu64
              " ms on a processor, %" PRIu64 " ms waiting for one, %" PRIu64
              " page faults, blocked %" PRIu64 " times)",
              took_us / MS_US, turns->most, turns->last.ran_us / MS_US, turns->last.wait_us / MS_US,
              turns->last.faults, turns->last.given_up);
}

static void end_turn(struct runtime *runtime)
{
    uint64_t now_us = clock_now_us();
    turns_part(&runtime->turns, "tick", now_us);
    now_us = give_back(runtime, now_us);
    uint64_t took_us = turns_end(&runtime->turns, now_us);
    if (took_us >= TURN_LONG_US || turns_own_us(&runtime->turns, took_us) >= TURN_LONG_OWN_US)
        log_long_turn(&runtime->turns, took_us);
}

void runtime_turn(struct runtime *runtime)
{
    /* The small and urgent first. */
    static const enum plane order[] = {PLANE_CONTROL, PLANE_HEARTBEAT, PLANE_CHECKPOINT,
                                       PLANE_CHANNEL, PLANE_VALUE};
    bool readable[PLANE_COUNT] = {false};
    wait_for_work(runtime, readable);
    gather_wait(runtime->turns.began_us, runtime->clients.map.count);
    turns_begin(&runtime->turns, clock_now_us());
    runtime->in_turn = true;
    runtime->pumped_us = runtime->turns.began_us;
    take_store(runtime);
    turns_part(&runtime->turns, "store", clock_now_us());
    pull_take_moved(&runtime->pull, clock_now_us());
    turns_part(&runtime->turns, "bulk", clock_now_us());
    take_computed(runtime, runtime->executor);
    turns_part(&runtime->turns, "compute", clock_now_us());
    take_tasks(runtime);
    take_computed(runtime, programs_executor(runtime->programs));
    turns_part(&runtime->turns, "tasks", clock_now_us());
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (!readable[order[i]])
            continue;
        drain(runtime, order[i]);
        turns_part(&runtime->turns, plane_name(order[i]), clock_now_us());
    }
    /* Behind the messages: a connection's last ones may still be in a queue when its end is
     * reported. */
    take_link_news(runtime);
    runtime_check_refusals(runtime);
    turns_part(&runtime->turns, "links", clock_now_us());
    take_transfers(runtime);
    turns_part(&runtime->turns, "transfers", clock_now_us());
    runtime->in_turn = false;
    struct event tick = {.kind = EVENT_TICK};
    runtime_step(runtime, &tick);
    access_follow(runtime, clock_now_us());
    mesh_send_bundles(runtime->mesh);
    store_flush(runtime->store);
    end_turn(runtime);
}
