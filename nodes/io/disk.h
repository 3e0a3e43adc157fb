/* disk.h - what a node's data directory holds, read and written synchronously: for the store
 * thread, and for main before that thread starts.
 *
 *   DIR/lock            locked by the process that uses the directory
 *   DIR/store/data.mdb  LMDB: whose it is, the cluster's identity, boot counter, term, vote,
 *                       checkpoint, log, records (the ledger), small kept values
 *   DIR/values/JOB-OP   larger kept values, a file each; JOB-OP.spilled: see disk_spill()
 *
 * Every record carries a checksum: files are untrusted, and a damaged one is refused by name. */
#ifndef CONCLAVE_IO_DISK_H
#define CONCLAVE_IO_DISK_H

#include "nodes/core/node.h"
#include "shared/base/histogram.h"
#include "shared/base/text.h"

#define DISK_PATH_MAX 4096
#define DISK_FORMAT   4 /* of everything below DIR; 2 and 3 are migrated, others are refused */

struct disk;

/* What a report of the store means. */
enum durability {
    DURABILITY_FSYNC, /* it is on the disk */
    DURABILITY_OS,    /* the system has it: it survives the process, not a power cut */
    DURABILITY_OFF    /* nothing: term, vote and log are in memory alone, and a node that ends is as
                         good as wiped. For measuring what the disk costs */
};

/* Parses "fsync", "os", "off"; ERR_MALFORMED. */
int durability_parse(const char *text, enum durability *out);

/* What disk_read_log() finds, in order: the parts of the checkpoint (index 0), then the
 * entries after it. Packed bytes, borrowed. */
typedef int disk_part_fn(void *context, struct slice part);
typedef int disk_entry_fn(void *context, log_index_t index, term_t term, struct slice entry);

/* True when there is a store in the directory, or was one: then disk_open() says what is wrong. */
bool disk_exists(const char *dir);

/* Opens the directory for this node of this cluster, making it when it is not there. Without a
 * cluster (NULL) or node (0) whatever store there is is opened, and none is made: for tools that
 * look at a directory (ERR_NOT_FOUND when there is none). ERR_IO (cannot
 * be read or written), ERR_EXISTS (in use by another process), ERR_STALE (of another node, cluster
 * or format), ERR_CORRUPT, with one line in `why` that names the file. Caller closes. */
int disk_open(const char *dir, const char *cluster, node_id_t node, enum durability durability,
              struct disk **out, struct text *why);
void disk_close(struct disk **disk);

/* Whose store it is. The string: borrowed until disk_close(). */
node_id_t disk_node(const struct disk *disk);
const char *disk_cluster(const struct disk *disk);

/* It is of format 2, and not migrated yet. */
bool disk_is_old(const struct disk *disk);

/* Brings a store of an earlier format to the present one. Format 2 did not know its cluster's size:
 * if it has been part of a cluster, it was one of that size, and gets an identity that all members
 * of that cluster derive alike. Format 3 has its checkpoint in another way, which is read until the
 * next one replaces it. Does nothing to a store of the present format. ERR_CORRUPT. */
int disk_migrate(struct disk *disk, uint32_t n_nodes, uint32_t n_voters, struct text *why);

/* Counts one more boot and returns the incarnation, once it is durable; the first one is the disk's
 * birth, too, as `durable` then says. Errors as disk_open(). */
int disk_boot(struct disk *disk, incarnation_t *incarnation, struct node_durable *durable,
              struct text *why);

/* For a store that has nothing to do: when data.mdb is mostly free, and what is in it is little, a
 * smaller copy takes its place, without a reserve yet: true. Ends the process when it cannot be
 * opened. */
bool disk_tidy(struct disk *disk);

/* Reads how often it was started; 0: never. ERR_CORRUPT. */
int disk_boots(struct disk *disk, uint64_t *boots, struct text *why);

/* Reads term, vote, birth and the cluster's identity; all zero for a first start. ERR_CORRUPT;
 * ERR_STALE when there are some and durability is off: what is not kept up to date must not be
 * believed. */
int disk_read_vote(struct disk *disk, struct node_durable *out, struct text *why);

/* Calls `part` for every part of the checkpoint, then `entry` for every log entry after it,
 * in order. ERR_CORRUPT for a gap or damage; else the first error of either, after
 * the same line. */
int disk_read_log(struct disk *disk, disk_part_fn *part, disk_entry_fn *entry, void *context,
                  struct text *why);

/* Calls `each` for every record, in the order of their keys. ERR_CORRUPT for damage; else the first
 * error of `each`, after the same line. */
typedef int disk_record_fn(void *context, struct slice key, struct slice value);
int disk_read_records(struct disk *disk, disk_record_fn *each, void *context, struct text *why);

/* Which share of a snapshot this store began with, by the hash of its file; false: with none. The
 * first one within a transaction. ERR_CORRUPT. */
void disk_note_share(struct disk *disk, const uint8_t hash[HASH_BYTES]);
int disk_read_share(struct disk *disk, uint8_t hash[HASH_BYTES], bool *taken, struct text *why);

/* For recovery: makes log, checkpoint and kept values of `to` those of `from`; files of values
 * first, for they only count with their rows. The ledger stays as it is. Begins and commits a
 * transaction of `to`, together with what `vote` says (WRITE_VOTE) and a note of the cluster that
 * is recovered. ERR_IO with one line in `why`: nothing that counts has changed. */
