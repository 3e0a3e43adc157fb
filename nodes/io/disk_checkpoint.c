/* The checkpoint on disk: its parts, each under its name, and the list of the names in order. What
 * a checkpoint shares with the one before stays where it is. All of it is one transaction, so a
 * checkpoint is there whole, or the one before is.
 *
 *   image   index, place (64-bit big-endian each) -> checksum, part
 *   meta    "image" -> index, number of parts; "parts" -> their names, checksum
 *
 * Up to format 3 there is no list: the key is the place, and all parts are of that checkpoint. */
#include <stdlib.h>
#include <string.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define NAME_BYTES      16
#define OLD_NAME_BYTES  8
#define PART_HEAD_BYTES 8 /* a checksum before a part */
#define LIST_HEAD_BYTES 8 /* and before the list of names */
#define PART_SEED       UINT64_C(0x70617274)
#define LIST_SEED       UINT64_C(0x6c697374)

static void pack_name(struct part_name name, uint8_t at[NAME_BYTES])
{
    bytes_put_be64(at, name.index);
    bytes_put_be64(at + 8, name.place);
}

static uint64_t seed_of(struct part_name name)
{
    return PART_SEED + name.index + name.place;
}

/* --- writing --- */

static void put_part(struct disk *disk, struct part_name name, const struct blob *part)
{
    uint8_t key[NAME_BYTES];
    pack_name(name, key);
    MDB_val at = {sizeof key, key}, value = {PART_HEAD_BYTES + part->len, NULL};
    int number = mdb_put(disk->txn, disk->image, &at, &value, MDB_RESERVE);
    if (number)
        disk_fail(disk, "write the checkpoint", number);
    uint8_t *bytes = value.mv_data;
    bytes_put_be64(bytes, disk_check(seed_of(name), part->at, part->len));
    memcpy(bytes + PART_HEAD_BYTES, part->at, part->len);
}

/* The names, as keys, in order; and the same in the order of the keys. */
static uint8_t *put_names(struct disk *disk, const struct write *write)
{
    size_t len = NAME_BYTES * write->n_parts;
    MDB_val key = {strlen(KEY_PARTS), (void *)KEY_PARTS}, value = {LIST_HEAD_BYTES + len, NULL};
    uint8_t *list = mem_new(len + LIST_HEAD_BYTES, 1), *names = list + LIST_HEAD_BYTES;
    for (size_t i = 0; i < write->n_parts; i++)
        pack_name(write->names ? write->names[i] : (struct part_name){write->index, i},
                  names + NAME_BYTES * i);
    bytes_put_be64(list, disk_check(LIST_SEED + write->index, names, len));
    value.mv_data = list;
    int number = mdb_put(disk->txn, disk->meta, &key, &value, 0);
    if (number)
        disk_fail(disk, "write the checkpoint", number);
    memmove(list, names, len);
    return list;
}

static int compare_names(const void *a, const void *b)
{
    return memcmp(a, b, NAME_BYTES);
}

/* Deletes what the checkpoint has not; returns how many parts are left. */
static size_t delete_others(struct disk *disk, const uint8_t *sorted, size_t n)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    size_t left = 0;
    int number = mdb_cursor_open(disk->txn, disk->image, &cursor);
    if (!number)
        number = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (!number) {
        bool named =
            key.mv_size == NAME_BYTES && bsearch(key.mv_data, sorted, n, NAME_BYTES, compare_names);
        left += named;
        if (!named)
            number = mdb_cursor_del(cursor, 0);
        if (!number)
            number = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (number != MDB_NOTFOUND)
        disk_fail(disk, "replace the checkpoint", number);
    mdb_cursor_close(cursor);
    return left;
}

void disk_put_checkpoint(struct disk *disk, const struct write *write)
{
    uint8_t *names = put_names(disk, write);
    for (size_t i = 0; i < write->n_parts; i++)
        if (write->parts[i])
            put_part(disk, write->names ? write->names[i] : (struct part_name){write->index, i},
                     write->parts[i]);
    qsort(names, write->n_parts, NAME_BYTES, compare_names);
    if (delete_others(disk, names, write->n_parts) != write->n_parts)
        disk_fail(disk, "find all parts of the checkpoint", MDB_NOTFOUND);
    free(names);
    disk_delete_entries(disk, 0, write->whole ? UINT64_MAX : write->index);
}

/* --- reading --- */

static int read_part(MDB_val value, struct part_name name, disk_part_fn *each, void *context)
{
    const uint8_t *at = value.mv_data;
    if (value.mv_size <= PART_HEAD_BYTES)
        return ERR_CORRUPT;
    struct slice part = {at + PART_HEAD_BYTES, value.mv_size - PART_HEAD_BYTES};
    return disk_check_holds(at, seed_of(name), part.at, part.len) ? each(context, part)
                                                                  : ERR_CORRUPT;
}

/* Of a format before 4: in the order of the keys. */
static int walk_old(struct disk *disk, MDB_txn *txn, log_index_t index, uint64_t n_parts,
                    disk_part_fn *each, void *context)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    if (mdb_cursor_open(txn, disk->image, &cursor))
        return ERR_CORRUPT;
    int error = OK, number = 0;
    uint64_t i = 0;
    while (!error && !(number = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        bool next = key.mv_size == OLD_NAME_BYTES && bytes_get_be64(key.mv_data) == i;
        error = next ? read_part(value, (struct part_name){index, i}, each, context) : ERR_CORRUPT;
        i++;
    }
    mdb_cursor_close(cursor);
    if (!error && (number != MDB_NOTFOUND || i != n_parts))
        error = ERR_CORRUPT;
    return error;
}

int disk_walk_checkpoint(struct disk *disk, MDB_txn *txn, log_index_t index, uint64_t n_parts,
                         disk_part_fn *each, void *context)
{
    MDB_val key = {strlen(KEY_PARTS), (void *)KEY_PARTS}, list, value;
    MDB_stat image;
    int number = mdb_get(txn, disk->meta, &key, &list), error = OK;
    if (number)
        return number == MDB_NOTFOUND ? walk_old(disk, txn, index, n_parts, each, context)
                                      : ERR_CORRUPT;
    const uint8_t *names = (const uint8_t *)list.mv_data + LIST_HEAD_BYTES;
    if (list.mv_size < LIST_HEAD_BYTES || (list.mv_size - LIST_HEAD_BYTES) % NAME_BYTES ||
        (list.mv_size - LIST_HEAD_BYTES) / NAME_BYTES != n_parts ||
        !disk_check_holds(list.mv_data, LIST_SEED + index, names, list.mv_size - LIST_HEAD_BYTES) ||
        mdb_stat(txn, disk->image, &image) || image.ms_entries != n_parts)
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < n_parts && !error; i++, names += NAME_BYTES) {
        struct part_name name = {bytes_get_be64(names), bytes_get_be64(names + 8)};
        key = (MDB_val){NAME_BYTES, (void *)names};
        error = mdb_get(txn, disk->image, &key, &value) ? ERR_CORRUPT
                                                        : read_part(value, name, each, context);
    }
    return error;
}
