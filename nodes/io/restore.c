#include "nodes/io/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes/core/records/record.h"
#include "nodes/io/share.h"
#include "shared/base/error.h"
#include "shared/base/hash.h"
#include "shared/base/log.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

/* In the node's directory, as `conclave snapshot restore` leaves it. */
#define SHARE_NAME    "restore"
#define VALUES_SUFFIX ".values" /* behind the share's path: a directory */

/* --- the file and the disk --- */

/* JOB-OP, as `conclave snapshot restore` names a value. */
static bool name_is_value(const char *name, struct value_id *id)
{
    const char *dash = strrchr(name, '-');
    return dash &&
           !parse_job_id((struct slice){(const uint8_t *)name, (size_t)(dash - name)}, &id->job) &&
           !parse_u64(slice_of(dash + 1), OP_MAX, &id->op) && id->op;
}

static int read_file(const char *path, struct blob **out, struct text *why)
{
    FILE *in = fopen(path, "re");
    long size = -1;
    *out = NULL;
    if (in && !fseek(in, 0, SEEK_END))
        size = ftell(in);
    bool fits = size >= 0 && (uint64_t)size <= SNAPSHOT_FILE_BYTES_MAX && !fseek(in, 0, SEEK_SET);
    if (fits) {
        *out = blob_new((size_t)size);
        fits = fread((*out)->at, 1, (size_t)size, in) == (size_t)size;
    }
    if (!in && errno == ENOENT)
        text_add(why, "there is no such file; a share is taken once, and a store that was wiped "
                      "later is filled by the other nodes: start it without --restore");
    else if (!fits)
        text_add(why, "it cannot be read: %s", strerror(errno));
    if (!fits)
        blob_drop(out);
    if (in)
        fclose(in);
    return fits ? OK : ERR_NOT_FOUND; /* the option that names it is wrong */
}

static void write_one(void *disk, const struct write *write)
{
    disk_write(disk, write);
}

static void write_all(const struct share *share, struct disk *disk)
{
    disk_begin(disk);
    share_write(share, write_one, disk);
    disk_note_share(disk, share->hash);
    disk_commit(disk);
    log_write(LOG_INFO,
              "restored from a snapshot: %zu records, log index %" PRIu64 ", term %" PRIu64,
              share->n_writes, share->index, share_term(share));
}

/* Caller clears the share. */
static int read_share(struct share *share, const char *path, const struct node_config *config,
                      struct text *why)
{
    struct blob *bytes;
    struct text reason = {0};
    int error = read_file(path, &bytes, &reason);
    if (!error)
        error = share_read(share, config, (struct slice){bytes->at, bytes->len}, &reason);
    blob_drop(&bytes);
    if (error)
        text_add(why, "the share %s cannot be taken: %s", path, reason.at);
    return error;
}

/* The bytes of the values that the share's checkpoint names lie beside it: one at a time goes
 * through memory, as when it comes from another node. What is broken here, or missing, is repaired
 * from other nodes. Before the share: with that on disk it is not read again. */
static int keep_values(struct disk *disk, const char *path, struct text *why)
{
    char dir[DISK_PATH_MAX], file[DISK_PATH_MAX];
    struct value_id id;
    int error = OK;
    text_format(dir, sizeof dir, "%s" VALUES_SUFFIX, path);
    DIR *listed = opendir(dir);
    for (struct dirent *entry; listed && !error && (entry = readdir(listed));) {
        struct blob *value;
        if (!name_is_value(entry->d_name, &id))
            continue;
        text_format(file, sizeof file, "%s/%s", dir, entry->d_name);
        error = read_file(file, &value, why);
        if (!error)
            error = disk_keep(disk, id, value);
        if (error && !why->len)
            text_add(why, "the value %s cannot be kept: %s", file, error_text(error));
        blob_drop(&value);
    }
    if (listed)
        closedir(listed);
    return error;
}

static void remove_values(const char *path)
{
    char dir[DISK_PATH_MAX];
    text_format(dir, sizeof dir, "%s" VALUES_SUFFIX, path);
    DIR *listed = opendir(dir);
    for (struct dirent *entry; listed && (entry = readdir(listed));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(listed), entry->d_name, 0);
    if (listed)
        closedir(listed);
    rmdir(dir);
}

static int take(struct disk *disk, const char *path, const struct node_config *config,
                struct text *why)
{
    struct share share = {0};
    if (!disk_keeps_log(disk)) {
        text_add(why, "%s: a share of a snapshot needs a log, which --durability off does not keep",
                 path);
        return ERR_STALE;
    }
    int error = read_share(&share, path, config, why);
    if (!error)
        error = keep_values(disk, path, why);
    if (!error)
        write_all(&share, disk);
    share_clear(&share);
    return error;
}

