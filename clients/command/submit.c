/* submit.c - conclave submit. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/batch.h"
#include "clients/ask/single.h"
#include "clients/command/commands.h"
#include "clients/ask/digits.h"
#include "clients/map/reduce.h"
#include "clients/show/inputs_told.h"
#include "nodes/core/kinds/kinds.h"

static struct {
    const char *file, *key, *output, *plan;
    struct jobspec_options kind;
    struct option_list files;
    bool follow, no_wait, exit_status;
} options;

const struct option_spec submit_options[] = {
    {"no-wait", OPTION_FLAG, &options.no_wait, 0, 0, NULL,
     "print the job's id as soon as it is accepted"},
    {"key", OPTION_STRING, &options.key, 0, 0, "KEY",
     "requests with the same key are the same job (default: a new UUID)"},
    {"plan", OPTION_STRING, &options.plan, 0, 0, "PLAN",
     "tree: over the integers N..1; primes: over the primes up to N (default: the faster one)"},
    {"output", OPTION_STRING, &options.output, 0, 0, "FILE",
     "write only the digits, to this file; - is stdout"},
    JOBSPEC_OPTIONS(options.kind),
    {"files", OPTION_LIST, &options.files, 0, 0, "PATTERN", "reduce: the files that are folded"},
    {"exit-status", OPTION_FLAG, &options.exit_status, 0, 0, NULL,
     "batch-gcd: exit with 1 when a factor is shared"},
    {"file", OPTION_STRING, &options.file, 0, 0, "JOBS",
     "submit the file's jobs, one per line (-: stdin)"},
    {"follow", OPTION_FLAG, &options.follow, 0, 0, NULL, "keep reading --file as it grows"},
    {0}};

static int submit_file(struct cli *cli, const char *path)
{
    char why[TEXT_MAX];
    struct jobfile file;
    struct batch batch = {.cli = cli,
                          .file = &file,
                          .no_wait = options.no_wait,
                          .plan = options.plan};
    const char *alone = options.key           ? "key"
                        : options.files.n     ? "files"
                        : options.output      ? "output"
                        : options.exit_status ? "exit-status"
                                              : NULL;
    const char *of_kind = jobspec_option_given(&options.kind);
    if (alone || of_kind)
        return cli_fail(EXIT_USAGE, "--%s is for one job; a file may hold many%s",
                        alone ? alone : of_kind, alone ? "" : ", with it in their lines");
    cli->json_lines = true;
    int error = jobfile_open(&file, path, options.follow, why), code = EXIT_OK;
    if (error)
        code =
            error == ERR_INTERRUPTED ? cli_interrupted() : cli_fail(EXIT_USAGE, "--file: %s", why);
    else if (!options.follow && jobfile_check(&file, &batch.n_jobs))
        code = cli_fail(EXIT_USAGE, "nothing was submitted");
    else
        code = batch_run(&batch);
    jobfile_close(&file);
    return code;
}

/* All that must be right, and there, before anything is submitted. */
static int prepare_one(struct cli *cli, struct submission *submission)
{
    if (cli_key(options.key, submission->key))
        return EXIT_USAGE;
    if (options.output && options.no_wait)
        return cli_fail(EXIT_USAGE, "--output needs the result, --no-wait does not wait for it");
    if (options.exit_status && strcmp(submission->spec.kind, "batch-gcd"))
        return cli_fail(EXIT_USAGE, "--exit-status is for batch-gcd");
    if (options.exit_status && options.no_wait)
        return cli_fail(EXIT_USAGE,
                        "--exit-status needs the result, --no-wait does not wait for it");
    int code = options.output ? digits_check(cli, options.output) : EXIT_OK;
    return code ? code : submission_prepare_told(cli, submission);
}

/* Takes the submission. */
static int submit_one(struct cli *cli, struct submission *submission)
{
    const struct single single = {.cli = cli,
                                  .no_wait = options.no_wait,
                                  .plan = options.plan,
                                  .report = {.output = options.output,
                                             .exit_status = options.exit_status}};
    int code = prepare_one(cli, submission);
    if (!code)
        return single_run(&single, submission);
    submission_clear(submission);
    free(submission);
    return code;
}

/* The parts are read and stored before the job is submitted. */
static int submit_reduce(struct cli *cli, size_t n_words, char **words)
{
    struct submission *submission = mem_new(1, sizeof *submission);
    struct parts parts;
    int code = EXIT_OK;
    parts_begin(&parts);
    if (!n_words)
        code = cli_fail(EXIT_USAGE, "reduce takes an operator and what it folds: reduce NAME "
                                    "FILE..., or --files PATTERN; `conclave op list`");
    else if (options.plan || jobspec_option_given(&options.kind))
        code = cli_fail(EXIT_USAGE, "--%s is not for reduce",
                        options.plan ? "plan" : jobspec_option_given(&options.kind));
    if (!code)
        code = reduce_add(&parts, cli, n_words - 1, words + 1, &options.files);
    if (!code)
        code = reduce_prepare(cli, words[0], &parts, submission);
    parts_clear(&parts);
    if (!code)
        return submit_one(cli, submission);
    free(submission);
    return code;
}

int submit_run(struct cli *cli, int n_words, char **words)
{
    char why[TEXT_MAX];
    enum plan_choice choice;
    bool from_stdin = n_words == 1 && !strcmp(words[0], "-");
    if (options.file && n_words)
        return cli_fail(EXIT_USAGE, "either a job or --file, not both");
    if (plan_choice_parse(slice_of(options.plan ? options.plan : ""), &choice))
        return cli_fail(EXIT_USAGE, "--plan takes tree or primes");
    if (options.file || from_stdin)
        return submit_file(cli, options.file ? options.file : "-");
    if (options.follow)
        return cli_fail(EXIT_USAGE, "--follow needs --file");
    if (n_words && !strcmp(words[0], "reduce"))
        return submit_reduce(cli, (size_t)n_words - 1, words + 1);
    if (options.files.n)
        return cli_fail(EXIT_USAGE, "--files is for reduce");
    struct submission *submission = mem_new(1, sizeof *submission);
    if (jobspec_parse_with(&options.kind, n_words, words, &submission->spec, why)) {
        free(submission);
        return cli_fail(EXIT_USAGE, "%s", why);
    }
    return submit_one(cli, submission);
}
