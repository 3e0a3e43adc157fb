#include <string.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"

#define ENTRY_HEAD_BYTES 16 /* term and checksum before a log entry */
#define PART_HEAD_BYTES  8  /* a checksum before a part of the checkpoint */
#define PART_SEED        UINT64_C(0x70617274)

/* --- writing --- */

static uint8_t *reserve(struct disk *disk, MDB_dbi dbi, uint64_t number, size_t len)
{
    uint8_t key[8];
    bytes_put_be64(key, number);
    MDB_val name = {sizeof key, key}, value = {len, NULL};
    int error = mdb_put(disk->txn, dbi, &name, &value, MDB_RESERVE);
    if (error)
        disk_fail(disk, "write the log", error);
    return value.mv_data;
}

void disk_put_entry(struct disk *disk, const struct write *write)
{
    const struct blob *entry = write->entry;
    uint8_t *at = reserve(disk, disk->log, write->index, ENTRY_HEAD_BYTES + entry->len);
    bytes_put_be64(at, write->term);
    bytes_put_be64(at + 8, disk_check(write->term + write->index, entry->at, entry->len));
    memcpy(at + ENTRY_HEAD_BYTES, entry->at, entry->len);
}

/* Deletes the entries `from` .. `to`. */
static void delete_entries(struct disk *disk, log_index_t from, log_index_t to)
{
    uint8_t key[8];
    bytes_put_be64(key, from);
    MDB_val name = {sizeof key, key}, value;
    MDB_cursor *cursor;
    int number = mdb_cursor_open(disk->txn, disk->log, &cursor);
    if (!number)
        number = mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE);
    while (!number && bytes_get_be64(name.mv_data) <= to) {
        number = mdb_cursor_del(cursor, 0);
        if (!number)
            number = mdb_cursor_get(cursor, &name, &value, MDB_NEXT);
    }
    if (number && number != MDB_NOTFOUND)
        disk_fail(disk, "truncate the log", number);
    mdb_cursor_close(cursor);
}

void disk_truncate(struct disk *disk, log_index_t from)
{
    delete_entries(disk, from, UINT64_MAX);
}

void disk_put_checkpoint(struct disk *disk, const struct write *write)
{
    int number = mdb_drop(disk->txn, disk->image, 0);
    if (number)
        disk_fail(disk, "replace the checkpoint", number);
    for (size_t i = 0; i < write->n_parts; i++) {
        const struct blob *part = write->parts[i];
        uint8_t *at = reserve(disk, disk->image, i, PART_HEAD_BYTES + part->len);
        bytes_put_be64(at, disk_check(PART_SEED + write->index + i, part->at, part->len));
        memcpy(at + PART_HEAD_BYTES, part->at, part->len);
    }
    delete_entries(disk, 0, write->whole ? UINT64_MAX : write->index);
}

/* --- reading --- */

/* Checks that a record is number `expected`, and longer than its head. */
static bool is_record(MDB_val key, MDB_val value, uint64_t expected, size_t head_bytes)
{
    return key.mv_size == 8 && bytes_get_be64(key.mv_data) == expected &&
           value.mv_size > head_bytes;
}

bool disk_entry_is_sound(struct slice key, struct slice value)
{
    if (key.len != 8 || value.len <= ENTRY_HEAD_BYTES)
        return false;
    uint64_t seed = bytes_get_be64(value.at) + bytes_get_be64(key.at);
    return bytes_get_be64(value.at + 8) ==
           disk_check(seed, value.at + ENTRY_HEAD_BYTES, value.len - ENTRY_HEAD_BYTES);
}

int disk_walk_checkpoint(struct disk *disk, MDB_txn *txn, log_index_t index, uint64_t n_parts,
                         disk_part_fn *each, void *context)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    if (mdb_cursor_open(txn, disk->image, &cursor))
        return ERR_CORRUPT;
    int error = OK, number = 0;
    uint64_t i = 0;
    while (!error && !(number = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        const uint8_t *at = value.mv_data;
        struct slice part = {at + PART_HEAD_BYTES, value.mv_size - PART_HEAD_BYTES};
        if (!is_record(key, value, i, PART_HEAD_BYTES) ||
            bytes_get_be64(at) != disk_check(PART_SEED + index + i, part.at, part.len))
            error = ERR_CORRUPT;
        else
            error = each(context, part);
        i++;
    }
    mdb_cursor_close(cursor);
    if (!error && (number != MDB_NOTFOUND || i != n_parts))
        error = ERR_CORRUPT;
    return error;
}

int disk_walk_entries(struct disk *disk, MDB_txn *txn, log_index_t *index, disk_entry_fn *each,
                      void *context)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    if (mdb_cursor_open(txn, disk->log, &cursor))
        return ERR_CORRUPT;
    int error = OK, number = 0;
    while (!error && !(number = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        const uint8_t *at = value.mv_data;
        ++*index;
        if (!is_record(key, value, *index, ENTRY_HEAD_BYTES)) {
            error = ERR_CORRUPT;
            break;
        }
        term_t term = bytes_get_be64(at);
        struct slice entry = {at + ENTRY_HEAD_BYTES, value.mv_size - ENTRY_HEAD_BYTES};
        error = bytes_get_be64(at + 8) == disk_check(term + *index, entry.at, entry.len)
                    ? each(context, *index, term, entry)
                    : ERR_CORRUPT;
    }
    mdb_cursor_close(cursor);
    return error ? error : number == MDB_NOTFOUND ? OK : ERR_CORRUPT;
}