/* --- taking a share once --- */

static void sync_directory_of(const char *path)
{
    char *copy = mem_string(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

static bool is_that_file(const char *path, const uint8_t hash[HASH_BYTES])
{
    struct blob *bytes;
    struct text why = {0};
    uint8_t found[HASH_BYTES];
    if (read_file(path, &bytes, &why))
        return false;
    hash_bytes(bytes->at, bytes->len, found);
    blob_drop(&bytes);
    return !memcmp(found, hash, HASH_BYTES);
}

/* Before this node speaks to any other one, so that no store that is empty later finds the file:
 * what the share says is true at the beginning of the cluster only. One that this store did not
 * take is kept under another name. */
static int put_away(const char *path, bool taken, const uint8_t hash[HASH_BYTES], struct text *why)
{
    char aside[DISK_PATH_MAX];
    int failed;
    if (access(path, F_OK) || MUTANT(share_stays))
        return OK;
    if (taken)
        remove_values(path);
    if (taken && is_that_file(path, hash)) {
        failed = unlink(path);
    } else {
        text_format(aside, sizeof aside, "%s.unused", path);
        failed = rename(path, aside);
        log_write(LOG_WARN, "%s: this store is in use and takes no share; it is %s now", path,
                  failed ? "still there" : aside);
    }
    sync_directory_of(path);
    if (!failed)
        return OK;
    text_add(why,
             "the share %s cannot be removed: %s; a store that is wiped later would take it again",
             path, strerror(errno));
    return ERR_IO;
}

int restore_take(struct disk *disk, const char *dir, const char *given,
                 const struct node_config *config, struct text *why)
{
    char standard[DISK_PATH_MAX];
    uint8_t hash[HASH_BYTES];
    bool taken = false;
    uint64_t boots = 0;
    text_format(standard, sizeof standard, "%s/" SHARE_NAME, dir);
    int error = disk_boots(disk, &boots, why);
    if (!error)
        error = disk_read_share(disk, hash, &taken, why);
    if (!error && !boots && !taken && (given || !access(standard, F_OK))) {
        error = take(disk, given ? given : standard, config, why);
        if (!error)
            error = disk_read_share(disk, hash, &taken, why);
    }
    if (!error && given)
        error = put_away(given, taken, hash, why);
    if (!error)
        error = put_away(standard, taken, hash, why);
    return error;
}

/* --- one ledger --- */

/* Marks of what was applied stay: others count on from there. */
static int refuse_record(void *context, struct slice key, struct slice value)
{
    (void)value;
    bool *used = context;
    char table = key.len ? (char)key.at[0] : 0;
    *used = *used || table == RECORD_ACCOUNT || table == RECORD_VALUE || table == RECORD_OUTBOX;
    return OK;
}

/* Under its new name the ledger numbers what it sends from 1 on. */
static void forget_numbers(struct disk *disk)
{
    for (uint32_t to = 1; to <= NODES_MAX; to++) {
        struct record_key key = record_key(RECORD_LAST);
        record_key_u32(&key, to);
        struct write write = {.kind = WRITE_RECORD, .key_len = key.len};
        slice_copy(write.key, (struct slice){key.at, key.len});
        disk_write(disk, &write);
    }
}

static int check_ledger(struct disk *disk, const struct share *share,
                        const struct identity *identity, const char *dir, struct text *why)
{
    bool used = false;
    if (!identity_is_set(identity) || !identity_same_cluster(identity, &share->identity)) {
        text_add(why, "%s does not belong to the cluster of the share", dir);
        return ERR_STALE;
    }
    int error = disk_read_records(disk, refuse_record, &used, why);
    if (error || !used)
        return error;
    text_add(why,
             "the ledger in %s is not empty: accounts, values or transfers under way are there",
             dir);
    return ERR_STALE;
}

int restore_ledger(const char *dir, const char *path, struct text *why)
{
    struct disk *disk = NULL;
    struct node_durable durable;
    struct node_config config = {0};
    struct share share = {0};
    int error = disk_open(dir, NULL, 0, DURABILITY_FSYNC, &disk, why);
    if (!error)
        error = disk_read_vote(disk, &durable, why);
    if (!error) {
        config.id = disk_node(disk);
        config.n_nodes = durable.identity.n_nodes;
        config.n_voters = durable.identity.n_voters;
        error = read_share(&share, path, &config, why);
    }
    if (!error)
        error = check_ledger(disk, &share, &durable.identity, dir, why);
    if (!error) {
        disk_begin(disk);
        forget_numbers(disk);
        share_write_records(&share, write_one, disk);
        disk_commit(disk);
    }
    share_clear(&share);
    disk_close(&disk);
    return error;
}
