/* outputs_save.c - outputs and collected files as files of a directory. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli.h"
#include "clients/local/local.h"
#include "clients/local/outfile.h"
#include "clients/map/outputs.h"
#include "shared/base/memory.h"
#include "shared/tasks/spec.h"

#define PIECE_BYTES     (64 * KIB_BYTES)
#define MODE_EXECUTABLE 0111

/* One file to be: where its bytes come from. */
struct saving {
    const struct task_source *source;
    uint64_t task;
    bool collected;
    enum task_stream_kind kind; /* not collected */
    uint64_t file;              /* collected */
    uint64_t len;
    const uint8_t *sha256;
    bool executable;
};

static int read_piece(const struct saving *saving, uint64_t offset, uint8_t *at, size_t len,
                      struct text *why)
{
    const struct task_source *source = saving->source;
    if (saving->collected)
        return source->read_file(source->context, saving->task, saving->file, offset, at, len, why);
    return source->read(source->context, saving->task, saving->kind, offset, at, len, why);
}

static int complain(struct text *why, const char *path, const char *what)
{
    char shown[TEXT_MAX / 2];
    text_add(why, "%s: %s", text_escape(shown, sizeof shown, slice_of(path)), what);
    return ERR_IO;
}

/* --- what is there already --- */

static bool is_present(const char *path, const struct saving *saving)
{
    struct stat about;
    uint8_t *piece, sha256[HASH_BYTES];
    struct hash_stream hash;
    size_t len;
    if (lstat(path, &about) || !S_ISREG(about.st_mode) || (uint64_t)about.st_size != saving->len)
        return false;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    piece = mem_new(PIECE_BYTES, 1);
    hash_begin(&hash);
    while ((len = fread(piece, 1, PIECE_BYTES, file)) > 0)
        hash_add(&hash, piece, len);
    hash_end(&hash, sha256);
    fclose(file);
    free(piece);
    return !saving->len || !memcmp(sha256, saving->sha256, HASH_BYTES);
}

/* Only what is a file or nothing may be replaced: no link leads out of the directory. */
static int check_place(const char *path, struct text *why)
{
    struct stat about;
    if (!lstat(path, &about) && !S_ISREG(about.st_mode))
        return complain(why, path, "stands in the way: it is not a regular file");
    return OK;
}

/* --- writing --- */

static int copy(const struct saving *saving, FILE *out, const char *path, struct text *why)
{
    uint8_t *piece = mem_new(PIECE_BYTES, 1), sha256[HASH_BYTES];
    struct hash_stream hash;
    int error = OK;
    hash_begin(&hash);
    for (uint64_t at = 0; at < saving->len && !error;) {
        size_t len = saving->len - at < PIECE_BYTES ? (size_t)(saving->len - at) : PIECE_BYTES;
        error = read_piece(saving, at, piece, len, why);
        if (error)
            break;
        hash_add(&hash, piece, len);
        fwrite(piece, 1, len, out);
        at += len;
    }
    hash_end(&hash, sha256);
    free(piece);
    if (!error && saving->len && memcmp(sha256, saving->sha256, HASH_BYTES)) {
        complain(why, path, "what was received differs from its SHA-256; it is not written");
        error = ERR_CORRUPT;
    }
    return error;
}

static int save(const struct saving *saving, const char *path, struct outputs_saved *saved,
                struct text *why)
{
    struct outfile out;
    if (is_present(path, saving)) {
        saved->present++;
        return OK;
    }
    int error = check_place(path, why);
    if (error)
        return error;
    if (outfile_open(&out, "--dir", path))
        return ERR_IO; /* it said so */
    error = copy(saving, out.file, path, why);
    struct stat about;
    if (!error && saving->executable && !fstat(fileno(out.file), &about) &&
        fchmod(fileno(out.file), about.st_mode | (about.st_mode >> 2 & MODE_EXECUTABLE)))
        error = complain(why, path, strerror(errno));
    if (outfile_close(&out, error ? EXIT_FAILED : EXIT_OK) && !error)
        error = ERR_IO;
    saved->written += !error;
    return error;
}

