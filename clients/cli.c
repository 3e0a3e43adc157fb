#include "clients/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clients/ask/interrupt.h"
#include "clients/show/printable.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/text.h"
#include "shared/bus/bus.h"

void *cli_context(struct cli *cli)
{
    if (!cli->context)
        cli->context = bus_open();
    return cli->context;
}

void cli_use_dir(struct cli *cli, const char *dir)
{
    cli->access = NULL;
    cli->dir = dir;
}

/* Brokers that no option names are those of the key file. */
static void find_entry(struct cli *cli)
{
    const struct access *access;
    char why[TEXT_MAX], list[ACCESS_BROKERS_MAX * ACCESS_ADDRESS_MAX] = BROKER_DEFAULT;
    size_t len = 0;
    entry_clear(&cli->entry);
    if (cli->insecure)
        entry_without_keys(&cli->entry);
    else
        entry_find(cli->access, cli->dir, &cli->entry);
    access = cli->entry.access;
    if (cli->brokers.n)
        return;
    for (size_t i = 0; access && i < access->n_brokers; i++)
        len += text_format(list + len, sizeof list - len, "%s%s", i ? "," : "", access->brokers[i]);
    if (!addresses_parse(list, &cli->brokers, why))
        return;
    cli->entry.error = ERR_MALFORMED;
    text_add(&cli->entry.why, "%s: %s", cli->entry.path, why);
    (void)addresses_parse(BROKER_DEFAULT, &cli->brokers, why);
}

struct client *cli_client(struct cli *cli)
{
    if (!cli->client) {
        find_entry(cli);
        cli->client = client_new(cli_context(cli), &cli->brokers, &cli->entry);
        if (cli->timeout_given && cli->waits)
            client_wait_unserved(cli->client);
    }
    return cli->client;
}

void cli_forget_key(struct cli *cli)
{
    client_destroy(&cli->client);
    entry_clear(&cli->entry);
}

void cli_close(struct cli *cli)
{
    cli_forget_key(cli);
    if (cli->context)
        bus_close(cli->context);
    cli->context = NULL;
}

uint64_t cli_deadline_us(const struct cli *cli)
{
    return clock_now_us() + cli->timeout_us;
}

uint64_t cli_wait_deadline_us(const struct cli *cli)
{
    return clock_now_us() + (cli->timeout_given ? cli->timeout_us : TIME_NEVER_US);
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
        fprintf(stderr, "conclave: %s\n", line.at);
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

int cli_outcome_code(int outcome)
{
    switch (outcome) {
    case ERR_TIMEOUT:
        return EXIT_TIMEOUT;
    case ERR_REFUSED:
        return EXIT_KEY_REFUSED;
    case ERR_MALFORMED:
        return EXIT_USAGE;
    default:
        return EXIT_UNREACHABLE;
    }
}

int cli_explain(struct cli *cli, int outcome)
{
    if (outcome == ERR_INTERRUPTED)
        return cli_interrupted();
    return cli_fail(cli_outcome_code(outcome), "%s", client_reason(cli->client));
}

int cli_refusal_code(const struct message *reply)
{
    static const struct {
        const char *code;
        int exit;
    } codes[] = {{"quota", EXIT_ENVIRONMENT},
                 {"invalid", EXIT_USAGE},
                 {"too_costly", EXIT_USAGE},
                 {"malformed", EXIT_USAGE},
                 {"not_found", EXIT_NOT_FOUND},
                 {"forgotten", EXIT_NOT_FOUND},
                 {"not_kept", EXIT_NOT_FOUND},
                 {"unavailable", EXIT_UNREACHABLE},
                 {"not_coordinator", EXIT_UNREACHABLE},
                 {"disk_full", EXIT_UNREACHABLE},
                 {"forbidden", EXIT_KEY_REFUSED},
                 {"unsigned", EXIT_KEY_REFUSED},
                 {"key_unknown", EXIT_KEY_REFUSED}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (slice_equals(reply->as.error.code, codes[i].code))
            return codes[i].exit;
    return EXIT_FAILED;
}

int cli_expect(const struct message *reply, enum message_type expected)
{
    char room[TEXT_MAX];
    if (reply->type == expected)
        return EXIT_OK;
    if (reply->type == MESSAGE_ERROR)
        return cli_fail(cli_refusal_code(reply), "%s",
                        text_escape(room, sizeof room, reply->as.error.reason));
    return cli_fail(EXIT_FAILED, "the answer is %s instead of %s", message_name(reply->type),
                    message_name(expected));
}

int cli_ask(struct cli *cli, struct message *request, enum message_type expected,
            struct message **reply)
{
    return cli_change(cli, request, expected, NULL, reply);
}

int cli_change(struct cli *cli, struct message *request, enum message_type expected,
               const char *key, struct message **reply)
{
    struct message *got = NULL;
    int error = client_ask(cli_client(cli), request, CLIENT_PATIENT, 0, cli_deadline_us(cli), &got);
    if (error) {
        int code = cli_explain(cli, error);
        if (key)
            cli_note("it may still take effect; to be sure that it does so once: --key %s", key);
        return code;
    }
    int code = cli_expect(got, expected);
    if (code)
        message_drop(&got);
    *reply = got;
    return code;
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
