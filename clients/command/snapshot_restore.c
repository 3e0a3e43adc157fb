#include "clients/command/snapshot_restore.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/ask/snapshot_values.h"
#include "clients/local/local.h"
#include "clients/local/outfile.h"
#include "shared/snapshot/pack.h"
#include "shared/base/error.h"

/* --- the files --- */

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    bool empty = dir || errno == ENOENT;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        empty = empty && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."));
    if (dir)
        closedir(dir);
    return empty;
}

static int node_dir(const char *dir, uint64_t id, const char *name, char at[LOCAL_PATH_MAX])
{
    char below[64];
    text_format(below, sizeof below, "node%" PRIu64 "%s", id, name);
    return local_path(dir, below, at);
}

static int write_share(const struct snapshot_model *model, const char *dir, uint64_t id, char *why)
{
    char path[LOCAL_PATH_MAX];
    struct blob *share = snapshot_pack(model, id);
    if (!share) {
        text_format(why, TEXT_MAX, "a row of node %" PRIu64 " is too large to be written", id);
        return ERR_TOO_BIG;
    }
    int error = node_dir(dir, id, "/restore", path);
    if (error)
        text_format(why, TEXT_MAX, "cannot write %s: %s", path, strerror(errno));
    else
        error = outfile_put(path, share->at, share->len, why);
    blob_drop(&share);
    return error ? ERR_IO : OK;
}

/* The values first: a share is never without them. Nodes that do not vote keep none. */
static int write_node(const struct snapshot_model *model, const struct snapshot_values *values,
                      const char *file, const char *dir, uint64_t id, char *why)
{
    char path[LOCAL_PATH_MAX];
    int error = OK;
    if (node_dir(dir, id, "", path) || (mkdir(path, 0777) && errno != EEXIST)) {
        text_format(why, TEXT_MAX, "cannot make %s: %s", path, strerror(errno));
        return ERR_IO;
    }
    if (file && id <= model->voters)
        error = snapshot_values_place(values, file, dir, id, why);
    return error ? error : write_share(model, dir, id, why);
}

int snapshot_make_fresh(const char *dir, bool *made, char *why)
{
    char path[LOCAL_PATH_MAX];
    *made = !mkdir(dir, 0777);
    if (!*made && errno != EEXIST) {
        text_format(why, TEXT_MAX, "cannot make %s: %s", dir, strerror(errno));
        return ERR_IO;
    }
    /* Of a larger cluster, too: what runs there now must not be mixed with what is restored. */
    for (uint64_t id = 1; id <= NODES_MAX; id++)
        if (node_dir(dir, id, "", path) || !is_empty(path)) {
            text_format(why, TEXT_MAX, "%s is not empty: a snapshot is restored into a fresh --dir",
                        path);
            return ERR_EXISTS;
        }
    return OK;
}

int snapshot_write_shares(const struct snapshot_model *model, const struct snapshot_values *values,
                          const char *file, const char *dir, char *why)
{
    bool made;
    int error = snapshot_make_fresh(dir, &made, why);
    for (uint64_t id = 1; id <= model->n_nodes && !error; id++)
        error = write_node(model, values, file, dir, id, why);
    return error;
}
