/* disk_internal.h - shared by the files that implement disk.h, and by nobody else. */
#ifndef CONCLAVE_IO_DISK_INTERNAL_H
#define CONCLAVE_IO_DISK_INTERNAL_H

#include <lmdb.h>

#include "nodes/io/disk.h"
#include "nodes/io/pages.h"
#include "shared/base/map.h"

/* What to do about a damaged store: the end of every line that says there is one. */
#define DISK_ADVICE "; move the node's directory away and start it with an empty one"

#define KEY_IMAGE "image" /* in meta: what the checkpoint covers, and its number of parts */
#define KEY_PARTS "parts" /* in meta: their names, in order, and a checksum */

struct disk {
    char *dir;
    enum durability durability;
    unsigned format; /* as it was found, or is since it was migrated */
    node_id_t node;  /* whose it is, of which cluster */
    char cluster[128];
    int lock_fd, values_fd; /* values_fd: the directory of the value files */
    MDB_env *env;
    MDB_dbi meta, log, image, records, values;
    int data_fd;                                      /* of data.mdb, for its reserve only */
    uint64_t room_bytes;                              /* of data.mdb that are allocated on disk */
    MDB_txn *txn;                                     /* between disk_begin() and disk_commit() */
    _Atomic uint64_t working_since_us, written_bytes; /* read by the loop's thread */
    /* How long it waited for the disk so far, as a histogram: read by the loop's thread, too. */
    _Atomic uint64_t sync_counts[HISTOGRAM_BUCKETS], sync_sum_us;
    struct map spilled; /* (job, op) -> struct spilled */
};

/* Ends the process with one line that names the file. */
_Noreturn void disk_fail(const struct disk *disk, const char *doing, int number);

/* Makes a file (fdatasync), or a directory (fsync), durable where the store promises that; an
 * errno, or 0. Counts how long it took, as disk_waited() does for what has begun at `since_us`:
 * disk_busy.c. */
int disk_sync(struct disk *disk, int (*sync)(int fd), int fd);
void disk_waited(struct disk *disk, uint64_t since_us);

/* The log: disk_log.c. The first three are for within a transaction. */
void disk_put_entry(struct disk *disk, const struct write *write);
void disk_truncate(struct disk *disk, log_index_t from);
void disk_delete_entries(struct disk *disk, log_index_t from, log_index_t to);

/* The checkpoint: disk_checkpoint.c. Writes the parts that are new, within a transaction. */
void disk_put_checkpoint(struct disk *disk, const struct write *write);
int disk_walk_checkpoint(struct disk *disk, MDB_txn *txn, log_index_t index, uint64_t n_parts,
                         disk_part_fn *each, void *context);

/* `index` begins with the last one before, and ends with the last one read. */
int disk_walk_entries(struct disk *disk, MDB_txn *txn, log_index_t *index, disk_entry_fn *each,
                      void *context);

/* Whose directory it is: disk_identity.c. */
int disk_check_owner(struct disk *disk, const char *cluster, node_id_t node, struct text *why);

/* The cluster's identity, within a transaction; ERR_CORRUPT. */
void disk_put_identity(struct disk *disk, const struct identity *identity);
int disk_get_identity(struct disk *disk, MDB_txn *txn, struct identity *out);

/* A record, within a transaction: disk_records.c. */
void disk_put_record(struct disk *disk, const struct write *write);

/* Whether a record's checksum is right: of the log, of the records. Allocate nothing. */
bool disk_entry_is_sound(struct slice key, struct slice value);
bool disk_record_is_sound(struct slice key, struct slice value);

/* Whether it is the key of a value. Allocates nothing. */
bool disk_value_is_named(struct slice key);

/* Looks through the store before LMDB opens it, in a child process with a time limit:
 * disk_verify.c. ERR_NOT_FOUND: the directory is new; ERR_CORRUPT. */
int disk_verify(struct disk *disk, struct text *why);

/* Its parts. Calls `verify` in a child process. ERR_CORRUPT, with why, also when the child crashes,
 * or does not end within the limit; ERR_IO: no child could be made. */
typedef int disk_verify_fn(int fd, struct pages_report *report);
int disk_verify_file(int fd, struct pages_report *report);
int disk_verify_apart(disk_verify_fn *verify, int fd, uint64_t limit_us, char why[PAGES_WHY_MAX]);

/* From now on a fault within the map of the open store ends the process with one line and
 * EXIT_ENVIRONMENT: disk_guard.c. One store a process. */
void disk_guard(const struct disk *disk);
void disk_unguard(void);

/* Replaces the data.mdb of the open store by a copy without its free pages, when these are most of
 * it and the rest is at most so large; true: it did, and disk_reopen() comes next. A copy that
 * cannot be made, for want of room most of all, leaves the store as it is: disk_shrink.c. */
bool disk_shrink(const struct disk *disk, uint64_t most_bytes);

/* Closes what is open of the store, and opens what is there now: a number of LMDB or the system, or
 * 0. */
int disk_reopen(struct disk *disk);

/* The name of the file of a value in DIR/values, with what follows the value's own. */
#define DISK_VALUE_NAME_MAX 56
void disk_value_name(char at[DISK_VALUE_NAME_MAX], struct value_id id, const char *suffix);

/* Files of values are checked in blocks, each by a checksum, so that a part can be checked when it
 * is read: disk_blocks.c. `sums` of all blocks of a file, one after another; NULL: there are none,
 * and nothing is checked. */
#define DISK_BLOCK_BYTES     VALUE_CHUNK_BYTES
#define DISK_BLOCK_SUM_BYTES 8
uint64_t disk_blocks(uint64_t len);
size_t disk_block_bytes(uint64_t len, uint64_t block);
void disk_put_block_sums(uint8_t *sums, const struct blob *value, uint64_t from, uint64_t to);

/* Writes all of it; an errno, or 0. */
int disk_write_all(int fd, const uint8_t *at, size_t len);

/* Reads a block of a file of `total` bytes; or a range, which lies within it. ERR_IO, ERR_CORRUPT.
 */
int disk_read_block(int fd, uint64_t total, const uint8_t *sums, uint64_t block, uint8_t *buffer);
int disk_read_range(int fd, uint64_t total, const uint8_t *sums, uint64_t offset, uint8_t *at,
                    size_t len);

/* The record of a larger value, whose file is durable under its own name; within a transaction. */
void disk_put_file_record(struct disk *disk, struct value_id id, uint64_t len,
                          const uint8_t hash[HASH_BYTES], const uint8_t *sums);

/* Spilled values: disk_spill.c. Reads a range as disk_read_kept() does, true; false: it is not
 * spilled, or cannot be read. Forgets all, with their files: for disk_close(). */
bool disk_read_spilled(struct disk *disk, struct value_id id, uint64_t offset, uint64_t len,
                       struct blob **out, uint64_t *total);
void disk_clear_spilled(struct disk *disk);

/* Says in `why` what of data.mdb is damaged; returns ERR_CORRUPT. */
int disk_corrupt(const struct disk *disk, struct text *why, const char *what);

/* A checksum over parts of a record; and whether one that was read, big-endian, is right, be it of
 * this kind or of the one that stores had before: disk_check.c. Allocate nothing. */
uint64_t disk_check(uint64_t seed, const void *at, size_t len);
bool disk_check_holds(const uint8_t found[8], uint64_t seed, const void *at, size_t len);

#endif
