/* sound.h - a sound global snapshot, made by hand, for tests to change:
 *
 *   node 1, the coordinator: A has 900; 100 are on their way to B on node 2, in the channel
 *   node 2: B has 1000; 30 for C on node 3 wait in the outbox
 *   node 3: C has 70; one transfer of 5 to A was applied there, but not acknowledged
 *   job 2-5 of 10 units: 3 done, 1 returned; R5 in the channel to node 2, R6 at node 2, R7 in the
 *   channel back from node 3
 */
#ifndef CONCLAVE_HARNESS_SOUND_H
#define CONCLAVE_HARNESS_SOUND_H

#include "shared/snapshot/verify.h"

#define SOUND_JOB ((job_id_t)2 << JOB_INDEX_BITS | 5)

/* Caller destroys. */
struct snapshot_model *sound_snapshot(void);

/* What a node counted of its channels with a peer. */
struct wire_cut_count *sound_count(struct snapshot_model *model, uint64_t node, uint64_t peer);

/* Adds a message that is sent, not received, recorded. */
void sound_put(struct snapshot_model *model, uint64_t from, uint64_t to,
               struct wire_cut_message message);
struct wire_cut_message sound_transfer(uint64_t number, uint64_t amount);

/* Adds a message to an outbox; what a node has applied of one; an operation to a worker's queue. */
void sound_owe(struct snapshot_model *model, uint64_t from, uint64_t to, uint64_t number,
               uint64_t amount, bool sent);
void sound_applied(struct snapshot_model *model, uint64_t at, uint64_t from, uint64_t upto);
void sound_queue(struct snapshot_model *model, uint64_t node, uint64_t op);

/* Adds a task, or a result, to a channel. */
void sound_put_op(struct snapshot_model *model, uint64_t from, uint64_t to, const char *kind,
                  uint64_t op);

/* Makes it a partial one, without that node. */
void sound_lose_node(struct snapshot_model *model, uint64_t id);

/* True when there is a finding of the kind with these words. */
bool sound_finds(const struct findings *findings, enum finding_kind kind, const char *words);

#endif
