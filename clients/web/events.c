#include "clients/web/events.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/show/status_json.h"
#include "clients/web/routes.h"
#include "clients/web/web.h"
#include "shared/base/error.h"

struct stream {
    struct request *request;
    uint64_t next;          /* the event that comes next */
    uint64_t nodes, status; /* the newest that it has */
    struct blob *text;      /* being sent */
    size_t sent;
    struct stream *after, **at;
};

/* --- what there is to read --- */

static void wake(struct events *events)
{
    for (struct stream *stream = events->streams; stream; stream = stream->after)
        request_resume(stream->request);
}

/* Takes the value. */
static struct blob *message_of(const char *type, uint64_t id, json_t *value)
{
    char head[96];
    size_t n = id ? text_format(head, sizeof head, "id: %" PRIu64 "\nevent: %s\ndata: ", id, type)
                  : text_format(head, sizeof head, "event: %s\ndata: ", type);
    char *body = json_dumps(value, JSON_COMPACT);
    if (!body)
        panic("a JSON value cannot be printed");
    size_t len = strlen(body);
    struct blob *text = blob_new(n + len + 2);
    memcpy(text->at, head, n);
    memcpy(text->at + n, body, len);
    memcpy(text->at + n + len, "\n\n", 2);
    free(body);
    json_decref(value);
    return text;
}

static void keep(struct events *events, const char *type, json_t *value)
{
    struct blob **at = &events->kept[events->next % WEB_EVENTS_MAX];
    blob_drop(at);
    *at = message_of(type, events->next, value);
    events->next++;
    wake(events);
}

static void renew(struct events *events, struct newest *newest, const char *type, json_t *value)
{
    blob_drop(&newest->text);
    newest->text = message_of(type, 0, value);
    newest->number++;
    wake(events);
}

/* --- the feed --- */

static void count(struct events *events, const struct wire_event *event)
{
    char name[4 * 32 + 1];
    text_escape(name, sizeof name, event->event);
    size_t i = 0;
    while (i < events->n_counts && strcmp(events->counts[i].name, name))
        i++;
    if (i == WEB_EVENT_NAMES_MAX)
        i--; /* whoever invents names is counted with the last one */
    if (i == events->n_counts) {
        text_format(events->counts[i].name, sizeof name, "%s", name);
        events->n_counts++;
    }
    events->counts[i].seen++;
}

void events_hear(struct events *events, const struct message *message)
{
    struct feed_origin origin;
    uint64_t missed;
    char node[16];
    if (feed_origin(message, &origin) || feed_hear(&events->feed, &origin, &missed))
        return;
    events->missed += missed;
    if (missed)
        keep(events, "gap", feed_gap_json(&origin, missed));
    if (message->type == MESSAGE_HEARTBEAT) {
        const struct wire_heartbeat *beat = &message->as.heartbeat;
        events->heartbeats++;
        events->beaten = true;
        if (origin.node <= NODES_MAX)
            events->last[origin.node] =
                (struct events_beat){true, beat->fetched, beat->queued, beat->disk_ms};
        text_format(node, sizeof node, "%" PRIu32, origin.node);
        if (events->streams)
            json_object_set_new(events->beats, node, feed_json(message));
        return;
    }
    events->heard++;
    events->at_once = true;
    count(events, &message->as.event);
    keep(events, "event", feed_json(message));
}

void events_take_look(struct events *events, const struct look *look)
{
    /* The broker may not have heard yet of who was elected. */
    events->at_once = events->at_once || !look->view.status;
    if (events->streams)
        renew(events, &events->status, "status",
              status_json(&look->view, &events->web->cli->connection.brokers, events->web->dir));
}

void events_turn(struct events *events, uint64_t now_us)
{
    if (!events->streams)
        return;
    uint64_t since_us = now_us - events->status_us;
    if (since_us >= WEB_STATUS_US || (events->at_once && since_us >= WEB_STATUS_AT_ONCE_US)) {
        events->status_us = now_us;
        events->at_once = false;
        look_want(&events->web->look);
    }
    since_us = now_us - events->nodes_us;
    if (events->beaten && since_us >= WEB_NODES_US) {
        /* Of a turn that came late the next one is not late, too. */
        events->nodes_us = since_us < 2 * WEB_NODES_US ? events->nodes_us + WEB_NODES_US : now_us;
        events->beaten = false;
        renew(events, &events->nodes, "nodes", json_incref(events->beats));
    }
}

