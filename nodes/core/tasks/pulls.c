#include "nodes/core/tasks/pulls.h"

#include <stdlib.h>

#include "nodes/core/state/state.h"
#include "nodes/core/tasks/failures.h"
#include "shared/base/text.h"
#include "shared/tasks/bundle.h"

enum pull_state {
    PULL_WAITING,
    PULL_LOOKING, /* whether it is here: a voter may have been offered it in an earlier term */
    PULL_FETCHING,
    PULL_KEEPING,
    PULL_SPREADING, /* it is here, and not yet on the disks of a majority */
    PULL_RESTING
};

struct task_pull {
    struct task_pull *next;
    node_id_t from;
    struct message *message; /* owned: with the outcome, and all that it points to */
    const struct wire_task_outcome *outcome;
    enum pull_state state;
    uint64_t piece; /* that is being pulled */
    unsigned tries;
    bool disk;         /* the last one failed at this node's disk */
    uint64_t again_us; /* when it rests */
};

static const struct wire_task_bundle *bundle_of(const struct task_pull *pull)
{
    return &pull->outcome->bundle.at[0];
}

static struct value_id id_of(const struct task_pull *pull)
{
    return (struct value_id){pull->message->as.tasks_ended.job, bundle_of(pull)->op + pull->piece};
}

static uint64_t len_of(const struct task_pull *pull)
{
    return bundle_piece_bytes(bundle_of(pull)->len, pull->piece);
}

static const uint8_t *hash_of(const struct task_pull *pull)
{
    return bundle_of(pull)->hashes.at + pull->piece * HASH_BYTES;
}

/* --- the life of one --- */

static void let_go(struct tasks *tasks, const struct task_pull *pull)
{
    if (pull->state == PULL_WAITING)
        return;
    offers_end(tasks->raft, id_of(pull));
    outbox_drop(&tasks->step->out, USER_TASKS, id_of(pull));
}

static void remove_at(struct tasks *tasks, struct task_pull **at)
{
    struct task_pull *pull = *at;
    *at = pull->next;
    message_drop(&pull->message);
    free(pull);
    tasks->n_pulls--;
}

void pulls_end(struct tasks *tasks, node_id_t from, job_id_t job)
{
    for (struct task_pull **at = &tasks->pulls; *at;) {
        struct task_pull *pull = *at;
        if ((from && pull->from != from) || (job && pull->message->as.tasks_ended.job != job)) {
            at = &pull->next;
            continue;
        }
        let_go(tasks, pull);
        remove_at(tasks, at);
    }
}

static void look(struct tasks *tasks, struct task_pull *pull)
{
    pull->state = PULL_LOOKING;
    offers_make(tasks->raft, id_of(pull), pull->from, len_of(pull), hash_of(pull));
    outbox_keep(&tasks->step->out, USER_TASKS, id_of(pull), NULL);
}

static void fetch(struct tasks *tasks, struct task_pull *pull)
{
    pull->state = PULL_FETCHING;
    outbox_fetch(&tasks->step->out, USER_TASKS, id_of(pull), pull->from, len_of(pull),
                 hash_of(pull), 0);
}

/* As if the attempt itself had failed. */
static void give_up(struct tasks *tasks, struct task_pull *pull)
{
    struct message *message = pull->message;
    struct wire_task_outcome *outcome = (struct wire_task_outcome *)(uintptr_t)pull->outcome;
    struct text why = {0};
    if (pull->disk)
        text_add(&why, "its output has no room on node %u", (unsigned)tasks->step->config.id);
    else
        text_add(&why, "its output cannot be had from node %u", (unsigned)pull->from);
    outcome->reason = message_text(message, why.at);
    outcome->bundle.n = 0;
    outcome->bundle_len = outcome->out_len = outcome->err_len = outcome->files = 0;
}

/* The piece is done with; false: it was the last. */
static bool next_piece(struct tasks *tasks, struct task_pull *pull)
{
    let_go(tasks, pull);
    pull->state = PULL_WAITING;
    pull->tries = 0;
    return ++pull->piece < bundle_pieces(bundle_of(pull)->len);
}

static void go_on(struct tasks *tasks, struct task_pull *pull, bool *ended)
{
    if (pull->state == PULL_RESTING && tasks->step->now_us >= pull->again_us)
        look(tasks, pull);
    if (pull->state == PULL_SPREADING && offers_is_spread(tasks->raft, id_of(pull)))
        *ended = !next_piece(tasks, pull);
    if (pull->state == PULL_WAITING && !*ended)
        look(tasks, pull);
}

