#include "clients/ask/integer_words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clients/ask/digits.h"
#include "clients/ask/result.h"
#include "clients/ask/stored.h"
#include "clients/library/library.h"
#include "clients/local/outfile.h"

#define JOB_PREFIX "job:"

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
    struct conclave *cluster;
    bool offline;
    struct integers_rule *rule;
    struct spool spool;
    struct integers integers;
    bool read_stdin;
};

/* Reads a source to its end (takes it). */
static int read_source(struct list *list, struct source *source)
{
    char why[TEXT_MAX];
    int error = integers_read(&list->integers, source, list->rule, why);
    source_close(source);
    if (error == ERR_INTERRUPTED)
        return connection_explain(list->cluster, error);
    return error && error != ERR_REFUSED ? connection_fail(list->cluster, EXIT_USAGE, "%s", why)
           : error                       ? EXIT_FAILED
                                         : EXIT_OK;
}

static int read_file(struct list *list, const char *path)
{
    struct source source;
    char why[TEXT_MAX];
    if (!*path)
        return connection_fail(list->cluster, EXIT_USAGE,
                               "@ is followed by the name of a file, or by - for stdin");
    if (!strcmp(path, "-") && list->read_stdin)
        return connection_fail(list->cluster, EXIT_USAGE,
                               "@- is given twice; stdin can be read only once");
    list->read_stdin = list->read_stdin || !strcmp(path, "-");
    return source_open(&source, path, why) ? connection_fail(list->cluster, EXIT_USAGE, "%s", why)
                                           : read_source(list, &source);
}

static int fetch_job(struct conclave *cluster, const char *word, FILE *out)
{
    char shown[TEXT_MAX / 4];
    struct message *reply = NULL;
    job_id_t job;
    if (parse_job_id(slice_of(word + strlen(JOB_PREFIX)), &job) || !job)
        return connection_fail(cluster, EXIT_USAGE,
                               "'%s' is not a job's result, which looks like job:3-17",
                               text_escape(shown, sizeof shown, slice_of(word)));
    int code = library_get(cluster, job, false, &reply);
    if (!code)
        code = result_state(cluster, &reply->as.job.jobs.at[0]);
    if (!code)
        code = digits_copy(cluster, &reply->as.job.jobs.at[0], out);
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
        return connection_fail(list->cluster, EXIT_FAILED, "%s", fd < 0 ? why : strerror(errno));
    int code = fetch_job(list->cluster, word, file);
    if (!code && (fflush(file) || lseek(fd, 0, SEEK_SET)))
        code = connection_fail(list->cluster, EXIT_FAILED, "a temporary file cannot be written: %s",
                               strerror(errno));
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
        int code = stored_reader_next(reader, &bytes);
        if (code)
            return code;
        if (!bytes.len)
            break;
        if (spool_add(&list->spool, bytes.at, bytes.len, why))
            return connection_fail(list->cluster, EXIT_FAILED, "%s", why);
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
    int code = stored_find(list->cluster, word, &page, &row);
    if (code)
        return code;
    stored_reader_begin(&reader, list->cluster, row);
    if (!row->whole) {
        code = connection_fail(list->cluster, EXIT_FAILED,
                               "%s is not whole; its upload has not ended", word);
    } else if (slice_equals(row->format, "integers")) {
        code = copy_integers(list, &reader, row->items);
    } else if (slice_equals(row->format, "bytes")) {
        source_of_reader(&source, word, stored_source, &reader);
        code = read_source(list, &source);
        code = reader.exit_code ? reader.exit_code : code;
    } else {
        code = connection_fail(list->cluster, EXIT_USAGE, "%s holds no integers", word);
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
    if (integer_words_is_remote(word) && list->offline)
        return EXIT_OK;
    if (stored_is_name(word))
        return read_value(list, word);
    if (integer_words_is_remote(word))
        return read_job(list, word);
    text_escape(shown, sizeof shown, slice_of(word));
    if (!strcmp(word, "-"))
        return connection_fail(list->cluster, EXIT_USAGE,
                               "'-' is not an integer; @- reads integers from stdin");
    if ((word[0] < '0' || word[0] > '9') && !access(word, R_OK))
        return connection_fail(list->cluster, EXIT_USAGE,
                               "'%s' is not an integer; @%s reads integers from that file", shown,
                               shown);
    int error = integers_add(&list->integers, word, list->rule, why);
    return error ? connection_fail(list->cluster, EXIT_FAILED, "%s", why) : EXIT_OK;
}

int integer_words_read(struct conclave *cluster, bool offline, size_t n_words, char *const *words,
                       struct integers_rule *rule, struct integer_words *out)
{
    struct list list = {.cluster = cluster, .offline = offline, .rule = rule};
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
        code = connection_fail(cluster, EXIT_FAILED, "%s", why);
    spool_clear(&list.spool);
    return code;
}

void integer_words_clear(struct integer_words *numbers)
{
    content_clear(&numbers->content);
    free(numbers->lines.at);
    *numbers = (struct integer_words){.content.spool.fd = -1};
}
