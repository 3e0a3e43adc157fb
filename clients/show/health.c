#include "clients/show/health.h"

#include <inttypes.h>

#include "shared/base/limits.h"

/* What can be wrong with a node: its name in JSON and for people, and for how long it has been. */
struct fault {
    const char *name, *text;
    bool (*has)(const struct wire_node_row *row, uint64_t *ms);
    bool tells_why;
};

static bool is_dead(const struct wire_node_row *row, uint64_t *ms)
{
    *ms = 0;
    return !row->alive;
}

static bool is_behind(const struct wire_node_row *row, uint64_t *ms)
{
    *ms = row->behind_ms;
    return row->alive && row->behind_ms;
}

static bool is_stalled(const struct wire_node_row *row, uint64_t *ms)
{
    *ms = row->stalled_ms;
    return row->alive && row->stalled_ms;
}

static bool is_outside(const struct wire_node_row *row, uint64_t *ms)
{
    *ms = 0;
    return row->alive && row->voter && !row->admitted;
}

/* A process speaks as that node and is not let in; another one may be alive as that node. */
static bool is_refused(const struct wire_node_row *row, uint64_t *ms)
{
    *ms = 0;
    return row->refusal.len;
}

/* In the last minute it was so late that it could have been deposed. It works again: this is said,
 * and does not make a cluster unwell. */
static bool is_loop_stalled(const struct wire_node_row *row, uint64_t *ms)
{
    *ms = row->turn_us / MS_US;
    return row->alive && row->turn_us >= ELECTION_TIMEOUT_DEFAULT_US;
}

static const struct fault faults[] = {
    {"not_alive", "not alive", is_dead, false},
    {"refused", "a process is refused", is_refused, true},
    {"not_admitted", "not admitted", is_outside, false},
    {"behind", "behind", is_behind, false},
    {"stalled", "the disk has finished nothing", is_stalled, false},
    {"loop_stalled", "the event loop was blocked in the last minute", is_loop_stalled, false},
};

#define FAULTS (sizeof faults / sizeof faults[0])

void health_add_refusal(const struct wire_node_row *row, struct text *out)
{
    char why[4 * REFUSAL_MAX + 1];
    if (row->refusal.len)
        text_add(out, " (%s)", text_escape(why, sizeof why, row->refusal));
}

void health_add_faults(const struct wire_status *status, struct text *out)
{
    for (size_t i = 0; i < FAULTS; i++) {
        unsigned n = 0;
        for (size_t at = 0; at < status->nodes.n; at++) {
            const struct wire_node_row *row = &status->nodes.at[at];
            uint64_t ms;
            if (!faults[i].has(row, &ms))
                continue;
            text_add(out, "%s%snode %" PRIu64, n ? "" : faults[i].text, n ? ", " : ": ", row->node);
            if (ms)
                text_add(out, " (for %.1f s)", (double)ms / 1000);
            if (faults[i].tells_why)
                health_add_refusal(row, out);
            n++;
        }
        if (n)
            text_add(out, "; ");
    }
}

void health_add_margin(const struct wire_status *status, struct text *out)
{
    uint64_t voters = health_voters(status);
    text_add(out, "%" PRIu64 " more voter%s may fail", status->may_fail,
             status->may_fail == 1 ? "" : "s");
    if (voters && voters < status->nodes.n)
        text_add(out, " (nodes 1 to %" PRIu64 " vote)", voters);
}

uint64_t health_voters(const struct wire_status *status)
{
    uint64_t voters = 0;
    for (size_t i = 0; i < status->nodes.n; i++)
        voters += status->nodes.at[i].voter;
    return voters;
}

const char *health_word(const struct wire_node_row *row)
{
    if (row->full)
        return "full";
    if (!row->alive)
        return "no";
    return row->stalled_ms ? "stalls" : row->behind_ms ? "behind" : "yes";
}

void health_put_json(const struct wire_status *status, json_t *object)
{
    for (size_t i = 0; i < FAULTS; i++) {
        json_t *nodes = json_array();
        uint64_t ms;
        for (size_t at = 0; at < status->nodes.n; at++)
            if (faults[i].has(&status->nodes.at[at], &ms))
                json_array_append_new(nodes, json_integer((json_int_t)status->nodes.at[at].node));
        json_object_set_new(object, faults[i].name, nodes);
    }
    json_object_set_new(object, "may_fail", json_integer((json_int_t)status->may_fail));
}
