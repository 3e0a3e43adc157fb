/* mailbox.h - a queue from one thread to another: a list under a mutex, and a way to wait for it.
 *
 * Not an inproc PAIR: the reader takes everything at once in constant time, which is what group
 * commit wants; a thread can wait with a deadline; and the handoff is plain pthreads, which
 * ThreadSanitizer understands. The event loop polls the mailbox's descriptor, the other threads
 * wait on its condition. */
#ifndef CONCLAVE_WORK_MAILBOX_H
#define CONCLAVE_WORK_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

/* The first member of whatever is sent. */
struct mail {
    struct mail *next;
};

struct mailbox;

/* With a descriptor to poll, or else to be waited for. Caller destroys, when no other thread uses
 * it any more; what is still in it is the caller's to free. */
struct mailbox *mailbox_new(bool polled);
void mailbox_destroy(struct mailbox **box);

/* Puts one mail (takes it until it is taken out). Any thread. */
void mailbox_put(struct mailbox *box, struct mail *mail);

/* Takes everything, oldest first; NULL when it is empty. Does not wait. */
struct mail *mailbox_take(struct mailbox *box);

/* Waits until there is something, the box is closed, or the deadline (MAILBOX_FOREVER: none) has
 * passed; then as mailbox_take(). */
#define MAILBOX_FOREVER UINT64_MAX
struct mail *mailbox_wait(struct mailbox *box, uint64_t deadline_us);

/* Waits until the box is closed or the deadline has passed; true: closed. */
bool mailbox_wait_closed(struct mailbox *box, uint64_t deadline_us);

/* Wakes whoever waits, now and from now on. What was put before can still be taken. */
void mailbox_close(struct mailbox *box);

bool mailbox_is_closed(struct mailbox *box);

/* The descriptor of a polled one, readable while there is something; mailbox_take() makes it
 * unreadable. */
int mailbox_fd(const struct mailbox *box);

#endif
