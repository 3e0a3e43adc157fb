/* A store takes over the state of another one; for recovery. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/error.h"

#define KEY_ORIGIN     "origin" /* the cluster that was recovered */
#define FILE_MODE      0644
#define COPY_BYTES     (1 << 16)
#define DRAFT_NAME_MAX 64
#define DRAFT          ".tmp" /* how an unfinished file of a value ends */
#define VALUE_NAME_MAX (DRAFT_NAME_MAX - sizeof DRAFT)

/* --- files --- */

static int copy_bytes(int in, int out)
{
    uint8_t room[COPY_BYTES];
    for (ssize_t got; (got = read(in, room, sizeof room));) {
        for (ssize_t done = 0, put; got > 0 && done < got; done += put) {
            put = write(out, room + done, (size_t)(got - done));
            if (put < 0 && errno != EINTR)
                return ERR_IO;
            put = put < 0 ? 0 : put;
        }
        if (got < 0 && errno != EINTR)
            return ERR_IO;
    }
    return fdatasync(out) ? ERR_IO : OK;
}

static int copy_file(struct disk *from, struct disk *to, const char *name)
{
    char draft[DRAFT_NAME_MAX];
    text_format(draft, sizeof draft, "%s" DRAFT, name);
    int in = openat(from->values_fd, name, O_RDONLY | O_CLOEXEC);
    int out = openat(to->values_fd, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    int error = in < 0 || out < 0 ? ERR_IO : copy_bytes(in, out);
    if (in >= 0)
        close(in);
    if (out >= 0 && close(out))
        error = ERR_IO;
    if (!error && renameat(to->values_fd, draft, to->values_fd, name))
        error = ERR_IO;
    return error;
}

static bool is_value(const char *name)
{
    const char *end = strrchr(name, '.');
    return name[0] != '.' && strlen(name) < VALUE_NAME_MAX && !(end && !strcmp(end, DRAFT));
}

static int copy_files(struct disk *from, struct disk *to, struct text *why)
{
    int fd = openat(from->values_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), error = OK;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry = NULL;
    while (dir && !error && (entry = readdir(dir)))
        if (is_value(entry->d_name))
            error = copy_file(from, to, entry->d_name);
    if (!dir || error || fsync(to->values_fd)) {
        text_add(why, "cannot copy %s of %s to %s: %s", entry ? entry->d_name : "the values",
                 from->dir, to->dir, strerror(errno));
        error = ERR_IO;
    }
    if (dir)
        closedir(dir);
    return error;
}

/* --- rows --- */

static void put(struct disk *disk, MDB_dbi dbi, MDB_val key, MDB_val value)
{
    int number = mdb_put(disk->txn, dbi, &key, &value, 0);
    if (number)
        disk_fail(disk, "copy a store", number);
}

static void copy_rows(struct disk *from, MDB_txn *source, MDB_dbi dbi, struct disk *to,
                      MDB_dbi into)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int number = mdb_cursor_open(source, dbi, &cursor);
    if (number)
        disk_fail(from, "read the store", number);
    while (!(number = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)))
        put(to, into, key, value);
    mdb_cursor_close(cursor);
    if (number != MDB_NOTFOUND)
        disk_fail(from, "read the store", number);
}

static void copy_row(MDB_txn *source, struct disk *from, struct disk *to, const char *name)
{
    MDB_val key = {strlen(name), (void *)name}, value;
    int number = mdb_get(source, from->meta, &key, &value);
    if (!number) {
        put(to, to->meta, key, value);
        return;
    }
    number = mdb_del(to->txn, to->meta, &key, NULL);
    if (number && number != MDB_NOTFOUND)
        disk_fail(to, "copy a store", number);
}

static void put_origin(struct disk *disk, const uint8_t origin[CLUSTER_ID_BYTES])
{
    MDB_val key = {strlen(KEY_ORIGIN), (void *)KEY_ORIGIN},
            value = {CLUSTER_ID_BYTES, (void *)origin};
    put(disk, disk->meta, key, value);
}

int disk_copy(struct disk *from, struct disk *to, const struct write *vote,
              const uint8_t origin[CLUSTER_ID_BYTES], struct text *why)
{
    MDB_txn *source;
    int error = copy_files(from, to, why);
    if (error)
        return error;
    int number = mdb_txn_begin(from->env, NULL, MDB_RDONLY, &source);
    if (number)
        disk_fail(from, "read the store", number);
    disk_begin(to);
    number = mdb_drop(to->txn, to->log, 0);
    if (!number)
        number = mdb_drop(to->txn, to->image, 0);
    if (number)
        disk_fail(to, "replace the log", number);
    copy_rows(from, source, from->log, to, to->log);
    copy_rows(from, source, from->image, to, to->image);
    copy_rows(from, source, from->values, to, to->values);
    copy_row(source, from, to, KEY_IMAGE);
    copy_row(source, from, to, KEY_PARTS);
    mdb_txn_abort(source);
    disk_write(to, vote);
    put_origin(to, origin);
    disk_commit(to);
    return OK;
}

void disk_refound(struct disk *disk, const struct write *vote,
                  const uint8_t origin[CLUSTER_ID_BYTES])
{
    disk_begin(disk);
    disk_write(disk, vote);
    put_origin(disk, origin);
    disk_commit(disk);
}

int disk_read_origin(struct disk *disk, uint8_t origin[CLUSTER_ID_BYTES], struct text *why)
{
    MDB_txn *txn;
    MDB_val key = {strlen(KEY_ORIGIN), (void *)KEY_ORIGIN}, value;
    memset(origin, 0, CLUSTER_ID_BYTES);
    if (mdb_txn_begin(disk->env, NULL, MDB_RDONLY, &txn))
        return disk_corrupt(disk, why, "cannot begin a transaction");
    int number = mdb_get(txn, disk->meta, &key, &value);
    bool sound = number == MDB_NOTFOUND || (!number && value.mv_size == CLUSTER_ID_BYTES);
    if (sound && !number)
        memcpy(origin, value.mv_data, CLUSTER_ID_BYTES);
    mdb_txn_abort(txn);
    return sound ? OK : disk_corrupt(disk, why, "the note of a recovery cannot be read");
}

int disk_save(struct disk *disk, const char *path, struct text *why)
{
    int number = mdb_env_copy2(disk->env, path, MDB_CP_COMPACT);
    if (!number)
        return OK;
    text_add(why, "cannot copy the store of %s to %s: %s", disk->dir, path, mdb_strerror(number));
    return ERR_IO;
}
