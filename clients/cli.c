#include "clients/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clients/ask/entry.h"
#include "clients/ask/interrupt.h"
#include "clients/show/printable.h"
#include "shared/base/clock.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"

void *cli_context(struct cli *cli)
{
    return connection_context(&cli->connection);
}

void cli_use_dir(struct cli *cli, const char *dir)
{
    cli->connection.access = NULL;
    cli->connection.dir = dir;
}

struct client *cli_client(struct cli *cli)
{
    return connection_client(&cli->connection);
}

void cli_forget_key(struct cli *cli)
{
    connection_forget_key(&cli->connection);
}

int cli_nearest(const char **dir, const char *name)
{
    static char found[ENTRY_PATH_MAX];
    struct text why = {0};
    int error = *dir ? OK : entry_nearest(name, found, &why);
    if (error && error != ERR_NOT_FOUND)
        return cli_fail(EXIT_USAGE, "%s", why.at);
    if (!*dir)
        *dir = found;
    return EXIT_OK;
}

void cli_close(struct cli *cli)
{
    connection_close(&cli->connection);
}

uint64_t cli_deadline_us(const struct cli *cli)
{
    return connection_deadline_us(&cli->connection);
}

uint64_t cli_wait_deadline_us(const struct cli *cli)
{
    return clock_now_us() + (cli->timeout_given ? cli->connection.timeout_us : TIME_NEVER_US);
}

static bool words_are_json;

void cli_speak_json(bool json)
{
    words_are_json = json;
}

/* What an exit code is called in JSON. */
static const char *code_name(int code)
{
    static const char *const names[] = {
        [EXIT_FAILED] = "failed",           [EXIT_USAGE] = "usage",
        [EXIT_UNREACHABLE] = "unavailable", [EXIT_TIMEOUT] = "timeout",
        [EXIT_CANCELLED] = "cancelled",     [EXIT_NOT_FOUND] = "not_found",
        [EXIT_KEY_REFUSED] = "key_refused", [EXIT_ENVIRONMENT] = "quota"};
    return code > 0 && (size_t)code < sizeof names / sizeof *names && names[code] ? names[code]
                                                                                  : "failed";
}

/* A line on stderr: for a person, or {"error": ...} or {"note": ...}; `code` is 0 for a note. */
static void write_line(int code, const char *format, va_list args)
{
    struct text line = {0};
    text_add_v(&line, format, args);
    fflush(stdout);
    if (!words_are_json) {
        /* Names of files have any bytes, and a terminal obeys some of them. */
        char shown[4 * TEXT_MAX];
        printable_text(slice_of(line.at), shown, sizeof shown, SIZE_MAX);
        fprintf(stderr, "conclave: %s\n", shown);
        return;
    }
    json_t *words = printable_json(slice_of(line.at));
    json_t *object = code ? json_pack("{s:{s:s, s:o, s:i}}", "error", "code", code_name(code),
                                      "message", words, "exit", code)
                          : json_pack("{s:o}", "note", words);
    json_dumpf(object, stderr, 0);
    fputc('\n', stderr);
    json_decref(object);
}

int cli_fail(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(code, format, args);
    va_end(args);
    return code;
}

void cli_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line(0, format, args);
    va_end(args);
}

void cli_add_line(json_t *lines, const char *format, ...)
{
    struct text line = {0};
    va_list args;
    va_start(args, format);
    text_add_v(&line, format, args);
    va_end(args);
    json_array_append_new(lines, json_string(line.at));
}

int cli_interrupted(void)
{
    return 128 + interrupt_seen();
}

int cli_told(struct cli *cli, int code)
{
    if (code && cli->connection.reason.len)
        cli_fail(code, "%s", cli->connection.reason.at);
    cli->connection.reason = (struct text){0}; /* who asked for this one does not tell it again */
    return code;
}

int cli_explain(struct cli *cli, int outcome)
{
    return cli_told(cli, connection_explain(&cli->connection, outcome));
}

int cli_expect(struct cli *cli, const struct message *reply, enum message_type expected)
{
    return cli_told(cli, connection_expect(&cli->connection, reply, expected));
}

int cli_ask(struct cli *cli, struct message *request, enum message_type expected,
            struct message **reply)
{
    return cli_told(cli, connection_ask(&cli->connection, request, expected, reply));
}

int cli_changed(struct cli *cli, int code, const char *key)
{
    cli_told(cli, code);
    if (code && cli->connection.unanswered)
        cli_note(
            "it may still take effect; repeat it with --key %s to be sure that it happens once",
            key);
    return code;
}

int cli_change(struct cli *cli, struct message *request, enum message_type expected,
               const char *key, struct message **reply)
{
    return cli_changed(cli, connection_ask(&cli->connection, request, expected, reply), key);
}

void cli_print_json(const struct cli *cli, json_t *value)
{
    bool indent = !cli->json_lines && isatty(STDOUT_FILENO);
    size_t flags = JSON_ENCODE_ANY | (indent ? JSON_INDENT(2) : 0);
    char *text = json_dumps(value, flags);
    if (!text)
        panic("a JSON value cannot be printed");
    puts(text);
    free(text);
    json_decref(value);
}

int cli_job_id(int n_words, char **words, job_id_t *out)
{
    char room[TEXT_MAX / 4];
    if (n_words != 1)
        return cli_fail(EXIT_USAGE,
                        "one job id is needed, such as 3-17; `conclave job list` shows them");
    if (parse_job_id(slice_of(words[0]), out) || !*out)
        return cli_fail(EXIT_USAGE, "'%s' is not a job id, which looks like 3-17",
                        text_escape(room, sizeof room, slice_of(words[0])));
    return EXIT_OK;
}

int cli_each(struct cli *cli, int n_words, char **words, const char *needed,
             int (*run)(struct cli *cli, const char *word))
{
    int code = n_words ? EXIT_OK : cli_fail(EXIT_USAGE, "%s", needed);
    cli->json_lines = cli->json_lines || n_words > 1;
    for (int i = 0; i < n_words && !interrupt_seen(); i++) {
        int error = run(cli, words[i]);
        code = code ? code : error;
    }
    return code;
}

int cli_key(const char *given, char at[JOB_KEY_TEXT_MAX])
{
    if (!given)
        jobspec_new_key(at);
    else if (jobspec_key_is_valid(given))
        text_format(at, JOB_KEY_TEXT_MAX, "%s", given);
    else
        return cli_fail(EXIT_USAGE, "--key takes 1 to %d printable characters without spaces",
                        JOB_KEY_MAX);
    return EXIT_OK;
}

int cli_no_words(int n_words, char **words)
{
    char room[TEXT_MAX / 4];
    if (!n_words)
        return EXIT_OK;
    return cli_fail(EXIT_USAGE, "unexpected argument '%s'",
                    text_escape(room, sizeof room, slice_of(words[0])));
}