void pulls_pump(struct tasks *tasks)
{
    size_t n = 0;
    for (struct task_pull **at = &tasks->pulls; *at && n < BUNDLE_PULLS_MAX;) {
        struct task_pull *pull = *at;
        bool ended = false;
        if (pull->tries < BUNDLE_TRIES_MAX) {
            go_on(tasks, pull, &ended);
        } else {
            let_go(tasks, pull);
            give_up(tasks, pull);
            ended = true;
        }
        if (!ended) {
            at = &pull->next;
            n++;
            continue;
        }
        /* What it does may end other pulls, so it is none itself by then. */
        struct message *message = message_ref(pull->message);
        const struct wire_task_outcome *outcome = pull->outcome;
        node_id_t from = pull->from;
        remove_at(tasks, at);
        outcomes_take(tasks, from, message, outcome, true);
        message_drop(&message);
        at = &tasks->pulls;
        n = 0;
    }
}

uint64_t pulls_deadline(const struct tasks *tasks)
{
    uint64_t at = UINT64_MAX;
    for (const struct task_pull *pull = tasks->pulls; pull; pull = pull->next)
        if (pull->state == PULL_RESTING)
            at = earlier_us(at, pull->again_us);
    return at;
}

/* --- values --- */

static struct task_pull *find(const struct tasks *tasks, struct value_id id)
{
    struct task_pull *pull = tasks->pulls;
    while (pull && (pull->state == PULL_WAITING || !value_id_same(id_of(pull), id)))
        pull = pull->next;
    return pull;
}

void pulls_value_ready(struct tasks *tasks, struct value_id id)
{
    struct task_pull *pull = find(tasks, id);
    if (!pull) {
        outbox_drop(&tasks->step->out, USER_TASKS, id);
        return;
    }
    pull->state = PULL_KEEPING;
    outbox_keep(&tasks->step->out, USER_TASKS, id, NULL);
}

bool pulls_value_kept(struct tasks *tasks, struct value_id id)
{
    struct task_pull *pull = find(tasks, id);
    if (!pull)
        return false;
    outbox_drop(&tasks->step->out, USER_TASKS, id);
    offers_held_here(tasks->raft, id);
    pull->state = PULL_SPREADING;
    return true;
}

bool pulls_value_failed(struct tasks *tasks, struct value_id id)
{
    struct task_pull *pull = find(tasks, id);
    if (!pull)
        return false;
    if (pull->state == PULL_LOOKING && step_is_peer(tasks->step, pull->from)) {
        fetch(tasks, pull);
        return true;
    }
    pull->disk = pull->state == PULL_KEEPING;
    outbox_drop(&tasks->step->out, USER_TASKS, id);
    pull->tries++;
    pull->state = PULL_RESTING;
    pull->again_us = tasks->step->now_us + BUNDLE_AGAIN_US;
    return true;
}

/* --- beginning --- */

static bool is_known(const struct tasks *tasks, node_id_t from, job_id_t job,
                     const struct wire_task_outcome *outcome)
{
    for (const struct task_pull *pull = tasks->pulls; pull; pull = pull->next)
        if (pull->from == from && pull->message->as.tasks_ended.job == job &&
            pull->outcome->hand == outcome->hand && pull->outcome->first == outcome->first)
            return true;
    return false;
}

/* Nobody else gets the task while its output is on the way. */
static void take_in_hand(struct tasks *tasks, node_id_t from, struct task_schedule *of,
                         const struct wire_task_outcome *outcome)
{
    struct range one = {outcome->first, 1};
    if (!ranges_has(&of->free, one.first) && !ranges_has(&of->unsure, one.first))
        return;
    ranges_remove(&of->free, one);
    ranges_remove(&of->unsure, one);
    hands_resume(tasks, of, from, one, outcome->hand, false);
}

bool pulls_begin(struct tasks *tasks, node_id_t from, struct task_schedule *of,
                 struct message *message, const struct wire_task_outcome *outcome)
{
    job_id_t job = of->row->id;
    if (!outcome->bundle.n)
        return false;
    if (is_known(tasks, from, job, outcome))
        return true;
    if (outcome->count > 1 || !of->row->options.bundles ||
        !task_bundle_is_sound(&outcome->bundle.at[0]) ||
        outcome->bundle.at[0].len != outcome->bundle_len) {
        step_reject(tasks->step, from, "it names an output that cannot exist");
        return true;
    }
    take_in_hand(tasks, from, of, outcome);
    struct task_pull *pull = mem_new(1, sizeof *pull), **last = &tasks->pulls;
    *pull = (struct task_pull){.from = from, .message = message_ref(message), .outcome = outcome};
    while (*last)
        last = &(*last)->next;
    *last = pull;
    tasks->n_pulls++;
    return true;
}
