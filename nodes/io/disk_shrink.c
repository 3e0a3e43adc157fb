/* LMDB takes pages that are free again, but never gives them back: after large jobs data.mdb stays
 * as long as it once was. So a file that is mostly free is replaced by a copy of what is in it: at
 * a start, and when the store has nothing to do and the copy is small. Nothing else can use the
 * store meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/log.h"

#define FILE_MODE  0644
#define FREE_PAGES 0 /* the database of free pages: the number of them, then their numbers */

/* 0 also when they cannot be read. */
static uint64_t count_free(MDB_env *env, uint64_t page_bytes)
{
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_val key, pages;
    uint64_t n = 0;
    if (mdb_txn_begin(env, NULL, MDB_RDONLY, &txn))
        return 0;
    if (!mdb_cursor_open(txn, FREE_PAGES, &cursor)) {
        while (!mdb_cursor_get(cursor, &key, &pages, MDB_NEXT)) {
            size_t some = 0;
            if (pages.mv_size >= sizeof some)
                memcpy(&some, pages.mv_data, sizeof some);
            n += some;
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_abort(txn);
    return n * page_bytes;
}

static uint64_t free_bytes(const struct disk *disk, uint64_t *all_bytes)
{
    MDB_envinfo info;
    MDB_stat page;
    *all_bytes = 0;
    if (mdb_env_info(disk->env, &info) || mdb_env_stat(disk->env, &page))
        return 0;
    *all_bytes = ((uint64_t)info.me_last_pgno + 1) * page.ms_psize;
    return count_free(disk->env, page.ms_psize);
}

static int copy_to(const struct disk *disk, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return errno;
    int number = mdb_env_copyfd2(disk->env, fd, MDB_CP_COMPACT);
    if (!number && fsync(fd))
        number = errno;
    if (close(fd) && !number)
        number = errno;
    return number;
}

bool disk_shrink(const struct disk *disk, uint64_t most_bytes)
{
    char file[DISK_PATH_MAX + 32], draft[DISK_PATH_MAX + 32];
    uint64_t all, unused = free_bytes(disk, &all);
    text_format(file, sizeof file, "%s/store/data.mdb", disk->dir);
    text_format(draft, sizeof draft, "%s/store/data.mdb.new", disk->dir);
    unlink(draft); /* of a start that was cut short */
    if (unused < STORE_SHRINK_BYTES || unused < all / 2 || all - unused > most_bytes)
        return false;
    int number = copy_to(disk, draft);
    if (!number && rename(draft, file))
        number = errno;
    if (!number)
        return true;
    unlink(draft);
    log_write(LOG_WARN, "%s is mostly free, but no smaller copy can be made: %s", file,
              mdb_strerror(number));
    return false;
}

bool disk_tidy(struct disk *disk)
{
    if (!disk_shrink(disk, STORE_TIDY_BYTES))
        return false;
    int number = disk_reopen(disk);
    if (number)
        disk_fail(disk, "open the smaller copy of the store", number);
    return true;
}