int disk_copy(struct disk *from, struct disk *to, const struct write *vote,
              const uint8_t origin[CLUSTER_ID_BYTES], struct text *why);

/* Writes `vote` and the note alone. */
void disk_refound(struct disk *disk, const struct write *vote,
                  const uint8_t origin[CLUSTER_ID_BYTES]);

/* The cluster whose state a recovery has put here; all zero: none. ERR_CORRUPT. */
int disk_read_origin(struct disk *disk, uint8_t origin[CLUSTER_ID_BYTES], struct text *why);

/* Writes a copy of the store into a directory, which must be empty. ERR_IO. */
int disk_save(struct disk *disk, const char *path, struct text *why);

/* Whether term, vote, log and records are written at all. */
bool disk_keeps_log(const struct disk *disk);

/* Begins a transaction, writes, makes all durable. A failure ends the process with one line: what
 * was promised cannot be kept, and what is on disk is known only to the next start. */
void disk_begin(struct disk *disk);
void disk_write(struct disk *disk, const struct write *write);
void disk_commit(struct disk *disk);

/* Around each piece of work that waits for the disk; a piece of a piece begins it again. */
void disk_working(struct disk *disk, bool working);

/* For any thread: for so long the disk has been at one piece of work (0: at none), and the bytes of
 * values that it has written so far. */
uint64_t disk_busy_us(const struct disk *disk, uint64_t now_us);
uint64_t disk_written_bytes(const struct disk *disk);

/* For any thread: how long each commit, fsync and fdatasync took since the store was opened. */
void disk_sync_times(const struct disk *disk, struct histogram *out);

/* Extends the reserve on disk that writes of terms, votes and what was promised can fall back on.
 * ERR_FULL: there is no room for it; what is there of it remains. Outside of a transaction. */
int disk_reserve(struct disk *disk);

#define DISK_KEEP_MAX 16 /* values at once */

struct disk_value {
    struct value_id id;
    const struct blob *value;
    int error;
};

/* Makes up to DISK_KEEP_MAX values of different ids durable, in hardly more time than one takes;
 * sets the error of each, as disk_keep() returns it. Outside of a transaction. */
void disk_keep_some(struct disk *disk, struct disk_value *values, size_t n);

/* Makes a value durable. Replaces an older one. ERR_FULL: there is no room, and nothing has
 * changed; fails otherwise as disk_commit(). Outside of a transaction. */
int disk_keep(struct disk *disk, struct value_id id, const struct blob *value);

/* Reads `len` bytes of a kept or spilled value from `offset`, fewer at its end, and checks them;
 * *out is new, caller drops. ERR_NOT_FOUND, ERR_RANGE (offset beyond the end), ERR_CORRUPT, ERR_IO.
 */
int disk_read_kept(struct disk *disk, struct value_id id, uint64_t offset, uint64_t len,
                   struct blob **out, uint64_t *total);

/* Where reading all kept values again has come to. Zero-initialize; it goes round for ever. */
struct scrub {
    struct value_id id;
    uint64_t offset, total;
    uint64_t len; /* of the block that was just read */
};

/* Reads one block more; id.job 0: a round has ended. ERR_CORRUPT, ERR_IO: scrub->id is missing or
 * damaged. */
int disk_scrub(struct disk *disk, struct scrub *scrub);

/* True when the value is kept, with its file in full length. */
bool disk_has_kept(struct disk *disk, struct value_id id);

/* --- spilled values: for this life of the process only, not durable ---
 *
 *   DIR/values/JOB-OP.spilled    no record is theirs: the next start removes them */

/* Writes some more of a value, from *offset on (0 at first), which moves on: to its length in the
 * end. What is spilled already is not written again. ERR_FULL: there is no room for it, as far as
 * may be taken of the disk; ERR_IO. After an error nothing of it is there. */
int disk_spill(struct disk *disk, struct value_id id, const struct blob *value, uint64_t *offset);

/* Reads some more of a spilled value, from *offset on, which moves on: to its length in the end;
 * *out is made at offset 0, caller drops. ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO. */
int disk_unspill(struct disk *disk, struct value_id id, struct blob **out, uint64_t *offset);

/* Makes a spilled value durable, as disk_keep() does, without reading it. ERR_NOT_FOUND, ERR_FULL.
 */
int disk_keep_spilled(struct disk *disk, struct value_id id);

/* Removes spilled values: op 0: all of the job; job 0: all. */
void disk_forget_spilled(struct disk *disk, struct value_id id);

/* Forgets kept values (op 0: all of a job). Fails as disk_commit(). Outside of a transaction. */
void disk_drop_kept(struct disk *disk, const struct value_id *ids, size_t n);

/* Fills in up to `max` names of kept values after `after`, in order; of one job, or (JOB_NONE) of
 * all. Returns how many; *end: there are no more. */
size_t disk_list_kept(struct disk *disk, job_id_t job, struct value_id after, struct value_id *ids,
                      size_t max, bool *end);

/* Removes files of values that no record vouches for: a crash left them. For disk_open(). */
void disk_clean_values(struct disk *disk);

#endif
