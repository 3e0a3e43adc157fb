/* feed.c - the feed of libconclave: what clients/ask/subscription.h brings, in order. */
#include <stdlib.h>

#include "clients/ask/subscription.h"
#include "clients/library/library.h"
#include "clients/show/feed.h"
#include "shared/base/clock.h"
#include "shared/base/memory.h"

#define WATCH_MS 200 /* how often a quiet subscription is looked at */

struct conclave_feed {
    struct conclave *cluster;
    struct subscription subscription;
    struct feed order;
};

/* The brokers' front says first whether our key is taken: the feed of one that refuses us is
 * silent. */
int conclave_feed_open(struct conclave *cluster, struct conclave_feed **out)
{
    uint64_t nodes;
    *out = NULL;
    int code = cluster_count_nodes(cluster, &nodes);
    if (code)
        return code;
    struct conclave_feed *feed = mem_new(1, sizeof *feed);
    feed->cluster = cluster;
    library_use(cluster);
    subscription_open(&feed->subscription, connection_context(cluster), &cluster->brokers,
                      cluster->entry.access, clock_now_us());
    *out = feed;
    return EXIT_OK;
}

static void tell(const struct message *message, const struct feed_origin *origin, uint64_t missed,
                 struct conclave_event *out)
{
    const struct wire_event *event = &message->as.event;
    bool beat = message->type == MESSAGE_HEARTBEAT;
    *out = (struct conclave_event){.node = origin->node,
                                   .incarnation = origin->incarnation,
                                   .seq = origin->seq,
                                   .term = origin->term,
                                   .time_ms = origin->time_ms,
                                   .missed = missed};
    text_format(out->type, sizeof out->type, "%s", beat ? "heartbeat" : "event");
    text_copy(out->event, sizeof out->event, beat ? message->as.heartbeat.role : event->event);
    if (beat)
        return;
    text_escape(out->text, sizeof out->text, event->text);
    out->subject = event->subject;
    if (event->job)
        job_id_text(event->job, out->job);
}

static bool take(struct conclave_feed *feed, struct conclave_event *out)
{
    struct message *message;
    bool found = false;
    while (!found && (message = subscription_next(&feed->subscription, clock_now_us()))) {
        struct feed_origin origin;
        uint64_t missed;
        found = !feed_origin(message, &origin) && !feed_hear(&feed->order, &origin, &missed);
        if (found)
            tell(message, &origin, missed, out);
        message_drop(&message);
    }
    return found;
}

int conclave_feed_next(struct conclave_feed *feed, uint64_t timeout_us, struct conclave_event *out)
{
    uint64_t wait_us = timeout_us < TIME_NEVER_US ? timeout_us : TIME_NEVER_US;
    uint64_t end_us = clock_now_us() + wait_us;
    while (!take(feed, out)) {
        zmq_pollitem_t items[SUBSCRIPTION_ITEMS];
        uint64_t now_us = clock_now_us();
        subscription_watch(&feed->subscription, now_us);
        if (feed->subscription.refused)
            return connection_fail(feed->cluster, EXIT_KEY_REFUSED,
                                   "a broker does not take this key for its feed");
        if (now_us >= end_us)
            return connection_fail(feed->cluster, EXIT_TIMEOUT, "nothing has come on the feed");
        uint64_t left_ms = (end_us - now_us + MS_US - 1) / MS_US;
        subscription_items(&feed->subscription, items);
        (void)zmq_poll(items, SUBSCRIPTION_ITEMS, left_ms < WATCH_MS ? (long)left_ms : WATCH_MS);
    }
    return EXIT_OK;
}

void conclave_feed_close(struct conclave_feed **feed)
{
    struct conclave_feed *it = *feed;
    *feed = NULL;
    if (!it)
        return;
    subscription_close(&it->subscription);
    library_let_go(it->cluster);
    free(it);
}
