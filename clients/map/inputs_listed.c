/* inputs_listed.c - inputs that are known at the begin: numbers of an array, files of patterns,
 * what a program gives. */
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clients/map/inputs_internal.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"
#include "shared/base/whole.h"
#include "shared/tasks/spec.h"

/* --- numbers --- */

struct array {
    uint64_t next, last, step;
    bool ended;
    char text[24];
};

static bool parse_range(struct slice text, struct array *out)
{
    const uint8_t *dash = memchr(text.at, '-', text.len), *colon = memchr(text.at, ':', text.len);
    const uint8_t *end = text.at + text.len;
    *out = (struct array){.step = 1};
    if (!dash || (colon && colon < dash))
        return false;
    struct slice first = {text.at, (size_t)(dash - text.at)};
    struct slice last = {dash + 1, (size_t)((colon ? colon : end) - dash - 1)};
    if (parse_whole(first, UINT64_MAX - 1, &out->next) ||
        parse_whole(last, UINT64_MAX - 1, &out->last))
        return false;
    if (colon && (parse_whole((struct slice){colon + 1, (size_t)(end - colon - 1)}, UINT64_MAX,
                              &out->step) ||
                  !out->step))
        return false;
    return out->next <= out->last;
}

static int open_array(struct inputs *inputs, const struct inputs_request *request, struct text *why)
{
    struct array *own = inputs->own = mem_new(1, sizeof *own);
    char shown[TEXT_MAX / 8];
    text_escape(shown, sizeof shown, slice_of(request->array));
    if (!parse_range(slice_of(request->array), own)) {
        text_add(why,
                 "--array takes FIRST-LAST or FIRST-LAST:STEP, such as 1-50 or 1-50:2, not "
                 "'%s'",
                 shown);
        return ERR_MALFORMED;
    }
    if ((own->last - own->next) / own->step >= MAP_TASKS_MAX) {
        text_add(why, "--array %s: at most %d tasks; several jobs take more", shown, MAP_TASKS_MAX);
        return ERR_TOO_BIG;
    }
    inputs->n_inputs = 1;
    text_format(inputs->what, sizeof inputs->what, "numbers %s", shown);
    return OK;
}

static int next_number(struct inputs *inputs, struct task_record *out, struct text *why)
{
    struct array *own = inputs->own;
    (void)why;
    if (own->ended)
        return ERR_NOT_FOUND;
    text_format(own->text, sizeof own->text, "%" PRIu64, own->next);
    out->inputs[0] = slice_of(own->text);
    own->ended = own->last - own->next < own->step;
    own->next += own->step;
    return OK;
}

static void close_own(struct inputs *inputs)
{
    free(inputs->own);
}

const struct inputs_form inputs_array = {"--array", open_array, next_number, close_own};

/* --- files --- */

struct files {
    glob_t found;
    size_t next;
    char path[TASK_PATH_MAX + 1];
};

static int glob_error(const char *path, int error)
{
    (void)path;
    errno = error;
    return 1;
}

static int open_files(struct inputs *inputs, const struct inputs_request *request, struct text *why)
{
    struct files *own = inputs->own = mem_new(1, sizeof *own);
    char shown[TEXT_MAX / 8];
    inputs->n_inputs = 1;
    for (size_t i = 0; i < request->files.n; i++) {
        text_escape(shown, sizeof shown, slice_of(request->files.at[i]));
        errno = 0;
        int code = glob(request->files.at[i], i ? GLOB_APPEND : 0, glob_error, &own->found);
        if (code == GLOB_NOMATCH) {
            text_add(why, "--files: nothing matches '%s'", shown);
            return ERR_NOT_FOUND;
        }
        if (code) {
            text_add(why, "--files '%s': %s", shown, errno ? strerror(errno) : "no memory");
            return ERR_IO;
        }
    }
    text_format(inputs->what, sizeof inputs->what, "files %s%s", shown,
                request->files.n > 1 ? " and others" : "");
    return OK;
}

/* What is after its last "..": as tar names such files. */
static const char *behind_dots(const char *path)
{
    const char *from = path;
    for (const char *at = path; (at = strstr(at, "..")); at += 2)
        if ((at == path || at[-1] == '/') && at[2] == '/')
            from = at + 3;
    return from;
}

static int next_file(struct inputs *inputs, struct task_record *out, struct text *why)
{
    struct files *own = inputs->own;
    char shown[TEXT_MAX / 4];
    struct stat about;
    if (own->next == own->found.gl_pathc)
        return ERR_NOT_FOUND;
    const char *path = own->found.gl_pathv[own->next++];
    text_escape(shown, sizeof shown, slice_of(path));
    if (stat(path, &about) || !S_ISREG(about.st_mode)) {
        text_add(why, "--files: %s is not a regular file", shown);
        return ERR_IO;
    }
    if (!task_path(slice_of(behind_dots(path)), own->path)) {
        text_add(why,
                 "--files: %s: a path of more than %d bytes has no place in a scratch directory; "
                 "go to a directory nearer to it",
                 shown, TASK_PATH_MAX);
        return ERR_MALFORMED;
    }
    inputs->path = path;
    out->inputs[0] = slice_of(own->path);
    return OK;
}

static void close_files(struct inputs *inputs)
{
    struct files *own = inputs->own;
    globfree(&own->found);
    free(own);
}

const struct inputs_form inputs_files = {"--files", open_files, next_file, close_files};

/* --- given by a program --- */

struct given {
    const char *const *at;
    size_t n, next;
};

static int open_given(struct inputs *inputs, const struct inputs_request *request, struct text *why)
{
    struct given *own = inputs->own = mem_new(1, sizeof *own);
    if (!request->per_task || request->per_task > TASK_INPUTS_MAX ||
        request->n_given % request->per_task) {
        text_add(why, "%zu inputs, %zu for each task, do not fit: a task has 1 to %d",
                 request->n_given, request->per_task, TASK_INPUTS_MAX);
        return ERR_MALFORMED;
    }
    *own = (struct given){request->given, request->n_given, 0};
    inputs->n_inputs = request->per_task;
    text_format(inputs->what, sizeof inputs->what, "inputs");
    return OK;
}

static int next_given(struct inputs *inputs, struct task_record *out, struct text *why)
{
    struct given *own = inputs->own;
    (void)why;
    if (own->next == own->n)
        return ERR_NOT_FOUND;
    for (size_t i = 0; i < inputs->n_inputs; i++)
        out->inputs[i] = slice_of(own->at[own->next++]);
    text_format(inputs->where, sizeof inputs->where, "task %zu: ", own->next / inputs->n_inputs);
    return OK;
}

const struct inputs_form inputs_given = {"a program", open_given, next_given, close_own};
