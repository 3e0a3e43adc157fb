#include "clients/map/reduce.h"

#include <inttypes.h>
#include <string.h>

#include "clients/show/uploading.h"
#include "clients/map/inputs.h"
#include "clients/map/named.h"
#include "nodes/core/kinds/kinds.h"

#define JOB_PREFIX "job:"

/* --- what is folded --- */

static int add_patterns(struct parts *parts, const struct option_list *files)
{
    struct inputs_request request = {.files = *files};
    struct inputs *inputs = NULL;
    struct task_record *record = mem_new(1, sizeof *record);
    struct text why = {0};
    int code = EXIT_OK, error = inputs_open(&request, &inputs, &why);
    while (!error && !code && !(error = inputs_next(inputs, record, &why)))
        code = parts_add_file(parts, inputs_path(inputs));
    if (error && (error != ERR_NOT_FOUND || why.len))
        code = cli_fail(EXIT_USAGE, "%s", why.at);
    inputs_destroy(&inputs);
    free(record);
    return code;
}

static int add_word(struct parts *parts, struct cli *cli, const char *word)
{
    char shown[TEXT_MAX / 4];
    job_id_t job;
    if (word[0] == '@')
        return parts_add_file(parts, word + 1);
    if (strncmp(word, JOB_PREFIX, strlen(JOB_PREFIX)) != 0)
        return parts_add_file(parts, word);
    if (!parse_job_id(slice_of(word + strlen(JOB_PREFIX)), &job))
        return parts_add_job(parts, cli, job);
    return cli_fail(EXIT_USAGE,
                    "'%s' is not a job, which is written job:ID, as `conclave job list` shows it",
                    text_escape(shown, sizeof shown, slice_of(word)));
}

int reduce_add(struct parts *parts, struct cli *cli, size_t n_words, char *const *words,
               const struct option_list *files)
{
    int code = files->n ? add_patterns(parts, files) : EXIT_OK;
    for (size_t i = 0; i < n_words && !code; i++)
        code = add_word(parts, cli, words[i]);
    return code;
}

/* --- the job --- */

static int store(struct cli *cli, struct parts *parts, bool sorted, struct content *content,
                 struct message **value)
{
    struct text what = {0};
    int code = parts_content(parts, sorted, content);
    if (code)
        return code;
    text_add(&what, "%" PRIu64 " part%s", content->items, content->items == 1 ? "" : "s");
    return upload_shown(cli, content, NULL, content->len >= VALUE_CHUNK_BYTES ? what.at : NULL,
                        value);
}

static int fill(struct submission *submission, const struct content *content,
                const struct wire_value_row *parts, const struct wire_value_row *program)
{
    struct text argument = {0}, why = {0};
    struct plan plan;
    text_add(&argument, "%zu %" PRIu64 " %" PRIu64, content->n_segments, content->len,
             program->len);
    if (plan_parse(&plan, slice_of("reduce"), slice_of(argument.at), &why))
        return cli_fail(EXIT_USAGE, "%s", why.at);
    text_format(submission->spec.kind, sizeof submission->spec.kind, "reduce");
    text_format(submission->spec.spec, sizeof submission->spec.spec, "%s", argument.at);
    submission->commands = true;
    submission->values[0] = parts->value;
    submission->values[1] = program->value;
    submission->n_values = 2;
    return EXIT_OK;
}

int reduce_prepare(struct cli *cli, const char *name, struct parts *parts,
                   struct submission *submission)
{
    struct content content = {.spool.fd = -1};
    struct message *page = NULL, *spec = NULL, *value = NULL;
    const struct wire_value_row *row;
    if (!parts->n)
        return cli_fail(EXIT_USAGE, "there is nothing to fold: reduce NAME FILE..., or --files "
                                    "PATTERN");
    int code = named_find(cli, name, &page, &row);
    if (!code)
        code = named_read(cli, row, &spec);
    if (!code)
        code = store(cli, parts, spec->as.operator_spec.commutative, &content, &value);
    if (!code)
        code = fill(submission, &content, &value->as.value.values.at[0], row);
    message_drop(&page);
    message_drop(&spec);
    message_drop(&value);
    content_clear(&content);
    return code;
}
