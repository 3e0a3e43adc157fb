/* Spilled values: files that no record names. What is known of them is in memory, so they end with
 * the process. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define SUFFIX    ".spilled"
#define FILE_MODE 0644

_Static_assert(SPILL_SLICE_BYTES % DISK_BLOCK_BYTES == 0, "a slice is some blocks");

struct spilled {
    struct value_id id;
    uint64_t len, written;
    int fd; /* while it is written; -1: it is whole */
    uint8_t hash[HASH_BYTES];
    uint8_t sums[]; /* of its blocks */
};

static struct map_key key_of(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

static struct spilled *find(const struct disk *disk, struct value_id id)
{
    return map_get(&disk->spilled, key_of(id));
}

static void forget(struct disk *disk, struct spilled *it)
{
    char name[DISK_VALUE_NAME_MAX];
    disk_value_name(name, it->id, SUFFIX);
    if (it->fd >= 0)
        close(it->fd);
    unlinkat(disk->values_fd, name, 0);
    map_remove(&disk->spilled, key_of(it->id));
    free(it);
}

/* --- writing --- */

static bool has_room(const struct disk *disk, uint64_t bytes)
{
    struct statvfs status;
    if (fstatvfs(disk->values_fd, &status))
        return false;
    return (uint64_t)status.f_bavail * status.f_frsize >= bytes + SPILL_SPARE_BYTES;
}

static int begin(struct disk *disk, struct value_id id, const struct blob *value,
                 struct spilled **out)
{
    char name[DISK_VALUE_NAME_MAX];
    if (!has_room(disk, value->len))
        return ERR_FULL;
    disk_value_name(name, id, SUFFIX);
    int fd = openat(disk->values_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
    struct spilled *it = mem_new(1, sizeof *it + disk_blocks(value->len) * DISK_BLOCK_SUM_BYTES);
    it->id = id;
    it->len = value->len;
    it->fd = fd;
    map_put(&disk->spilled, key_of(id), it);
    *out = it;
    return OK;
}

static int end(struct spilled *it, const struct blob *value)
{
    int fd = it->fd;
    it->fd = -1;
    blob_hash(value, it->hash);
    return close(fd) ? errno : 0;
}

int disk_spill(struct disk *disk, struct value_id id, const struct blob *value, uint64_t *offset)
{
    struct spilled *it = find(disk, id);
    int error = OK;
    if (it && !*offset && (it->fd >= 0 || it->len != value->len)) {
        forget(disk, it);
        it = NULL;
    }
    if (it && it->fd < 0) {
        *offset = value->len;
        return OK;
    }
    if (!it)
        error = begin(disk, id, value, &it);
    if (error)
        return error;
    uint64_t rest = it->len - it->written, n = rest < SPILL_SLICE_BYTES ? rest : SPILL_SLICE_BYTES;
    disk_put_block_sums(it->sums, value, it->written / DISK_BLOCK_BYTES,
                        disk_blocks(it->written + n));
    int number = disk_write_all(it->fd, value->at + it->written, (size_t)n);
    it->written += n;
    *offset = it->written;
    disk->written_bytes += number ? 0 : n;
    if (!number && it->written == it->len)
        number = end(it, value);
    if (!number)
        return OK;
    forget(disk, it);
    return number == ENOSPC || number == EDQUOT ? ERR_FULL : ERR_IO;
}

/* --- reading --- */

static int open_file(struct disk *disk, struct value_id id, const struct spilled *it, int *fd)
{
    char name[DISK_VALUE_NAME_MAX];
    struct stat status;
    *fd = -1;
    if (!it || it->fd >= 0)
        return ERR_NOT_FOUND;
    disk_value_name(name, id, SUFFIX);
    *fd = openat(disk->values_fd, name, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT ? ERR_CORRUPT : ERR_IO;
    if (fstat(*fd, &status))
        return ERR_IO;
    return (uint64_t)status.st_size == it->len ? OK : ERR_CORRUPT;
}

int disk_unspill(struct disk *disk, struct value_id id, struct blob **out, uint64_t *offset)
{
    const struct spilled *it = find(disk, id);
    int fd, error = open_file(disk, id, it, &fd);
    if (!error) {
        if (!*offset)
            *out = blob_new((size_t)it->len);
        uint64_t rest = it->len - *offset, n = rest < SPILL_SLICE_BYTES ? rest : SPILL_SLICE_BYTES;
        error = disk_read_range(fd, it->len, it->sums, *offset, (*out)->at + *offset, (size_t)n);
        *offset += n;
    }
    if (!error && *offset == it->len)
        blob_set_hash(*out, it->hash);
    if (fd >= 0)
        close(fd);
    if (error)
        blob_drop(out);
    return error;
}

bool disk_read_spilled(struct disk *disk, struct value_id id, uint64_t offset, uint64_t len,
                       struct blob **out, uint64_t *total)
{
    const struct spilled *it = find(disk, id);
    int fd, error = open_file(disk, id, it, &fd);
    if (!error && offset <= it->len) {
        *total = it->len;
        *out = blob_new((size_t)(len < it->len - offset ? len : it->len - offset));
        error = disk_read_range(fd, it->len, it->sums, offset, (*out)->at, (*out)->len);
    }
    if (fd >= 0)
        close(fd);
    if (error)
        blob_drop(out);
    return *out != NULL;
}

/* --- keeping --- */

int disk_keep_spilled(struct disk *disk, struct value_id id)
{
    const struct spilled *it = find(disk, id);
    char from[DISK_VALUE_NAME_MAX], to[DISK_VALUE_NAME_MAX];
    int fd, error = open_file(disk, id, it, &fd);
    if (error || it->len <= VALUE_INLINE_MAX_BYTES) {
        if (fd >= 0)
            close(fd);
        return ERR_NOT_FOUND;
    }
    disk_value_name(from, id, SUFFIX);
    disk_value_name(to, id, "");
    int number = disk_sync(disk, fdatasync, fd);
    close(fd);
    unlinkat(disk->values_fd, to, 0); /* an older one, which no record names */
    if (!number && linkat(disk->values_fd, from, disk->values_fd, to, 0))
        number = errno;
    if (!number)
        number = disk_sync(disk, fsync, disk->values_fd);
    if (number)
        return number == ENOSPC || number == EDQUOT ? ERR_FULL : ERR_NOT_FOUND;
    disk_begin(disk);
    disk_put_file_record(disk, id, it->len, it->hash, it->sums);
    disk_commit(disk);
    return OK;
}

/* --- forgetting --- */

void disk_forget_spilled(struct disk *disk, struct value_id id)
{
    struct spilled *it;
    if (id.job && id.op) {
        it = find(disk, id);
        if (it)
            forget(disk, it);
        return;
    }
    size_t n = 0;
    struct spilled **all = mem_new(disk->spilled.count + 1, sizeof(struct spilled *));
    for (size_t at = 0; (it = map_next(&disk->spilled, &at, NULL));)
        if (value_id_fits(it->id, id))
            all[n++] = it;
    for (size_t i = 0; i < n; i++)
        forget(disk, all[i]);
    free(all);
}

void disk_clear_spilled(struct disk *disk)
{
    if (disk->values_fd >= 0)
        disk_forget_spilled(disk, (struct value_id){0});
    map_clear(&disk->spilled);
}
