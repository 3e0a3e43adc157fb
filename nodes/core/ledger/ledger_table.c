#include "nodes/core/ledger/ledger_table.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"
#include "shared/base/text.h"

bool ledger_name_is_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = name.at[i];
        bool fits = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                    (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' || byte == '-';
        if (!fits)
            return false;
    }
    return name.len >= 1 && name.len <= LEDGER_NAME_MAX;
}

static int compare(const struct ledger_row *row, struct slice name)
{
    return slice_order(slice_of(row->name), name);
}

size_t ledger_table_from(const struct ledger_table *table, struct slice name)
{
    size_t low = 0, high = table->n;
    if (high && compare(table->at[high - 1], name) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(table->at[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct ledger_row *ledger_table_find(const struct ledger_table *table, struct slice name)
{
    size_t at = ledger_table_from(table, name);
    bool found = at < table->n && slice_equals(name, table->at[at]->name);
    return found ? table->at[at] : NULL;
}

size_t ledger_table_after(const struct ledger_table *table, struct slice name)
{
    size_t at = ledger_table_from(table, name);
    return at + (at < table->n && slice_equals(name, table->at[at]->name));
}

struct ledger_row *ledger_table_add(struct ledger_table *table, struct slice name)
{
    size_t at = ledger_table_from(table, name);
    if (table->n == table->size) {
        table->size = table->size ? 2 * table->size : 16;
        table->at = mem_grow(table->at, table->size, sizeof *table->at);
    }
    memmove(&table->at[at + 1], &table->at[at], (table->n++ - at) * sizeof *table->at);
    struct ledger_row *row = mem_new(1, sizeof *row);
    slice_copy(row->name, name);
    return table->at[at] = row;
}

static void drop(struct ledger_row *row)
{
    blob_drop(&row->value);
    free(row);
}

void ledger_table_remove(struct ledger_table *table, struct ledger_row *row)
{
    size_t at = ledger_table_from(table, slice_of(row->name));
    memmove(&table->at[at], &table->at[at + 1], (--table->n - at) * sizeof *table->at);
    drop(row);
}

void ledger_table_clear(struct ledger_table *table)
{
    for (size_t i = 0; i < table->n; i++)
        drop(table->at[i]);
    free(table->at);
    *table = (struct ledger_table){0};
}
