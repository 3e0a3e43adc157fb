/* snapshot_internal.h - shared by the files that implement snapshot.h, and by nobody else. */
#ifndef CONCLAVE_CORE_SNAPSHOT_INTERNAL_H
#define CONCLAVE_CORE_SNAPSHOT_INTERNAL_H

#include <assert.h>

#include "nodes/core/snapshot/snapshot.h"

bool snapshot_same(struct snapshot_id a, struct snapshot_id b);

/* What all recordings and reports of a node may take; both kinds are counted, so that none of them
 * can take all of the memory. False: it does not fit, and nothing is counted (S10). */
bool snapshot_charge(struct snapshots *all, uint64_t *share, uint64_t bytes);
void snapshot_release(struct snapshots *all, uint64_t *share);

#define TOO_MUCH "the memory for snapshots is used up"
#define REPLACED "its state was replaced meanwhile"

/* Appends a part to the report (takes the message). */
void recording_add(struct recording *recording, struct message *part);

/* Writes the own state at the cut as the first parts of the report. What participants could not
 * write in that step is packed afterwards: a slice at most, true when all is; then it is dropped,
 * or before. snapshot_record.c. */
void recording_add_state(struct snapshots *snapshots, struct recording *recording);
bool recording_pack_rests(struct snapshots *snapshots, struct recording *recording);
void recording_drop_rests(struct snapshots *snapshots, struct recording *recording);
bool recording_has_rests(const struct recording *recording);

/* True while a slice would pack something. */
bool recording_can_pack(const struct snapshots *snapshots, const struct recording *recording);

/* Appends what the channels held, once all are closed or void: snapshot_channel.c. */
void recording_add_channels(struct snapshots *snapshots, struct recording *recording);

/* Notes a delivered message in the state of its channel: snapshot_channel.c. */
void recording_note(struct recording *recording, node_id_t from, const struct message *message);

/* Records the own state as initiator; the markers go out. False: too many snapshots at once. */
bool snapshot_begin(struct snapshots *snapshots, struct snapshot_id id,
                    const struct wire_participant *participants, size_t n, node_id_t first_marker,
                    bool values);

/* The own report of an initiator is whole: snapshot_collect.c. */
void collect_own(struct snapshots *snapshots, struct recording *recording);

/* It will not be; `why` is a string constant. */
void collect_own_failed(struct snapshots *snapshots, struct snapshot_id id, const char *why);

/* Markers of this snapshot that come from now on are late. */
void snapshot_remember_end(struct snapshots *snapshots, struct snapshot_id id);

/* Appends a part that is packed already (takes a new reference). */
void recording_add_packed(struct recording *recording, struct blob *part);

/* Jobs have a term, so ids below the first one are free: a kept snapshot is the
 * value (counter, 1). */
#define SNAPSHOT_OP 1

void collection_free(struct snapshots *snapshots, struct collection *collection);

/* The head of a snapshot whose reports have come, or have not: snapshot_judge.c. Caller drops. */
struct message *judge_head(struct snapshots *snapshots, const struct collection *collection);

/* True when a packed part is what a report may consist of, of the one who sends it; the first one
 * is its state. */
bool judge_part_is_sound(const struct snapshots *snapshots, node_id_t from, const struct blob *part,
                         bool first);

/* Makes room for the file, and writes the head; then fills in the reports, a slice at a time, and
 * has it kept when it is whole: snapshot_file.c. */
void collection_begin_file(const struct snapshots *snapshots, struct collection *collection,
                           const struct blob *head);
void collection_keep_some(struct snapshots *snapshots, struct collection *collection);

/* Refuses a request; client 0: nobody asked. */
void snapshot_refuse(struct snapshots *snapshots, uint64_t client, uint64_t request,
                     const char *code, const char *reason);

void snapshot_kept_clear(struct snapshots *snapshots);
void collect_peer_met(struct snapshots *snapshots, node_id_t peer);
void collect_tick(struct snapshots *snapshots);

/* Goes on with files that are being filled. */
void collect_pump(struct snapshots *snapshots);
uint64_t collect_deadline(const struct snapshots *snapshots);
void collect_clear(struct snapshots *snapshots);

#endif
