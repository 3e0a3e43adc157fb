/* snapshot.c - conclave snapshot take, list. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clients/ask/rows.h"
#include "clients/command/commands.h"
#include "clients/library/snapshots.h"
#include "clients/show/render.h"
#include "clients/show/table.h"
#include "shared/base/clock.h"
#include "shared/base/limits.h"
#include "shared/base/memory.h"

#define ROWS_FIRST 16

static struct {
    uint64_t node, limit;
    bool wide;
} options;

const struct option_spec snapshot_take_options[] = {
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "N",
     "the node that takes it (default: the coordinator)"},
    {0}};

const struct option_spec snapshot_list_options[] = {
    {"node", OPTION_U64, &options.node, 1, NODES_MAX, "N",
     "only those that node N has taken (default: all nodes)"},
    TABLE_LIMIT(options.limit, "newest"),
    TABLE_WIDE(options.wide),
    {0}};

/* --- rows --- */

static json_t *number(uint64_t value)
{
    return json_integer((json_int_t)(value & INT64_MAX));
}

static json_t *row_json(const struct conclave_snapshot *row)
{
    return json_pack("{s:s, s:b, s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "snapshot_id", row->id,
                     "is_complete", row->complete, "missing", render_text(slice_of(row->missing)),
                     "initiator", number(row->node), "periodic", row->periodic, "time",
                     render_time(row->time_ms), "duration_us", number(row->took_us), "bytes",
                     number(row->bytes), "states", number(row->states));
}

static const struct table_column columns[] = {{.title = "ID"},
                                              {.title = "STATE"},
                                              {.title = "TAKEN UTC"},
                                              {.title = "MS", .right = true},
                                              {.title = "BYTES", .right = true},
                                              {"STATES", true, true, 0},
                                              {.title = "BY"},
                                              {.title = "MISSING", .least = 7},
                                              {0}};

static void add_row(struct table *table, const struct conclave_snapshot *row)
{
    char when[CLOCK_TEXT_MAX];
    table_add(table, "%s", row->id);
    table_add_state(table, row->complete ? "complete" : "partial");
    table_add(table, "%s", render_short_time(row->time_ms, when));
    table_add(table, "%.1f", (double)row->took_us / 1000);
    table_add(table, "%" PRIu64, row->bytes);
    table_add(table, "%" PRIu64, row->states);
    table_add(table, "%s", row->periodic ? "clock" : "request");
    table_add(table, "%s", row->missing);
}

/* --- take --- */

int snapshot_take_run(struct cli *cli, int n_words, char **words)
{
    struct conclave_snapshot taken;
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    code = conclave_snapshot_take(&cli->connection, (unsigned)options.node, &taken);
    if (taken.id[0] && cli->json) /* it is there, complete or not */
        cli_print_json(cli, row_json(&taken));
    else if (taken.id[0])
        printf("%s\n", taken.id);
    return cli_told(cli, code);
}

/* --- list --- */

struct listing {
    struct cli *cli;
    struct conclave_snapshot *rows; /* owned */
    size_t n, room;
};

static int take_row(void *context, const struct conclave_snapshot *row)
{
    struct listing *listing = context;
    if (listing->n == listing->room) {
        listing->room = 2 * listing->room + ROWS_FIRST;
        listing->rows = mem_grow(listing->rows, listing->room, sizeof *listing->rows);
    }
    listing->rows[listing->n++] = *row;
    return 0;
}

static void note_skipped(void *context, uint64_t node, int code)
{
    const struct listing *listing = context;
    if (code)
        cli_told(listing->cli, code);
    else
        cli_note("node %" PRIu64 " is not alive; what it has taken is not listed", node);
}

static int by_time(const void *a, const void *b)
{
    const struct conclave_snapshot *left = a, *right = b;
    if (left->time_ms != right->time_ms)
        return left->time_ms < right->time_ms ? -1 : 1;
    return left->counter < right->counter ? -1 : left->counter > right->counter;
}

/* The latest last, whichever node has taken it. */
static void print(const struct listing *listing)
{
    struct table *table = listing->cli->json ? NULL : table_new(columns, options.wide);
    json_t *array = table ? NULL : json_array();
    if (listing->n)
        qsort(listing->rows, listing->n, sizeof *listing->rows, by_time);
    for (size_t i = rows_first(listing->n, options.limit); i < listing->n; i++) {
        if (array)
            json_array_append_new(array, row_json(&listing->rows[i]));
        else
            add_row(table, &listing->rows[i]);
    }
    if (array)
        cli_print_json(listing->cli, array);
    else
        table_end(table, stdout);
}

int snapshot_list_run(struct cli *cli, int n_words, char **words)
{
    struct listing listing = {.cli = cli};
    const struct snapshot_listing where = {take_row, note_skipped, &listing};
    int code = cli_no_words(n_words, words);
    if (code)
        return code;
    code = cli_told(cli, library_snapshots(&cli->connection, (unsigned)options.node, &where));
    if (!code)
        print(&listing);
    free(listing.rows);
    return code;
}
