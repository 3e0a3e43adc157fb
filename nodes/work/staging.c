#include "nodes/work/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes/work/mailbox.h"
#include "nodes/work/thread.h"
#include "shared/base/map.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"
#include "shared/base/urgency.h"

#define STACK_BYTES (1u << 18)
#define WRITE_BYTES ((size_t)1 << 20) /* at a time */

struct staged {
    struct mail mail; /* first; to the thread and back while it is written, then to be removed */
    struct value_id id;
    struct blob *bytes; /* to be written: owned */
    uint64_t len;
    int error;
    bool writing, remove; /* is there, or will be */
    bool dropped;
    unsigned holds;
    char *path; /* owned; NULL: nowhere */
};

struct staging {
    char *dir; /* NULL: none */
    pthread_t thread;
    struct mailbox *orders, *reports;
    struct map map;        /* those that are not dropped */
    struct mail *reported; /* taken, and not told yet */
    uint64_t serial;       /* of files: a segment may be written again before it is removed */
};

static struct map_key key_of(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

static void staged_free(struct staged *staged)
{
    blob_drop(&staged->bytes);
    free(staged->path);
    free(staged);
}

/* --- the thread --- */

static int write_bytes(int fd, const struct blob *bytes)
{
    for (size_t at = 0; at < bytes->len;) {
        size_t left = bytes->len - at;
        ssize_t n = write(fd, bytes->at + at, left < WRITE_BYTES ? left : WRITE_BYTES);
        if (n < 0 && errno != EINTR)
            return errno;
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int write_file(const struct staged *staged)
{
    int fd = open(staged->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int error = write_bytes(fd, staged->bytes);
    if (close(fd) && !error)
        error = errno;
    if (error)
        unlink(staged->path);
    return error;
}

static void *staging_main(void *argument)
{
    struct staging *staging = argument;
    struct mail *mail;
    urgency_normal();
    while ((mail = mailbox_wait(staging->orders, MAILBOX_FOREVER)))
        for (struct mail *next; mail; mail = next) {
            struct staged *staged = (struct staged *)mail;
            next = mail->next;
            if (staged->remove) {
                if (staged->path && !staged->error)
                    unlink(staged->path);
                staged_free(staged);
                continue;
            }
            staged->error = staged->path ? write_file(staged) : 0;
            blob_drop(&staged->bytes);
            mailbox_put(staging->reports, &staged->mail);
        }
    return NULL;
}

/* --- the event loop's side --- */

struct staging *staging_new(const char *dir)
{
    struct staging *staging = mem_new(1, sizeof *staging);
    staging->dir = dir ? mem_string(dir) : NULL;
    staging->orders = mailbox_new();
    staging->reports = mailbox_new();
    staging->thread = thread_start("files", STACK_BYTES, staging_main, staging);
    return staging;
}

static void remove_soon(struct staging *staging, struct staged *staged)
{
    if (staged->writing || staged->holds)
        return;
    staged->remove = true;
    mailbox_put(staging->orders, &staged->mail);
}

void staging_write(struct staging *staging, struct value_id id, struct blob *bytes)
{
    struct staged *staged = mem_new(1, sizeof *staged);
    staging_drop(staging, id);
    *staged = (struct staged){.id = id, .bytes = blob_ref(bytes), .len = bytes->len};
    staged->writing = true;
    if (staging->dir) {
        size_t size = strlen(staging->dir) + 80;
        staged->path = mem_new(1, size);
        text_format(staged->path, size, "%s/%" PRIu64 "-%" PRIu64 "-%" PRIu64, staging->dir, id.job,
                    id.op, ++staging->serial);
    }
    map_put(&staging->map, key_of(id), staged);
    mailbox_put(staging->orders, &staged->mail);
}

bool staging_take(struct staging *staging, struct value_id *id, int *error)
{
    for (;;) {
        if (!staging->reported)
            staging->reported = mailbox_take(staging->reports);
        struct staged *staged = (struct staged *)staging->reported;
        if (!staged)
            return false;
        staging->reported = staged->mail.next;
        staged->writing = false;
        *id = staged->id;
        *error = staged->error;
        if (!staged->dropped)
            return true;
        remove_soon(staging, staged); /* nobody waits for it any more */
    }
}

int staging_fd(const struct staging *staging)
{
    return mailbox_fd(staging->reports);
}

void staging_drop(struct staging *staging, struct value_id id)
{
    struct staged *staged = map_remove(&staging->map, key_of(id));
    if (!staged)
        return;
    staged->dropped = true;
    remove_soon(staging, staged);
}

struct staged *staging_hold(struct staging *staging, struct value_id id)
{
    struct staged *staged = map_get(&staging->map, key_of(id));
    if (!staged || staged->writing || staged->error)
        return NULL;
    staged->holds += !MUTANT(staged_is_not_held);
    return staged;
}

const char *staged_path(const struct staged *staged)
{
    return staged->path ? staged->path : "/dev/null";
}

uint64_t staged_len(const struct staged *staged)
{
    return staged->len;
}

void staging_release(struct staging *staging, struct staged **staged)
{
    struct staged *it = *staged;
    *staged = NULL;
    if (!it)
        return;
    it->holds -= it->holds > 0;
    if (it->dropped)
        remove_soon(staging, it);
}

void staging_destroy(struct staging **staging)
{
    struct staging *it = *staging;
    struct map_key key;
    struct value_id id;
    int error;
    *staging = NULL;
    if (!it)
        return;
    for (size_t at = 0; map_next(&it->map, &at, &key); at = 0)
        staging_drop(it, (struct value_id){key.a, key.b});
    mailbox_close(it->orders);
    pthread_join(it->thread, NULL);
    while (staging_take(it, &id, &error)) /* what was written meanwhile is to be removed */
        continue;
    for (struct mail *next, *mail = mailbox_take(it->orders); mail; mail = next) {
        struct staged *staged = (struct staged *)mail;
        next = mail->next;
        if (staged->path && !staged->error)
            unlink(staged->path);
        staged_free(staged);
    }
    map_clear(&it->map);
    mailbox_destroy(&it->orders);
    mailbox_destroy(&it->reports);
    free(it->dir);
    free(it);
}
