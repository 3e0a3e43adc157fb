/* Which share of a snapshot a store began with. */
#include <string.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"

#define KEY_SHARE  "share" /* the hash of the file, and a checksum */
#define SHARE_SEED UINT64_C(0x7368617265)
#define ROW_BYTES  (HASH_BYTES + 8)

void disk_note_share(struct disk *disk, const uint8_t hash[HASH_BYTES])
{
    uint8_t row[ROW_BYTES];
    memcpy(row, hash, HASH_BYTES);
    bytes_put_be64(row + HASH_BYTES, disk_check(SHARE_SEED, hash, HASH_BYTES));
    MDB_val key = {strlen(KEY_SHARE), (void *)KEY_SHARE}, value = {sizeof row, row};
    int number = mdb_put(disk->txn, disk->meta, &key, &value, 0);
    if (number)
        disk_fail(disk, "note the share of a snapshot", number);
}

int disk_read_share(struct disk *disk, uint8_t hash[HASH_BYTES], bool *taken, struct text *why)
{
    MDB_txn *txn;
    MDB_val key = {strlen(KEY_SHARE), (void *)KEY_SHARE}, value;
    *taken = false;
    if (mdb_txn_begin(disk->env, NULL, MDB_RDONLY, &txn))
        return disk_corrupt(disk, why, "cannot begin a transaction");
    int number = mdb_get(txn, disk->meta, &key, &value);
    if (!number && value.mv_size == ROW_BYTES) {
        memcpy(hash, value.mv_data, HASH_BYTES);
        *taken = disk_check_holds((const uint8_t *)value.mv_data + HASH_BYTES, SHARE_SEED, hash,
                                  HASH_BYTES);
    }
    mdb_txn_abort(txn);
    if (*taken || number == MDB_NOTFOUND)
        return OK;
    return disk_corrupt(disk, why, "the note of a snapshot's share cannot be read");
}
