#include "nodes/io/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/error.h"
#include "shared/base/hash.h"

#define SHORT_ID_BYTES 4 /* of the cluster id in the name of what was replaced */
#define FILE_MODE      0644

static int open_founded(const char *dir, struct disk **disk, struct node_durable *durable,
                        struct text *why)
{
    if (!disk_exists(dir)) {
        text_add(why, "%s holds no store", dir);
        return ERR_NOT_FOUND;
    }
    int error = disk_open(dir, NULL, 0, DURABILITY_FSYNC, disk, why);
    if (!error)
        error = disk_read_vote(*disk, durable, why);
    if (error || identity_is_set(&durable->identity))
        return error;
    text_add(why, "%s belongs to no cluster yet", dir);
    return ERR_STALE;
}

/* Births are not known before the disks start, and any disk of a voter that has this identity will
 * do: only those that recovery wrote have it. */
static struct write make_vote(struct identity *identity, node_id_t id, term_t term)
{
    memset(identity->births, 0, sizeof identity->births);
    return (struct write){.kind = WRITE_VOTE,
                          .term = term,
                          .voter = id <= identity->n_voters,
                          .identity = identity};
}

int recover_refound(const char *dir, term_t term, struct text *why)
{
    struct disk *disk = NULL;
    struct node_durable durable;
    uint8_t origin[CLUSTER_ID_BYTES];
    int error = open_founded(dir, &disk, &durable, why);
    if (!error)
        error = disk_read_origin(disk, origin, why);
    if (!error) {
        struct identity identity = durable.identity, none = {0};
        if (!memcmp(origin, none.cluster_id, sizeof origin))
            memcpy(origin, identity.cluster_id, sizeof origin);
        hash_random(identity.cluster_id, sizeof identity.cluster_id);
        identity.founder = disk_node(disk);
        struct write vote =
            make_vote(&identity, disk_node(disk), term > durable.term ? term : durable.term);
        disk_refound(disk, &vote, origin);
    }
    disk_close(&disk);
    return error;
}

/* --- taking over --- */

/* DIR.replaced-ID, made. */
static int make_aside(const char *dir, const struct identity *identity, char at[DISK_PATH_MAX],
                      struct text *why)
{
    char name[2 * SHORT_ID_BYTES + 1];
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/')
        len--;
    for (size_t i = 0; i < SHORT_ID_BYTES; i++)
        text_format(name + 2 * i, 3, "%02x", identity->cluster_id[i]);
    text_format(at, DISK_PATH_MAX, "%.*s.replaced-%s", (int)len, dir, name);
    if (!mkdir(at, 0755) || errno == EEXIST)
        return OK;
    text_add(why, "cannot make %s: %s", at, strerror(errno));
    return ERR_IO;
}

static int move(const char *dir, const char *aside, const char *name, struct text *why)
{
    char from[DISK_PATH_MAX + 8], to[DISK_PATH_MAX + 8];
    text_format(from, sizeof from, "%s/%s", dir, name);
    text_format(to, sizeof to, "%s/%s", aside, name);
    if (!rename(from, to) || errno == ENOENT)
        return OK;
    text_add(why, "cannot move %s to %s: %s", from, to, strerror(errno));
    return ERR_IO;
}

/* Moves store and values away, whatever is in them, while no node can start there: the directory is
 * a new one then. */
static int move_store(const char *dir, const char *aside, struct text *why)
{
    char lock[DISK_PATH_MAX + 8];
    text_format(lock, sizeof lock, "%s/lock", dir);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE), error = OK;
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB)) {
        text_add(why, "%s is in use by another process, or cannot be locked: %s", dir,
                 strerror(errno));
        error = ERR_EXISTS;
    }
    if (!error)
        error = move(dir, aside, "store", why);
    if (!error)
        error = move(dir, aside, "values", why);
    if (fd >= 0)
        close(fd);
    return error;
}

/* The store as it was, in full: a copy, for its ledger stays where it is. */
static int save_store(struct disk *disk, const char *aside, struct text *why)
{
    char path[DISK_PATH_MAX + 16];
    text_format(path, sizeof path, "%s/store", aside);
    if (mkdir(path, 0755)) {
        text_add(why, "cannot make %s: %s", path, strerror(errno));
        return ERR_IO;
    }
    return disk_save(disk, path, why);
}

static int adopt(struct disk *from, const char *dir, node_id_t id,
                 const struct node_durable *founded, const char *aside, struct text *why)
{
    struct disk *disk = NULL;
    struct identity identity = founded->identity;
    uint8_t origin[CLUSTER_ID_BYTES];
    bool fresh = !disk_exists(dir);
    int error = disk_open(dir, disk_cluster(from), id, DURABILITY_FSYNC, &disk, why);
    if (!error && !fresh)
        error = disk_migrate(disk, identity.n_nodes, identity.n_voters, why);
    if (!error && !fresh)
        error = save_store(disk, aside, why);
    if (!error)
        error = disk_read_origin(from, origin, why);
    if (!error) {
        struct write vote = make_vote(&identity, id, founded->term);
        error = disk_copy(from, disk, &vote, origin, why);
    }
    disk_close(&disk);
    return error;
}

int recover_adopt(const char *from, const char *dir, node_id_t id, bool damaged, struct text *why)
{
    struct disk *source = NULL;
    struct node_durable durable;
    char aside[DISK_PATH_MAX] = "";
    int error = open_founded(from, &source, &durable, why);
    if (!error && (damaged || disk_exists(dir)))
        error = make_aside(dir, &durable.identity, aside, why);
    if (!error && damaged)
        error = move_store(dir, aside, why);
    if (!error)
        error = adopt(source, dir, id, &durable, aside, why);
    disk_close(&source);
    return error;
}
