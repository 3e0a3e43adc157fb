#include "clients/local/local.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/local/outfile.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/text.h"

#define DESCRIPTION "cluster.json"
#define DIR_MODE    0700 /* keys are in it */

int local_path(const char *dir, const char *name, char at[LOCAL_PATH_MAX])
{
    return text_format(at, LOCAL_PATH_MAX, "%s/%s", dir, name) < LOCAL_PATH_MAX - 1 ? OK
                                                                                    : ERR_TOO_BIG;
}

static int explain(char *why, int error, const char *what, const char *path)
{
    text_format(why, TEXT_MAX, "--dir: %s %s: %s", what, path, strerror(errno));
    return error;
}

/* --- the lock --- */

/* POSIX locks rather than flock(): F_GETLK tells who holds one, so that nobody else is ever
 * signalled. */
static struct flock whole_file(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

int local_claim(const char *dir, int *lock, char *why)
{
    char path[LOCAL_PATH_MAX];
    if (local_path(dir, LOCAL_LOCK, path)) {
        text_format(why, TEXT_MAX, "--dir: the name is too long");
        return ERR_IO;
    }
    if (mkdir(dir, DIR_MODE) && errno != EEXIST)
        return explain(why, ERR_IO, "cannot make", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return explain(why, ERR_IO, "cannot write", path);
    struct flock claim = whole_file(F_WRLCK);
    if (fcntl(fd, F_SETLK, &claim)) {
        text_format(why, TEXT_MAX, "a cluster runs in %s already; `conclave down --dir %s` ends it",
                    dir, dir);
        close(fd);
        return ERR_EXISTS;
    }
    *lock = fd;
    return OK;
}

pid_t local_holder(const char *dir)
{
    char path[LOCAL_PATH_MAX];
    if (local_path(dir, LOCAL_LOCK, path))
        return -1;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct flock claim = whole_file(F_WRLCK);
    int error = fcntl(fd, F_GETLK, &claim);
    close(fd);
    return error || claim.l_type == F_UNLCK ? 0 : claim.l_pid;
}

/* --- the description --- */

int local_put_json(const char *dir, const char *name, json_t *value, char *why)
{
    char path[LOCAL_PATH_MAX];
    char *bytes = json_dumps(value, JSON_INDENT(2));
    json_decref(value);
    if (!bytes || local_path(dir, name, path)) {
        text_format(why, TEXT_MAX, "%s/%s cannot be written", dir, name);
        free(bytes);
        return ERR_IO;
    }
    int error = outfile_put(path, bytes, strlen(bytes), why);
    free(bytes);
    return error;
}

int local_describe(const char *dir, unsigned port, uint64_t nodes, uint64_t brokers, char *why)
{
    char when[CLOCK_TEXT_MAX];
    json_t *about = json_pack("{s:i, s:i, s:I, s:I, s:s}", "pid", (int)getpid(), "port", (int)port,
                              "nodes", (json_int_t)nodes, "brokers", (json_int_t)brokers, "started",
                              clock_text(clock_wall_ms(), when));
    return local_put_json(dir, DESCRIPTION, about, why);
}

void local_forget(const char *dir)
{
    char path[LOCAL_PATH_MAX];
    if (!local_path(dir, DESCRIPTION, path))
        unlink(path);
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path) && errno != ENOENT;
}

void local_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
