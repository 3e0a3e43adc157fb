/* What a disk knows of its cluster, and how a store of an older format comes to know it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"

#define KEY_OWNER   "identity" /* whose directory it is */
#define KEY_CLUSTER "cluster"  /* struct identity, and a checksum */
#define OWNER_BYTES 128
#define FORMAT_OLD \
    2 /* knew the cluster's name only; 3: its checkpoint is as disk_checkpoint.c says */
#define CLUSTER_SEED UINT64_C(0x636c7573)

#define WORDS_HEAD 3 /* founder, nodes, voters */
#define WORDS      (WORDS_HEAD + NODES_MAX + 1)
#define ROW_BYTES  (CLUSTER_ID_BYTES + 8 * (WORDS + 1))

/* --- the cluster --- */

static void pack_identity(const struct identity *identity, uint8_t row[ROW_BYTES])
{
    uint64_t words[WORDS] = {identity->founder, identity->n_nodes, identity->n_voters};
    memcpy(words + WORDS_HEAD, identity->births, sizeof identity->births);
    memcpy(row, identity->cluster_id, CLUSTER_ID_BYTES);
    for (size_t i = 0; i < WORDS; i++)
        bytes_put_be64(row + CLUSTER_ID_BYTES + 8 * i, words[i]);
    bytes_put_be64(row + ROW_BYTES - 8, disk_check(CLUSTER_SEED, row, ROW_BYTES - 8));
}

static int unpack_identity(MDB_val value, struct identity *out)
{
    const uint8_t *row = value.mv_data;
    if (value.mv_size != ROW_BYTES ||
        !disk_check_holds(row + ROW_BYTES - 8, CLUSTER_SEED, row, ROW_BYTES - 8))
        return ERR_CORRUPT;
    uint64_t words[WORDS];
    for (size_t i = 0; i < WORDS; i++)
        words[i] = bytes_get_be64(row + CLUSTER_ID_BYTES + 8 * i);
    bool sound = words[0] <= NODES_MAX && words[1] >= 1 && words[1] <= NODES_MAX && words[2] >= 1 &&
                 words[2] <= words[1];
    if (!sound)
        return ERR_CORRUPT;
    memcpy(out->cluster_id, row, CLUSTER_ID_BYTES);
    out->founder = (node_id_t)words[0];
    out->n_nodes = (uint32_t)words[1];
    out->n_voters = (uint32_t)words[2];
    memcpy(out->births, words + WORDS_HEAD, sizeof out->births);
    return OK;
}

void disk_put_identity(struct disk *disk, const struct identity *identity)
{
    uint8_t row[ROW_BYTES];
    pack_identity(identity, row);
    MDB_val key = {strlen(KEY_CLUSTER), (void *)KEY_CLUSTER}, value = {sizeof row, row};
    int number = mdb_put(disk->txn, disk->meta, &key, &value, 0);
    if (number)
        disk_fail(disk, "write the cluster's identity", number);
}

int disk_get_identity(struct disk *disk, MDB_txn *txn, struct identity *out)
{
    MDB_val key = {strlen(KEY_CLUSTER), (void *)KEY_CLUSTER}, value;
    *out = (struct identity){0};
    int number = mdb_get(txn, disk->meta, &key, &value);
    if (number)
        return number == MDB_NOTFOUND ? OK : ERR_CORRUPT;
    return unpack_identity(value, out);
}

/* --- whose directory it is --- */

static int compare_owner(struct disk *disk, const char *found, const char *cluster, node_id_t node,
                         struct text *why)
{
    unsigned owner = 0;
    char shown[OWNER_BYTES];
    int fields =
        sscanf(found, "conclave %u node %u cluster %127s", &disk->format, &owner, disk->cluster);
    bool known = disk->format >= FORMAT_OLD && disk->format <= DISK_FORMAT;
    if (fields < 1 || (fields < 3 && known)) {
        return disk_corrupt(disk, why, "its identity cannot be read");
    }
    disk->node = (node_id_t)owner;
    text_escape(shown, sizeof shown, slice_of(disk->cluster));
    if (!known)
        text_add(why, "%s has format %u; this program knows format %u", disk->dir, disk->format,
                 DISK_FORMAT);
    else if (cluster && strcmp(disk->cluster, cluster) != 0)
        text_add(why, "%s belongs to the cluster '%s', not to '%s'", disk->dir, shown, cluster);
    else if (node && disk->node != node)
        text_add(why, "%s belongs to node %u, not to node %u", disk->dir, owner, (unsigned)node);
    else
        return OK;
    return ERR_STALE;
}

