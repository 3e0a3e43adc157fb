#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/text.h"

/* A kept value's record in LMDB: key = job, op; value = this head, then the bytes of a small value.
 * The bytes of a larger one are a file, because LMDB takes eight times as long for 100 MB. */
#define KEY_BYTES  16
#define HEAD_BYTES (16 + HASH_BYTES) /* length, checksum, SHA-256 */
/* Behind the head of a larger one: a checksum for each block, so that a part can be checked when it
 * is read. Stores of older builds have none: there the whole is checked when its beginning is. */
#define BLOCK_SUM_BYTES DISK_BLOCK_SUM_BYTES
#define FILE_MODE       0644

static void make_key(uint8_t key[KEY_BYTES], struct value_id id)
{
    bytes_put_be64(key, id.job);
    bytes_put_be64(key + 8, id.op);
}

/* Made durable before more is written: a large value on a slow disk is then seen to go on. */
#define SLICE_BYTES (8 * MIB_BYTES)

/* --- files --- */

/* Leaves it to the caller to make the last slice durable. */
static int write_slices(struct disk *disk, int fd, const struct blob *value)
{
    for (size_t at = 0; at < value->len;) {
        size_t len = value->len - at < SLICE_BYTES ? value->len - at : SLICE_BYTES;
        int number = disk_write_all(fd, value->at + at, len);
        at += len;
        if (!number && at < value->len)
            number = disk_sync(disk, fdatasync, fd);
        if (number)
            return number;
        disk->written_bytes += len;
        disk_working(disk, true);
    }
    return 0;
}

/* A file that is written, and not yet durable under its own name. */
struct draft {
    struct value_id id;
    int fd; /* -1: none */
};

static int begin_draft(struct disk *disk, struct draft *draft, struct value_id id,
                       const struct blob *value)
{
    char name[DISK_VALUE_NAME_MAX];
    draft->id = id;
    disk_value_name(name, id, ".tmp");
    draft->fd = openat(disk->values_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    return draft->fd < 0 ? errno : write_slices(disk, draft->fd, value);
}

/* `number` is what went wrong before, or 0. The directory is not durable yet. */
static int end_draft(struct disk *disk, struct draft *draft, int number)
{
    char name[DISK_VALUE_NAME_MAX];
    disk_value_name(name, draft->id, ".tmp");
    if (!number)
        number = disk_sync(disk, fdatasync, draft->fd);
    if (draft->fd >= 0 && close(draft->fd) && !number)
        number = errno;
    char whole[DISK_VALUE_NAME_MAX];
    disk_value_name(whole, draft->id, "");
    if (!number && renameat(disk->values_fd, name, disk->values_fd, whole))
        number = errno;
    if (number)
        unlinkat(disk->values_fd, name, 0);
    draft->fd = -1;
    return number;
}

/* Reserves a record with its head; what follows that, for so many bytes, is the caller's to fill
 * in.
 */
static uint8_t *put_head(struct disk *disk, struct value_id id, uint64_t len,
                         const uint8_t hash[HASH_BYTES], size_t more)
{
    uint8_t key[KEY_BYTES];
    make_key(key, id);
    MDB_val at = {KEY_BYTES, key}, record = {HEAD_BYTES + more, NULL};
    int number = mdb_put(disk->txn, disk->values, &at, &record, MDB_RESERVE);
    if (number)
        disk_fail(disk, "write a value", number);
    uint8_t *head = record.mv_data;
    bytes_put_be64(head, len);
    memcpy(head + 16, hash, HASH_BYTES);
    bytes_put_be64(head + 8, disk_check(len, hash, HASH_BYTES));
    return head + HEAD_BYTES;
}

void disk_put_file_record(struct disk *disk, struct value_id id, uint64_t len,
                          const uint8_t hash[HASH_BYTES], const uint8_t *sums)
{
    size_t bytes = disk_blocks(len) * BLOCK_SUM_BYTES;
    memcpy(put_head(disk, id, len, hash, bytes), sums, bytes);
}

static void write_record(struct disk *disk, const struct disk_value *it)
{
    const struct blob *value = it->value;
    bool small = value->len <= VALUE_INLINE_MAX_BYTES;
    uint8_t hash[HASH_BYTES];
    blob_hash(value, hash);
    uint64_t blocks = disk_blocks(value->len);
    uint8_t *rest =
        put_head(disk, it->id, value->len, hash, small ? value->len : blocks * BLOCK_SUM_BYTES);
    if (small)
        memcpy(rest, value->at, value->len);
    else
        disk_put_block_sums(rest, value, 0, blocks);
}

/* All are written before the first is made durable, so that the file system's journal has them
 * together. The files first: the records vouch for them. */
static void write_files(struct disk *disk, struct disk_value *values, size_t n)
{
    struct draft drafts[DISK_KEEP_MAX];
    int numbers[DISK_KEEP_MAX] = {0};
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        drafts[i].fd = -1;
        if (values[i].value->len > VALUE_INLINE_MAX_BYTES)
            numbers[i] = begin_draft(disk, &drafts[i], values[i].id, values[i].value);
    }
    for (size_t i = 0; i < n; i++) {
        values[i].error = OK;
        if (values[i].value->len <= VALUE_INLINE_MAX_BYTES)
            continue;
        int number = end_draft(disk, &drafts[i], numbers[i]);
        if (number == ENOSPC || number == EDQUOT)
            values[i].error = ERR_FULL;
        else if (number)
            disk_fail(disk, "write a value", number);
        any = any || !number;
    }
    int number = any ? disk_sync(disk, fsync, disk->values_fd) : 0;
    if (number)
        disk_fail(disk, "write a value", number);
}

