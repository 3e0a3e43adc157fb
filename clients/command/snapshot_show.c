/* snapshot_show.c - conclave snapshot show. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/command/commands.h"
#include "clients/ask/snapshot_fetch.h"
#include "clients/show/snapshot_json.h"
#include "shared/snapshot/verify.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"

static struct {
    uint64_t node;
} options;

const struct option_spec snapshot_show_options[] = {{"node", OPTION_U64, &options.node, 1,
                                                     NODES_MAX, "N",
                                                     "only node N and the channels into it"},
                                                    {0}};

static bool is_shown(uint64_t node)
{
    return !options.node || options.node == node;
}

static void print_nodes(const struct snapshot_model *model)
{
    printf("\n%-5s %-12s %8s %8s %17s %7s %11s %6s %7s %7s %12s\n", "NODE", "ROLE", "TERM",
           "ACCOUNTS", "BALANCE", "VALUES", "OPERATIONS", "QUEUED", "OUTBOX", "MARKER",
           "REPORTED ms");
    for (uint64_t id = 1; id <= model->n_nodes; id++) {
        const struct model_node *node = &model->nodes[id];
        char marker[24] = "-";
        uint64_t balance = 0;
        if (!is_shown(id))
            continue;
        if (!node->present) {
            printf("%-5" PRIu64 " missing: %.*s\n", id, (int)node->about.missing.len,
                   (const char *)node->about.missing.at);
            continue;
        }
        for (size_t i = 0; i < node->accounts.n; i++)
            balance += node->accounts.at[i].balance;
        if (node->state.first_marker)
            text_format(marker, sizeof marker, "from %" PRIu64, node->state.first_marker);
        printf("%-5" PRIu64 " %-12.*s %8" PRIu64 " %8zu %17" PRIu64 " %7zu %11" PRIu64
               " %6zu %7zu %7s %12.1f\n",
               id, (int)node->state.role.len, (const char *)node->state.role.at, node->state.term,
               node->accounts.n, balance, node->pairs.n, node->state.operations, node->queued.n,
               node->outbox.n, marker, (double)node->about.took_us / 1000);
    }
}

/* "2 transfer, 1 task": how many of which kind. */
static void add_kinds(const struct model_channel *channel, struct text *out)
{
    static const char *const kinds[] = {"task",     "result", "release",
                                        "transfer", "app",    "ledger_ack"};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t n = 0;
        for (size_t i = 0; i < channel->messages.n; i++)
            n += slice_equals(channel->messages.at[i].kind, kinds[k]);
        if (n)
            text_add(out, "%s%zu %s", out->len ? ", " : "", n, kinds[k]);
    }
}

static uint64_t money_in(const struct snapshot_model *model, uint64_t from, uint64_t to)
{
    const struct model_channel *channel = model_channel(model, from, to);
    uint64_t applied = model_applied(model, from, to), sum = 0;
    for (size_t i = 0; i < channel->messages.n; i++)
        if (model_is_numbered(&channel->messages.at[i]) && channel->messages.at[i].number > applied)
            sum += channel->messages.at[i].amount;
    return sum;
}

static void print_channel(const struct snapshot_model *model, uint64_t from, uint64_t to)
{
    const struct model_channel *channel = model_channel(model, from, to);
    const struct wire_cut_count *sender = model_count(model, from, to),
                                *receiver = model_count(model, to, from);
    char name[48];
    struct text kinds = {0};
    text_format(name, sizeof name, "%" PRIu64 "-%" PRIu64, from, to);
    if (!channel->known) {
        printf("%-9s missing: %.*s\n", name, (int)channel->missing.len,
               (const char *)channel->missing.at);
        return;
    }
    add_kinds(channel, &kinds);
    printf("%-9s %10" PRIu64 " %10" PRIu64 " %9" PRIu64 " %12" PRIu64 "  %s\n", name,
           sender ? sender->sent : 0, receiver ? receiver->received : 0, channel->recorded,
           money_in(model, from, to), kinds.at);
}

static void print_channels(const struct snapshot_model *model)
{
    bool any = false;
    for (uint64_t from = 1; from <= model->n_nodes; from++)
        for (uint64_t to = 1; to <= model->n_nodes; to++) {
            const struct model_channel *channel = model_channel(model, from, to);
            if (from == to || !is_shown(to) || (channel->known && !channel->recorded))
                continue;
            if (!any)
                printf("\n%-9s %10s %10s %9s %12s  %s\n", "CHANNEL", "SENT", "RECEIVED", "RECORDED",
                       "MONEY", "MESSAGES");
            any = true;
            print_channel(model, from, to);
        }
    if (!any)
        printf("\nthe channels are empty\n");
}

static void print_jobs(const struct snapshot_model *model)
{
    for (size_t i = 0; i < model->jobs.n; i++) {
        const struct wire_cut_job *row = &model->jobs.at[i];
        char job[JOB_TEXT_MAX];
        printf("job        %s: %" PRIu64 " of %" PRIu64 " operations done, %" PRIu64
               " returned, %" PRIu64 " handed out, %" PRIu64 " pending\n",
               job_id_text(row->job, job), row->done, row->total, row->returned, row->assigned,
               row->pending);
    }
}

static void print_text(const struct snapshot_model *model)
{
    char name[SNAPSHOT_NAME_MAX], when[CLOCK_TEXT_MAX];
    struct findings findings;
    snapshot_verify(model, NULL, &findings);
    printf("snapshot   %s, %s\n", snapshot_name_text(&model->name, name),
           model->complete ? "complete" : "partial");
    printf("taken      by node %" PRIu64 "%s at %s in %.1f ms, %" PRIu64 " bytes\n",
           model->name.initiator, model->periodic ? "'s clock" : "",
           clock_text(model->time_ms, when), (double)model->took_us / 1000, model->bytes);
    printf("channels   %" PRIu64 " of %" PRIu64 " are known; %" PRIu64 " hold messages: %" PRIu64
           "\n",
           findings.channels_known, findings.channels, findings.channels_holding,
           findings.messages);
    printf("money      %" PRIu64 " in accounts + %" PRIu64 " in channels + %" PRIu64
           " in outboxes = %" PRIu64 "\n",
           findings.balances, findings.in_channels, findings.in_outboxes, findings.total);
    findings_clear(&findings);
    print_jobs(model);
    print_nodes(model);
    print_channels(model);
}

int snapshot_show_run(struct cli *cli, int n_words, char **words)
{
    struct snapshot_name name;
    struct snapshot_model *model = NULL;
    int code = snapshot_word(n_words, words, &name);
    if (!code)
        code = cli_no_words(n_words - 1, words + 1);
    if (!code)
        code = snapshot_fetch(cli, &name, &model);
    if (!code && options.node > model->n_nodes)
        code = cli_fail(EXIT_USAGE, "--node: the snapshot is of %zu nodes", model->n_nodes);
    if (!code && cli->json)
        cli_print_json(cli,
                       snapshot_json(model, (struct snapshot_json_parts){.node = options.node}));
    else if (!code)
        print_text(model);
    snapshot_model_destroy(&model);
    return code;
}
