#include "nodes/core/ledger/ledger_types.h"

#include <assert.h>
#include <string.h>

#include "nodes/core/ledger/ledger_keys.h"
#include "nodes/core/ledger/ledger_outbox.h"
#include "nodes/core/ledger/ledger_queries.h"
#include "nodes/core/step/step.h"
#include "shared/base/error.h"
#include "shared/base/mutant.h"
#include "shared/base/text.h"

bool ledger_has_room(const struct ledger *ledger, uint64_t amount)
{
    return amount <= MONEY_MAX && ledger->total + ledger->in_transit <= MONEY_MAX - amount;
}

static void write_account(struct ledger *ledger, const struct ledger_row *row)
{
    struct record_key key = record_key(RECORD_ACCOUNT);
    record_key_name(&key, slice_of(row->name));
    record_write_u64(&ledger->step->out, &key, row->balance);
}

struct ledger_row *ledger_credit(struct ledger *ledger, struct slice account, uint64_t amount)
{
    struct ledger_row *row = ledger_table_find(&ledger->accounts, account);
    if (!row)
        row = ledger_table_add(&ledger->accounts, account);
    row->balance += amount;
    ledger->total += amount;
    write_account(ledger, row);
    return row;
}

void ledger_debit(struct ledger *ledger, struct ledger_row *account, uint64_t amount)
{
    account->balance -= amount;
    ledger->total -= amount;
    write_account(ledger, account);
}

bool ledger_put(struct ledger *ledger, struct slice name, struct slice value)
{
    struct ledger_table *values = &ledger->values;
    struct ledger_row *row = ledger_table_find(values, name);
    if (!row && values->n == KV_NAMES_MAX)
        return false;
    if (!row)
        row = ledger_table_add(values, name);
    blob_drop(&row->value);
    row->value = blob_copy(value.at, value.len);
    struct record_key key = record_key(RECORD_VALUE);
    record_key_name(&key, name);
    outbox_write_record(&ledger->step->out, (struct slice){key.at, key.len}, row->value);
    return true;
}

bool ledger_delete(struct ledger *ledger, struct slice name)
{
    struct ledger_row *row = ledger_table_find(&ledger->values, name);
    if (!row)
        return false;
    struct record_key key = record_key(RECORD_VALUE);
    record_key_name(&key, name);
    if (!MUTANT(deleted_stays_on_disk))
        record_forget(&ledger->step->out, &key);
    ledger_table_remove(&ledger->values, row);
    return true;
}

/* --- from disk --- */

static int restore_account(struct ledger *ledger, struct slice name, struct slice value)
{
    uint64_t balance;
    if (!ledger_name_is_valid(name) || value.len != 8 || !record_u64(value, 0, &balance) ||
        !ledger_has_room(ledger, balance) || ledger_table_find(&ledger->accounts, name))
        return ERR_CORRUPT;
    ledger_table_add(&ledger->accounts, name)->balance = balance;
    ledger->total += balance;
    return OK;
}

static int restore_value(struct ledger *ledger, struct slice name, struct slice value)
{
    if (!ledger_name_is_valid(name) || value.len > KV_VALUE_MAX || !text_is_utf8(value) ||
        ledger_table_find(&ledger->values, name))
        return ERR_CORRUPT;
    ledger_table_add(&ledger->values, name)->value = blob_copy(value.at, value.len);
    return OK;
}

int ledger_restore(struct ledger *ledger, struct slice key, struct slice value)
{
    struct slice rest = {key.at + 1, key.len - 1};
    switch (key.len ? key.at[0] : 0) {
    case RECORD_ACCOUNT:
        return restore_account(ledger, rest, value);
    case RECORD_EPOCH:
        return record_u64(value, 0, &ledger->epoch) && ledger->epoch ? OK : ERR_CORRUPT;
    case RECORD_VALUE:
        return restore_value(ledger, rest, value);
    case RECORD_MARK:
        return ledger_restore_mark(ledger, rest, value);
    case RECORD_LAST:
        return ledger_restore_last(ledger, rest, value);
    case RECORD_OUTBOX:
        return ledger_restore_outbox(ledger, rest, value);
    case RECORD_REQUEST:
        return ledger_restore_key(&ledger->keys, rest, value);
    case RECORD_BLOCK:
        return ledger_restore_block(&ledger->keys, rest, value);
    case RECORD_SESSION:
        return ledger_restore_session(&ledger->keys, rest, value);
    case RECORD_FLOOR:
        return ledger_restore_floor(&ledger->keys, rest, value);
    default:
        return ERR_CORRUPT;
    }
}

/* --- the end --- */

void ledger_clear(struct ledger *ledger)
{
    ledger_table_clear(&ledger->accounts);
    ledger_table_clear(&ledger->values);
    ledger_clear_outbox(ledger);
    ledger_clear_keys(&ledger->keys);
    ledger_clear_queries(&ledger->queries);
}

void ledger_check_invariants(const struct ledger *ledger)
{
    uint64_t total = 0;
    for (size_t i = 0; i < ledger->accounts.n; i++) {
        total += ledger->accounts.at[i]->balance;
        assert(!i || strcmp(ledger->accounts.at[i - 1]->name, ledger->accounts.at[i]->name) < 0);
    }
    assert(total == ledger->total);
    assert(total + ledger->in_transit <= MONEY_MAX);
    for (size_t i = 0; i < ledger->values.n; i++)
        assert(ledger->values.at[i]->value);
    ledger_check_outbox(ledger);
}
