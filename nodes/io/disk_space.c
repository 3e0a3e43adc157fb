/* The reserve: room in data.mdb that is allocated before it is needed, so that a full disk stops
 * new work and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/error.h"

/* Where the file system cannot allocate ahead: what is free must do. */
static int check_free(const struct disk *disk)
{
    struct statvfs status;
    if (fstatvfs(disk->data_fd, &status))
        return OK;
    return (uint64_t)status.f_bavail * status.f_frsize < STORE_RESERVE_BYTES ? ERR_FULL : OK;
}

int disk_reserve(struct disk *disk)
{
    MDB_envinfo info;
    MDB_stat page;
    if (mdb_env_info(disk->env, &info) || mdb_env_stat(disk->env, &page))
        return OK;
    uint64_t used = ((uint64_t)info.me_last_pgno + 1) * page.ms_psize;
    if (used + STORE_RESERVE_BYTES <= disk->room_bytes)
        return OK;
    /* Beyond the file's end, whose place LMDB knows: its length stays as it is. */
    uint64_t wanted = used + STORE_RESERVE_BYTES + STORE_RESERVE_STEP_BYTES;
    int number;
    do
        number = fallocate(disk->data_fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)wanted) ? errno : 0;
    while (number == EINTR);
    if (number == EOPNOTSUPP || number == ENOSYS)
        return check_free(disk);
    if (number)
        return ERR_FULL;
    disk->room_bytes = wanted;
    return OK;
}
