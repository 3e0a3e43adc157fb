/* run.c - conclave run: a cluster for one job, gone afterwards. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients/ask/single.h"
#include "clients/command/commands.h"
#include "clients/ask/digits.h"
#include "clients/ask/job_inputs.h"
#include "clients/local/launch.h"
#include "clients/local/local.h"
#include "clients/local/ports.h"
#include "clients/show/inputs_told.h"
#include "shared/base/limits.h"

static struct supervisor_config config = {.nodes = NODES_DEFAULT,
                                          .brokers = 1,
                                          SUPERVISOR_DEFAULTS,
                                          .temporary = true};
static const char *output;
static struct jobspec_options kind;

const struct option_spec run_options[] = {{"output", OPTION_STRING, &output, 0, 0, "FILE",
                                           "write only the digits, to this file; - is stdout"},
                                          JOBSPEC_OPTIONS(kind),
                                          SUPERVISOR_OPTIONS(config),
                                          {0}};

static int with_cluster(struct cli *cli, struct jobspec *spec, struct launch *launch)
{
    struct message *status = NULL;
    struct text why = {0};
    int code = launch_wait(cli, &config, launch, &status, &why);
    message_drop(&status);
    if (code) {
        if (why.len)
            cli_note("%s", why.at);
        return code;
    }
    struct submission *submission = mem_new(1, sizeof *submission);
    submission->spec = *spec;
    spec->inputs = NULL;
    jobspec_new_key(submission->key);
    const struct single single = {.cli = cli, .report = {.output = output}, .temporary = true};
    code = submission_prepare_told(cli, submission);
    if (!code)
        code = single_run(&single, submission);
    cli_close(cli);
    launch_end(launch);
    return code;
}

static int in_directory(struct cli *cli, struct jobspec *spec)
{
    char why[TEXT_MAX];
    struct launch launch;
    config.port = ports_find(config.nodes, config.brokers);
    if (!config.port)
        return cli_fail(EXIT_FAILED, "no free ports were found");
    if (supervisor_check(&config, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    if (launch_start(&config, true, &launch))
        return cli_fail(EXIT_FAILED, "the supervisor could not be started");
    return with_cluster(cli, spec, &launch);
}

/* What is wrong with the integers is told before a cluster starts. */
static int read_inputs(struct job_inputs *inputs)
{
    if (!inputs)
        return EXIT_OK;
    if (job_inputs_are_remote(inputs))
        return cli_fail(EXIT_USAGE,
                        "a temporary cluster has no jobs or values yet; `conclave submit` takes "
                        "job:ID and value:HASH");
    return job_inputs_check_told(inputs);
}

static int run_job(struct cli *cli, struct jobspec *spec)
{
    char dir[LOCAL_PATH_MAX];
    const char *parent = getenv("TMPDIR");
    int code = output ? digits_check(cli, output) : EXIT_OK;
    if (!code)
        code = read_inputs(spec->inputs);
    if (code)
        return code;
    if (local_path(parent && *parent ? parent : "/tmp", "conclave-run.XXXXXX", dir) ||
        !mkdtemp(dir))
        return cli_fail(EXIT_FAILED, "no temporary directory could be made: %s", strerror(errno));
    config.dir = dir;
    config.insecure = cli->connection.insecure;
    code = in_directory(cli, spec);
    local_remove(dir); /* the supervisor did, unless it never began or was killed */
    return code;
}

int run_run(struct cli *cli, int n_words, char **words)
{
    char why[TEXT_MAX];
    struct jobspec spec;
    if (jobspec_parse_with(&kind, n_words, words, &spec, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    int code = run_job(cli, &spec);
    jobspec_clear(&spec);
    return code;
}
