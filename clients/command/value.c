/* value.c - conclave value put, get, rm. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/ask/interrupt.h"
#include "clients/ask/integer_words.h"
#include "clients/ask/stored.h"
#include "clients/show/inputs_told.h"
#include "clients/show/uploading.h"
#include "clients/command/commands.h"
#include "clients/local/outfile.h"
#include "clients/show/stored_rows.h"

#define READ_BYTES ((size_t)262144)

static struct {
    const char *name, *output, *format;
    uint64_t base;
} options = {.base = 10};

const struct option_spec value_put_options[] = {
    {"name", OPTION_STRING, &options.name, 0, 0, "TEXT",
     "what `value list` calls it (default: the file's name)"},
    {"format", OPTION_STRING, &options.format, 0, 0, "FORMAT",
     "bytes: the file as it is; integers: one a line, for jobs (default: bytes)"},
    {"base", OPTION_U64, &options.base, 10, 16, "BASE", "of integers, 10 or 16 (default 10)"},
    {0}};

const struct option_spec value_get_options[] = {{"output", OPTION_STRING, &options.output, 0, 0,
                                                 "FILE", "write it to this file; - is stdout"},
                                                {0}};

/* --- put --- */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (options.name)
        return options.name;
    return !strcmp(path, "-") ? "" : slash ? slash + 1 : path;
}

