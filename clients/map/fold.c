#include "clients/map/fold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/error.h"
#include "shared/base/memory.h"

#define PATH_ROOM 4096

/* What is left to fold: a file that was given, or one of ours, which goes when it is used. */
struct item {
    const char *given;
    uint64_t number; /* of ours, from 1 */
};

struct fold {
    fold_program *program;
    void *context;
    const char *dir;
    size_t shape;
    struct item *items;
    size_t n;
    uint64_t made;
    struct text *why;
};

static void item_path(const struct fold *fold, const struct item *item, char at[PATH_ROOM])
{
    if (item->given)
        text_format(at, PATH_ROOM, "%s", item->given);
    else
        text_format(at, PATH_ROOM, "%s/%zu-%" PRIu64, fold->dir, fold->shape, item->number);
}

static void forget(const struct fold *fold, const struct item *item)
{
    char path[PATH_ROOM];
    if (item->given || !item->number)
        return;
    item_path(fold, item, path);
    unlink(path);
}

/* Folds `n` items from `first` on into one, which takes their place. */
static int combine(struct fold *fold, size_t first, size_t n)
{
    char(*paths)[PATH_ROOM] = mem_new(FOLD_ARITY_MAX + 1, PATH_ROOM);
    const char *files[FOLD_ARITY_MAX];
    struct item made = {NULL, ++fold->made};
    for (size_t i = 0; i < n; i++) {
        item_path(fold, &fold->items[first + i], paths[i]);
        files[i] = paths[i];
    }
    item_path(fold, &made, paths[FOLD_ARITY_MAX]);
    int error = fold->program(fold->context, n, files, paths[FOLD_ARITY_MAX], fold->why);
    free(paths);
    for (size_t i = 0; i < n; i++)
        forget(fold, &fold->items[first + i]);
    fold->items[first] = made;
    memmove(fold->items + first + 1, fold->items + first + n,
            (fold->n - first - n) * sizeof *fold->items);
    fold->n -= n - 1;
    return error;
}

static int from_left(struct fold *fold, size_t arity)
{
    return combine(fold, 0, arity < fold->n ? arity : fold->n);
}

static int from_right(struct fold *fold, size_t arity)
{
    size_t n = arity < fold->n ? arity : fold->n;
    return combine(fold, fold->n - n, n);
}

/* One level of a tree: neighbours together; one that is left over waits for the next level. */
static int level(struct fold *fold, size_t arity)
{
    int error = OK;
    for (size_t at = 0; at + 1 < fold->n && !error; at++)
        error = combine(fold, at, arity < fold->n - at ? arity : fold->n - at);
    return error;
}

static const struct {
    const char *name;
    int (*step)(struct fold *fold, size_t arity);
    size_t arity;
} shapes[FOLD_SHAPES] = {{"from the left, two at a time", from_left, 2},
                         {"the same once more", from_left, 2},
                         {"from the right, two at a time", from_right, 2},
                         {"a tree of pairs", level, 2},
                         {"a tree of threes", level, 3},
                         {"a tree of fours", level, 4}};

const char *fold_shape_name(size_t shape)
{
    return shapes[shape].name;
}

static int measure(const char *path, struct fold_result *out, struct text *why)
{
    struct hash_stream stream;
    uint8_t room[16 * 1024];
    size_t len;
    FILE *file = fopen(path, "re");
    if (!file) {
        text_add(why, "the result %s cannot be read", path);
        return ERR_IO;
    }
    hash_begin(&stream);
    out->bytes = 0;
    while ((len = fread(room, 1, sizeof room, file)) > 0) {
        hash_add(&stream, room, len);
        out->bytes += len;
    }
    hash_end(&stream, out->sha256);
    fclose(file);
    return OK;
}

int fold_run(fold_program *program, void *context, size_t shape, size_t n, const char *const *files,
             const char *dir, struct fold_result *out, struct text *why)
{
    struct fold fold = {.program = program,
                        .context = context,
                        .dir = dir,
                        .shape = shape,
                        .items = mem_new(n, sizeof *fold.items),
                        .n = n,
                        .why = why};
    char path[PATH_ROOM];
    int error = OK;
    for (size_t i = 0; i < n; i++)
        fold.items[i].given = files[i];
    while (fold.n > 1 && !error)
        error = shapes[shape].step(&fold, shapes[shape].arity);
    for (size_t i = 0; error && i < fold.n; i++)
        forget(&fold, &fold.items[i]);
    item_path(&fold, &fold.items[0], path);
    text_format(out->path, sizeof out->path, "%zu-%" PRIu64, shape, fold.made);
    out->runs = fold.made;
    free(fold.items);
    return error ? error : measure(path, out, why);
}

bool fold_compare(const char *a, const char *b, uint64_t *offset, uint64_t *line)
{
    FILE *one = fopen(a, "re"), *other = fopen(b, "re");
    int left = 0, right = 0;
    *offset = 0;
    *line = 1;
    while (one && other && left == right && left != EOF) {
        *line += left == '\n' && *offset;
        left = getc_unlocked(one);
        right = getc_unlocked(other);
        ++*offset;
    }
    bool equal = one && other && left == right;
    if (one)
        fclose(one);
    if (other)
        fclose(other);
    return equal;
}
