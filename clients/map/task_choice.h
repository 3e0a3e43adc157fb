/* task_choice.h - some of a job's tasks, as options choose them. */
#ifndef CONCLAVE_CLIENTS_TASK_CHOICE_H
#define CONCLAVE_CLIENTS_TASK_CHOICE_H

#include "clients/show/task_view.h"

#define TASK_CHOICE_RANGES 1024 /* of --task; more belong into a script */

struct task_choice {
    size_t n; /* 0: all */
    struct {
        uint64_t first, last;
    } ranges[TASK_CHOICE_RANGES]; /* in their order, without overlap */
    uint64_t states;              /* a bit for each enum task_view_state; 0: all */
    uint64_t limit;               /* of tasks; 0: none */
};

/* Reads "17,60-70", a state's name (NULL: none), and whether only those that failed or were lost
 * are meant. OK, or ERR_MALFORMED with one line in `why`. */
int task_choice_parse(const char *tasks, const char *state, bool failed, struct task_choice *out,
                      struct text *why);

/* Returns the first chosen number that is `task` or greater; 0: there is none. */
uint64_t task_choice_from(const struct task_choice *choice, uint64_t task, uint64_t total);

/* Whether a task of that state is chosen. */
bool task_choice_has_state(const struct task_choice *choice, enum task_view_state state);

#endif
