/* mailbox.h - a queue from one thread or several to one that reads: a list that is taken whole, and
 * a way to wait for it.
 *
 * No lock: the threads have different priorities, and a reader that waits for a lock waits until
 * the system gives its holder, at nice +10, a processor again (65 to 435 ms were seen). No function
 * but the two that say so waits for anybody, wherever another thread was stopped.
 *
 * Not an inproc PAIR: the reader takes everything at once, which is what group commit wants; a
 * thread can wait with a deadline; and the handoff is plain C11 atomics, which ThreadSanitizer
 * understands. */
#ifndef CONCLAVE_WORK_MAILBOX_H
#define CONCLAVE_WORK_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

/* The first member of whatever is sent. */
struct mail {
    struct mail *next;
};

struct mailbox;

/* Caller destroys, when no other thread uses it any more; what is still in it is the caller's to
 * free. Uses two descriptors; panics when there are none (only at start). */
struct mailbox *mailbox_new(void);
void mailbox_destroy(struct mailbox **box);

/* Puts one mail (takes it until it is taken out). Any thread. Does not wait. */
void mailbox_put(struct mailbox *box, struct mail *mail);

/* Takes everything, oldest first; NULL when it is empty. The reader only. Does not wait. */
struct mail *mailbox_take(struct mailbox *box);

/* Waits until there is something, the box is closed, or the deadline (MAILBOX_FOREVER: none) has
 * passed; then as mailbox_take(). The reader only. */
#define MAILBOX_FOREVER UINT64_MAX
struct mail *mailbox_wait(struct mailbox *box, uint64_t deadline_us);

/* Waits until the box is closed or the deadline has passed; true: closed. Any thread. */
bool mailbox_wait_closed(struct mailbox *box, uint64_t deadline_us);

/* Wakes whoever waits, now and from now on. What was put before can still be taken. Any thread. */
void mailbox_close(struct mailbox *box);

bool mailbox_is_closed(struct mailbox *box);

/* A descriptor to poll, readable once something has come, until mailbox_take(); now and then it is
 * readable and nothing is there. */
int mailbox_fd(const struct mailbox *box);

#endif
