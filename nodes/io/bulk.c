#include "nodes/io/bulk.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/large.h"
#include "nodes/work/thread.h"
#include "shared/base/memory.h"
#include "shared/base/urgency.h"
#include "shared/base/mutant.h"

#define STACK_BYTES (1u << 18)

enum task_kind { TASK_MOVE, TASK_RELEASE };

/* Also the head of a block that is free: nothing else is in it then. */
struct task {
    struct mail mail;
    enum task_kind kind;
    size_t size; /* RELEASE */
    struct hash_stream *stream;
    struct blob *into, *piece; /* owned */
    uint64_t offset, seq;
    bool last;
};

struct bulk {
    pthread_t thread;
    struct mailbox *tasks, *reports;
    bool pools; /* blobs have their memory from here */
};

/* Of the process: a blob knows no thread. */
static struct {
    struct mailbox *_Atomic releases; /* where blocks go back to the system; NULL: at once */
    struct mailbox *_Atomic returned; /* for the loop, which has not looked yet */
    atomic_size_t kept_bytes;         /* there, and in `kept` */
    atomic_size_t kept_most;
} pool = {.kept_most = BULK_KEPT_BYTES};

/* The loop's. */
static _Thread_local bool keeps;
static _Thread_local struct task *kept[LARGE_CLASSES];

/* --- blocks --- */

static void take_returned(void)
{
    struct mailbox *returned = atomic_load(&pool.returned);
    struct mail *mail = returned ? mailbox_take(returned) : NULL;
    while (mail) {
        struct task *block = (struct task *)mail;
        size_t class;
        mail = mail->next;
        large_round(block->size, &class);
        block->mail.next = (struct mail *)kept[class];
        kept[class] = block;
    }
}

static void *alloc(size_t size)
{
    size_t class, rounded = large_round(size, &class);
    if (!keeps)
        return large_take(rounded);
    take_returned();
    struct task *block = kept[class];
    if (!block)
        return large_take(rounded);
    kept[class] = (struct task *)block->mail.next;
    atomic_fetch_sub(&pool.kept_bytes, rounded);
    return block;
}

static void release(void *at, size_t rounded)
{
    struct mailbox *box = atomic_load(&pool.releases);
    if (!box || MUTANT(loop_gives_back)) {
        large_give(at, rounded);
        return;
    }
    struct task *block = at;
    *block = (struct task){.kind = TASK_RELEASE, .size = rounded};
    mailbox_put(box, &block->mail);
}

static void drop(void *at, size_t size)
{
    size_t class, rounded = large_round(size, &class);
    struct mailbox *returned = atomic_load(&pool.returned);
    struct task *block = at;
    if (!returned || atomic_load(&pool.kept_bytes) + rounded > atomic_load(&pool.kept_most)) {
        release(at, rounded);
        return;
    }
    atomic_fetch_add(&pool.kept_bytes, rounded);
    *block = (struct task){.size = rounded};
    mailbox_put(returned, &block->mail);
}

static const struct blob_memory large_blobs = {.from = LARGE_BYTES, .alloc = alloc, .free = drop};

static void release_kept(void)
{
    take_returned();
    for (size_t class = 0; class < LARGE_CLASSES; class ++)
        for (struct task *block; (block = kept[class]);) {
            kept[class] = (struct task *)block->mail.next;
            atomic_fetch_sub(&pool.kept_bytes, block->size);
            release(block, block->size);
        }
}

void bulk_give_back(struct bulk *bulk)
{
    (void)bulk;
    release_kept();
}

void bulk_keep_at_most(struct bulk *bulk, uint64_t bytes)
{
    (void)bulk;
    atomic_store(&pool.kept_most, bytes < BULK_KEPT_BYTES ? (size_t)bytes : BULK_KEPT_BYTES);
}

size_t bulk_kept_bytes(void)
{
    return atomic_load(&pool.kept_bytes);
}

/* --- the thread --- */

