#include "clients/ask/integer_words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/ask/digits.h"
#include "clients/ask/stored.h"
#include "clients/local/outfile.h"
#include "clients/show/report.h"

#define JOB_PREFIX "job:"

/* --- what is told --- */

static void tell_line(const char *line)
{
    fflush(stdout);
    fprintf(stderr, "%s\n", line);
}

static void tell_word(const char *line)
{
    cli_note("%s", line);
}

struct integers_rule integer_words_rule(uint64_t base, bool positive)
{
    return (struct integers_rule){.base = (unsigned)base, .positive = positive};
}

int integer_words_check_base(uint64_t base)
{
    return base == 10 || base == 16 ? EXIT_OK : cli_fail(EXIT_USAGE, "--base takes 10 or 16");
}

int integer_words_faults(const struct integers_rule *rule)
{
    if (rule->faults > INTEGERS_FAULTS_SHOWN)
        cli_note("and %" PRIu64 " more that are wrong", rule->faults - INTEGERS_FAULTS_SHOWN);
    return rule->faults ? EXIT_USAGE : EXIT_OK;
}

void integer_words_count(uint64_t n, struct text *out)
{
    text_add(out, "%" PRIu64 " integer%s", n, n == 1 ? "" : "s");
}

/* --- words --- */

bool integer_words_is_remote(const char *word)
{
    return stored_is_name(word) || !strncmp(word, JOB_PREFIX, strlen(JOB_PREFIX));
}

/* What is being put together. */
struct list {
    struct cli *cli;
    struct integers_rule *rule;
    struct spool spool;
    struct integers integers;
    bool read_stdin;
};

/* Reads a source to its end (takes it). */
static int read_source(struct list *list, struct source *source)
{
    char why[TEXT_MAX];
    list->rule->tell = tell_line;
    int error = integers_read(&list->integers, source, list->rule, why);
    source_close(source);
    if (error == ERR_INTERRUPTED)
        return cli_interrupted();
    return error && error != ERR_REFUSED ? cli_fail(EXIT_USAGE, "%s", why)
           : error                       ? EXIT_FAILED
                                         : EXIT_OK;
}

static int read_file(struct list *list, const char *path)
{
    struct source source;
    char why[TEXT_MAX];
    if (!*path)
        return cli_fail(EXIT_USAGE, "@ is followed by the name of a file, or by - for stdin");
    if (!strcmp(path, "-") && list->read_stdin)
        return cli_fail(EXIT_USAGE, "@- is given twice; stdin can be read only once");
    list->read_stdin = list->read_stdin || !strcmp(path, "-");
    return source_open(&source, path, why) ? cli_fail(EXIT_USAGE, "%s", why)
                                           : read_source(list, &source);
}

static int fetch_job(struct cli *cli, const char *word, FILE *out)
{
    char shown[TEXT_MAX / 4];
    struct message *request = message_new(MESSAGE_JOB_GET), *reply = NULL;
    if (parse_job_id(slice_of(word + strlen(JOB_PREFIX)), &request->as.job_get.job) ||
        !request->as.job_get.job) {
        message_drop(&request);
        return cli_fail(EXIT_USAGE, "'%s' is not a job's result, which looks like job:3-17",
                        text_escape(shown, sizeof shown, slice_of(word)));
    }
    int code = cli_ask(cli, request, MESSAGE_JOB, &reply);
    if (!code && reply->as.job.jobs.n != 1)
        code = cli_fail(EXIT_FAILED, "the answer is not about one job");
    if (!code)
        code = report_state(&reply->as.job.jobs.at[0]);
    if (!code)
        code = digits_write(cli, &reply->as.job.jobs.at[0], out);
    message_drop(&reply);
    return code;
}

/* The result is checked against its SHA-256 before it is read. */
static int read_job(struct list *list, const char *word)
{
    char why[TEXT_MAX];
    struct source source;
    int fd = outfile_temporary(why);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");
    if (!file)
        return cli_fail(EXIT_FAILED, "%s", fd < 0 ? why : strerror(errno));
    int code = fetch_job(list->cli, word, file);
    if (!code && (fflush(file) || lseek(fd, 0, SEEK_SET)))
        code = cli_fail(EXIT_FAILED, "a temporary file cannot be written: %s", strerror(errno));
    if (!code) {
        source_of_descriptor(&source, word, dup(fd));
        code = read_source(list, &source);
    }
    fclose(file);
    return code;
}

