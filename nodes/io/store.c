#include "nodes/io/store.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/work/heap.h"
#include "nodes/work/thread.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/urgency.h"

#define STACK_BYTES (1u << 19) /* nothing here recurses or keeps much on the stack */

enum task_kind { TASK_PERSIST, TASK_KEEP, TASK_READ, TASK_DROP, TASK_LIST, TASK_SCRUB, TASK_SPILL };

struct task {
    struct mail mail;
    enum task_kind kind;
    uint64_t seq;
    enum value_user user; /* KEEP */
    struct write *writes; /* PERSIST; they, their entries and parts are owned */
    size_t n, room;
    struct value_id id;
    job_id_t job;         /* LIST */
    struct value_id *ids; /* DROP: owned */
    size_t n_ids;
    struct blob *blob; /* owned */
    uint64_t offset, len;
    void *cookie;
    enum spill_step step; /* SPILL */
};

struct queue {
    struct task *first, *last;
};

struct store {
    struct disk *disk;
    pthread_t thread;
    struct mailbox *tasks, *reports;
    struct task *pending; /* what store_flush() hands over */
    bool full;            /* the thread's: as reported last */
    struct scrub scrub;   /* the thread's */
};

static struct task *task_new(enum task_kind kind)
{
    struct task *task = mem_new(1, sizeof *task);
    task->kind = kind;
    return task;
}

static void task_free(struct task *task)
{
    for (size_t i = 0; i < task->n; i++)
        write_drop(&task->writes[i]);
    free(task->writes);
    free(task->ids);
    blob_drop(&task->blob);
    free(task);
}

static void queue_add(struct queue *queue, struct task *task)
{
    task->mail.next = NULL;
    if (queue->first)
        queue->last->mail.next = &task->mail;
    else
        queue->first = task;
    queue->last = task;
}

static void queue_add_first(struct queue *queue, struct task *task)
{
    task->mail.next = queue->first ? &queue->first->mail : NULL;
    if (!queue->first)
        queue->last = task;
    queue->first = task;
}

static struct task *queue_next(struct queue *queue)
{
    struct task *task = queue->first;
    if (task)
        queue->first = (struct task *)task->mail.next;
    return task;
}

/* --- the thread --- */

static void report(struct store *store, struct store_report filled)
{
    struct store_report *it = mem_new(1, sizeof *it);
    *it = filled;
    mailbox_put(store->reports, &it->mail);
}

static void set_full(struct store *store, bool full)
{
    if (full != store->full)
        report(store, (struct store_report){.kind = STORE_SPACE, .full = full});
    store->full = full;
}

static void persist_all(struct store *store, struct queue *urgent)
{
    uint64_t seq = 0;
    struct task *task;
    bool writes = disk_keeps_log(store->disk);
    if (writes)
        disk_begin(store->disk);
    while ((task = queue_next(urgent))) {
        for (size_t i = 0; writes && i < task->n; i++)
            disk_write(store->disk, &task->writes[i]);
        seq = task->seq;
        task_free(task);
    }
    if (writes)
        disk_commit(store->disk);
    report(store, (struct store_report){.kind = STORE_PERSISTED, .seq = seq});
    if (disk_reserve(store->disk))
        set_full(store, true);
}

static void report_kept(struct store *store, const struct task *task, int error)
{
    report(store, (struct store_report){
                      .kind = STORE_KEPT, .user = task->user, .id = task->id, .error = error});
}

static bool is_among(const struct disk_value *values, size_t n, struct value_id id)
{
    for (size_t i = 0; i < n; i++)
        if (value_id_same(values[i].id, id))
            return true;
    return false;
}

/* What a task has left is not promised to anybody yet: its attempt fails, and makes no node full.
 */
static bool may_fail(const struct task *task)
{
    return task->user == USER_RUNNER;
}

/* Writes the values at the front of the queue, together. False: what found no room is stuck. */
static bool keep_some(struct store *store, struct queue *queue, struct queue *stuck)
{
    struct disk_value values[DISK_KEEP_MAX];
    struct task *tasks[DISK_KEEP_MAX], *next;
    size_t n = 0;
    uint64_t bytes = 0;
    bool all = true;
    while ((next = queue->first) && next->kind == TASK_KEEP && next->blob && n < DISK_KEEP_MAX &&
           (!n || bytes + next->blob->len <= STORE_KEEP_BYTES) && !is_among(values, n, next->id)) {
        tasks[n] = queue_next(queue);
        bytes += next->blob->len;
        values[n++] = (struct disk_value){next->id, next->blob, ERR_FULL};
    }
    if (!store->full) /* a small value would take from the reserve */
        disk_keep_some(store->disk, values, n);
    for (size_t i = 0; i < n; i++) {
        if (values[i].error && !may_fail(tasks[i])) {
            queue_add(stuck, tasks[i]);
            all = false;
            continue;
        }
        report_kept(store, tasks[i], values[i].error);
        task_free(tasks[i]);
    }
    return all;
}

