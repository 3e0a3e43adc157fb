/* snapshot_file.c - conclave snapshot export, verify. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clients/command/commands.h"
#include "clients/local/outfile.h"
#include "clients/ask/snapshot_fetch.h"
#include "clients/command/snapshot_word.h"
#include "clients/ask/snapshot_values.h"
#include "clients/show/snapshot_json.h"
#include "shared/snapshot/verify.h"
#include "shared/base/error.h"
#include "shared/base/limits.h"
#include "shared/base/terminal.h"
#include "shared/base/text.h"
#include "shared/base/whole.h"

static struct {
    const char *total;
} options;

const struct option_spec snapshot_verify_options[] = {
    {"total", OPTION_STRING, &options.total, 0, 0, "N",
     "the sum of all money must be N minor units (default: not checked)"},
    {0}};

/* --- export --- */

static int write_json(const json_t *object, FILE *out)
{
    if (json_dumpf(object, out, JSON_INDENT(1)) || fputc('\n', out) == EOF)
        return cli_fail(EXIT_FAILED, "the snapshot could not be written: %s", strerror(errno));
    return EXIT_OK;
}

static int write_file(const json_t *object, const char *path)
{
    struct outfile out;
    int code = outfile_open(&out, "FILE", path);
    if (code)
        return code;
    return outfile_close(&out, write_json(object, out.file));
}

int snapshot_export_run(struct cli *cli, int n_words, char **words)
{
    struct snapshot_name name;
    struct snapshot_model *model = NULL;
    int code = snapshot_word(cli, n_words, words, &name);
    if (!code && n_words < 2)
        code = cli_fail(EXIT_USAGE, "a file is needed after the id; - is stdout");
    if (!code)
        code = cli_no_words(n_words - 2, words + 2);
    if (!code)
        code = cli_told(cli, snapshot_fetch(&cli->connection, &name, &model));
    if (code)
        return code;
    json_t *object = snapshot_json(model, (struct snapshot_json_parts){.checkpoint = true});
    code = write_file(object, words[1]);
    json_decref(object);
    if (!code && strcmp(words[1], "-") != 0)
        code = snapshot_values_export(cli, model, words[1]);
    snapshot_model_destroy(&model);
    return code;
}

/* --- verify --- */

static json_t *lines_json(const struct findings *findings, enum finding_kind kind)
{
    json_t *array = json_array();
    for (size_t i = 0; i < findings->lines.n; i++)
        if (findings->lines.at[i].kind == kind)
            json_array_append_new(array, json_string(findings->lines.at[i].text));
    return array;
}

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *findings_json(const struct snapshot_model *model, const struct findings *is,
                             const uint64_t *expected)
{
    char name[SNAPSHOT_NAME_MAX];
    json_t *money =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "accounts", number(is->balances),
                  "in_channels", number(is->in_channels), "in_outboxes", number(is->in_outboxes),
                  "all", number(is->total), "expected", expected ? number(*expected) : json_null(),
                  "transfers_in_channels", number(is->transfers_in_channels),
                  "transfers_in_outboxes", number(is->transfers_in_outboxes), "duplicates",
                  number(is->duplicates));
    json_t *channels = json_pack("{s:o, s:o, s:o, s:o}", "all", number(is->channels), "known",
                                 number(is->channels_known), "holding",
                                 number(is->channels_holding), "messages", number(is->messages));
    json_t *operations =
        json_pack("{s:o, s:o}", "handed_out", number(is->handed_out), "stale", number(is->stale));
    return json_pack("{s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "snapshot_id",
                     snapshot_name_text(&model->name, name), "is_complete", (int)model->complete,
                     "is_consistent", (int)!is->violations, "checked",
                     lines_json(is, FINDING_CHECKED), "unknown", lines_json(is, FINDING_UNKNOWN),
                     "violations", lines_json(is, FINDING_VIOLATION), "offences", /* until 2.0 */
                     lines_json(is, FINDING_VIOLATION), "money", money, "channels", channels,
                     "operations", operations);
}

static void print_text(const struct snapshot_model *model, const struct findings *findings)
{
    static const char *const words[] = {"ok", "unknown", "VIOLATION"};
    char name[SNAPSHOT_NAME_MAX];
    printf("snapshot %s is %s and %s\n", snapshot_name_text(&model->name, name),
           model->complete ? "complete" : "partial",
           findings->violations ? "NOT consistent"
           : model->complete    ? "consistent"
                                : "consistent as far as is known");
    for (size_t i = 0; i < findings->lines.n; i++) {
        struct text line = {0};
        text_add(&line, "%-8s %s", words[findings->lines.at[i].kind], findings->lines.at[i].text);
        terminal_wrap(line.at, 0, sizeof "VIOLATION", stdout);
    }
}

/* What is beside a file is compared with the hashes that the snapshot has. That some are not there
 * is no violation: no node had them when the file was written. */
static void look_at_values(const struct snapshot_model *model, const char *file,
                           struct findings *findings)
{
    struct snapshot_values values;
    struct snapshot_name name;
    if (!snapshot_name_parse(slice_of(file), &name) || !strcmp(file, "-"))
        return; /* there is nothing beside it */
    snapshot_values_of(model, &values);
    size_t here = snapshot_values_look(&values, file);
    if (here)
        findings_add(findings, FINDING_CHECKED,
                     "values: %zu of %zu that the jobs need are beside it, as their hashes say",
                     here, values.n);
    if (here < values.n)
        findings_add(findings, FINDING_UNKNOWN,
                     "values: %zu of %zu that the jobs need are not beside it", values.n - here,
                     values.n);
    snapshot_values_clear(&values);
}

int snapshot_verify_run(struct cli *cli, int n_words, char **words)
{
    struct snapshot_model *model = NULL;
    struct findings findings;
    uint64_t total = 0;
    char room[TEXT_MAX / 4];
    const uint64_t *expected = options.total ? &total : NULL;
    if (options.total && parse_whole(slice_of(options.total), INT64_MAX, &total))
        return cli_fail(EXIT_USAGE, "--total takes a whole number of minor units, not '%s'",
                        text_escape(room, sizeof room, slice_of(options.total)));
    if (!n_words)
        return cli_fail(EXIT_USAGE, "a snapshot's id or a file is needed");
    int code = cli_no_words(n_words - 1, words + 1);
    if (!code)
        code = snapshot_find(cli, words[0], &model);
    if (code)
        return code;
    snapshot_verify(model, expected, &findings);
    look_at_values(model, words[0], &findings);
    if (cli->json)
        cli_print_json(cli, findings_json(model, &findings, expected));
    else
        print_text(model, &findings);
    code = findings.violations ? EXIT_FAILED : EXIT_OK;
    findings_clear(&findings);
    snapshot_model_destroy(&model);
    return code;
}
