/* sweep.h - which values on this node's disk are still of use, and the removal of the others.
 *
 * There is one rule (sweep_keeps()) and one way: no other part of a core removes a kept value. All
 * of the disk is listed at start, when a term begins, after an install, and every SWEEP_EVERY_US; a
 * job's own values when it ends or is forgotten.
 *
 * A value is kept for three reasons. The applied state names it; or an entry after the checkpoint
 * on disk does, or that checkpoint itself: a start takes the applied state back to it, and whoever
 * coordinates then must be able to give the value to a follower that lacks the entry, or the
 * checkpoint. What none of them names is never named again, so a node that asks for such a value
 * can be told that it is used up (node_is_done_with()). What only entries name, and what the state
 * has released since the checkpoint on disk, goes when one that covers the last such entry is
 * durable. */
#ifndef CONCLAVE_CORE_SWEEP_H
#define CONCLAVE_CORE_SWEEP_H

#include "nodes/core/raft/raft_types.h"

/* True while the applied state names the value: it is among the live results of an unfinished job
 * or the result of a finished one, or may still become so; or it is a snapshot of this node. */
bool sweep_names(const struct raft *raft, struct value_id id);

/* True while the value must stay on disk. */
bool sweep_keeps(const struct raft *raft, struct value_id id);

/* The entry at the index names these values, or will when it is appended; returns their bytes. What
 * an earlier call for that entry has counted is left out: a follower may look at one again. */
uint64_t sweep_note(struct raft *raft, log_index_t index, const struct message *entry);

/* The entry at the index is applied: what it made the state name no more stays until a checkpoint
 * covers it. */
void sweep_released(struct raft *raft, log_index_t index);

/* A snapshot's cut is here, or what it names is being read: what the state releases in the next
 * SNAPSHOT_PIN_US stays as long, and what stays for that reason does so anew. Room on a full disk
 * goes first. */
void sweep_pin(struct raft *raft);

/* The checkpoint on disk covers all up to log.saved: what only entries up to there name
 * goes. */
void sweep_saved(struct raft *raft);

/* Bytes of values that only entries, or the checkpoint on disk, name: a new one would free them. */
uint64_t sweep_held_bytes(const struct raft *raft);

/* Sweeps all; sweeps the values of one job. */
void sweep_all(struct raft *raft);
void sweep_job(struct raft *raft, job_id_t job);

/* EVENT_VALUES_LISTED. */
void sweep_listed(struct raft *raft, const struct value_id *ids, size_t n, bool end);

/* How often all is swept. */
uint64_t sweep_every_us(const struct raft *raft);

/* Begins what is due. */
void sweep_pump(struct raft *raft);
uint64_t sweep_deadline(const struct raft *raft);

void sweep_clear(struct raft *raft);

#endif
