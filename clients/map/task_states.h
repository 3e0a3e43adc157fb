/* task_states.h - how the tasks of a job stand, as the coordinator lists them: tasks in a row of
 * which the same is told are one. */
#ifndef CONCLAVE_CLIENTS_TASK_STATES_H
#define CONCLAVE_CLIENTS_TASK_STATES_H

#include "clients/show/task_view.h"
#include "shared/wire/message.h"

struct task_states_row;

/* Zero-initialize. */
struct task_states {
    struct task_states_row *at; /* in their order; owned */
    size_t n, size;
};

/* Takes in a page, which follows what is there; *after: the last task of it. False: it does not. */
bool task_states_add(struct task_states *states, const struct wire_task_page *page,
                     uint64_t *after);

/* The state of a task; VIEW_QUEUED when nothing is told of it. */
enum task_view_state task_states_of(const struct task_states *states, uint64_t task);

/* Fills in what is told of a task: its state, and how it ended if it did. Borrows. */
void task_states_view(const struct task_states *states, uint64_t task, struct task_view *out);

void task_states_clear(struct task_states *states);

#endif