static int read_content(struct content *content, const char *path, struct text *what)
{
    struct integers_rule rule = {.base = (unsigned)options.base, .tell = inputs_tell};
    char why[TEXT_MAX], shown[TEXT_MAX / 4];
    struct source source;
    if (source_open(&source, path, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    bool integers = options.format && !strcmp(options.format, "integers");
    int error = integers ? content_of_integers(content, &source, &rule, why)
                         : content_of_source(content, &source, why);
    source_close(&source);
    if (error == ERR_INTERRUPTED)
        return cli_interrupted();
    inputs_tell_faults(rule.faults);
    if (integers)
        integer_words_count(content->items, what);
    else
        text_add(what, "%s",
                 text_escape(shown, sizeof shown, slice_of(strcmp(path, "-") ? path : "stdin")));
    return error ? cli_fail(EXIT_USAGE, "%s", why) : rule.faults ? EXIT_USAGE : EXIT_OK;
}

int value_put_run(struct cli *cli, int n_words, char **words)
{
    struct content content = {.spool.fd = -1};
    struct message *value = NULL;
    struct text what = {0};
    if (n_words != 1)
        return cli_fail(EXIT_USAGE, "value put takes one file, or - for stdin");
    if (options.format && strcmp(options.format, "bytes") && strcmp(options.format, "integers"))
        return cli_fail(EXIT_USAGE, "--format takes bytes or integers");
    if (options.base != 10 && options.base != 16)
        return cli_fail(EXIT_USAGE, "--base takes 10 or 16");
    int code = read_content(&content, words[0], &what);
    if (!code)
        code = upload_shown(cli, &content, name_of(words[0]), what.at, &value);
    content_clear(&content);
    if (code)
        return code;
    const struct wire_value_row *row = &value->as.value.values.at[0];
    char at[STORED_TEXT_MAX];
    if (cli->json)
        cli_print_json(cli, stored_row_json(row));
    else
        printf("%s\n", stored_text(row->sha256, at));
    message_drop(&value);
    return EXIT_OK;
}

/* --- get --- */

/* What an earlier command has fetched is hashed, and not fetched again. */
static void resume(struct stored_reader *reader, struct outfile *out)
{
    uint8_t *at = mem_new(READ_BYTES, 1);
    for (size_t n = 1; out->resumes && n && reader->offset < reader->len;) {
        uint64_t left = reader->len - reader->offset;
        n = fread(at, 1, left < READ_BYTES ? (size_t)left : READ_BYTES, out->file);
        hash_add(&reader->hash, at, n);
        reader->offset += n;
    }
    free(at);
    /* More than the value has: it is another file, which somebody put there. */
    if (out->resumes && (fseeko(out->file, (off_t)reader->offset, SEEK_SET) ||
                         ftruncate(fileno(out->file), (off_t)reader->offset)))
        cli_note("%s cannot be resumed: %s", out->temporary, strerror(errno));
}

static bool is_text(struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if ((bytes.at[i] < ' ' && !memchr("\t\n\r", bytes.at[i], 3)) || bytes.at[i] == 0x7f)
            return false;
    return true;
}

static int write_all(struct cli *cli, struct stored_reader *reader, FILE *out)
{
    bool terminal = isatty(fileno(out));
    for (struct slice bytes;;) {
        int code = cli_told(cli, stored_reader_next(reader, &bytes));
        if (code || !bytes.len)
            return code;
        /* Whoever made it, a terminal is not told what to do. */
        if (terminal && !is_text(bytes))
            return cli_fail(EXIT_USAGE,
                            "the value is not text; into a pipe, or with --output FILE, all of "
                            "it is written");
        if (fwrite(bytes.at, 1, bytes.len, out) == bytes.len)
            continue;
        if (errno == EINTR && interrupt_seen())
            return cli_interrupted();
        return cli_fail(EXIT_FAILED, "the value could not be written: %s", strerror(errno));
    }
}

static int get(struct cli *cli, const struct wire_value_row *row)
{
    struct stored_reader reader;
    struct outfile out;
    char tag[HASH_TEXT_MAX];
    int code = cli_told(cli, stored_check_whole(&cli->connection, row));
    if (code)
        return code;
    hash_text(row->sha256.at, tag);
    code = outfile_resume(&out, "--output", options.output ? options.output : "-", tag);
    if (code)
        return code;
    stored_reader_begin(&reader, &cli->connection, row);
    resume(&reader, &out);
    code = write_all(cli, &reader, out.file);
    stored_reader_end(&reader);
    bool stays = out.resumes && code && code != EXIT_FAILED;
    code = outfile_close(&out, code);
    if (stays)
        cli_note("%s is not complete; the same command continues from there", options.output);
    return code;
}

int value_get_run(struct cli *cli, int n_words, char **words)
{
    struct message *page = NULL;
    const struct wire_value_row *row;
    if (n_words != 1)
        return cli_fail(EXIT_USAGE, "value get takes one value, such as value:9c1f; `conclave "
                                    "value list` shows them");
    if (cli->json && !options.output)
        return cli_fail(EXIT_USAGE, "--json needs --output FILE: the value itself goes to stdout");
    int code = options.output ? outfile_check("--output", options.output) : EXIT_OK;
    if (!code)
        code = cli_told(cli, stored_find(&cli->connection, words[0], &page, &row));
    if (!code)
        code = get(cli, row);
    if (!code && cli->json)
        cli_print_json(cli, stored_row_json(row));
    message_drop(&page);
    return code;
}

/* --- rm --- */

/* Finds all before one is removed. */
static int find_all(struct cli *cli, int n_words, char **words, struct message **pages,
                    job_id_t *ids)
{
    const struct wire_value_row *row;
    for (int i = 0; i < n_words; i++) {
        int code = cli_told(cli, stored_find(&cli->connection, words[i], &pages[i], &row));
        if (code) {
            if (n_words > 1)
                cli_note("nothing was removed");
            return code;
        }
        ids[i] = row->value;
    }
    return EXIT_OK;
}

static bool is_repeated(const job_id_t *ids, int at)
{
    for (int i = 0; i < at; i++)
        if (ids[i] == ids[at])
            return true;
    return false;
}

static int remove_one(struct cli *cli, job_id_t id, json_t *rows)
{
    struct message *reply = NULL;
    char at[STORED_TEXT_MAX];
    int code = cli_told(cli, stored_drop(&cli->connection, id, &reply));
    if (code)
        return code;
    const struct wire_value_row *row = &reply->as.value.values.at[0];
    if (rows)
        json_array_append_new(rows, stored_row_json(row));
    else
        printf("%s is removed\n", stored_text(row->sha256, at));
    message_drop(&reply);
    return EXIT_OK;
}

int value_rm_run(struct cli *cli, int n_words, char **words)
{
    if (!n_words)
        return cli_fail(EXIT_USAGE, "value rm takes values, such as value:9c1f; `conclave value "
                                    "list` shows them");
    struct message **pages = mem_new((size_t)n_words, sizeof *pages);
    job_id_t *ids = mem_new((size_t)n_words, sizeof *ids);
    json_t *rows = cli->json ? json_array() : NULL;
    int code = find_all(cli, n_words, words, pages, ids), failed = EXIT_OK;
    for (int i = 0; i < n_words && !code; i++) {
        int one = is_repeated(ids, i) ? EXIT_OK : remove_one(cli, ids[i], rows);
        failed = failed ? failed : one;
    }
    for (int i = 0; i < n_words; i++)
        message_drop(&pages[i]);
    if (rows && !code)
        cli_print_json(cli, rows);
    else
        json_decref(rows);
    free(pages);
    free(ids);
    return code ? code : failed;
}
