#include "nodes/io/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/io/disk_internal.h"
#include "nodes/io/logger.h"
#include "shared/base/bytes.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/memory.h"

#define KEY_BOOTS    "boots"
#define KEY_VOTE     "vote"
#define KEY_BIRTH    "birth"
#define VOTER_FLAG   (UINT64_C(1) << 32) /* beside the vote */
#define NUMBER_WORDS 3                   /* two numbers and a checksum */

void disk_fail(const struct disk *disk, const char *doing, int number)
{
    /* No core dump and no retry: after a failed write only a fresh start knows what is on disk. */
    logger_flush();
    fprintf(stderr,
            "conclave-node: cannot %s in %s: %s; stopping, because nothing more can be promised\n",
            doing, disk->dir, mdb_strerror(number));
    _exit(EXIT_ENVIRONMENT);
}

int disk_corrupt(const struct disk *disk, struct text *why, const char *what)
{
    text_add(why, "%s/store/data.mdb is damaged: %s" DISK_ADVICE, disk->dir, what);
    return ERR_CORRUPT;
}

/* --- transactions --- */

bool disk_keeps_log(const struct disk *disk)
{
    return disk->durability != DURABILITY_OFF;
}

void disk_begin(struct disk *disk)
{
    int number = mdb_txn_begin(disk->env, NULL, 0, &disk->txn);
    if (number)
        disk_fail(disk, "begin a transaction", number);
}

void disk_commit(struct disk *disk)
{
    MDB_txn *txn = disk->txn;
    disk->txn = NULL;
    uint64_t since_us = clock_now_us();
    int number = mdb_txn_commit(txn);
    if (number)
        disk_fail(disk, "commit", number);
    disk_waited(disk, since_us);
}

static void put(struct disk *disk, MDB_dbi dbi, const void *key, size_t key_len, const void *at,
                size_t len)
{
    MDB_val name = {key_len, (void *)key}, value = {len, (void *)at};
    int number = mdb_put(disk->txn, dbi, &name, &value, 0);
    if (number)
        disk_fail(disk, "write", number);
}

/* --- two numbers and a checksum --- */

static void put_numbers(struct disk *disk, const char *key, uint64_t a, uint64_t b)
{
    uint64_t words[NUMBER_WORDS] = {a, b, 0};
    words[2] = disk_check(1, words, 2 * sizeof words[0]);
    put(disk, disk->meta, key, strlen(key), words, sizeof words);
}

static int get_numbers(struct disk *disk, MDB_txn *txn, const char *key, uint64_t *a, uint64_t *b)
{
    MDB_val name = {strlen(key), (void *)key}, value;
    *a = *b = 0;
    int number = mdb_get(txn, disk->meta, &name, &value);
    if (number)
        return number == MDB_NOTFOUND ? OK : ERR_CORRUPT;
    uint64_t words[NUMBER_WORDS];
    if (value.mv_size != sizeof words)
        return ERR_CORRUPT;
    memcpy(words, value.mv_data, sizeof words);
    uint8_t sum[8];
    bytes_put_be64(sum, words[2]);
    if (!disk_check_holds(sum, 1, words, 2 * sizeof words[0]))
        return ERR_CORRUPT;
    *a = words[0];
    *b = words[1];
    return OK;
}

/* A disk that keeps nothing is a new one each time. */
static void give_birth(struct disk *disk, incarnation_t incarnation, struct node_durable *durable)
{
    if (durable->birth && disk_keeps_log(disk))
        return;
    durable->birth = incarnation;
    put_numbers(disk, KEY_BIRTH, incarnation, 0);
}

