/* snapshot_show.c - conclave snapshot show. */
#include <inttypes.h>
#include <stdio.h>

#include "clients/command/commands.h"
#include "clients/ask/snapshot_fetch.h"
#include "clients/command/snapshot_word.h"
#include "clients/library/snapshots.h"
#include "clients/show/snapshot_json.h"
#include "clients/show/table.h"
#include "shared/snapshot/verify.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"

static struct {
    uint64_t node;
    bool wide;
} options;

const struct option_spec snapshot_show_options[] = {{"node", OPTION_U64, &options.node, 1,
                                                     NODES_MAX, "N",
                                                     "only node N and the channels into it"},
                                                    TABLE_WIDE(options.wide),
                                                    {0}};

#define NAME_COLUMNS 11 /* before what a line is about */

static bool is_shown(uint64_t node)
{
    return !options.node || options.node == node;
}

static const struct table_column node_columns[] = {{.title = "NODE", .right = true},
                                                   {.title = "ROLE", .least = 6},
                                                   {"TERM", true, true, 0},
                                                   {.title = "ACCOUNTS", .right = true},
                                                   {.title = "BALANCE", .right = true},
                                                   {.title = "VALUES", .right = true},
                                                   {.title = "OPERATIONS", .right = true},
                                                   {"QUEUED", true, true, 0},
                                                   {.title = "OUTBOX", .right = true},
                                                   {"MARKER", false, true, 0},
                                                   {.title = "MS", .right = true},
                                                   {0}};

static void print_nodes(const struct snapshot_model *model)
{
    struct table *table = table_new(node_columns, options.wide);
    for (uint64_t id = 1; id <= model->n_nodes; id++) {
        struct conclave_snapshot_node node;
        char marker[24] = "-";
        if (!is_shown(id))
            continue;
        library_snapshot_node(model, id, &node);
        if (!node.present) {
            table_add_line(table, "%4" PRIu64 "  missing: %s", id, node.missing);
            continue;
        }
        if (node.marker)
            text_format(marker, sizeof marker, "from %" PRIu64, node.marker);
        table_add(table, "%" PRIu64, id);
        table_add(table, "%s", node.role);
        table_add(table, "%" PRIu64, node.term);
        table_add(table, "%" PRIu64, node.accounts);
        table_add(table, "%" PRIu64, node.balance);
        table_add(table, "%" PRIu64, node.values);
        table_add(table, "%" PRIu64, node.operations);
        table_add(table, "%" PRIu64, node.queued);
        table_add(table, "%" PRIu64, node.outbox);
        table_add(table, "%s", marker);
        table_add(table, "%.1f", (double)node.took_us / 1000);
    }
    printf("\n");
    table_end(table, stdout);
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

static const struct table_column channel_columns[] = {{.title = "CHANNEL"},
                                                      {.title = "SENT", .right = true},
                                                      {.title = "RECEIVED", .right = true},
                                                      {.title = "RECORDED", .right = true},
                                                      {.title = "MONEY", .right = true},
                                                      {.title = "MESSAGES", .least = 8},
                                                      {0}};

static void add_channel(struct table *table, const struct snapshot_model *model, uint64_t from,
                        uint64_t to)
{
    const struct model_channel *channel = model_channel(model, from, to);
    const struct wire_cut_count *sender = model_count(model, from, to),
                                *receiver = model_count(model, to, from);
    struct text kinds = {0};
    if (!channel->known) {
        table_add_line(table, "%" PRIu64 "-%" PRIu64 "  missing: %.*s", from, to,
                       (int)channel->missing.len, (const char *)channel->missing.at);
        return;
    }
    add_kinds(channel, &kinds);
    table_add(table, "%" PRIu64 "-%" PRIu64, from, to);
    table_add(table, "%" PRIu64, sender ? sender->sent : 0);
    table_add(table, "%" PRIu64, receiver ? receiver->received : 0);
    table_add(table, "%" PRIu64, channel->recorded);
    table_add(table, "%" PRIu64, money_in(model, from, to));
    table_add(table, "%s", kinds.at);
}

static void print_channels(const struct snapshot_model *model)
{
    bool any = false;
    struct table *table = table_new(channel_columns, options.wide);
    for (uint64_t from = 1; from <= model->n_nodes; from++)
        for (uint64_t to = 1; to <= model->n_nodes; to++) {
            const struct model_channel *channel = model_channel(model, from, to);
            if (from == to || !is_shown(to) || (channel->known && !channel->recorded))
                continue;
            any = true;
            add_channel(table, model, from, to);
        }
    printf("\n%s", any ? "" : "the channels are empty\n");
    if (any)
        table_print(table, stdout);
    table_destroy(&table);
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
    struct text money = {0};
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
    text_add(&money,
             "money      %" PRIu64 " in accounts + %" PRIu64 " in channels + %" PRIu64
             " in outboxes = %" PRIu64,
             findings.balances, findings.in_channels, findings.in_outboxes, findings.total);
    terminal_wrap(money.at, 0, NAME_COLUMNS, stdout);
    findings_clear(&findings);
    print_jobs(model);
    print_nodes(model);
    print_channels(model);
}

int snapshot_show_run(struct cli *cli, int n_words, char **words)
{
    struct snapshot_name name;
    struct snapshot_model *model = NULL;
    int code = snapshot_word(cli, n_words, words, &name);
    if (!code)
        code = cli_no_words(n_words - 1, words + 1);
    if (!code)
        code = cli_told(cli, snapshot_fetch(&cli->connection, &name, &model));
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
