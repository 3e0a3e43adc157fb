/* held_values.h - the values that a worker holds for others, by where they are: in its memory, on
 * its disk where there is no room in memory, or on the way between the two.
 *
 *   in memory --> writing --> on disk --> reading --> in memory
 *       ^___________| (needed again, or no room on disk)
 *
 * What was on disk once stays there until it is let go: to spill it again costs no writing. */
#ifndef CONCLAVE_CORE_HELD_VALUES_H
#define CONCLAVE_CORE_HELD_VALUES_H

#include "nodes/core/step/step.h"
#include "shared/base/map.h"

enum held_state { HELD_IN_MEMORY, HELD_WRITING, HELD_ON_DISK, HELD_READING, HELD_STATES };

struct held_value {
    struct value_id id;
    uint64_t len;
    enum held_state state;
    uint64_t seq;     /* names the writing or reading that is under way */
    uint64_t since;   /* counts up: when it came */
    op_id_t last_use; /* the last operation of its job that uses it; 0: not known */
    bool file;        /* it is on disk, or about to be */
    bool copy;        /* another node is where others look for it */
    uint64_t round;   /* marked in this one: held_next_round() */
};

/* Zero-initialize; held_clear() in the end. */
struct held_values {
    struct map map;
    uint64_t bytes[HELD_STATES]; /* of the values in each state */
    uint64_t files;              /* values with `file` */
    uint64_t last_seq, last_since, round;
};

struct held_value *held_find(const struct held_values *held, struct value_id id);

/* Adds a value, in memory; it must not be there. */
struct held_value *held_add(struct held_values *held, struct value_id id, uint64_t len);

void held_set(struct held_values *held, struct held_value *value, enum held_state state);
void held_set_file(struct held_values *held, struct held_value *value, bool file);

/* Removes and frees it. */
void held_remove(struct held_values *held, struct held_value *value);

/* Calls for each, in no order; the function may remove that one value. */
typedef void held_fn(void *context, struct held_value *value);
void held_each(struct held_values *held, held_fn *each, void *context);

/* Fills in up to `max` values in memory that are not marked in this round, those first that are
 * needed latest: copies, which only need to be let go, before all; of a job's values the one whose
 * last use is the last of the plan; of several such, whoever came first. Returns how many. */
size_t held_needed_latest(const struct held_values *held, struct held_value **out, size_t max);

/* Bytes that are in memory, or about to be. */
static inline uint64_t held_memory_bytes(const struct held_values *held)
{
    return held->bytes[HELD_IN_MEMORY] + held->bytes[HELD_WRITING] + held->bytes[HELD_READING];
}

static inline uint64_t held_spilled_bytes(const struct held_values *held)
{
    return held->bytes[HELD_ON_DISK];
}

void held_clear(struct held_values *held);

void held_check_invariants(const struct held_values *held);

#endif