/* Looks whether there is room again, for the values that wait as well. */
static void retry(struct store *store, struct queue *stuck)
{
    if (disk_reserve(store->disk))
        return;
    struct queue waiting = *stuck;
    bool full = store->full;
    *stuck = (struct queue){0};
    store->full = false;
    while (waiting.first && keep_some(store, &waiting, stuck))
        continue;
    while (waiting.first)
        queue_add(stuck, queue_next(&waiting));
    store->full = full;
    set_full(store, stuck->first != NULL);
}

/* Only whether it is here; values to be kept: keep_some(). */
static int look_for(struct store *store, const struct task *task)
{
    if (disk_has_kept(store->disk, task->id))
        return OK;
    return store->full ? ERR_NOT_FOUND : disk_keep_spilled(store->disk, task->id);
}

/* A slice of it; false: there are more. */
static bool move_spilled(struct store *store, struct task *task)
{
    struct store_report done = {.kind = STORE_SPILLED,
                                .step = task->step,
                                .id = task->id,
                                .seq = task->seq};
    if (task->step == SPILL_FORGET) {
        disk_forget_spilled(store->disk, task->id);
        return true;
    }
    if (task->step == SPILL_READ)
        done.error = disk_unspill(store->disk, task->id, &task->blob, &task->offset);
    else if (store->full || !task->blob)
        done.error = ERR_FULL;
    else
        done.error = disk_spill(store->disk, task->id, task->blob, &task->offset);
    uint64_t total = task->blob ? task->blob->len : 0;
    if (!done.error && task->offset < total)
        return false;
    if (task->step == SPILL_READ && !done.error)
        done.blob = blob_ref(task->blob);
    report(store, done);
    return true;
}

static void execute(struct store *store, struct task *task)
{
    struct store_report done = {.id = task->id, .cookie = task->cookie};
    switch (task->kind) {
    case TASK_PERSIST: /* never in this queue */
        break;
    case TASK_KEEP:
        report_kept(store, task, look_for(store, task));
        break;
    case TASK_READ:
        done.kind = STORE_READ;
        done.error =
            disk_read_kept(store->disk, task->id, task->offset, task->len, &done.blob, &done.total);
        report(store, done);
        break;
    case TASK_DROP:
        disk_drop_kept(store->disk, task->ids, task->n_ids);
        break;
    case TASK_SPILL: /* execute_some() does it */
        break;
    case TASK_SCRUB:
        done.kind = STORE_SCRUBBED;
        done.error = disk_scrub(store->disk, &store->scrub);
        done.id = store->scrub.id;
        done.total = store->scrub.len;
        report(store, done);
        break;
    case TASK_LIST:
        done.kind = STORE_LISTED;
        done.ids = mem_new(SWEEP_SLICE_MAX, sizeof *done.ids);
        done.n =
            disk_list_kept(store->disk, task->job, task->id, done.ids, SWEEP_SLICE_MAX, &done.end);
        report(store, done);
        break;
    }
    task_free(task);
}

/* Between two transactions of the log, always: where these follow each other without a pause, a
 * node that has thousands of values to take in would never come to them. */
static void execute_some(struct store *store, struct queue *bulk, struct queue *stuck)
{
    uint64_t end_us = clock_now_us() + STORE_SLICE_US;
    while (bulk->first) {
        bool keeps = bulk->first->kind == TASK_KEEP && bulk->first->blob;
        struct task *task = keeps ? NULL : queue_next(bulk);
        if (task && task->kind == TASK_SPILL && !move_spilled(store, task))
            queue_add_first(bulk, task);
        else if (task)
            execute(store, task);
        else if (!keep_some(store, bulk, stuck))
            set_full(store, true);
        if (clock_now_us() >= end_us)
            return;
    }
}

/* True when the task may free pages of the store. */
static bool frees(const struct task *task)
{
    return task->kind == TASK_PERSIST || task->kind == TASK_DROP;
}

/* What there is to do, into the two queues; waits until the deadline when there is nothing. False:
 * nothing came. */
static bool take_tasks(struct store *store, struct queue *urgent, struct queue *bulk,
                       uint64_t until_us, uint64_t *tidy_us)
{
    struct mail *mail =
        bulk->first ? mailbox_take(store->tasks) : mailbox_wait(store->tasks, until_us);
    bool any = mail != NULL;
    while (mail) {
        struct task *task = (struct task *)mail;
        mail = mail->next;
        if (frees(task))
            *tidy_us = clock_now_us() + STORE_TIDY_US;
        queue_add(task->kind == TASK_PERSIST ? urgent : bulk, task);
    }
    return any;
}

