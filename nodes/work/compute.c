#include "nodes/work/compute.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "nodes/work/heap.h"
#include "nodes/work/integer.h"
#include "nodes/work/starved.h"
#include "nodes/work/thread.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/urgency.h"

/* Heartbeats and votes go before numbers; but whoever is too nice may hold a lock of the kernel,
 * such as that of the address space, for long before it has a processor again. */
#define NICENESS    5
#define STACK_BYTES (1u << 20) /* GMP keeps large temporaries on the heap */
/* Of what takes less, nobody asks how long it waited for a processor. */
#define STARVED_FROM_US (2 * MS_US)
#define STOP_LOOK_US    (20 * MS_US) /* a delay ends so soon after it was cancelled */

/* A request, and the room for what becomes of it. The event loop allocates and frees all of it, the
 * result's value included: an allocator's lock that both threads took would let the loop wait for a
 * thread of nice +10. */
struct request {
    struct executor_result result; /* first: results are requests that have come back */
    struct compute_op op;          /* its blobs are owned references */
    int error;                     /* it cannot be executed, and this is why */
    atomic_bool unwanted;          /* the loop says so; the thread looks before it begins, and now
                                      and then while it computes */
    struct lane *lane;             /* whose thread has it */
    struct request *next;          /* the loop's: of those that it has not taken back */
};

/* One thread, and what it is to do. */
struct lane {
    struct compute *of;
    pthread_t thread;
    struct failure failure; /* the thread's */
    atomic_int starved_fd;  /* the thread's, which opens it; -1: not yet, or the kernel has none */
    _Atomic uint64_t starved_before_us; /* the thread was starved before what it executes now */
    struct mailbox *requests;
    size_t n_open; /* the loop's: handed over and not taken back */
};

struct compute {
    struct executor executor; /* first */
    uint64_t delay_us;
    struct lane *lanes; /* owned */
    size_t n_lanes;
    atomic_size_t running; /* threads that have not ended */
    struct mailbox *results;
    struct request *open; /* handed over and not taken back, oldest first */
};

static struct request *request_of(struct executor_result *result)
{
    return (struct request *)result;
}

static struct compute *compute_of(struct executor *executor)
{
    return (struct compute *)executor;
}

/* --- the thread --- */

static void work(struct request *request)
{
    struct computed *computed = &request->result.computed;
    if (request->error) {
        computed->error = operation_error_text(request->error);
        return;
    }
    if (operation_into(&request->op, request->result.value, VALUE_INLINE_MAX_BYTES, computed,
                       &request->unwanted))
        computed->value = request->result.value;
    else if (!computed->error)
        computed->error = EXECUTOR_CANCELLED;
}

/* Simulated time; it ends with the thread, or when nobody wants the result any more. */
static void hold_back(struct lane *lane, const struct request *request, uint64_t delay_us)
{
    uint64_t end_us = clock_now_us() + delay_us;
    for (uint64_t now_us; (now_us = clock_now_us()) < end_us && !stop_is_set(&request->unwanted);) {
        uint64_t next_us = now_us + STOP_LOOK_US;
        if (mailbox_wait_closed(lane->requests, next_us < end_us ? next_us : end_us))
            break;
    }
}

/* How long since it was looked at last. */
static uint64_t note_starved(struct lane *lane)
{
    uint64_t before_us = atomic_load_explicit(&lane->starved_before_us, memory_order_relaxed);
    uint64_t now_us = starved_us(atomic_load_explicit(&lane->starved_fd, memory_order_relaxed));
    atomic_store_explicit(&lane->starved_before_us, now_us, memory_order_relaxed);
    return now_us > before_us ? now_us - before_us : 0;
}

