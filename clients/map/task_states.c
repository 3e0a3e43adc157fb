#include "clients/map/task_states.h"

#include <stdlib.h>

#include "shared/base/limits.h"
#include "shared/base/memory.h"

struct task_states_row {
    uint64_t first, count;
    enum task_view_state state;
    uint64_t attempt, node;
    bool copied;
    int exit, signal;
    char reason[TASK_REASON_MAX + 1];
};

/* Of a later release's state nothing is known but that it is none of these. */
static enum task_view_state state_of(struct slice name)
{
    for (int i = 0; i < TASK_VIEW_STATES_COUNT; i++)
        if (slice_equals(name, task_view_state_name((enum task_view_state)i)))
            return (enum task_view_state)i;
    return VIEW_QUEUED;
}

static void take_row(const struct wire_task_exception *it, struct task_states_row *row)
{
    *row = (struct task_states_row){.first = it->first,
                                    .count = it->count,
                                    .state = state_of(it->state),
                                    .attempt = it->attempts,
                                    .node = it->node,
                                    .copied = it->copy > 0,
                                    .exit = -1,
                                    .signal = (int)it->signal};
    text_copy(row->reason, sizeof row->reason, it->reason);
    if (row->state == VIEW_FAILED && it->attempts && !it->signal && !it->reason.len)
        row->exit = (int)it->exit;
}

bool task_states_add(struct task_states *states, const struct wire_task_page *page, uint64_t *after)
{
    for (size_t i = 0; i < page->rows.n; i++) {
        const struct wire_task_exception *it = &page->rows.at[i];
        if (it->first <= *after || !it->count || it->count > TASKS_MAX)
            return false;
        if (states->n == states->size) {
            states->size = states->size ? 2 * states->size : 64;
            states->at = mem_grow(states->at, states->size, sizeof *states->at);
        }
        take_row(it, &states->at[states->n++]);
        *after = it->first + it->count - 1;
    }
    return true;
}

static const struct task_states_row *find(const struct task_states *states, uint64_t task)
{
    size_t low = 0, high = states->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (states->at[middle].first <= task)
            low = middle + 1;
        else
            high = middle;
    }
    const struct task_states_row *row = low ? &states->at[low - 1] : NULL;
    return row && task - row->first < row->count ? row : NULL;
}

enum task_view_state task_states_of(const struct task_states *states, uint64_t task)
{
    const struct task_states_row *row = find(states, task);
    return row ? row->state : VIEW_QUEUED;
}

void task_states_view(const struct task_states *states, uint64_t task, struct task_view *out)
{
    const struct task_states_row *row = find(states, task);
    if (!row)
        return;
    out->state = row->state;
    out->attempt = row->attempt;
    out->node = row->node;
    out->copy = row->copied ? COPY_RUNS : COPY_NONE;
    out->exit = row->exit;
    out->signal = row->signal;
    out->reason = slice_of(row->reason);
}

void task_states_clear(struct task_states *states)
{
    free(states->at);
    *states = (struct task_states){0};
}
