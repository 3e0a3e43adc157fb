/* stored_values_internal.h - between the files of the table of stored values only: stored_values.c
 * (what entries make of it) and stored_values_table.c (how the state handles it). */
#ifndef CONCLAVE_CORE_STORED_VALUES_INTERNAL_H
#define CONCLAVE_CORE_STORED_VALUES_INTERNAL_H

#include "nodes/core/state/state_types.h"

/* Puts a new one into the order of ids, and on its owner's account; adds a segment; frees one that
 * is in no table any more. */
struct stored_value *stored_values_insert(struct state *state, job_id_t id, struct slice owner,
                                          uint64_t len);
void stored_value_add(struct stored_value *value, const struct stored_segment *segment);
void stored_value_free(struct stored_value *value);

/* As in state_table.h. */
bool stored_values_check(const struct message *entry);
struct job *stored_values_apply(struct state *state, log_index_t index, term_t term,
                                const struct message *entry);

#endif
