#include "clients/command/rows.h"

int rows_end(const struct cli *cli, json_t *rows, struct table *table, int code)
{
    if (!code && rows)
        cli_print_json(cli, json_incref(rows));
    else if (!code)
        table_print(table, stdout);
    json_decref(rows);
    table_destroy(&table);
    return code;
}
