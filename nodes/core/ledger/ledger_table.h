/* ledger_table.h - rows in the order of their names: accounts, and key-value state. */
#ifndef CONCLAVE_CORE_LEDGER_TABLE_H
#define CONCLAVE_CORE_LEDGER_TABLE_H

#include "shared/base/blob.h"
#include "shared/base/limits.h"
#include "shared/base/types.h"

struct ledger_row {
    char name[LEDGER_NAME_MAX + 1];
    uint64_t balance;   /* of an account */
    struct blob *value; /* of a key; owned */
};

/* Zero-initialize. Found by bisection; rows that come in order, as from disk, are appended. */
struct ledger_table {
    struct ledger_row **at; /* owned */
    size_t n, size;
};

/* 1 to LEDGER_NAME_MAX of [A-Za-z0-9_.-]. */
bool ledger_name_is_valid(struct slice name);

struct ledger_row *ledger_table_find(const struct ledger_table *table, struct slice name);

/* The index of the first row from that name on, and after it. */
size_t ledger_table_from(const struct ledger_table *table, struct slice name);
size_t ledger_table_after(const struct ledger_table *table, struct slice name);

/* Returns a new row; the name is valid and not there yet. */
struct ledger_row *ledger_table_add(struct ledger_table *table, struct slice name);

/* Removes a row of the table, and frees it. */
void ledger_table_remove(struct ledger_table *table, struct ledger_row *row);

void ledger_table_clear(struct ledger_table *table);

#endif
