/* Files of values, in blocks that have a checksum each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes/io/disk_internal.h"
#include "shared/base/bytes.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/text.h"

void disk_value_name(char at[DISK_VALUE_NAME_MAX], struct value_id id, const char *suffix)
{
    char job[JOB_TEXT_MAX];
    text_format(at, DISK_VALUE_NAME_MAX, "%s-%llu%s", job_id_text(id.job, job),
                (unsigned long long)id.op, suffix);
}

uint64_t disk_blocks(uint64_t len)
{
    return (len + DISK_BLOCK_BYTES - 1) / DISK_BLOCK_BYTES;
}

size_t disk_block_bytes(uint64_t len, uint64_t block)
{
    uint64_t rest = len - block * DISK_BLOCK_BYTES;
    return (size_t)(rest < DISK_BLOCK_BYTES ? rest : DISK_BLOCK_BYTES);
}

static uint64_t seed_of(uint64_t block)
{
    return block + 1;
}

void disk_put_block_sums(uint8_t *sums, const struct blob *value, uint64_t from, uint64_t to)
{
    for (uint64_t block = from; block < to; block++)
        bytes_put_be64(sums + block * DISK_BLOCK_SUM_BYTES,
                       disk_check(seed_of(block), value->at + block * DISK_BLOCK_BYTES,
                                  disk_block_bytes(value->len, block)));
}

int disk_write_all(int fd, const uint8_t *at, size_t len)
{
    while (len) {
        ssize_t written = write(fd, at, len);
        if (written < 0 && errno != EINTR)
            return errno;
        if (written > 0) {
            at += written;
            len -= (size_t)written;
        }
    }
    return 0;
}

static int read_at(int fd, uint8_t *at, size_t len, uint64_t offset)
{
    for (size_t done = 0; done < len;) {
        ssize_t got = pread(fd, at + done, len - done, (off_t)(offset + done));
        if (got == 0 || (got < 0 && errno != EINTR))
            return ERR_IO;
        done += got > 0 ? (size_t)got : 0;
    }
    return OK;
}

int disk_read_block(int fd, uint64_t total, const uint8_t *sums, uint64_t block, uint8_t *buffer)
{
    size_t len = disk_block_bytes(total, block);
    int error = read_at(fd, buffer, len, block * DISK_BLOCK_BYTES);
    if (!error && sums &&
        !disk_check_holds(sums + block * DISK_BLOCK_SUM_BYTES, seed_of(block), buffer, len))
        error = ERR_CORRUPT;
    return error;
}

int disk_read_range(int fd, uint64_t total, const uint8_t *sums, uint64_t offset, uint8_t *at,
                    size_t len)
{
    uint8_t *buffer = NULL;
    int error = OK;
    for (uint64_t end = offset + len; !error && offset < end;) {
        uint64_t block = offset / DISK_BLOCK_BYTES, from = offset - block * DISK_BLOCK_BYTES;
        uint64_t n = disk_block_bytes(total, block) - from;
        bool whole = !from && n <= end - offset;
        if (!whole && !buffer)
            buffer = mem_grow(NULL, DISK_BLOCK_BYTES, 1);
        n = n < end - offset ? n : end - offset;
        error = disk_read_block(fd, total, sums, block, whole ? at : buffer);
        if (!error && !whole)
            memcpy(at, buffer + from, (size_t)n);
        at += n;
        offset += n;
    }
    free(buffer);
    return error;
}