static void serve_request(struct lane *lane, struct request *request, enum failure_kind failure)
{
    uint64_t start_us = clock_now_us(), delay_us = lane->of->delay_us;
    struct computed *computed = &request->result.computed;
    if (request->op.id.op == lane->failure.config.on)
        raise(SIGKILL); /* as a fault in it would, or the system when it takes too much memory */
    work(request);
    if (failure == FAILURE_STALL)
        delay_us += lane->failure.config.stall_us;
    request->result.exit = failure == FAILURE_EXIT;
    if (delay_us && !request->result.exit)
        hold_back(lane, request, delay_us);
    computed->elapsed_us = clock_now_us() - start_us;
    if (computed->elapsed_us >= STARVED_FROM_US)
        computed->starved_us = note_starved(lane);
    if (computed->starved_us > computed->elapsed_us)
        computed->starved_us = computed->elapsed_us;
}

static void give_back(void)
{
    integer_give_back();
    heap_give_back();
}

static void *compute_main(void *argument)
{
    struct lane *lane = argument;
    struct compute *compute = lane->of;
    urgency_normal();
    heap_keep();
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
    atomic_store_explicit(&lane->starved_fd, starved_open(), memory_order_relaxed);
    struct heap_idle idle = {.at_us = HEAP_NEVER};
    for (;;) {
        struct mail *mail = mailbox_wait(lane->requests, idle.at_us);
        if (!mail && mailbox_is_closed(lane->requests))
            break;
        if (!mail && heap_is_idle(&idle, clock_now_us()))
            give_back();
        if (!mail)
            continue;
        enum failure_kind failure = failure_draw(&lane->failure);
        note_starved(lane);
        while (mail) {
            struct request *request = (struct request *)mail;
            mail = mail->next;
            if (atomic_load_explicit(&request->unwanted, memory_order_relaxed))
                request->result.computed.error = EXECUTOR_CANCELLED;
            else if (!mailbox_is_closed(lane->requests))
                serve_request(lane, request, failure);
            failure = FAILURE_NONE;
            mailbox_put(compute->results, &request->result.mail); /* it is freed there */
        }
        heap_worked(&idle, clock_now_us());
    }
    give_back();
    starved_close(atomic_exchange(&lane->starved_fd, -1));
    if (atomic_fetch_sub(&compute->running, 1) == 1)
        mailbox_close(compute->results); /* says that the last thread is about to end */
    return NULL;
}

/* --- the event loop's side --- */

/* Who has least to do; the first of these. */
static struct lane *choose_lane(struct compute *compute)
{
    struct lane *best = compute->lanes;
    for (size_t i = 1; i < compute->n_lanes; i++)
        if (compute->lanes[i].n_open < best->n_open)
            best = &compute->lanes[i];
    return best;
}

static void start(struct executor *executor, const struct compute_op *op, operation_lookup *lookup,
                  void *context)
{
    struct compute *compute = compute_of(executor);
    struct request *request = mem_new(1, sizeof *request), **last = &compute->open;
    struct compute_op *bound = &request->op;
    size_t room_bytes = 0;
    if (op->n_operands > OPERANDS_MAX)
        panic("an operation of %zu operands", op->n_operands);
    *bound = *op;
    request->result.computed =
        (struct computed){.id = op->id, .attempt = op->attempt, .opcode = op->opcode};
    request->error = operation_bind(bound, lookup, context);
    if (request->error)
        bound->n_operands = 0; /* it refers to none */
    for (size_t i = 0; i < bound->n_operands; i++)
        bound->operands[i].blob = blob_ref(bound->operands[i].blob);
    if (!request->error)
        request->error = operation_room(bound, &room_bytes);
    if (!request->error)
        request->result.value = blob_new(room_bytes);
    while (*last)
        last = &(*last)->next;
    *last = request;
    request->lane = choose_lane(compute);
    request->lane->n_open++;
    mailbox_put(request->lane->requests, &request->result.mail);
}

/* They come back in the order in which they went, when there is one thread. */
static void take_back(struct compute *compute, struct request *request)
{
    struct request **at = &compute->open;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    request->lane->n_open--;
}