void disk_keep_some(struct disk *disk, struct disk_value *values, size_t n)
{
    write_files(disk, values, n);
    disk_begin(disk);
    for (size_t i = 0; i < n; i++)
        if (!values[i].error)
            write_record(disk, &values[i]);
    disk_commit(disk);
}

int disk_keep(struct disk *disk, struct value_id id, const struct blob *value)
{
    struct disk_value one = {.id = id, .value = value};
    disk_keep_some(disk, &one, 1);
    return one.error;
}

/* What a record says of a value. */
struct kept {
    uint64_t total;
    const uint8_t *hash;  /* borrowed from LMDB, as the others */
    const uint8_t *bytes; /* of a small one; NULL: in a file */
    const uint8_t *sums;  /* of its blocks; NULL: an older build wrote it */
};

/* A record as it was written, with what follows its head; ERR_CORRUPT: it is none. */
static int parse_record(const uint8_t *head, size_t len, struct kept *kept)
{
    if (len < HEAD_BYTES)
        return ERR_CORRUPT;
    *kept = (struct kept){.total = bytes_get_be64(head), .hash = head + 16};
    if (!disk_check_holds(head + 8, kept->total, kept->hash, HASH_BYTES))
        return ERR_CORRUPT;
    size_t rest = len - HEAD_BYTES;
    if (kept->total <= VALUE_INLINE_MAX_BYTES)
        kept->bytes = head + HEAD_BYTES;
    else if (rest)
        kept->sums = head + HEAD_BYTES;
    size_t wanted = kept->bytes  ? kept->total
                    : kept->sums ? disk_blocks(kept->total) * BLOCK_SUM_BYTES
                                 : 0;
    return rest == wanted ? OK : ERR_CORRUPT;
}

static int check_small(const struct kept *kept)
{
    uint8_t hash[HASH_BYTES];
    hash_bytes(kept->bytes, (size_t)kept->total, hash);
    return memcmp(hash, kept->hash, HASH_BYTES) ? ERR_CORRUPT : OK;
}

/* Not its bytes: a value that rots is one that this disk lacks, and comes from another node, be it
 * in a file or in here. Nothing but whoever reads it needs them. */
bool disk_value_is_named(struct slice key)
{
    return key.len == KEY_BYTES;
}

static int read_head(struct disk *disk, MDB_txn *txn, struct value_id id, struct kept *kept)
{
    uint8_t key[KEY_BYTES];
    make_key(key, id);
    MDB_val at = {KEY_BYTES, key}, record;
    int number = mdb_get(txn, disk->values, &at, &record);
    if (number)
        return number == MDB_NOTFOUND ? ERR_NOT_FOUND : ERR_IO;
    return parse_record(record.mv_data, record.mv_size, kept);
}

