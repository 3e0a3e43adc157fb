/* value_list.c - conclave value list. */
#include "clients/ask/rows.h"
#include "clients/ask/stored.h"
#include "clients/command/commands.h"
#include "clients/show/stored_rows.h"

static struct {
    bool wide;
    uint64_t limit;
} options;

const struct option_spec value_list_options[] = {{"wide", OPTION_FLAG, &options.wide, 0, 0, NULL,
                                                  "more columns: id, owner, the whole name, jobs"},
                                                 {"limit", OPTION_U64, &options.limit, 1,
                                                  VALUES_MAX, "N",
                                                  "only the N newest (default: all)"},
                                                 {0}};

static bool take(void *context, struct message *page, const struct wire_value_row *row)
{
    rows_add(context, page, row);
    return true;
}

static void print(struct cli *cli, const struct rows *rows)
{
    json_t *array = cli->json ? json_array() : NULL;
    struct table *table = array ? NULL : stored_rows_table(options.wide);
    for (size_t i = rows_first(rows->n, options.limit); i < rows->n; i++) {
        if (array)
            json_array_append_new(array, stored_row_json(rows->at[i]));
        else
            stored_rows_add(table, rows->at[i]);
    }
    if (array)
        cli_print_json(cli, array);
    else
        table_end(table, stdout);
}

int value_list_run(struct cli *cli, int n_words, char **words)
{
    struct rows rows = {0};
    int code = cli_no_words(n_words, words);
    if (!code)
        code = cli_told(cli, stored_each(&cli->connection, NULL, 0, take, &rows));
    if (!code)
        print(cli, &rows);
    rows_clear(&rows);
    return code;
}