static void *store_main(void *argument)
{
    struct store *store = argument;
    struct queue urgent = {0}, bulk = {0}, stuck = {0};
    struct heap_idle idle = {.at_us = HEAP_NEVER};
    uint64_t retry_us = MAILBOX_FOREVER, tidy_us = MAILBOX_FOREVER;
    urgency_normal();
    set_full(store, disk_reserve(store->disk) != OK);
    for (;;) {
        if (!store->full)
            retry_us = MAILBOX_FOREVER;
        else if (retry_us == MAILBOX_FOREVER)
            retry_us = clock_now_us() + STORE_SPACE_RETRY_US;
        uint64_t until_us = retry_us < tidy_us ? retry_us : tidy_us;
        if (idle.at_us < until_us)
            until_us = idle.at_us;
        bool any = take_tasks(store, &urgent, &bulk, until_us, &tidy_us);
        uint64_t now_us = clock_now_us();
        bool retries = store->full && now_us >= retry_us, tidies = now_us >= tidy_us;
        if (any)
            heap_worked(&idle, now_us);
        else if (heap_is_idle(&idle, now_us))
            heap_give_back();
        else if (!bulk.first && !retries && !tidies)
            break; /* closed, and all is done */
        disk_working(store->disk, true);
        if (urgent.first)
            persist_all(store, &urgent);
        execute_some(store, &bulk, &stuck);
        if (tidies && !bulk.first) {
            if (disk_tidy(store->disk) && disk_reserve(store->disk))
                set_full(store, true);
            tidy_us = MAILBOX_FOREVER;
        }
        disk_working(store->disk, false);
        if (retries) {
            retry(store, &stuck);
            retry_us = MAILBOX_FOREVER;
        }
    }
    while (stuck.first) /* nobody was told that it is kept */
        task_free(queue_next(&stuck));
    return NULL;
}

/* --- the event loop's side --- */

struct store *store_start(struct disk *disk)
{
    struct store *store = mem_new(1, sizeof *store);
    store->disk = disk;
    store->tasks = mailbox_new();
    store->reports = mailbox_new();
    store->thread = thread_start("store", STACK_BYTES, store_main, store);
    return store;
}

void store_stop(struct store *store)
{
    store_flush(store);
    mailbox_close(store->tasks);
    pthread_join(store->thread, NULL);
}

void store_destroy(struct store **store)
{
    struct store *it = *store;
    *store = NULL;
    if (!it)
        return;
    for (struct store_report *next, *done = store_take(it); done; done = next) {
        next = store_next(done);
        store_report_free(done);
    }
    mailbox_destroy(&it->tasks);
    mailbox_destroy(&it->reports);
    free(it);
}

void store_persist(struct store *store, uint64_t seq, const struct write *writes, size_t n)
{
    struct task *task = store->pending ? store->pending : task_new(TASK_PERSIST);
    store->pending = task;
    task->seq = seq;
    for (size_t i = 0; i < n; i++) {
        if (task->n == task->room) {
            task->room = task->room ? 2 * task->room : 8;
            task->writes = mem_grow(task->writes, task->room, sizeof *task->writes);
        }
        task->writes[task->n++] = write_copy(&writes[i]);
    }
}

void store_flush(struct store *store)
{
    if (store->pending)
        mailbox_put(store->tasks, &store->pending->mail);
    store->pending = NULL;
}

void store_keep(struct store *store, enum value_user user, struct value_id id, struct blob *value)
{
    struct task *task = task_new(TASK_KEEP);
    task->user = user;
    task->id = id;
    task->blob = value ? blob_ref(value) : NULL;
    mailbox_put(store->tasks, &task->mail);
}

void store_scrub(struct store *store)
{
    struct task *task = task_new(TASK_SCRUB);
    mailbox_put(store->tasks, &task->mail);
}

void store_list(struct store *store, job_id_t job, struct value_id after)
{
    struct task *task = task_new(TASK_LIST);
    task->job = job;
    task->id = after;
    mailbox_put(store->tasks, &task->mail);
}

void store_read(struct store *store, struct value_id id, uint64_t offset, uint64_t len,
                void *cookie)
{
    struct task *task = task_new(TASK_READ);
    task->id = id;
    task->offset = offset;
    task->len = len;
    task->cookie = cookie;
    mailbox_put(store->tasks, &task->mail);
}

void store_drop(struct store *store, const struct value_id *ids, size_t n)
{
    struct task *task = task_new(TASK_DROP);
    task->ids = mem_new(n, sizeof *ids);
    task->n_ids = n;
    memcpy(task->ids, ids, n * sizeof *ids);
    mailbox_put(store->tasks, &task->mail);
}

void store_spill(struct store *store, const struct spill_order *order, struct blob *value)
{
    struct task *task = task_new(TASK_SPILL);
    task->step = order->step;
    task->id = order->id;
    task->seq = order->seq;
    task->blob = value ? blob_ref(value) : NULL;
    mailbox_put(store->tasks, &task->mail);
}

struct store_report *store_take(struct store *store)
{
    return (struct store_report *)mailbox_take(store->reports);
}

struct store_report *store_next(const struct store_report *done)
{
    return (struct store_report *)done->mail.next;
}

void store_report_free(struct store_report *done)
{
    blob_drop(&done->blob);
    free(done->ids);
    free(done);
}

int store_fd(const struct store *store)
{
    return mailbox_fd(store->reports);
}
