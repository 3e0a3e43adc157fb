/* submit.c - conclave submit. */
#include <string.h>

#include "clients/ask/batch.h"
#include "clients/command/commands.h"
#include "clients/ask/digits.h"
#include "nodes/core/kinds/kinds.h"

static struct {
    const char *file, *key, *output, *plan;
    bool follow, no_wait;
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
    {"file", OPTION_STRING, &options.file, 0, 0, "JOBS",
     "submit the file's jobs, one per line (-: stdin)"},
    {"follow", OPTION_FLAG, &options.follow, 0, 0, NULL, "go on reading --file as it grows"},
    {0}};

static int submit_file(struct cli *cli, const char *path)
{
    char why[TEXT_MAX];
    struct jobfile file;
    struct batch batch = {.cli = cli,
                          .file = &file,
                          .no_wait = options.no_wait,
                          .plan = options.plan};
    if (options.key || options.output)
        return cli_fail(EXIT_USAGE, "--%s is for one job; a file may hold many",
                        options.key ? "key" : "output");
    cli->json_lines = true;
    int error = jobfile_open(&file, path, options.follow, why), code = EXIT_OK;
    if (error)
        code =
            error == ERR_INTERRUPTED ? cli_interrupted() : cli_fail(EXIT_USAGE, "--file: %s", why);
    else if (!options.follow && jobfile_check(&file, &batch.n_jobs))
        code = cli_fail(EXIT_USAGE, "nothing was submitted");
    else
        code = batch_run(&batch, NULL);
    jobfile_close(&file);
    return code;
}

int submit_run(struct cli *cli, int n_words, char **words)
{
    char why[TEXT_MAX];
    struct jobspec spec;
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
    if (jobspec_parse(n_words, words, &spec, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    char key[JOB_KEY_TEXT_MAX];
    if (cli_key(options.key, key))
        return EXIT_USAGE;
    if (options.output && options.no_wait)
        return cli_fail(EXIT_USAGE, "--output needs the result, --no-wait does not wait for it");
    int code = options.output ? digits_check(cli, options.output) : EXIT_OK;
    if (code)
        return code;
    struct submission *submission = mem_new(1, sizeof *submission);
    submission->spec = spec;
    text_format(submission->key, sizeof submission->key, "%s", key);
    struct batch batch = {.cli = cli,
                          .no_wait = options.no_wait,
                          .plan = options.plan,
                          .output = options.output};
    return batch_run(&batch, submission);
}
