#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/io/disk_internal.h"
#include "nodes/io/logger.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define DATABASES 5
#define FILE_MODE 0644

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MAP_BYTES STORE_MAP_SANITIZED_BYTES
#else
#define MAP_BYTES STORE_MAP_BYTES
#endif

static int refuse(struct text *why, int error, const char *path, const char *what)
{
    text_add(why, "%s %s", path, what);
    return error;
}

static int refuse_errno(struct text *why, const char *path, const char *doing)
{
    text_add(why, "cannot %s %s: %s", doing, path, strerror(errno));
    return ERR_IO;
}

/* --- the directory --- */

/* mkdir -p. */
static int make_directory(const char *path, struct text *why)
{
    char at[DISK_PATH_MAX];
    size_t len = text_format(at, sizeof at, "%s", path);
    if (!len || strlen(path) >= sizeof at - 64)
        return refuse(why, ERR_MALFORMED, path, "is not a usable directory name");
    for (size_t i = 1; i <= len; i++) {
        if (at[i] != '/' && at[i] != '\0')
            continue;
        char held = at[i];
        at[i] = '\0';
        if (mkdir(at, 0755) && errno != EEXIST)
            return refuse_errno(why, at, "make the directory");
        at[i] = held;
    }
    struct stat status;
    if (stat(path, &status))
        return refuse_errno(why, path, "read the directory");
    if (!S_ISDIR(status.st_mode))
        return refuse(why, ERR_IO, path, "is not a directory");
    return OK;
}

static int lock_directory(struct disk *disk, struct text *why)
{
    char path[DISK_PATH_MAX];
    text_format(path, sizeof path, "%s/lock", disk->dir);
    disk->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (disk->lock_fd < 0)
        return refuse_errno(why, path, "write");
    if (flock(disk->lock_fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK)
            return refuse_errno(why, path, "lock");
        return refuse(why, ERR_EXISTS, disk->dir, "is in use by another process");
    }
    return OK;
}

static int open_values(struct disk *disk, struct text *why)
{
    char path[DISK_PATH_MAX];
    text_format(path, sizeof path, "%s/values", disk->dir);
    int error = make_directory(path, why);
    if (error)
        return error;
    disk->values_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return disk->values_fd < 0 ? refuse_errno(why, path, "open") : OK;
}

/* --- LMDB --- */

static void on_assert(MDB_env *env, const char *what)
{
    const char *path = "the store";
    mdb_env_get_path(env, &path);
    logger_flush();
    fprintf(stderr, "conclave-node: %s/data.mdb is damaged: %s" DISK_ADVICE "\n", path, what);
    _exit(EXIT_ENVIRONMENT);
}

static int open_environment(struct disk *disk, const char *path, uint64_t map_bytes)
{
    /* One thread uses it at a time and the directory is locked, so LMDB needs no lock table of its
     * own. */
    unsigned flags = MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD;
    if (disk->durability != DURABILITY_FSYNC)
        flags |= MDB_NOSYNC | MDB_NOMETASYNC;
    int number = mdb_env_create(&disk->env);
    if (number)
        panic("cannot make an LMDB environment: %s", mdb_strerror(number));
    mdb_env_set_assert(disk->env, on_assert);
    mdb_env_set_maxdbs(disk->env, DATABASES);
    mdb_env_set_mapsize(disk->env, map_bytes);
    number = mdb_env_open(disk->env, path, flags, FILE_MODE);
    if (number) {
        mdb_env_close(disk->env);
        disk->env = NULL;
    }
    return number;
}

static int open_databases(struct disk *disk)
{
    MDB_txn *txn;
    int number = mdb_txn_begin(disk->env, NULL, 0, &txn);
    if (number)
        return number;
    number = mdb_dbi_open(txn, "meta", MDB_CREATE, &disk->meta);
    if (!number)
        number = mdb_dbi_open(txn, "log", MDB_CREATE, &disk->log);
    if (!number)
        number = mdb_dbi_open(txn, "image", MDB_CREATE, &disk->image);
    if (!number)
        number = mdb_dbi_open(txn, "records", MDB_CREATE, &disk->records);
    if (!number)
        number = mdb_dbi_open(txn, "values", MDB_CREATE, &disk->values);
    if (!number)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return number;
}

static int open_at(struct disk *disk, const char *path)
{
    int number = open_environment(disk, path, MAP_BYTES);
    if (number == ENOMEM || number == EINVAL) /* little address space: ulimit -v, valgrind */
        number = open_environment(disk, path, STORE_MAP_SANITIZED_BYTES);
    return number;
}

static int sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int number = fsync(fd) ? errno : 0;
    close(fd);
    return number;
}

