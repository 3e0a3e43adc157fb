#include "clients/map/task_choice.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"

static bool read_range(struct slice text, uint64_t *first, uint64_t *last)
{
    const uint8_t *dash = memchr(text.at, '-', text.len);
    size_t len = dash ? (size_t)(dash - text.at) : text.len;
    if (parse_u64((struct slice){text.at, len}, UINT64_MAX - 1, first) || !*first)
        return false;
    *last = *first;
    return !dash ||
           (!parse_u64((struct slice){dash + 1, text.len - len - 1}, UINT64_MAX - 1, last) &&
            *last >= *first);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Sorts the ranges and makes those one that touch. */
static void put_in_order(struct task_choice *choice)
{
    size_t n = 0;
    qsort(choice->ranges, choice->n, sizeof *choice->ranges, compare);
    for (size_t i = 0; i < choice->n; i++) {
        if (n && choice->ranges[i].first <= choice->ranges[n - 1].last + 1) {
            if (choice->ranges[i].last > choice->ranges[n - 1].last)
                choice->ranges[n - 1].last = choice->ranges[i].last;
        } else {
            choice->ranges[n++] = choice->ranges[i];
        }
    }
    choice->n = n;
}

static int read_tasks(struct slice text, struct task_choice *out, struct text *why)
{
    char shown[TEXT_MAX / 4];
    for (bool more = true; more;) {
        const uint8_t *comma = memchr(text.at, ',', text.len);
        size_t len = comma ? (size_t)(comma - text.at) : text.len;
        if (out->n == TASK_CHOICE_RANGES) {
            text_add(why, "--task takes at most %d numbers and ranges", TASK_CHOICE_RANGES);
            return ERR_MALFORMED;
        }
        if (!read_range((struct slice){text.at, len}, &out->ranges[out->n].first,
                        &out->ranges[out->n].last)) {
            text_add(why, "--task takes numbers and ranges such as 17,60-70, not '%s'",
                     text_escape(shown, sizeof shown, (struct slice){text.at, len}));
            return ERR_MALFORMED;
        }
        out->n++;
        more = comma;
        text = (struct slice){text.at + len + more, text.len - len - more};
    }
    put_in_order(out);
    return OK;
}

int task_choice_parse(const char *tasks, const char *state, bool failed, struct task_choice *out,
                      struct text *why)
{
    char shown[TEXT_MAX / 4];
    *out = (struct task_choice){0};
    if (state && failed) {
        text_add(why, "either --state or --failed, not both");
        return ERR_MALFORMED;
    }
    if (failed)
        out->states = 1u << VIEW_FAILED | 1u << VIEW_LOST;
    for (int i = 0; state && i < TASK_VIEW_STATES_COUNT; i++)
        if (!strcmp(state, task_view_state_name((enum task_view_state)i)))
            out->states = 1u << i;
    if (state && !out->states) {
        text_add(why,
                 "--state: '%s' is not allowed; it takes queued, running, done, failed, lost or "
                 "cancelled",
                 text_escape(shown, sizeof shown, slice_of(state)));
        return ERR_MALFORMED;
    }
    return tasks ? read_tasks(slice_of(tasks), out, why) : OK;
}

uint64_t task_choice_from(const struct task_choice *choice, uint64_t task, uint64_t total)
{
    if (!choice->n)
        return task <= total ? task : 0;
    for (size_t i = 0; i < choice->n; i++) {
        uint64_t first = choice->ranges[i].first > task ? choice->ranges[i].first : task;
        if (first <= choice->ranges[i].last)
            return first <= total ? first : 0;
    }
    return 0;
}

bool task_choice_has_state(const struct task_choice *choice, enum task_view_state state)
{
    return !choice->states || (choice->states & 1u << state);
}
