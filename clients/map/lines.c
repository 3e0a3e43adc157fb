#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clients/map/inputs_internal.h"
#include "shared/base/error.h"
#include "shared/base/memory.h"

#define LINE_ROOM 256 /* of a line, at first */

int lines_open(struct lines *lines, const char *path, struct text *why)
{
    char shown[TEXT_MAX / 4];
    struct stat about;
    bool is_stdin = !strcmp(path, "-");
    *lines = (struct lines){.name = is_stdin ? "stdin" : path};
    lines->file = is_stdin ? stdin : fopen(path, "re");
    if (lines->file && !fstat(fileno(lines->file), &about) && S_ISDIR(about.st_mode)) {
        lines_close(lines);
        errno = EISDIR;
    }
    if (lines->file)
        return OK;
    text_add(why, "%s: %s", text_escape(shown, sizeof shown, slice_of(path)), strerror(errno));
    return ERR_IO;
}

static int complain(const struct lines *lines, int error, const char *what, struct text *why)
{
    char shown[TEXT_MAX / 4];
    text_add(why, "%s:%" PRIu64 ": %s", text_escape(shown, sizeof shown, slice_of(lines->name)),
             lines->line, what);
    return error;
}

int lines_next(struct lines *lines, struct slice *out, struct text *why)
{
    size_t len = 0;
    int byte;
    lines->line++;
    while ((byte = getc_unlocked(lines->file)) != EOF && byte != '\n') {
        if (len == TASK_ARG_BYTES_MAX)
            return complain(lines, ERR_TOO_BIG,
                            "the line has more than 128 KiB, which no argument can have", why);
        if (len == lines->size) {
            lines->size = 2 * lines->size + LINE_ROOM;
            lines->at = mem_grow(lines->at, lines->size, 1);
        }
        lines->at[len++] = (char)byte;
    }
    if (byte == EOF && ferror(lines->file))
        return complain(lines, ERR_IO, strerror(errno), why);
    *out = (struct slice){(const uint8_t *)lines->at, len};
    return byte == EOF && !len ? ERR_NOT_FOUND : OK;
}

void lines_close(struct lines *lines)
{
    if (lines->file && lines->file != stdin)
        fclose(lines->file);
    lines->file = NULL;
    free(lines->at);
    lines->at = NULL;
    lines->size = 0;
}
