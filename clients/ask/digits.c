#include "clients/ask/digits.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "clients/ask/interrupt.h"
#include "clients/ask/result.h"
#include "clients/local/outfile.h"
#include "shared/base/text.h"
#include "shared/base/whole.h"

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

int digits_line(struct cli *cli, const struct wire_job_row *row, const struct digits_part *part,
                FILE *out)
{
    struct writing writing = {&cli->connection, digits_are_bytes(row), out};
    int code = part ? cli_told(cli, result_part(&cli->connection, row, part->from, part->to,
                                                write_checked, &writing))
                    : digits_write(cli, row, out);
    if (!code && !digits_are_bytes(row))
        fputc('\n', out);
    return code;
}

static bool read_offset(const char *at, size_t len, uint64_t *out)
{
    return !len || parse_whole((struct slice){(const uint8_t *)at, len}, UINT64_MAX, out) == OK;
}

int digits_part_read(const char *text, struct digits_part *part)
{
    const char *colon = strchr(text, ':');
    char shown[TEXT_MAX];
    *part = (struct digits_part){0, UINT64_MAX};
    if (colon && read_offset(text, (size_t)(colon - text), &part->from) &&
        read_offset(colon + 1, strlen(colon + 1), &part->to) && part->from <= part->to)
        return EXIT_OK;
    text_escape(shown, sizeof shown, slice_of(text));
    return cli_fail(EXIT_USAGE,
                    "--range %s: A:B is wanted, offsets with A not above B; A: goes to the end, "
                    ":B begins at 0",
                    shown);
}

int digits_part_check(const struct digits_part *part, const struct wire_job_row *row)
{
    if (part->from <= row->digits)
        return EXIT_OK;
    return cli_fail(EXIT_USAGE,
                    "--range begins at %" PRIu64 ", beyond the end of the result: 0 to %" PRIu64
                    " is allowed",
                    part->from, row->digits);
}

int digits_check(const struct cli *cli, const char *path)
{
    if (cli->json && !strcmp(path, "-"))
        return cli_fail(EXIT_USAGE,
                        "--output - and --json both write to stdout; use only one of them");
    return outfile_check("--output", path);
}

int digits_save(struct cli *cli, const struct wire_job_row *row, const struct digits_part *part,
                const char *path)
{
    struct outfile out;
    int code = outfile_open(&out, "--output", path);
    if (code)
        return code;
    code = digits_line(cli, row, part, out.file);
    return outfile_close(&out, code);
}
