/* events.h - GET /api/events: the feed for browsers, as server-sent events.
 *
 *   event    what `monitor --json --events` prints; with an id, so that a reader goes on where it
 * was gap      messages of a node were missed, or (with "node": 0) this reader was too slow nodes
 * {NODE: its last heartbeat as `monitor --json` prints it}, ten times a second status   what
 * `status --json` prints, once a second, and at once after an event
 *
 * Of the last two a reader gets the newest, however slow it is; of events the last WEB_EVENTS_MAX
 * are kept. So no reader costs more than its place in the list and what it is being sent. */
#ifndef CONCLAVE_CLIENTS_EVENTS_H
#define CONCLAVE_CLIENTS_EVENTS_H

#include "clients/show/feed.h"
#include "clients/web/web_limits.h"
#include "shared/base/blob.h"
#include "shared/base/limits.h"

struct web;
struct look;
struct stream;

/* The newest of something: its text, and the how many-eth it is. */
struct newest {
    struct blob *text;
    uint64_t number;
};

struct events_count {
    char name[4 * 32 + 1];
    uint64_t seen;
};

/* Of the last heartbeat of a node: what only that tells. */
struct events_beat {
    bool heard;
    uint64_t fetched, queued, disk_ms;
};

struct events {
    struct web *web;
    struct feed feed;
    struct blob *kept[WEB_EVENTS_MAX]; /* number n is at n % WEB_EVENTS_MAX */
    uint64_t next;                     /* the number of the next event, from 1 */
    struct newest nodes, status;
    json_t *beats;                /* the last heartbeat of each node */
    bool beaten;                  /* there is something new in these */
    uint64_t nodes_us, status_us; /* when they were made last */
    bool at_once;                 /* something happened that changes the status */
    struct stream *streams;
    size_t n_streams;
    uint64_t heartbeats, heard, missed; /* messages of the feed */
    struct events_beat last[NODES_MAX + 1];
    struct events_count counts[WEB_EVENT_NAMES_MAX];
    size_t n_counts;
};

void events_init(struct events *events, struct web *web);
void events_clear(struct events *events);

/* Takes in a message of the feed. */
void events_hear(struct events *events, const struct message *message);

/* Takes in a status. */
void events_take_look(struct events *events, const struct look *look);

/* Makes what is due, while somebody reads. */
void events_turn(struct events *events, uint64_t now_us);

#endif