static int copy_integers(struct list *list, struct stored_reader *reader, uint64_t items)
{
    char why[TEXT_MAX];
    for (struct slice bytes;;) {
        int code = cli_told(list->cli, stored_reader_next(reader, &bytes));
        if (code)
            return code;
        if (!bytes.len)
            break;
        if (spool_add(&list->spool, bytes.at, bytes.len, why))
            return cli_fail(EXIT_FAILED, "%s", why);
    }
    list->integers.items += items;
    return EXIT_OK;
}

static int read_value(struct list *list, const char *word)
{
    struct message *page = NULL;
    const struct wire_value_row *row;
    struct stored_reader reader;
    struct source source;
    int code = cli_told(list->cli, stored_find(&list->cli->connection, word, &page, &row));
    if (code)
        return code;
    stored_reader_begin(&reader, &list->cli->connection, row);
    if (!row->whole) {
        code = cli_fail(EXIT_FAILED, "%s is not whole; its upload has not ended", word);
    } else if (slice_equals(row->format, "integers")) {
        code = copy_integers(list, &reader, row->items);
    } else if (slice_equals(row->format, "bytes")) {
        source_of_reader(&source, word, stored_source, &reader);
        code = read_source(list, &source);
        code = reader.exit_code ? cli_told(list->cli, reader.exit_code) : code;
    } else {
        code = cli_fail(EXIT_USAGE, "%s holds no integers", word);
    }
    stored_reader_end(&reader);
    message_drop(&page);
    return code;
}

static int read_word(struct list *list, const char *word)
{
    char why[TEXT_MAX], shown[TEXT_MAX / 4];
    if (word[0] == '@')
        return read_file(list, word + 1);
    if (integer_words_is_remote(word) && !list->cli)
        return EXIT_OK;
    if (stored_is_name(word))
        return read_value(list, word);
    if (integer_words_is_remote(word))
        return read_job(list, word);
    text_escape(shown, sizeof shown, slice_of(word));
    if (!strcmp(word, "-"))
        return cli_fail(EXIT_USAGE, "'-' is not an integer; @- reads integers from stdin");
    if ((word[0] < '0' || word[0] > '9') && !access(word, R_OK))
        return cli_fail(EXIT_USAGE, "'%s' is not an integer; @%s reads integers from that file",
                        shown, shown);
    list->rule->tell = tell_word;
    int error = integers_add(&list->integers, word, list->rule, why);
    return error ? cli_fail(EXIT_FAILED, "%s", why) : EXIT_OK;
}

int integer_words_read(struct cli *cli, size_t n_words, char *const *words,
                       struct integers_rule *rule, struct integer_words *out)
{
    struct list list = {.cli = cli, .rule = rule};
    char why[TEXT_MAX];
    int code = EXIT_OK;
    *out = (struct integer_words){.content.spool.fd = -1};
    spool_begin(&list.spool);
    integers_begin(&list.integers, &list.spool);
    for (size_t i = 0; i < n_words && !code; i++)
        code = read_word(&list, words[i]);
    out->has_lines = n_words == 1 && words[0][0] == '@';
    if (out->has_lines) {
        text_format(out->name, sizeof out->name, "%s", strcmp(words[0], "@-") ? words[0] + 1 : "");
        out->lines = list.integers.lines;
        list.integers.lines = (struct integers_lines){0};
    }
    integers_clear(&list.integers);
    if (!code && !rule->faults && content_of_parts(&out->content, "integers", &list.spool, why))
        code = cli_fail(EXIT_FAILED, "%s", why);
    spool_clear(&list.spool);
    return code;
}

void integer_words_clear(struct integer_words *numbers)
{
    content_clear(&numbers->content);
    free(numbers->lines.at);
    *numbers = (struct integer_words){.content.spool.fd = -1};
}

int integer_words_of_file(const char *path, uint64_t base, struct content *content,
                          struct text *what)
{
    struct integers_rule rule = integer_words_rule(base, false);
    struct integer_words numbers;
    char *word = mem_new(strlen(path) + 2, 1);
    text_format(word, strlen(path) + 2, "@%s", path);
    int code = integer_words_read(NULL, 1, &word, &rule, &numbers);
    code = code ? code : integer_words_faults(&rule);
    free(word);
    *content = numbers.content;
    numbers.content = (struct content){.spool.fd = -1};
    integer_words_clear(&numbers);
    integer_words_count(content->items, what);
    return code;
}
