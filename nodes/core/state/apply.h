/* apply.h - what committed entries make of the state, and which values it names. */
#ifndef CONCLAVE_CORE_APPLY_H
#define CONCLAVE_CORE_APPLY_H

#include "nodes/core/raft/raft.h"
#include "nodes/core/state/state_types.h"

/* True when a table takes entries of that type, and this one holds what it must. */
bool state_entry_is_valid(const struct message *entry);

/* Takes a committed entry in. Returns the job that it made or finished (borrows), or NULL. */
struct job *state_apply(struct state *state, log_index_t index, term_t term,
                        const struct message *entry);

/* True when what an entry job_submitted names is there: else it makes no job, and uses no key. */
bool state_has_inputs(const struct state *state, const struct message *entry);

/* True when all that jobs name is there: after a checkpoint was loaded. */
bool state_has_all_inputs(const struct state *state);

/* What holds now: as the log says, else as in all releases before it could; jobs is never 0. */
struct retention retention_of(const struct state *state);

/* True when more is remembered than that, because one entry forgets FORGET_JOBS_MAX at most. */
bool retention_is_behind(const struct state *state);

/* Takes the next job to be forgotten out; caller destroys it. NULL: there is none. */
struct job *state_forget_one(struct state *state);

/* The values that an entry names: see machine.h. */
void state_entry_values(const struct message *entry, machine_value *each, void *context);

/* True while a job's value is among the live results of an unfinished job or the result of a
 * finished one, or may still become so. */
bool state_names(const struct state *state, struct value_id id);

/* What the state says of a value; false: it tells no hash. */
bool state_describes(const struct state *state, struct value_id id, uint64_t *len,
                     uint8_t hash[HASH_BYTES]);

#endif
