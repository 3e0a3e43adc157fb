#include "clients/ask/digits.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clients/ask/interrupt.h"
#include "clients/ask/result.h"
#include "clients/local/outfile.h"
#include "shared/base/text.h"

bool digits_are_bytes(const struct wire_job_row *row)
{
    return slice_equals(row->kind, "reduce");
}

bool digits_are_rows(const struct wire_job_row *row)
{
    return slice_equals(row->kind, "batch-gcd");
}

bool digits_are_text(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if ((bytes.at[i] < ' ' && bytes.at[i] != '\t' && bytes.at[i] != '\n') ||
            bytes.at[i] >= 0x7f)
            return false;
    return true;
}

struct writing {
    struct conclave *cluster;
    bool any; /* what a program made, which may be any bytes */
    FILE *out;
};

static int write_checked(void *context, struct slice bytes)
{
    const struct writing *writing = context;
    FILE *out = writing->out;
    /* Nothing else may reach a terminal, whoever answers. */
    if (!digits_are_text(bytes) && (!writing->any || isatty(fileno(out))))
        return connection_fail(writing->cluster, EXIT_FAILED,
                               writing->any ? "the result is not text; into a pipe, or with "
                                              "--output FILE, all of it is written"
                                            : "the result contains bytes that are not text");
    if (fwrite(bytes.at, 1, bytes.len, out) == bytes.len)
        return EXIT_OK;
    if (errno == EINTR && interrupt_seen())
        return connection_explain(writing->cluster, ERR_INTERRUPTED);
    return connection_fail(writing->cluster, EXIT_FAILED, "the digits could not be written: %s",
                           strerror(errno));
}

int digits_copy(struct conclave *cluster, const struct wire_job_row *row, FILE *out)
{
    struct writing writing = {cluster, digits_are_bytes(row), out};
    return result_each(cluster, row, write_checked, &writing);
}

int digits_write(struct cli *cli, const struct wire_job_row *row, FILE *out)
{
    return cli_told(cli, digits_copy(&cli->connection, row, out));
}

int digits_line(struct cli *cli, const struct wire_job_row *row, FILE *out)
{
    int code = digits_write(cli, row, out);
    if (!code && !digits_are_bytes(row))
        fputc('\n', out);
    return code;
}

int digits_check(const struct cli *cli, const char *path)
{
    if (cli->json && !strcmp(path, "-"))
        return cli_fail(EXIT_USAGE,
                        "--output - and --json both write to stdout; use only one of them");
    return outfile_check("--output", path);
}

int digits_save(struct cli *cli, const struct wire_job_row *row, const char *path)
{
    struct outfile out;
    int code = outfile_open(&out, "--output", path);
    if (code)
        return code;
    code = digits_line(cli, row, out.file);
    return outfile_close(&out, code);
}
