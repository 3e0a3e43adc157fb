/* unread.h - which requests a node may not have read yet.
 *
 * A node reads what a broker passes on in that order. So an answer to one request says that all
 * those before it were read, too: what has no answer yet then waits for a disk, a job or a
 * majority, and no longer for its turn. What was passed on after it may be unread. To keep that
 * little is what makes requests wait in the broker, where keys take turns (fair.h), and not in the
 * node's queue, in the order of arrival; yet any number may be unanswered.
 *
 * When nothing is answered for UNREAD_SILENT_US (only long polls, a slow disk, a node that is gone)
 * all counts as read; each time in a row after twice as long, up to UNREAD_SILENT_MAX_US. Pure: the
 * time comes in. */
#ifndef CONCLAVE_BROKER_UNREAD_H
#define CONCLAVE_BROKER_UNREAD_H

#include <stdbool.h>

#include "shared/base/limits.h"
#include "shared/base/types.h"

struct unread_row {
    uint64_t client, request, bytes; /* a hash of the routing id; the client's number */
};

/* Zero-initialize before the first use. */
struct unread {
    struct unread_row rows[UNREAD_MAX]; /* a ring */
    uint64_t first, n, bytes;
    uint64_t since_us;  /* of the last sign of reading, or of the first that may be unread */
    uint64_t silent_us; /* after so long without a sign all counts as read */
};

/* Whether a request of so many bytes may be passed on. One may always, however long it is. */
bool unread_has_room(const struct unread *unread, uint64_t bytes);

/* It was passed on; there must have been room. */
void unread_add(struct unread *unread, struct slice client, uint64_t request, uint64_t bytes,
                uint64_t now_us);

/* The client's request was answered. */
void unread_answered(struct unread *unread, struct slice client, uint64_t request, uint64_t now_us);

/* Lets time pass; call it every few milliseconds while requests wait. */
void unread_turn(struct unread *unread, uint64_t now_us);

#endif
