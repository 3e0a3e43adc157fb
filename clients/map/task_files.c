#include "clients/map/task_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/ask/interrupt.h"
#include "clients/show/render.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/tasks/spec.h"

#define READ_BYTES ((size_t)262144)

void task_files_begin(struct task_files *files)
{
    *files = (struct task_files){0};
    spool_begin(&files->spool);
}

void task_files_clear(struct task_files *files)
{
    spool_clear(&files->spool);
    *files = (struct task_files){.spool.fd = -1};
}

/* --- one file --- */

static int complain(struct text *why, int error, const char *path, const char *what)
{
    char shown[TEXT_MAX / 4];
    text_add(why, "%s%s", text_escape(shown, sizeof shown, slice_of(path)), what);
    return error;
}

/* What a link leads to may be another file tomorrow, and elsewhere: it is to be named itself. */
static int open_file(const char *path, int *fd, uint64_t *len, bool *executable, struct text *why)
{
    struct stat about;
    char what[TEXT_MAX / 4];
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*fd < 0 && errno == ELOOP)
        return complain(why, ERR_IO, path,
                        " is a symbolic link: give the file that it leads to, or a path through a "
                        "directory");
    if (*fd < 0) {
        text_format(what, sizeof what, " cannot be read: %s", strerror(errno));
        return complain(why, ERR_IO, path, what);
    }
    if (fstat(*fd, &about) || !S_ISREG(about.st_mode)) {
        close(*fd);
        return complain(why, ERR_IO, path,
                        S_ISDIR(about.st_mode)
                            ? " is a directory: give a file, such as an archive of it"
                            : " is not a regular file");
    }
    *len = (uint64_t)about.st_size;
    *executable = about.st_mode & 0111;
    return OK;
}

/* Of a task, uploads included; of all. */
static int check_length(const struct task_files *files, const char *path, uint64_t len,
                        struct text *why)
{
    char what[TEXT_MAX / 4], most[RENDER_SIZE_MAX], uploads[RENDER_SIZE_MAX];
    if (files->uploads_len + len > TASK_INPUT_BYTES_MAX) {
        text_format(what, sizeof what,
                    " is too long: the files of a task have at most %s together, its uploads (%s) "
                    "included",
                    render_size(TASK_INPUT_BYTES_MAX, most),
                    render_size(files->uploads_len, uploads));
        return complain(why, ERR_TOO_BIG, path, what);
    }
    if (files->spool.len <= VALUE_BYTES_MAX)
        return OK;
    text_format(what, sizeof what, " and those before it have more than %s; several jobs take more",
                render_size(VALUE_BYTES_MAX, most));
    return complain(why, ERR_TOO_BIG, path, what);
}

static int read_file(struct task_files *files, const char *path, int fd, struct task_file *out,
                     struct text *why)
{
    uint8_t *at = mem_new(READ_BYTES, 1);
    char line[TEXT_MAX];
    struct hash_stream hash;
    int error = OK;
    hash_begin(&hash);
    for (ssize_t n = 1; n && !error;) {
        n = read(fd, at, READ_BYTES);
        if (interrupt_seen()) {
            error = ERR_INTERRUPTED;
        } else if (n < 0 && errno != EINTR) {
            text_format(line, sizeof line, " cannot be read: %s", strerror(errno));
            error = complain(why, ERR_IO, path, line);
        } else if (n > 0) {
            out->len += (uint64_t)n;
            hash_add(&hash, at, (size_t)n);
            error = spool_add(&files->spool, at, (size_t)n, line);
            if (error)
                text_add(why, "%s", line);
            else
                error = check_length(files, path, out->len, why);
        }
    }
    hash_end(&hash, out->sha256);
    free(at);
    return error;
}

static int take(struct task_files *files, const char *path, struct task_file *out, struct text *why)
{
    int fd;
    uint64_t len;
    *out = (struct task_file){.offset = files->spool.len};
    int error = open_file(path, &fd, &len, &out->executable, why);
    if (error)
        return error;
    error = check_length(files, path, len, why); /* it may still grow while it is read */
    if (!error)
        error = read_file(files, path, fd, out, why);
    close(fd);
    return error;
}

/* --- names --- */

/* As it is given; from elsewhere, the last part of it. */
static bool name_upload(const char *path, char at[TASK_PATH_MAX + 1])
{
    const char *slash = strrchr(path, '/');
    if (path[0] != '/' && task_path(slice_of(path), at))
        return true;
    return task_path(slice_of(slash ? slash + 1 : path), at);
}

/* One of them would be the other, or a directory on the way to it. */
static bool collide(struct slice a, struct slice b)
{
    struct slice few = a.len < b.len ? a : b, more = a.len < b.len ? b : a;
    return slice_same(few, (struct slice){more.at, few.len}) &&
           (more.len == few.len || more.at[few.len] == '/');
}

static int check_name(const struct wire_task_spec *spec, const char *path, struct slice name,
                      struct text *why)
{
    char shown[TEXT_MAX / 8], what[TEXT_MAX / 4];
    for (size_t i = 0; i < spec->uploads.n; i++) {
        if (!collide(spec->uploads.at[i].path, name))
            continue;
        text_format(what, sizeof what, " has no place beside the upload %s in a scratch directory",
                    text_escape(shown, sizeof shown, spec->uploads.at[i].path));
        return complain(why, ERR_MALFORMED, path, what);
    }
    return OK;
}

/* --- all of them --- */

static int upload(struct task_files *files, const char *path, struct message *message,
                  struct text *why)
{
    struct wire_task_spec *spec = &message->as.task_spec;
    char name[TASK_PATH_MAX + 1];
    struct task_file file;
    if (!name_upload(path, name))
        return complain(why, ERR_MALFORMED, path, " is not the name of a file");
    int error = check_name(spec, path, slice_of(name), why);
    if (!error)
        error = take(files, path, &file, why);
    if (error)
        return error;
    files->uploads_len = files->spool.len;
    spec->uploads.at[spec->uploads.n++] =
        (struct wire_spec_file){.path = message_text(message, name),
                                .offset = file.offset,
                                .len = file.len,
                                .sha256 =
                                    message_copy(message, (struct slice){file.sha256, HASH_BYTES}),
                                .executable = file.executable};
    return OK;
}

int task_files_upload(struct task_files *files, const struct option_list *uploads,
                      struct message *spec, struct text *why)
{
    int error = OK;
    struct text line = {0};
    files->spec = &spec->as.task_spec;
    if (uploads->n > TASK_UPLOADS_MAX) {
        text_add(why, "--upload is given more than %d times; use an archive for more files",
                 TASK_UPLOADS_MAX);
        return ERR_TOO_BIG;
    }
    spec->as.task_spec.uploads.at =
        message_room(spec, uploads->n, sizeof *spec->as.task_spec.uploads.at);
    for (size_t i = 0; i < uploads->n && !error; i++)
        error = upload(files, uploads->at[i], spec, &line);
    if (line.len)
        text_add(why, "--upload: %s", line.at);
    return error ? error : task_spec_check(&spec->as.task_spec, why);
}

int task_files_add(struct task_files *files, const char *path, struct task_record *record,
                   struct text *why)
{
    struct text line = {0};
    int error = check_name(files->spec, path, record->inputs[0], &line);
    if (!error)
        error = take(files, path, &record->file, &line);
    if (line.len)
        text_add(why, "--files: %s", line.at);
    return error;
}

int task_files_content(struct task_files *files, struct content *out, struct text *why)
{
    char line[TEXT_MAX];
    int error = content_of_spool(out, &files->spool, line);
    if (error)
        text_add(why, "%s", line);
    return error;
}
