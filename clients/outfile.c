#include "clients/outfile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli.h"
#include "shared/base/text.h"

int outfile_open(struct outfile *out, const char *what, const char *path)
{
    struct stat about;
    *out = (struct outfile){.path = path};
    if (text_format(out->temporary, OUTFILE_PATH_MAX, "%s.%d.tmp", path, (int)getpid()) >=
        OUTFILE_PATH_MAX - 1)
        return cli_fail(EXIT_USAGE, "%s: the name is too long", what);
    if (!stat(path, &about) && S_ISDIR(about.st_mode))
        errno = EISDIR;
    else
        out->file = fopen(out->temporary, "wxe");
    return out->file ? EXIT_OK
                     : cli_fail(EXIT_USAGE, "%s: cannot write %s: %s", what, path, strerror(errno));
}

int outfile_close(struct outfile *out, int code)
{
    bool failed = fflush(out->file) || ferror(out->file);
    failed = fclose(out->file) || failed;
    if (!code && (failed || rename(out->temporary, out->path)))
        code = cli_fail(EXIT_FAILED, "%s could not be written: %s", out->path, strerror(errno));
    if (code)
        unlink(out->temporary);
    return code;
}