static struct executor_result *take(struct executor *executor)
{
    struct compute *compute = compute_of(executor);
    struct executor_result *results =
        (struct executor_result *)(void *)mailbox_take(compute->results);
    for (struct executor_result *it = results; it; it = executor_next(it)) {
        struct request *request = request_of(it);
        take_back(compute, request);
        it->cancelled = atomic_load_explicit(&request->unwanted, memory_order_relaxed);
        if (!it->cancelled && !it->computed.error)
            continue;
        blob_drop(&it->value);
        it->computed.value = NULL;
    }
    return results;
}

static void cancel(struct executor *executor, struct value_id id, uint64_t attempt)
{
    for (struct request *it = compute_of(executor)->open; it; it = it->next)
        if (value_id_same(it->op.id, id) && it->op.attempt == attempt)
            atomic_store_explicit(&it->unwanted, true, memory_order_relaxed);
}

static void free_result(struct executor_result *result)
{
    struct request *request = request_of(result);
    for (size_t i = 0; i < request->op.n_operands; i++)
        blob_drop(&request->op.operands[i].blob);
    blob_drop(&result->value);
    free(request);
}

static void free_all(struct mailbox *box)
{
    for (struct mail *mail = mailbox_take(box); mail;) {
        struct executor_result *result = (struct executor_result *)(void *)mail;
        mail = mail->next;
        free_result(result);
    }
}

static int ready_fd(const struct executor *executor)
{
    return mailbox_fd(((const struct compute *)(const void *)executor)->results);
}

static uint64_t starved(const struct executor *executor)
{
    const struct compute *compute = (const struct compute *)(const void *)executor;
    uint64_t most_us = 0;
    for (size_t i = 0; i < compute->n_lanes; i++) {
        const struct lane *lane = &compute->lanes[i];
        uint64_t before_us = atomic_load_explicit(&lane->starved_before_us, memory_order_relaxed);
        int fd = atomic_load_explicit(&lane->starved_fd, memory_order_relaxed);
        uint64_t now_us = lane->n_open ? starved_us(fd) : 0;
        if (now_us > before_us && now_us - before_us > most_us)
            most_us = now_us - before_us;
    }
    return most_us;
}

static const struct executor_kind compute_kind = {
    .start = start,
    .poll = take,
    .cancel = cancel,
    .free = free_result,
    .fd = ready_fd,
    .starved_us = starved,
};

struct compute *compute_start(size_t threads, uint64_t delay_us, const struct failure *failure)
{
    struct compute *compute = mem_new(1, sizeof *compute);
    compute->executor.kind = &compute_kind;
    compute->delay_us = delay_us;
    compute->results = mailbox_new();
    compute->lanes = mem_new(threads, sizeof *compute->lanes);
    compute->n_lanes = threads;
    atomic_store(&compute->running, threads);
    integer_threads(threads);
    for (size_t i = 0; i < threads; i++) {
        struct lane *lane = &compute->lanes[i];
        lane->of = compute;
        lane->failure = *failure;
        lane->failure.state += i; /* each draws for itself */
        atomic_store_explicit(&lane->starved_fd, -1, memory_order_relaxed);
        lane->requests = mailbox_new();
        lane->thread = thread_start("compute", STACK_BYTES, compute_main, lane);
    }
    return compute;
}

struct executor *compute_executor(struct compute *compute)
{
    return &compute->executor;
}

bool compute_destroy(struct compute **compute, unsigned patience_ms)
{
    struct compute *it = *compute;
    if (!it)
        return true;
    for (struct request *request = it->open; request; request = request->next)
        atomic_store_explicit(&request->unwanted, true, memory_order_relaxed);
    for (size_t i = 0; i < it->n_lanes; i++)
        mailbox_close(it->lanes[i].requests);
    if (!mailbox_wait_closed(it->results, clock_now_us() + patience_ms * MS_US))
        return false;
    *compute = NULL;
    for (size_t i = 0; i < it->n_lanes; i++) {
        pthread_join(it->lanes[i].thread, NULL);
        free_all(it->lanes[i].requests);
        mailbox_destroy(&it->lanes[i].requests);
    }
    free_all(it->results);
    mailbox_destroy(&it->results);
    free(it->lanes);
    free(it);
    return true;
}