static int open_file(struct disk *disk, struct value_id id, uint64_t total, int *fd)
{
    char name[DISK_VALUE_NAME_MAX];
    struct stat status;
    disk_value_name(name, id, "");
    *fd = openat(disk->values_fd, name, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT ? ERR_CORRUPT : ERR_IO;
    if (fstat(*fd, &status))
        return ERR_IO;
    return (uint64_t)status.st_size == total ? OK : ERR_CORRUPT;
}

/* Where there are no checksums of blocks, the whole has its hash. */
static int check_whole(int fd, const struct kept *kept, uint8_t *buffer)
{
    struct hash_stream stream;
    uint8_t hash[HASH_BYTES];
    int error = OK;
    hash_begin(&stream);
    for (uint64_t block = 0; !error && block < disk_blocks(kept->total); block++) {
        error = disk_read_block(fd, kept->total, kept->sums, block, buffer);
        hash_add(&stream, buffer, disk_block_bytes(kept->total, block));
    }
    hash_end(&stream, hash);
    return error || !memcmp(hash, kept->hash, HASH_BYTES) ? error : ERR_CORRUPT;
}

static int read_file(struct disk *disk, struct value_id id, const struct kept *kept,
                     uint64_t offset, struct blob *out)
{
    int fd, error = open_file(disk, id, kept->total, &fd);
    if (!error && !kept->sums && offset == 0) {
        uint8_t *buffer = mem_grow(NULL, DISK_BLOCK_BYTES, 1);
        error = check_whole(fd, kept, buffer);
        free(buffer);
    }
    if (!error)
        error = disk_read_range(fd, kept->total, kept->sums, offset, out->at, out->len);
    if (fd >= 0)
        close(fd);
    return error;
}

bool disk_has_kept(struct disk *disk, struct value_id id)
{
    MDB_txn *txn;
    struct kept kept;
    int fd = -1;
    if (mdb_txn_begin(disk->env, NULL, MDB_RDONLY, &txn))
        return false;
    int error = read_head(disk, txn, id, &kept);
    if (!error)
        error = kept.bytes ? check_small(&kept) : open_file(disk, id, kept.total, &fd);
    mdb_txn_abort(txn);
    if (fd >= 0)
        close(fd);
    return !error;
}

int disk_read_kept(struct disk *disk, struct value_id id, uint64_t offset, uint64_t len,
                   struct blob **out, uint64_t *total)
{
    MDB_txn *txn;
    struct kept kept;
    *out = NULL;
    *total = 0;
    if (disk_read_spilled(disk, id, offset, len, out, total))
        return OK;
    if (mdb_txn_begin(disk->env, NULL, MDB_RDONLY, &txn))
        return ERR_IO;
    int error = read_head(disk, txn, id, &kept);
    if (!error) {
        *total = kept.total;
        error = offset > kept.total ? ERR_RANGE : kept.bytes ? check_small(&kept) : OK;
    }
    if (!error) {
        *out = blob_new((size_t)(len < kept.total - offset ? len : kept.total - offset));
        if (kept.bytes)
            memcpy((*out)->at, kept.bytes + offset, (*out)->len);
        else
            error = read_file(disk, id, &kept, offset, *out);
    }
    mdb_txn_abort(txn);
    if (error)
        blob_drop(out);
    return error;
}

int disk_scrub(struct disk *disk, struct scrub *scrub)
{
    struct value_id id;
    struct blob *block;
    uint64_t total;
    bool end;
    if (!scrub->id.job || scrub->offset >= scrub->total) { /* on to the next value */
        if (!disk_list_kept(disk, JOB_NONE, scrub->id, &id, 1, &end))
            id = (struct value_id){0}; /* and round again */
        *scrub = (struct scrub){.id = id};
        if (!id.job)
            return OK;
    }
    int error = disk_read_kept(disk, scrub->id, scrub->offset, DISK_BLOCK_BYTES, &block, &total);
    scrub->len = error ? 0 : block->len;
    blob_drop(&block);
    scrub->total = error ? 0 : total;
    scrub->offset += DISK_BLOCK_BYTES;
    return error == ERR_NOT_FOUND ? OK : error;
}

static struct value_id id_of(const MDB_val *at)
{
    const uint8_t *key = at->mv_data;
    return (struct value_id){bytes_get_be64(key), bytes_get_be64(key + 8)};
}

/* Within a transaction; returns LMDB's number. */
static int drop_one(struct disk *disk, MDB_cursor *cursor, struct value_id id)
{
    uint8_t key[KEY_BYTES];
    make_key(key, id);
    MDB_val at = {KEY_BYTES, key}, record;
    int number = mdb_cursor_get(cursor, &at, &record, MDB_SET_RANGE);
    while (!number) {
        struct value_id it = id_of(&at);
        if (at.mv_size != KEY_BYTES || it.job != id.job || (id.op && it.op != id.op))
            break;
        /* Dying here leaves a record without its file: a value that cannot be read, as asked. */
        char name[DISK_VALUE_NAME_MAX];
        disk_value_name(name, it, "");
        unlinkat(disk->values_fd, name, 0);
        number = mdb_cursor_del(cursor, 0);
        if (!number)
            number = mdb_cursor_get(cursor, &at, &record, MDB_NEXT);
    }
    return number == MDB_NOTFOUND ? 0 : number;
}

void disk_drop_kept(struct disk *disk, const struct value_id *ids, size_t n)
{
    MDB_cursor *cursor;
    disk_begin(disk);
    int number = mdb_cursor_open(disk->txn, disk->values, &cursor);
    for (size_t i = 0; i < n && !number; i++)
        number = drop_one(disk, cursor, ids[i]);
    if (number)
        disk_fail(disk, "forget a value", number);
    mdb_cursor_close(cursor);
    disk_commit(disk);
}

size_t disk_list_kept(struct disk *disk, job_id_t job, struct value_id after, struct value_id *ids,
                      size_t max, bool *end)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    uint8_t key[KEY_BYTES];
    size_t n = 0;
    *end = true;
    make_key(key, (struct value_id){after.job, after.op + 1});
    MDB_val at = {KEY_BYTES, key}, record;
    if (mdb_txn_begin(disk->env, NULL, MDB_RDONLY, &txn))
        return 0;
    if (!mdb_cursor_open(txn, disk->values, &cursor)) {
        int number = mdb_cursor_get(cursor, &at, &record, MDB_SET_RANGE);
        for (; !number && at.mv_size == KEY_BYTES; n++) {
            struct value_id id = id_of(&at);
            if (job && id.job != job)
                break;
            *end = n < max;
            if (!*end)
                break;
            ids[n] = id;
            number = mdb_cursor_get(cursor, &at, &record, MDB_NEXT);
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return n;
}

/* The value whose file has that name; job 0: none of ours. */
static struct value_id parse_name(const char *name)
{
    struct value_id id = {0};
    const char *dash = strrchr(name, '-');
    if (!dash ||
        parse_job_id((struct slice){(const uint8_t *)name, (size_t)(dash - name)}, &id.job) ||
        parse_u64(slice_of(dash + 1), UINT64_MAX, &id.op))
        return (struct value_id){0};
    return id;
}

static bool has_record(struct disk *disk, MDB_txn *txn, struct value_id id)
{
    uint8_t key[KEY_BYTES];
    make_key(key, id);
    MDB_val at = {KEY_BYTES, key}, record;
    return id.job && mdb_get(txn, disk->values, &at, &record) != MDB_NOTFOUND;
}

void disk_clean_values(struct disk *disk)
{
    MDB_txn *txn;
    int fd = openat(disk->values_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir || mdb_txn_begin(disk->env, NULL, MDB_RDONLY, &txn)) {
        if (dir)
            closedir(dir);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && !has_record(disk, txn, parse_name(entry->d_name)))
            unlinkat(disk->values_fd, entry->d_name, 0);
    mdb_txn_abort(txn);
    closedir(dir);
}