/* Makes the directories of a path below `dir`, which is there; none of them may be a link. */
static int make_directories(const char *dir, const char *below, struct text *why)
{
    char path[LOCAL_PATH_MAX];
    struct stat about;
    for (const char *slash = strchr(below, '/'); slash; slash = strchr(slash + 1, '/')) {
        if (text_format(path, sizeof path, "%s/%.*s", dir, (int)(slash - below), below) >=
            sizeof path - 1)
            return complain(why, below, "the path is too long");
        if (mkdir(path, 0777) && errno != EEXIST)
            return complain(why, path, strerror(errno));
        if (lstat(path, &about) || !S_ISDIR(about.st_mode))
            return complain(why, path, "stands in the way: it is not a directory");
    }
    return OK;
}

static int save_collected(struct saving *saving, const char *dir, struct outputs_saved *saved,
                          struct text *why)
{
    const struct task_source *source = saving->source;
    struct task_source_file file;
    char below[TASK_PATH_MAX + 32], path[LOCAL_PATH_MAX];
    int error = source->file(source->context, saving->task, saving->file, &file, why);
    if (error)
        return error;
    file.path[TASK_PATH_MAX] = '\0';
    if (!task_path_is_safe(slice_of(file.path)))
        return complain(why, file.path, "this path of a collected file leads out of the directory");
    text_format(below, sizeof below, "%" PRIu64 "/%s", saving->task, file.path);
    error = make_directories(dir, below, why);
    if (!error && local_path(dir, below, path))
        error = complain(why, below, "the path is too long");
    saving->len = file.len;
    saving->sha256 = file.sha256;
    saving->executable = file.executable;
    return error ? error : save(saving, path, saved, why);
}

int outputs_save_task(const struct task_source *source, const struct task_view *view,
                      const char *dir, struct outputs_saved *saved, struct text *why)
{
    static const char *const suffixes[] = {"out", "err"};
    struct task_view copied = *view; /* what it borrows may go with the first read */
    struct saving saving = {.source = source, .task = view->task};
    char name[48], path[LOCAL_PATH_MAX];
    int error = OK;
    for (int kind = 0; kind < TASK_STREAMS && !error; kind++) {
        const struct task_view_output *output = &copied.output[kind];
        if (kind == TASK_STDERR && !output->kept)
            continue;
        saving.kind = (enum task_stream_kind)kind;
        saving.len = output->kept;
        saving.sha256 = output->sha256;
        text_format(name, sizeof name, "%" PRIu64 ".%s", copied.task, suffixes[kind]);
        error = local_path(dir, name, path) ? complain(why, dir, "the path is too long")
                                            : save(&saving, path, saved, why);
    }
    saving.collected = true;
    for (; saving.file < copied.files && !error; saving.file++)
        error = save_collected(&saving, dir, saved, why);
    return error;
}

int outputs_save(const struct task_source *source, const struct task_choice *choice,
                 const char *dir, struct outputs_saved *saved, struct text *why)
{
    char path[LOCAL_PATH_MAX];
    struct outfile log;
    *saved = (struct outputs_saved){0};
    if (mkdir(dir, 0777) && errno != EEXIST)
        return complain(why, dir, strerror(errno));
    if (local_path(dir, "joblog.tsv", path) || check_place(path, why) ||
        outfile_open(&log, "--dir", path))
        return ERR_IO;
    joblog_head(log.file);
    uint64_t task = task_choice_from(choice, 1, source->total);
    int error = OK;
    for (; task && !error; task = task_choice_from(choice, task + 1, source->total)) {
        struct task_view view;
        error = source->get(source->context, task, &view, why);
        if (error)
            break;
        if (!task_view_is_end(view.state)) {
            saved->missing++;
        } else if (task_choice_has_state(choice, view.state) && view.attempt) {
            joblog_line(&view, log.file);
            error = outputs_save_task(source, &view, dir, saved, why);
        }
    }
    if (outfile_close(&log, error ? EXIT_FAILED : EXIT_OK) && !error)
        error = ERR_IO;
    return error;
}

void outputs_saved_note(const struct outputs_saved *saved, const char *dir)
{
    cli_note("%" PRIu64 " file%s written to %s, %" PRIu64 " were there", saved->written,
             saved->written == 1 ? " is" : "s are", dir, saved->present);
}
