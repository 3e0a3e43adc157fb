/* offers.h - values go to disks before the entry that names them.
 *
 * A follower takes an entry in only when the values that it names are on its disk, and all that
 * comes after waits with it. So a coordinator offers a value first, and proposes the entry when a
 * majority of the voters has it: then a transfer of a hundred megabytes, or a slow disk, holds up
 * that value and nothing else. So many voters are offered it as a majority needs, and the others
 * when one of them takes long; who was not gets it with the entry, when the result is announced.
 * Whoever is offered a value gets it from its maker, not through the coordinator.
 *
 *   coordinator:  made --> spread (a majority holds it, or time is over) --> ended
 *   voter:        looking (on disk, in memory?) --> fetching --> keeping --> answered
 *
 * Nothing depends on it but time: what counts is still who has acknowledged the entry. */
#ifndef CONCLAVE_CORE_OFFERS_H
#define CONCLAVE_CORE_OFFERS_H

#include "nodes/core/raft/raft_types.h"
#include "shared/wire/message.h"

/* --- a coordinator --- */

/* Offers a value to the voters. When too many are offered it does nothing: the value counts as
 * spread. */
void offers_make(struct raft *raft, struct value_id id, node_id_t source, uint64_t len,
                 const uint8_t hash[HASH_BYTES]);

/* It is on this node's own disk. */
void offers_held_here(struct raft *raft, struct value_id id);

/* True when its entry should be proposed: a majority holds it, or that takes too long. */
bool offers_is_spread(const struct raft *raft, struct value_id id);

/* Its entry is proposed, or it is of no use any more; op 0: all of the job. */
void offers_end(struct raft *raft, struct value_id id);

/* A voter has it on disk. */
void offers_held(struct raft *raft, node_id_t from, const struct wire_value_held *held);

/* --- a voter --- */

void offers_take(struct raft *raft, node_id_t from, const struct wire_value_offer *offer);
void offers_value_ready(struct raft *raft, struct value_id id);
void offers_value_failed(struct raft *raft, struct value_id id);
void offers_value_kept(struct raft *raft, struct value_id id);

/* --- both --- */

void offers_tick(struct raft *raft);
uint64_t offers_deadline(const struct raft *raft);

#endif
