/* step.h - what every room of a node gets instead of the node: its configuration, the time of the
 * present step, randomness, and the outbox; log lines, events and error replies.
 *
 * This is the door of the room; it includes all that the room has. */
#ifndef CONCLAVE_CORE_STEP_H
#define CONCLAVE_CORE_STEP_H

#include "nodes/core/step/outbox.h"
#include "nodes/core/step/participant.h"
#include "shared/base/log_limit.h"

/* Lines of one kind: those that others can cause must not fill the log. */
struct step_lines {
    const char *kind; /* a static string; NULL: not used yet */
    struct log_limit limit;
};

/* What has this node's slots, and waits for one: rooms that execute something tell each other here.
 * When both wait, they take turns. */
struct slots_use {
    uint64_t operations, tasks; /* slots that these have; a task may have several */
    bool operations_wait;       /* one could begin, if there were room */
    uint64_t tasks_wait;        /* slots that the first task needs which could begin; 0: none */
    bool operations_next;       /* a task began while operations waited */
};

#define STEP_LINES_KINDS_MAX 32 /* more than there are; the last one is for all others */

struct step {
    struct node_config config;
    uint64_t now_us, wall_ms;
    uint64_t random;
    uint64_t rejected, rejected_here; /* messages dropped: in all, and by the core */
    uint64_t refused;                 /* connections, for their keys */
    uint64_t forbidden;               /* requests, for what their keys may not do */
    uint64_t feed_seq;                /* of the last heartbeat or event */
    struct identity identity;         /* of the cluster; none: not founded yet: as raft has it */
    incarnation_t birth;              /* of our disk */
    term_t term;                      /* ours, and whom we follow in it: the election's */
    node_id_t coordinator;
    struct step_lines lines[STEP_LINES_KINDS_MAX];
    struct slots_use slots;
    bool news; /* something changed that others should know at once: a heartbeat is due */
    struct outbox out;
};

static inline bool step_is_peer(const struct step *step, uint64_t id)
{
    return id >= 1 && id <= step->config.n_nodes && id != step->config.id;
}

static inline bool step_is_founded(const struct step *step)
{
    return identity_is_set(&step->identity);
}

/* The identifier is that of our cluster, which there is. */
bool step_is_ours(const struct step *step, struct slice cluster_id);

/* Ours as a field of a message; empty for none. Borrowed. */
struct slice step_cluster_id(const struct step *step);

/* This node is the coordinator of its term. */
static inline bool step_coordinates(const struct step *step)
{
    return step->coordinator == step->config.id;
}

/* Operations that this node executes at the same time, at most. */
static inline uint64_t step_operation_slots(const struct step *step)
{
    uint64_t slots = step->config.operation_slots;
    return slots < 1 ? 1 : slots < COMPUTE_IN_FLIGHT ? slots : COMPUTE_IN_FLIGHT;
}

/* True when commands and operations share the slots. */
static inline bool step_shares_slots(const struct step *step)
{
    return step->config.operation_slots && step->config.slots;
}

/* How long a worker, or a task, rests after an error that follows so many others. */
static inline uint64_t error_pause_us(uint64_t before)
{
    uint64_t pause_us = ERROR_BACKOFF_US << (before < 8 ? before : 8);
    return pause_us < ERROR_BACKOFF_MAX_US ? pause_us : ERROR_BACKOFF_MAX_US;
}

/* Of two times; UINT64_MAX is never. */
static inline uint64_t earlier_us(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How long a value of so many bytes may be waited for before it is asked for again. */
static inline uint64_t value_wait_us(uint64_t len)
{
    return VALUE_WAIT_US + len / VALUE_WAIT_BYTES_PER_US;
}

/* Writes a line for people, of a kind (a static string) of which at most so many are written in a
 * second; what is left out is counted, and told with the next one. */
void step_line(struct step *step, const char *kind, uint64_t per_s, enum log_level level,
               const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Counts a message that is malformed, foreign or out of range. */
void step_reject(struct step *step, node_id_t from, const char *why);

/* A pseudo-random number below `limit` (> 0), from the event's randomness. */
uint64_t step_random(struct step *step, uint64_t limit);

/* Publishes an event and writes the same line to the log, as step_line() does. `subject` NODE_NONE,
 * `job` JOB_NONE: about none. */
void step_event(struct step *step, const char *event, node_id_t subject, job_id_t job,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* An error reply to a client's request. Caller sends it. */
struct message *step_error(const struct step *step, uint64_t request, const char *code,
                           const char *reason);

/* A client's key: printable characters without spaces. */
bool step_key_is_valid(struct slice key);

/* Between steps: what the step has put out waits for nothing that is not written. */
void step_check_invariants(const struct step *step);

#endif
