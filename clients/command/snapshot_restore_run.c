/* snapshot_restore_run.c - conclave snapshot restore, and what `conclave up
 * --restore` does first. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/command/commands.h"
#include "clients/local/founded.h"
#include "clients/ask/snapshot_fetch.h"
#include "clients/ask/snapshot_values.h"
#include "clients/command/snapshot_restore.h"
#include "shared/snapshot/verify.h"
#include "shared/base/hash.h"
#include "shared/base/quorum.h"

static struct {
    const char *dir;
    uint64_t voters, node;
    bool force, dry_run;
} options = {.dir = ".conclave"};

const struct option_spec snapshot_restore_options[] = {
    {"dir", OPTION_STRING, &options.dir, 0, 0, "DIR",
     "the fresh cluster's directory (default .conclave)"},
    {"voters", OPTION_U64, &options.voters, 1, NODES_MAX, "K",
     "nodes 1..K vote (default: all, at most 5)"},
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "ID",
     "only this node's ledger, back into the cluster in DIR, which must not run"},
    {"dry-run", OPTION_FLAG, &options.dry_run, 0, 0, NULL,
     "with --node: say what would be counted twice or missing, change nothing"},
    {"force", OPTION_FLAG, &options.force, 0, 0, NULL, "also restore a partial snapshot"},
    {0}};

static int refuse_violations(const struct snapshot_model *model)
{
    struct findings findings;
    int code = EXIT_OK;
    snapshot_verify(model, NULL, &findings);
    if (findings.violations) {
        for (size_t i = 0; i < findings.lines.n; i++)
            if (findings.lines.at[i].kind == FINDING_VIOLATION)
                cli_note("%s", findings.lines.at[i].text);
        code = cli_fail(EXIT_FAILED, "the snapshot is not consistent; it is not restored");
    }
    findings_clear(&findings);
    return code;
}

static int refuse_losses(const struct snapshot_model *model, bool force)
{
    struct restore_notes losses = {0};
    int code = EXIT_OK;
    snapshot_losses(model, &losses);
    for (size_t i = 0; i < losses.lines.n; i++)
        cli_note("%s lost: %s", force ? "is" : "would be", losses.lines.at[i]);
    if (!model->complete && !force)
        code = cli_fail(EXIT_USAGE, "the snapshot is partial; `conclave snapshot restore --force` "
                                    "restores what there is");
    restore_notes_clear(&losses);
    return code;
}

/* Another cluster each time: no store of the old one, or of one that was restored from the same
 * snapshot, is taken for one of its own. */
static void found(struct snapshot_model *model, uint64_t voters)
{
    hash_random(model->cluster_id, sizeof model->cluster_id);
    model->voters = voters ? voters : quorum_voters_default(model->n_nodes);
}

/* `up` takes the size of the new cluster from there. */
static int prepare_record(const struct snapshot_model *model, const char *dir, char *why)
{
    struct founded is = {.nodes = model->n_nodes,
                         .voters = model->voters,
                         .port = PORT_DEFAULT,
                         .brokers = 1};
    return founded_write(dir, &is, false, why);
}

/* Nodes that do not vote keep no values. */
static int place_values(const struct snapshot_model *model, const struct snapshot_values *values,
                        const char *file, const char *dir, char *why)
{
    int error = OK;
    for (uint64_t node = 1; node <= model->voters && !error; node++)
        error = snapshot_values_place(values, file, dir, node, why);
    return error;
}

int snapshot_restore_into(struct snapshot_model *model, const char *file, const char *dir,
                          uint64_t voters, bool force)
{
    char why[TEXT_MAX];
    struct restore_notes notes = {0};
    struct snapshot_values values;
    if (voters > model->n_nodes)
        return cli_fail(EXIT_USAGE, "--voters %" PRIu64 ": the snapshot is of %zu nodes", voters,
                        model->n_nodes);
    int code = refuse_violations(model);
    if (!code)
        code = refuse_losses(model, force);
    if (code)
        return code;
    snapshot_values_of(model, &values);
    if (file)
        snapshot_values_look(&values, file);
    snapshot_settle(model, &values, &notes);
    found(model, voters);
    if (snapshot_write_shares(model, dir, why) || place_values(model, &values, file, dir, why) ||
        prepare_record(model, dir, why))
        code = cli_fail(EXIT_USAGE, "%s", why);
    for (size_t i = 0; i < notes.lines.n && !code; i++)
        cli_note("%s", notes.lines.at[i]);
    snapshot_values_clear(&values);
    restore_notes_clear(&notes);
    return code;
}

int snapshot_restore_run(struct cli *cli, int n_words, char **words)
{
    char name[SNAPSHOT_NAME_MAX];
    struct snapshot_model *model = NULL;
    if (!n_words)
        return cli_fail(EXIT_USAGE, "a file that `conclave snapshot export` wrote is needed");
    if (options.node ? options.voters || options.force : options.dry_run)
        return cli_fail(EXIT_USAGE, options.node ? "--voters and --force do not go with --node"
                                                 : "--dry-run goes with --node");
    int code = cli_no_words(n_words - 1, words + 1);
    if (!code)
        code = snapshot_find(cli, words[0], &model);
    if (!code && options.node) {
        code = refuse_violations(model);
        if (!code)
            code = snapshot_restore_node(cli, model, options.node, options.dir, options.dry_run);
        snapshot_model_destroy(&model);
        return code;
    }
    if (!code)
        code = snapshot_restore_into(model, words[0], options.dir, options.voters, options.force);
    if (!code && cli->json)
        cli_print_json(cli, json_pack("{s:s, s:s, s:I}", "snapshot_id",
                                      snapshot_name_text(&model->name, name), "dir", options.dir,
                                      "nodes", (json_int_t)model->n_nodes));
    else if (!code)
        printf("%zu nodes are ready in %s; `conclave up --dir %s --nodes %zu` starts them\n",
               model->n_nodes, options.dir, options.dir, model->n_nodes);
    snapshot_model_destroy(&model);
    return code;
}
