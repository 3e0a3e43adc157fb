/* account.h - accounts and amounts as people type them, checked before anything is sent. */
#ifndef CONCLAVE_CLIENTS_ACCOUNT_H
#define CONCLAVE_CLIENTS_ACCOUNT_H

#include "shared/base/limits.h"
#include "shared/base/text.h"

struct account {
    char name[LEDGER_NAME_MAX + 1];
    uint64_t node; /* 1..NODES_MAX */
};

/* 1 to LEDGER_NAME_MAX of A-Z a-z 0-9 _ . - : the name of an account, or of a value. */
bool account_name_is_valid(struct slice name);

/* Takes "alice@3". ERR_MALFORMED after one line in `why` (TEXT_MAX bytes). */
int account_parse(const char *word, struct account *out, char *why);

/* Takes a whole number of minor units, 1..MONEY_MAX. Errors likewise. */
int account_parse_amount(const char *word, uint64_t *out, char *why);

#endif