/* Makes DIR/store: aside, then all at once. So a store that is there was complete once, and one
 * that is empty or cut short is damaged, not new. */
static int make_store(struct disk *disk, const char *path, struct text *why)
{
    char draft[DISK_PATH_MAX + 16], file[DISK_PATH_MAX + 32];
    text_format(draft, sizeof draft, "%s.new", path);
    text_format(file, sizeof file, "%s/data.mdb", draft);
    int error = make_directory(draft, why);
    if (error)
        return error;
    unlink(file); /* of a start that was cut short */
    int number = open_at(disk, draft);
    if (!number) {
        number = open_databases(disk);
        if (!number)
            number = mdb_env_sync(disk->env, 1);
        mdb_env_close(disk->env);
        disk->env = NULL;
    }
    if (!number)
        number = sync_directory(draft);
    if (!number && rename(draft, path))
        number = errno;
    if (!number)
        number = sync_directory(disk->dir);
    if (!number)
        return OK;
    text_add(why, "%s cannot be made: %s", path, mdb_strerror(number));
    return ERR_IO;
}

/* Opens the store that is there; a number of LMDB or the system, or 0. */
static int open_files(struct disk *disk, const char *path)
{
    char file[DISK_PATH_MAX + 16];
    text_format(file, sizeof file, "%s/data.mdb", path);
    int number = open_at(disk, path);
    if (number)
        return number;
    disk_guard(disk);
    number = open_databases(disk);
    if (number)
        return number;
    disk->data_fd = open(file, O_RDWR | O_CLOEXEC);
    return disk->data_fd < 0 ? errno : 0;
}

int disk_reopen(struct disk *disk)
{
    char path[DISK_PATH_MAX];
    text_format(path, sizeof path, "%s/store", disk->dir);
    disk_unguard();
    mdb_env_close(disk->env);
    disk->env = NULL;
    close(disk->data_fd);
    disk->data_fd = -1;
    disk->room_bytes = 0;
    int number = sync_directory(path);
    return number ? number : open_files(disk, path);
}

/* `shrinks`: it is opened to be written, so what LMDB does not need may go. */
static int open_store(struct disk *disk, bool shrinks, struct text *why)
{
    char path[DISK_PATH_MAX], file[DISK_PATH_MAX + 16];
    text_format(path, sizeof path, "%s/store", disk->dir);
    text_format(file, sizeof file, "%s/data.mdb", path);
    int error = disk_verify(disk, why);
    if (error == ERR_NOT_FOUND)
        error = make_store(disk, path, why);
    if (error)
        return error;
    int number = open_files(disk, path);
    if (!number && shrinks && disk_shrink(disk, UINT64_MAX))
        number = disk_reopen(disk);
    if (!number)
        return OK;
    if (number < 0)
        return disk_corrupt(disk, why, mdb_strerror(number));
    text_add(why, "%s cannot be opened: %s", file, mdb_strerror(number));
    return ERR_IO;
}

int durability_parse(const char *text, enum durability *out)
{
    static const char *const names[] = {"fsync", "os", "off"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i])) {
            *out = (enum durability)i;
            return OK;
        }
    return ERR_MALFORMED;
}

int disk_open(const char *dir, const char *cluster, node_id_t node, enum durability durability,
              struct disk **out, struct text *why)
{
    struct disk *disk = mem_new(1, sizeof *disk);
    *disk = (struct disk){.dir = mem_string(dir),
                          .durability = durability,
                          .lock_fd = -1,
                          .values_fd = -1,
                          .data_fd = -1};
    int error = OK;
    if ((!cluster || !node) && !disk_exists(dir))
        error = refuse(why, ERR_NOT_FOUND, dir, "holds no store of a node");
    if (!error)
        error = make_directory(dir, why);
    if (!error)
        error = lock_directory(disk, why);
    if (!error)
        error = open_store(disk, cluster && node, why);
    if (!error)
        error = disk_check_owner(disk, cluster, node, why);
    if (!error)
        error = open_values(disk, why);
    if (!error && cluster && node)
        disk_clean_values(disk);
    if (error)
        disk_close(&disk);
    *out = disk;
    return error;
}

void disk_close(struct disk **disk)
{
    struct disk *it = *disk;
    *disk = NULL;
    if (!it)
        return;
    disk_clear_spilled(it);
    if (it->env) {
        disk_unguard();
        mdb_env_sync(it->env, 1); /* without fsync, too, a clean end leaves all on disk */
        mdb_env_close(it->env);
    }
    if (it->values_fd >= 0)
        close(it->values_fd);
    if (it->data_fd >= 0)
        close(it->data_fd);
    if (it->lock_fd >= 0)
        close(it->lock_fd);
    free(it->dir);
    free(it);
}