void events_init(struct events *events, struct web *web)
{
    events->web = web;
    events->next = 1;
    events->beats = json_object();
}

void events_clear(struct events *events)
{
    for (size_t i = 0; i < WEB_EVENTS_MAX; i++)
        blob_drop(&events->kept[i]);
    blob_drop(&events->nodes.text);
    blob_drop(&events->status.text);
    json_decref(events->beats);
}

/* --- readers --- */

/* The next message for it, with a reference; NULL: there is none now. */
static struct blob *choose(struct events *events, struct stream *stream)
{
    uint64_t oldest = events->next > WEB_EVENTS_MAX ? events->next - WEB_EVENTS_MAX : 1;
    if (stream->next < oldest) {
        uint64_t missed = oldest - stream->next;
        stream->next = oldest;
        return message_of("gap", 0,
                          json_pack("{s:s, s:i, s:I}", "type", "gap", "node", 0, "missed",
                                    (json_int_t)missed));
    }
    if (stream->next < events->next)
        return blob_ref(events->kept[stream->next++ % WEB_EVENTS_MAX]);
    if (stream->status != events->status.number) {
        stream->status = events->status.number;
        return blob_ref(events->status.text);
    }
    if (stream->nodes != events->nodes.number) {
        stream->nodes = events->nodes.number;
        return blob_ref(events->nodes.text);
    }
    return NULL;
}

static ssize_t read_stream(void *context, uint64_t at, char *out, size_t room)
{
    struct request *request = context;
    struct stream *stream = request->own;
    (void)at;
    if (!stream->text) {
        stream->text = choose(&request->web->events, stream);
        stream->sent = 0;
    }
    if (!stream->text) {
        request_suspend(request);
        return 0;
    }
    size_t left = stream->text->len - stream->sent;
    left = left < room ? left : room;
    memcpy(out, stream->text->at + stream->sent, left);
    stream->sent += left;
    if (stream->sent == stream->text->len)
        blob_drop(&stream->text);
    return (ssize_t)left;
}

static void stream_free(void *own)
{
    struct stream *stream = own;
    *stream->at = stream->after;
    if (stream->after)
        stream->after->at = stream->at;
    stream->request->web->events.n_streams--;
    blob_drop(&stream->text);
    free(stream);
}

/* While nobody read, none was made: what is there is as old as the last reader. */
static void forget_newest(struct events *events)
{
    blob_drop(&events->nodes.text);
    blob_drop(&events->status.text);
    events->nodes.number = events->status.number = 0;
    json_object_clear(events->beats);
}

/* Whoever comes again says which event it had last; who comes first gets all that are kept. */
void events_get(struct request *request)
{
    struct events *events = &request->web->events;
    const char *last =
        MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Last-Event-ID");
    uint64_t had = 0;
    if (events->n_streams == WEB_STREAMS_MAX) {
        request_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "busy", EXIT_UNREACHABLE,
                      "%d clients read the events already", WEB_STREAMS_MAX);
        return;
    }
    if (last && parse_u64(slice_of(last), UINT64_MAX - 1, &had)) {
        request_error(request, MHD_HTTP_BAD_REQUEST, "malformed", EXIT_USAGE,
                      "Last-Event-ID takes the id of an event");
        return;
    }
    struct stream *stream = mem_new(1, sizeof *stream);
    /* A number that was not given out yet is of another life of this process. */
    stream->next = had && had < events->next ? had + 1 : 1;
    if (!had && events->next > WEB_EVENTS_MAX)
        stream->next = events->next - WEB_EVENTS_MAX; /* it has missed nothing yet */
    if (!events->streams)
        forget_newest(events);
    stream->request = request;
    stream->after = events->streams;
    stream->at = &events->streams;
    if (stream->after)
        stream->after->at = &stream->after;
    events->streams = stream;
    events->n_streams++;
    events->at_once = true;
    request->own = stream;
    request->own_free = stream_free;
    request_stream(request, "text/event-stream", MHD_SIZE_UNKNOWN, read_stream);
    request_extend(request, UINT64_MAX);
}
