/* snapshot_restore_run.c - conclave snapshot restore, and what `conclave up
 * --restore` does first. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "clients/command/commands.h"
#include "clients/local/founded.h"
#include "clients/local/local.h"
#include "clients/command/snapshot_word.h"
#include "clients/ask/snapshot_values.h"
#include "clients/command/snapshot_restore.h"
#include "clients/show/printable.h"
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
    {"force", OPTION_FLAG, &options.force, 0, 0, NULL,
     "also restore a partial snapshot, or without values that are gone"},
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

/* From the cluster into DIR/restore.values, from where the nodes' directories get them. When it
 * fails DIR is as it was. */
static int fetch_values(struct cli *cli, const struct snapshot_model *model,
                        struct snapshot_values *values, const char *dir, bool force,
                        char file[LOCAL_PATH_MAX])
{
    char why[TEXT_MAX];
    bool made;
    size_t lacking;
    if (local_path(dir, "restore", file))
        return cli_fail(EXIT_USAGE, "%s: the path is too long", dir);
    if (snapshot_make_fresh(dir, &made, why))
        return cli_fail(EXIT_USAGE, "%s", why);
    int code = snapshot_values_fetch(cli, model, values, file, &lacking);
    if (!code && lacking && !force)
        code = cli_fail(
            EXIT_USAGE,
            "%zu of %zu values that its jobs need are no longer on any node (they stay for a "
            "minute after the cut): export a snapshot soon after it is taken, or "
            "restore this one without them, with --force",
            lacking, values->n);
    if (!code)
        return EXIT_OK;
    snapshot_values_remove(values, file);
    if (made)
        rmdir(dir);
    return code;
}

static int write_all(struct snapshot_model *model, const struct snapshot_values *values,
                     const char *file, const char *dir, uint64_t voters)
{
    char why[TEXT_MAX];
    struct restore_notes notes = {0};
    int code = EXIT_OK;
    snapshot_settle(model, values, &notes);
    found(model, voters);
    if (snapshot_write_shares(model, values, file, dir, why) || prepare_record(model, dir, why))
        code = cli_fail(EXIT_USAGE, "%s", why);
    for (size_t i = 0; i < notes.lines.n && !code; i++)
        cli_note("%s", notes.lines.at[i]);
    restore_notes_clear(&notes);
    return code;
}

int snapshot_restore_into(struct snapshot_model *model, struct restore_source source,
                          const char *dir, uint64_t voters, bool force)
{
    char fetched[LOCAL_PATH_MAX];
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
    if (source.file)
        snapshot_values_look(&values, source.file);
    else
        code = fetch_values(source.cli, model, &values, dir, force, fetched);
    if (!code)
        code = write_all(model, &values, source.file ? source.file : fetched, dir, voters);
    if (!source.file)
        snapshot_values_remove(&values, fetched);
    snapshot_values_clear(&values);
    return code;
}

/* An id names a snapshot of a cluster that is there. */
static struct restore_source source_of(struct cli *cli, const char *word)
{
    struct snapshot_name name;
    bool is_id = !snapshot_name_parse(slice_of(word), &name);
    return (struct restore_source){is_id ? NULL : word, cli};
}

int snapshot_restore_run(struct cli *cli, int n_words, char **words)
{
    char name[SNAPSHOT_NAME_MAX];
    struct snapshot_model *model = NULL;
    if (!n_words)
        return cli_fail(EXIT_USAGE,
                        "a file that `conclave snapshot export` wrote is needed, or the id "
                        "of a snapshot");
    if (options.node ? options.voters || options.force : options.dry_run)
        return cli_fail(EXIT_USAGE, options.node
                                        ? "--voters and --force cannot be combined with --node"
                                        : "--dry-run needs --node");
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
        code = snapshot_restore_into(model, source_of(cli, words[0]), options.dir, options.voters,
                                     options.force);
    if (!code && cli->json)
        cli_print_json(cli, json_pack("{s:s, s:o, s:I}", "snapshot_id",
                                      snapshot_name_text(&model->name, name), "dir",
                                      printable_json(slice_of(options.dir)), "nodes",
                                      (json_int_t)model->n_nodes));
    else if (!code)
        printf("%zu nodes are ready in %s; `conclave up --dir %s --nodes %zu` starts them\n",
               model->n_nodes, options.dir, options.dir, model->n_nodes);
    snapshot_model_destroy(&model);
    return code;
}
