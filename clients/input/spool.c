#include "clients/input/spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/local/outfile.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

void spool_begin(struct spool *spool)
{
    *spool = (struct spool){.fd = -1};
    hash_begin(&spool->hash);
}

void spool_of_file(struct spool *spool, int fd, uint64_t len)
{
    *spool = (struct spool){.fd = fd, .len = len, .flushed = len};
}

static int fail(char *why, const char *what)
{
    text_format(why, TEXT_MAX, "%s: %s", what, strerror(errno));
    return ERR_IO;
}

/* Writes out what is in memory. */
static int flush(struct spool *spool, char *why)
{
    if (spool->fd < 0)
        spool->fd = outfile_temporary(why);
    if (spool->fd < 0)
        return ERR_IO;
    size_t len = spool->len - spool->flushed;
    for (size_t done = 0; done < len;) {
        ssize_t n = write(spool->fd, spool->at + done, len - done);
        if (n < 0 && errno != EINTR)
            return fail(why, "a temporary file cannot be written (TMPDIR says where)");
        done += n > 0 ? (size_t)n : 0;
    }
    spool->flushed += len;
    return OK;
}

int spool_add(struct spool *spool, const void *at, size_t len, char *why)
{
    size_t held = spool->len - spool->flushed;
    if (held && held + len > SPOOL_MEMORY_BYTES) {
        int error = flush(spool, why);
        if (error)
            return error;
        held = 0;
    }
    if (spool->room < held + len) {
        while (spool->room < held + len)
            spool->room = spool->room ? 2 * spool->room : 65536;
        spool->at = mem_grow(spool->at, spool->room, 1);
    }
    if (len)
        memcpy(spool->at + held, at, len);
    spool->len += len;
    hash_add(&spool->hash, at, len);
    return OK;
}

void spool_hash(struct spool *spool, uint8_t out[HASH_BYTES])
{
    hash_end(&spool->hash, out);
}

int spool_read(const struct spool *spool, uint64_t offset, void *at, size_t len, char *why)
{
    size_t filed = offset >= spool->flushed         ? 0
                   : spool->flushed - offset >= len ? len
                                                    : (size_t)(spool->flushed - offset);
    for (size_t done = 0; done < filed;) {
        ssize_t n = pread(spool->fd, (uint8_t *)at + done, filed - done, (off_t)(offset + done));
        if (n < 0 && errno != EINTR)
            return fail(why, "what was read cannot be read again");
        if (!n) {
            text_format(why, TEXT_MAX, "the file has become shorter meanwhile");
            return ERR_IO;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    if (len > filed)
        memcpy((uint8_t *)at + filed, spool->at + (offset + filed - spool->flushed), len - filed);
    return OK;
}

void spool_clear(struct spool *spool)
{
    if (spool->fd > STDIN_FILENO)
        close(spool->fd);
    free(spool->at);
    *spool = (struct spool){.fd = -1};
}