static void move(struct bulk *bulk, struct task *task)
{
    struct bulk_report *done = NULL;
    if (task->piece) {
        done = mem_new(1, sizeof *done);
        *done = (struct bulk_report){.seq = task->seq, .len = task->piece->len, .last = task->last};
        memcpy(task->into->at + task->offset, task->piece->at, task->piece->len);
        hash_add(task->stream, task->piece->at, task->piece->len);
    }
    if (task->last) {
        uint8_t unused[HASH_BYTES];
        hash_end(task->stream, done ? done->hash : unused);
        free(task->stream);
    }
    blob_drop(&task->into);
    blob_drop(&task->piece);
    free(task);
    if (done)
        mailbox_put(bulk->reports, &done->mail);
}

static void *bulk_main(void *argument)
{
    struct bulk *bulk = argument;
    urgency_normal();
    for (struct mail *mail; (mail = mailbox_wait(bulk->tasks, MAILBOX_FOREVER));)
        while (mail) {
            struct task *task = (struct task *)mail;
            mail = mail->next;
            if (task->kind == TASK_RELEASE)
                large_give(task, task->size);
            else
                move(bulk, task);
        }
    return NULL;
}

/* --- the loop's side --- */

struct bulk *bulk_start(void)
{
    struct bulk *bulk = mem_new(1, sizeof *bulk);
    bulk->tasks = mailbox_new();
    bulk->reports = mailbox_new();
    bulk->thread = thread_start("bulk", STACK_BYTES, bulk_main, bulk);
    bulk->pools = !atomic_load(&pool.returned);
    if (!bulk->pools)
        return bulk; /* a second node in a test */
    atomic_store(&pool.returned, mailbox_new());
    atomic_store(&pool.releases, bulk->tasks);
    keeps = true;
    blob_use(&large_blobs);
    return bulk;
}

/* What is dropped while it stops may still be put into the mailbox: bulk_destroy() looks there. */
void bulk_stop(struct bulk *bulk)
{
    if (bulk->pools)
        atomic_store(&pool.releases, NULL);
    mailbox_close(bulk->tasks);
    pthread_join(bulk->thread, NULL);
}

static void clear(struct mailbox *box)
{
    for (struct mail *mail = mailbox_take(box); mail;) {
        struct task *task = (struct task *)mail;
        mail = mail->next;
        large_give(task, task->size);
    }
}

void bulk_destroy(struct bulk **bulk)
{
    struct bulk *it = *bulk;
    *bulk = NULL;
    if (!it)
        return;
    if (it->pools) {
        struct mailbox *returned = atomic_load(&pool.returned);
        release_kept();
        atomic_store(&pool.returned, NULL);
        clear(returned);
        mailbox_destroy(&returned);
        keeps = false;
    }
    clear(it->tasks);
    for (struct bulk_report *next, *done = bulk_take(it); done; done = next) {
        next = bulk_next(done);
        free(done);
    }
    mailbox_destroy(&it->tasks);
    mailbox_destroy(&it->reports);
    free(it);
}

void bulk_move(struct bulk *bulk, struct hash_stream *stream, struct blob *into, uint64_t offset,
               struct blob *piece, bool last, uint64_t seq)
{
    struct task *task = mem_new(1, sizeof *task);
    *task = (struct task){.kind = TASK_MOVE,
                          .stream = stream,
                          .into = blob_ref(into),
                          .offset = offset,
                          .piece = blob_ref(piece),
                          .last = last,
                          .seq = seq};
    mailbox_put(bulk->tasks, &task->mail);
}

struct bulk_report *bulk_take(struct bulk *bulk)
{
    return (struct bulk_report *)(void *)mailbox_take(bulk->reports);
}

struct bulk_report *bulk_next(const struct bulk_report *report)
{
    return (struct bulk_report *)(void *)report->mail.next;
}

int bulk_fd(const struct bulk *bulk)
{
    return mailbox_fd(bulk->reports);
}
