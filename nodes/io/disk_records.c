#include <string.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/large.h"
#include "shared/base/map.h"

#define HEAD_BYTES 8 /* a checksum over key and value */

static uint64_t seed_of(struct slice key)
{
    return map_hash(key.at, key.len);
}

void disk_put_record(struct disk *disk, const struct write *write)
{
    const struct blob *record = write->entry;
    MDB_val key = {write->key_len, (void *)write->key}, value;
    int number;
    if (!record) {
        number = mdb_del(disk->txn, disk->records, &key, NULL);
        if (number && number != MDB_NOTFOUND)
            disk_fail(disk, "forget a record", number);
        return;
    }
    value = (MDB_val){HEAD_BYTES + record->len, NULL};
    number = mdb_put(disk->txn, disk->records, &key, &value, MDB_RESERVE);
    if (number)
        disk_fail(disk, "write a record", number);
    uint8_t *at = value.mv_data;
    bytes_put_be64(at, disk_check(seed_of((struct slice){write->key, write->key_len}), record->at,
                                  record->len));
    memcpy(at + HEAD_BYTES, record->at, record->len);
}

bool disk_record_is_sound(struct slice key, struct slice value)
{
    return value.len >= HEAD_BYTES && key.len <= RECORD_KEY_MAX &&
           disk_check_holds(value.at, seed_of(key), value.at + HEAD_BYTES, value.len - HEAD_BYTES);
}

static int read_one(MDB_val name, MDB_val found, disk_record_fn *each, void *context)
{
    struct slice key = {name.mv_data, name.mv_size};
    const uint8_t *at = found.mv_data;
    large_will_read(at, found.mv_size);
    if (!disk_record_is_sound(key, (struct slice){at, found.mv_size}))
        return ERR_CORRUPT;
    return each(context, key, (struct slice){at + HEAD_BYTES, found.mv_size - HEAD_BYTES});
}

int disk_read_records(struct disk *disk, disk_record_fn *each, void *context, struct text *why)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, value;
    char what[64] = "the ledger cannot be read", name[32] = "";
    if (mdb_txn_begin(disk->env, NULL, MDB_RDONLY, &txn))
        return disk_corrupt(disk, why, "cannot begin a transaction");
    if (mdb_cursor_open(txn, disk->records, &cursor)) {
        mdb_txn_abort(txn);
        return disk_corrupt(disk, why, what);
    }
    int error = OK, number = 0;
    while (!error && !(number = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        error = read_one(key, value, each, context);
        if (error)
            text_format(what, sizeof what, "record '%s' cannot be read",
                        text_escape(name, sizeof name, (struct slice){key.mv_data, key.mv_size}));
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    if (!error && number != MDB_NOTFOUND)
        error = ERR_CORRUPT;
    return error ? disk_corrupt(disk, why, what) : OK;
}
