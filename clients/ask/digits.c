#include "clients/ask/digits.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "clients/ask/interrupt.h"
#include "clients/local/outfile.h"
#include "shared/base/hash.h"
#include "shared/base/text.h"

bool digits_are_bytes(const struct wire_job_row *row)
{
    return slice_equals(row->kind, "reduce");
}

bool digits_are_text(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if ((bytes.at[i] < ' ' && bytes.at[i] != '\t' && bytes.at[i] != '\n') ||
            bytes.at[i] >= 0x7f)
            return false;
    return true;
}

/* `any`: what a program made, which may be any bytes. */
static int write_checked(struct slice bytes, bool any, struct hash_stream *hash, FILE *out)
{
    /* Nothing else may reach a terminal, whoever answers. */
    if (!digits_are_text(bytes) && (!any || isatty(fileno(out))))
        return cli_fail(EXIT_FAILED, any ? "the result is not text; into a pipe, or with --output "
                                           "FILE, all of it is written"
                                         : "the result contains bytes that are not text");
    hash_add(hash, bytes.at, bytes.len);
    if (fwrite(bytes.at, 1, bytes.len, out) == bytes.len)
        return EXIT_OK;
    if (errno == EINTR && interrupt_seen())
        return cli_interrupted();
    return cli_fail(EXIT_FAILED, "the digits could not be written: %s", strerror(errno));
}

static int fetch_chunk(struct cli *cli, const struct wire_job_row *row, uint64_t *offset,
                       struct hash_stream *hash, FILE *out)
{
    struct message *request = message_new(MESSAGE_RESULT_GET), *reply = NULL;
    request->as.result_get.job = row->job;
    request->as.result_get.offset = *offset;
    int code = cli_ask(cli, request, MESSAGE_RESULT_CHUNK, &reply);
    if (code)
        return code;
    const struct wire_result_chunk *chunk = &reply->as.result_chunk;
    const struct blob *bytes = message_frame(reply, 1);
    if (!bytes || !bytes->len || chunk->offset != *offset || chunk->total != row->digits ||
        bytes->len > row->digits - *offset) {
        code = cli_fail(EXIT_FAILED,
                        "a part of the result does not fit: %" PRIu64 " digits in all, %" PRIu64
                        " expected",
                        chunk->total, row->digits);
    } else {
        code =
            write_checked((struct slice){bytes->at, bytes->len}, digits_are_bytes(row), hash, out);
        *offset += bytes->len;
    }
    message_drop(&reply);
    return code;
}

int digits_write(struct cli *cli, const struct wire_job_row *row, FILE *out)
{
    struct hash_stream hash;
    uint8_t got[HASH_BYTES];
    uint64_t offset = row->text.len;
    hash_begin(&hash);
    int code =
        row->text.len ? write_checked(row->text, digits_are_bytes(row), &hash, out) : EXIT_OK;
    while (!code && offset < row->digits)
        code = fetch_chunk(cli, row, &offset, &hash, out);
    if (code)
        return code;
    hash_end(&hash, got);
    if (row->sha256.len != HASH_BYTES || memcmp(got, row->sha256.at, HASH_BYTES))
        return cli_fail(EXIT_FAILED, "the result does not match its SHA-256: do not use it");
    return EXIT_OK;
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
