/* value_list.c - conclave value list. */
#include <stdlib.h>

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

/* Rows with the answers that hold them. */
struct rows {
    struct message **pages; /* owned, one reference a row */
    const struct wire_value_row **at;
    size_t n, room;
};

static bool take(void *context, struct message *page, const struct wire_value_row *row)
{
    struct rows *rows = context;
    if (rows->n == rows->room) {
        rows->room = 2 * rows->room + VALUE_PAGE_MAX;
        rows->pages = mem_grow(rows->pages, rows->room, sizeof *rows->pages);
        rows->at = mem_grow(rows->at, rows->room, sizeof *rows->at);
    }
    rows->pages[rows->n] = message_ref(page);
    rows->at[rows->n++] = row;
    return true;
}

static void print(struct cli *cli, const struct rows *rows)
{
    size_t first = options.limit && rows->n > options.limit ? rows->n - options.limit : 0;
    json_t *array = cli->json ? json_array() : NULL;
    if (!array)
        stored_rows_head(options.wide, stdout);
    for (size_t i = first; i < rows->n; i++) {
        if (array)
            json_array_append_new(array, stored_row_json(rows->at[i]));
        else
            stored_rows_line(rows->at[i], options.wide, stdout);
    }
    if (array)
        cli_print_json(cli, array);
}

int value_list_run(struct cli *cli, int n_words, char **words)
{
    struct rows rows = {0};
    int code = cli_no_words(n_words, words);
    if (!code)
        code = stored_each(cli, NULL, 0, take, &rows);
    if (!code)
        print(cli, &rows);
    for (size_t i = 0; i < rows.n; i++)
        message_drop(&rows.pages[i]);
    free(rows.pages);
    free(rows.at);
    return code;
}
