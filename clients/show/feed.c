#include "clients/show/feed.h"

#include <inttypes.h>

#include "clients/show/render.h"
#include "shared/base/clock.h"

#define HELD_WIDTH 5 /* of how many operations a node has, where more follows */

/* --- lines --- */

static void heartbeat_line(const struct wire_heartbeat *beat, struct text *out)
{
    char role[4 * 16 + 1];
    text_add(out, "%-10s %-12s", "heartbeat", text_escape(role, sizeof role, beat->role));
    if (beat->coordinator)
        text_add(out, "follows %-4" PRIu64, beat->coordinator);
    else
        text_add(out, "%-12s", "follows none");
    bool more = beat->jobs || beat->rejected; /* else the line ends: nothing to line up with */
    text_add(out, " operations %-8" PRIu64 " queued %-5" PRIu64 " held %-*" PRIu64,
             beat->operations, beat->queued, more ? HELD_WIDTH : 0, beat->held);
    if (beat->jobs)
        text_add(out, " jobs %" PRIu64, beat->jobs);
    if (beat->rejected)
        text_add(out, " rejected %" PRIu64, beat->rejected);
}

void feed_line(const struct message *message, struct text *out)
{
    struct feed_origin origin;
    char when[CLOCK_TEXT_MAX], name[4 * 32 + 1], text[TEXT_MAX];
    if (feed_origin(message, &origin))
        return;
    text_add(out, "%s node %-3" PRIu32 " term %-4" PRIu64 " ", clock_text(origin.time_ms, when),
             origin.node, origin.term);
    if (message->type == MESSAGE_HEARTBEAT) {
        heartbeat_line(&message->as.heartbeat, out);
        return;
    }
    const struct wire_event *event = &message->as.event;
    text_add(out, "%-10s %s", text_escape(name, sizeof name, event->event),
             text_escape(text, sizeof text, event->text));
}

/* 80 columns, unless numbers are large. */
static void short_heartbeat(const struct wire_heartbeat *beat, struct text *out)
{
    char role[4 * 16 + 1];
    const struct {
        uint64_t n;
        const char *what;
    } counts[] = {{beat->operations, "operations"},
                  {beat->queued, "queued"},
                  {beat->jobs, "jobs"},
                  {beat->rejected, "rejected"}};
    text_add(out, "%-11s", text_escape(role, sizeof role, beat->role));
    if (beat->coordinator && beat->coordinator != beat->node)
        text_add(out, "  follows %" PRIu64, beat->coordinator);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (counts[i].n)
            text_add(out, "  %" PRIu64 " %s", counts[i].n, counts[i].what);
}

void feed_short_line(const struct message *message, struct text *out)
{
    struct feed_origin origin;
    char when[CLOCK_TEXT_MAX], name[4 * 32 + 1], text[TEXT_MAX];
    if (feed_origin(message, &origin))
        return;
    clock_text(origin.time_ms, when); /* 2026-11-27T18:46:42.000Z */
    text_add(out, "%.12s node %-2" PRIu32 " term %-3" PRIu64 " ", when + 11, origin.node,
             origin.term);
    if (message->type == MESSAGE_HEARTBEAT)
        short_heartbeat(&message->as.heartbeat, out);
    else
        text_add(out, "%s: %s", text_escape(name, sizeof name, message->as.event.event),
                 text_escape(text, sizeof text, message->as.event.text));
}

/* --- JSON --- */

/* null while it executes none. */
static json_t *executing_json(const struct wire_heartbeat *beat)
{
    char id[JOB_TEXT_MAX];
    if (!beat->executing_op)
        return json_null();
    return json_pack("{s:s, s:I}", "job", job_id_text(beat->executing_job, id), "operation",
                     (json_int_t)beat->executing_op);
}

static json_t *heartbeat_json(const struct wire_heartbeat *beat)
{
    json_t *all =
        json_pack("{s:o, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "role",
                  render_text(beat->role), "coordinator", render_number(beat->coordinator),
                  "serving", beat->serving, "operations", (json_int_t)beat->operations,
                  "conversions", (json_int_t)beat->conversions, "queued", (json_int_t)beat->queued,
                  "held", (json_int_t)beat->held, "applied", (json_int_t)beat->applied, "rejected",
                  (json_int_t)beat->rejected, "jobs", (json_int_t)beat->jobs, "host",
                  render_text(beat->host), "pid", render_number(beat->pid), "version",
                  render_text(beat->version));
    json_object_set_new(all, "executing", executing_json(beat));
    json_object_set_new(all, "slots", json_integer((json_int_t)beat->slots));
    json_object_set_new(all, "operation_slots",
                        json_integer(
                            (json_int_t)(beat->operation_slots ? beat->operation_slots : 1)));
    json_object_set_new(all, "slots_used", json_integer((json_int_t)beat->slots_used));
    return all;
}

static json_t *event_json(const struct wire_event *event)
{
    char id[JOB_TEXT_MAX];
    return json_pack("{s:o, s:o, s:o, s:o}", "event", render_text(event->event), "subject",
                     render_number(event->subject), "job",
                     event->job ? json_string(job_id_text(event->job, id)) : json_null(), "text",
                     render_text(event->text));
}

json_t *feed_json(const struct message *message)
{
    struct feed_origin origin;
    if (feed_origin(message, &origin))
        return json_null();
    bool beats = message->type == MESSAGE_HEARTBEAT;
    json_t *all = json_pack("{s:s, s:I, s:o, s:I, s:o, s:I}", "type", message_name(message->type),
                            "node", (json_int_t)origin.node, "incarnation",
                            render_incarnation(origin.incarnation), "seq", (json_int_t)origin.seq,
                            "time", render_time(origin.time_ms), "term", (json_int_t)origin.term);
    json_t *rest = beats ? heartbeat_json(&message->as.heartbeat) : event_json(&message->as.event);
    json_object_update(all, rest);
    json_decref(rest);
    return all;
}

json_t *feed_gap_json(const struct feed_origin *origin, uint64_t missed)
{
    return json_pack("{s:s, s:I, s:o, s:I, s:I, s:I}", "type", "gap", "node",
                     (json_int_t)origin->node, "incarnation",
                     render_incarnation(origin->incarnation), "from",
                     (json_int_t)(origin->seq - missed), "to", (json_int_t)(origin->seq - 1),
                     "missed", (json_int_t)missed);
}
