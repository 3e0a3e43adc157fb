#include <string.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"

#define ENTRY_HEAD_BYTES 16 /* term and checksum before a log entry */

/* --- writing --- */

void disk_put_entry(struct disk *disk, const struct write *write)
{
    const struct blob *entry = write->entry;
    uint8_t key[8];
    bytes_put_be64(key, write->index);
    MDB_val name = {sizeof key, key}, value = {ENTRY_HEAD_BYTES + entry->len, NULL};
    int number = mdb_put(disk->txn, disk->log, &name, &value, MDB_RESERVE);
    if (number)
        disk_fail(disk, "write the log", number);
    uint8_t *at = value.mv_data;
    bytes_put_be64(at, write->term);
    bytes_put_be64(at + 8, disk_check(write->term + write->index, entry->at, entry->len));
    memcpy(at + ENTRY_HEAD_BYTES, entry->at, entry->len);
}

void disk_delete_entries(struct disk *disk, log_index_t from, log_index_t to)
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
    disk_delete_entries(disk, from, UINT64_MAX);
}

/* --- reading --- */

bool disk_entry_is_sound(struct slice key, struct slice value)
{
    if (key.len != 8 || value.len <= ENTRY_HEAD_BYTES)
        return false;
    uint64_t seed = bytes_get_be64(value.at) + bytes_get_be64(key.at);
    return disk_check_holds(value.at + 8, seed, value.at + ENTRY_HEAD_BYTES,
                            value.len - ENTRY_HEAD_BYTES);
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
        if (key.mv_size != 8 || bytes_get_be64(key.mv_data) != *index ||
            value.mv_size <= ENTRY_HEAD_BYTES) {
            error = ERR_CORRUPT;
            break;
        }
        term_t term = bytes_get_be64(at);
        struct slice entry = {at + ENTRY_HEAD_BYTES, value.mv_size - ENTRY_HEAD_BYTES};
        error = disk_check_holds(at + 8, term + *index, entry.at, entry.len)
                    ? each(context, *index, term, entry)
                    : ERR_CORRUPT;
    }
    mdb_cursor_close(cursor);
    return error ? error : number == MDB_NOTFOUND ? OK : ERR_CORRUPT;
}