int disk_boot(struct disk *disk, incarnation_t *incarnation, struct node_durable *durable,
              struct text *why)
{
    uint64_t boots, last;
    disk_begin(disk);
    int error = get_numbers(disk, disk->txn, KEY_BOOTS, &boots, &last);
    if (error || boots >= UINT32_MAX) {
        mdb_txn_abort(disk->txn);
        disk->txn = NULL;
        return disk_corrupt(disk, why, "the boot counter cannot be read");
    }
    uint32_t nonce;
    hash_random(&nonce, sizeof nonce);
    *incarnation = (boots + 1) << 32 | nonce;
    put_numbers(disk, KEY_BOOTS, boots + 1, *incarnation);
    give_birth(disk, *incarnation, durable);
    disk_commit(disk);
    /* Even where commits do not wait for the disk, an incarnation must not be mistaken for
     * the one before. */
    int number = mdb_env_sync(disk->env, 1);
    if (number)
        disk_fail(disk, "write the boot counter", number);
    return OK;
}

int disk_boots(struct disk *disk, uint64_t *boots, struct text *why)
{
    MDB_txn *txn;
    uint64_t last;
    if (mdb_txn_begin(disk->env, NULL, MDB_RDONLY, &txn))
        return disk_corrupt(disk, why, "cannot begin a transaction");
    int error = get_numbers(disk, txn, KEY_BOOTS, boots, &last);
    mdb_txn_abort(txn);
    return error ? disk_corrupt(disk, why, "the boot counter cannot be read") : OK;
}

int disk_read_vote(struct disk *disk, struct node_durable *out, struct text *why)
{
    MDB_txn *txn;
    if (mdb_txn_begin(disk->env, NULL, MDB_RDONLY, &txn))
        return disk_corrupt(disk, why, "cannot begin a transaction");
    uint64_t term, vote, birth, unused;
    struct identity identity;
    int error = get_numbers(disk, txn, KEY_VOTE, &term, &vote);
    if (!error)
        error = get_numbers(disk, txn, KEY_BIRTH, &birth, &unused);
    if (!error)
        error = disk_get_identity(disk, txn, &identity);
    mdb_txn_abort(txn);
    bool voter = vote & VOTER_FLAG;
    vote &= ~VOTER_FLAG;
    if (error || term > TERM_MAX || vote > NODES_MAX)
        return disk_corrupt(disk, why, "term, vote and cluster cannot be read");
    if ((term || voter || identity_is_set(&identity)) && !disk_keeps_log(disk)) {
        text_add(why, "%s holds a log, which --durability off would not keep: use another --dir",
                 disk->dir);
        return ERR_STALE;
    }
    *out = (struct node_durable){.term = term,
                                 .vote = (node_id_t)vote,
                                 .voter = voter,
                                 .birth = birth,
                                 .identity = identity};
    return OK;
}

void disk_write(struct disk *disk, const struct write *write)
{
    switch (write->kind) {
    case WRITE_VOTE:
        put_numbers(disk, KEY_VOTE, write->term, write->vote | (write->voter ? VOTER_FLAG : 0));
        if (write->identity)
            disk_put_identity(disk, write->identity);
        break;
    case WRITE_ENTRY:
        disk_put_entry(disk, write);
        break;
    case WRITE_TRUNCATE:
        disk_truncate(disk, write->index);
        break;
    case WRITE_CHECKPOINT:
        disk_put_checkpoint(disk, write);
        put_numbers(disk, KEY_IMAGE, write->index, write->n_parts);
        break;
    case WRITE_RECORD:
        disk_put_record(disk, write);
        break;
    }
}

/* --- reading the log back --- */

int disk_read_log(struct disk *disk, disk_part_fn *part, disk_entry_fn *entry, void *context,
                  struct text *why)
{
    MDB_txn *txn;
    uint64_t index, n_parts;
    char what[64] = "the checkpoint cannot be read";
    if (mdb_txn_begin(disk->env, NULL, MDB_RDONLY, &txn))
        return disk_corrupt(disk, why, "cannot begin a transaction");
    int error = get_numbers(disk, txn, KEY_IMAGE, &index, &n_parts);
    if (!error)
        error = disk_walk_checkpoint(disk, txn, index, n_parts, part, context);
    if (!error) {
        error = disk_walk_entries(disk, txn, &index, entry, context);
        text_format(what, sizeof what, "log entry %" PRIu64 " cannot be read", index);
    }
    mdb_txn_abort(txn);
    if (error)
        disk_corrupt(disk, why, what);
    return error;
}
