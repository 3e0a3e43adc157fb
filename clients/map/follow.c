#include "clients/map/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli.h"
#include "shared/base/error.h"

enum { LOG_OWN, LOG_DIR, LOGS };

#define LOG_BUFFER ((size_t)262144) /* a line is written at once, up to there */

/* --- one task --- */

static int write_lines(struct follow *follow, const struct task_view *view, struct text *why)
{
    for (int i = 0; i < LOGS; i++) {
        struct outfile *log = &follow->logs[i];
        if (!log->file)
            continue;
        joblog_line(view, log->file);
        if (fflush(log->file) || ferror(log->file)) {
            text_add(why, "%s: %s", log->path, strerror(errno));
            return ERR_IO;
        }
    }
    return OK;
}

/* What the view borrows may go meanwhile. */
static int tell(struct follow *follow, const struct task_view *view, struct text *why)
{
    const struct task_source *inner = follow->inner;
    struct task_view now = *view;
    uint64_t task = view->task;
    if (!task_view_is_end(view->state) || !view->attempt || ranges_has(&follow->told, task) ||
        task_choice_from(follow->choice, task, inner->total) != task ||
        !task_choice_has_state(follow->choice, view->state))
        return OK;
    int error = OK;
    if (follow->dir)
        error = outputs_save_task(inner, view, follow->dir, &follow->saved, why);
    if (!error && follow->dir)
        error = inner->get(inner->context, task, &now, why);
    if (!error)
        error = write_lines(follow, &now, why);
    if (!error)
        ranges_add(&follow->told, (struct range){task, 1});
    return error;
}

/* --- the source --- */

static int follow_get(void *context, uint64_t task, struct task_view *out, struct text *why)
{
    const struct task_source *inner = ((struct follow *)context)->inner;
    return inner->get(inner->context, task, out, why);
}

static int follow_ended(void *context, struct task_view *out, struct text *why)
{
    struct follow *follow = context;
    const struct task_source *inner = follow->inner;
    int error = inner->ended(inner->context, out, why);
    if (!error)
        error = tell(follow, out, why);
    return error ? error : inner->get(inner->context, out->task, out, why);
}

static int tell_ended(struct follow *follow, struct text *why)
{
    struct task_view view;
    int error = OK;
    while (!error)
        error = follow_ended(follow, &view, why);
    return error == ERR_NOT_FOUND ? OK : error;
}

static int follow_wait(void *context, struct text *why)
{
    struct follow *follow = context;
    int error = tell_ended(follow, why);
    return error ? error : follow->inner->wait(follow->inner->context, why);
}

static int follow_read(void *context, uint64_t task, enum task_stream_kind kind, uint64_t offset,
                       uint8_t *at, size_t len, struct text *why)
{
    const struct task_source *inner = ((struct follow *)context)->inner;
    return inner->read(inner->context, task, kind, offset, at, len, why);
}

static int follow_file(void *context, uint64_t task, uint64_t file, struct task_source_file *out,
                       struct text *why)
{
    const struct task_source *inner = ((struct follow *)context)->inner;
    return inner->file(inner->context, task, file, out, why);
}

static int follow_read_file(void *context, uint64_t task, uint64_t file, uint64_t offset,
                            uint8_t *at, size_t len, struct text *why)
{
    const struct task_source *inner = ((struct follow *)context)->inner;
    return inner->read_file(inner->context, task, file, offset, at, len, why);
}

/* --- from begin to end --- */

static int open_log(struct follow *follow, int log, const char *what, const char *path)
{
    struct outfile *out = &follow->logs[log];
    int code = outfile_grow(out, what, path);
    if (code)
        return code;
    if (out->file != stdout)
        setvbuf(out->file, NULL, _IOFBF, LOG_BUFFER);
    joblog_head(out->file);
    fflush(out->file); /* an error shows with the next line, or at the end */
    return EXIT_OK;
}

int follow_check_dir(const char *dir)
{
    char path[LOCAL_PATH_MAX];
    struct stat about;
    int error = 0;
    if (!stat(dir, &about)) {
        error = !S_ISDIR(about.st_mode)                             ? ENOTDIR
                : faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) ? errno
                                                                    : 0;
    } else if (errno != ENOENT) {
        error = errno;
    } else { /* it is made once it is needed, where it says */
        size_t len = strlen(dir);
        while (len && dir[len - 1] == '/')
            len--;
        while (len && dir[len - 1] != '/')
            len--;
        text_format(path, sizeof path, "%.*s", len ? (int)len : 1, len ? dir : ".");
        error = faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) ? errno : 0;
    }
    return error ? cli_fail(EXIT_USAGE, "--dir: cannot write %s: %s", dir, strerror(error))
                 : EXIT_OK;
}

static int open_directory(struct follow *follow)
{
    char *path = follow->log_path;
    struct stat about;
    const char *why = NULL;
    if (mkdir(follow->dir, 0777) && errno != EEXIST)
        why = strerror(errno);
    else if (local_path(follow->dir, "joblog.tsv", path))
        why = "the path is too long";
    else if (!lstat(path, &about) && !S_ISREG(about.st_mode))
        why = "joblog.tsv is in the way: it is not a regular file";
    if (why)
        return cli_fail(EXIT_USAGE, "--dir: %s: %s", follow->dir, why);
    return open_log(follow, LOG_DIR, "--dir", path);
}

int follow_begin(struct follow *follow, const struct task_source *inner,
                 const struct task_choice *choice, const char *joblog, const char *dir)
{
    *follow = (struct follow){.inner = inner, .choice = choice, .dir = dir};
    follow->source = (struct task_source){.context = follow,
                                          .total = inner->total,
                                          .get = follow_get,
                                          .ended = follow_ended,
                                          .wait = follow_wait,
                                          .read = follow_read,
                                          .file = follow_file,
                                          .read_file = follow_read_file};
    int code = joblog ? open_log(follow, LOG_OWN, "--joblog", joblog) : EXIT_OK;
    return code || !dir ? code : open_directory(follow);
}

/* Of some nothing is told but how they stand. */
int follow_rest(struct follow *follow, struct text *why)
{
    const struct task_source *inner = follow->inner;
    struct range left, all = {1, inner->total};
    bool any = follow->dir || follow->logs[LOG_OWN].file;
    int error = any ? tell_ended(follow, why) : OK;
    for (uint64_t task = 1; any && !error && task <= inner->total; task++) {
        struct task_view view;
        all = (struct range){task, inner->total + 1 - task};
        if (!ranges_gap(&follow->told, all, &left))
            break;
        task = left.first;
        error = inner->get(inner->context, task, &view, why);
        if (!error)
            error = tell(follow, &view, why);
    }
    return error;
}

int follow_end(struct follow *follow, int code)
{
    for (int i = 0; i < LOGS; i++)
        if (follow->logs[i].file) {
            int closed = outfile_close(&follow->logs[i], EXIT_OK);
            code = code ? code : closed;
        }
    ranges_clear(&follow->told);
    return code;
}