static void make_owner(const struct disk *disk, char text[OWNER_BYTES])
{
    text_format(text, OWNER_BYTES, "conclave %u node %u cluster %s", DISK_FORMAT,
                (unsigned)disk->node, disk->cluster);
}

int disk_check_owner(struct disk *disk, const char *cluster, node_id_t node, struct text *why)
{
    char text[OWNER_BYTES], found[OWNER_BYTES];
    MDB_val key = {strlen(KEY_OWNER), (void *)KEY_OWNER}, value;
    MDB_txn *txn;
    int number = mdb_txn_begin(disk->env, NULL, 0, &txn);
    if (number)
        disk_fail(disk, "begin a transaction", number);
    number = mdb_get(txn, disk->meta, &key, &value);
    if (!number) {
        text_format(found, sizeof found, "%.*s", (int)(value.mv_size < 120 ? value.mv_size : 120),
                    (const char *)value.mv_data);
        mdb_txn_abort(txn);
        return compare_owner(disk, found, cluster, node, why);
    }
    if (number == MDB_NOTFOUND && (!cluster || !node)) {
        mdb_txn_abort(txn);
        text_add(why, "%s holds no store of a node", disk->dir);
        return ERR_NOT_FOUND;
    }
    disk->format = DISK_FORMAT;
    disk->node = node;
    text_format(disk->cluster, sizeof disk->cluster, "%s", cluster);
    make_owner(disk, text);
    value = (MDB_val){strlen(text), text};
    if (number == MDB_NOTFOUND)
        number = mdb_put(txn, disk->meta, &key, &value, 0);
    if (!number)
        number = mdb_txn_commit(txn);
    if (number)
        disk_fail(disk, "write the identity", number);
    return OK;
}

node_id_t disk_node(const struct disk *disk)
{
    return disk->node;
}

const char *disk_cluster(const struct disk *disk)
{
    return disk->cluster;
}

/* --- a store of a format before --- */

/* All members of a cluster derive the same. */
static void derive_identity(const struct disk *disk, uint32_t n_nodes, uint32_t n_voters,
                            struct identity *out)
{
    char text[OWNER_BYTES + 64];
    uint8_t hash[HASH_BYTES];
    size_t len = text_format(text, sizeof text,
                             "conclave format 2 cluster %s nodes %" PRIu32 " voters %" PRIu32,
                             disk->cluster, n_nodes, n_voters);
    hash_bytes(text, len, hash);
    *out = (struct identity){.founder = 1, .n_nodes = n_nodes, .n_voters = n_voters};
    memcpy(out->cluster_id, hash, CLUSTER_ID_BYTES);
}

/* True when it has been part of a cluster: it has a term, a checkpoint or a log. */
static bool was_used(struct disk *disk, const struct node_durable *durable)
{
    MDB_stat log = {0}, image = {0};
    if (mdb_stat(disk->txn, disk->log, &log) || mdb_stat(disk->txn, disk->image, &image))
        return true;
    return durable->term || durable->voter || log.ms_entries || image.ms_entries;
}

bool disk_is_old(const struct disk *disk)
{
    return disk->format == FORMAT_OLD;
}

int disk_migrate(struct disk *disk, uint32_t n_nodes, uint32_t n_voters, struct text *why)
{
    struct node_durable durable;
    char text[OWNER_BYTES];
    if (disk->format == DISK_FORMAT)
        return OK;
    int error = disk_read_vote(disk, &durable, why);
    if (error)
        return error;
    disk_begin(disk);
    if (disk->format == FORMAT_OLD && was_used(disk, &durable)) {
        derive_identity(disk, n_nodes, n_voters, &durable.identity);
        disk_put_identity(disk, &durable.identity);
    }
    make_owner(disk, text);
    MDB_val key = {strlen(KEY_OWNER), (void *)KEY_OWNER}, value = {strlen(text), text};
    int number = mdb_put(disk->txn, disk->meta, &key, &value, 0);
    if (number)
        disk_fail(disk, "write the identity", number);
    disk_commit(disk);
    disk->format = DISK_FORMAT;
    return OK;
}

bool disk_exists(const char *dir)
{
    static const char *const parts[] = {"store", "values"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char path[DISK_PATH_MAX];
        struct stat status;
        text_format(path, sizeof path, "%s/%s", dir, parts[i]);
        if (!stat(path, &status))
            return true;
    }
    return false;
}
