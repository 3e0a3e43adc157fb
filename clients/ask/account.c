#include "clients/ask/account.h"

#include <inttypes.h>
#include <string.h>

#include "shared/base/error.h"
#include "shared/base/whole.h"

bool account_name_is_valid(struct slice name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    for (size_t i = 0; i < name.len; i++)
        if (!memchr(allowed, name.at[i], sizeof allowed - 1))
            return false;
    return name.len >= 1 && name.len <= LEDGER_NAME_MAX;
}

int account_parse(const char *word, struct account *out, char *why)
{
    char shown[TEXT_MAX / 4];
    const char *at = strchr(word, '@');
    struct slice name = {(const uint8_t *)word, at ? (size_t)(at - word) : 0};
    if (!at || !account_name_is_valid(name)) {
        text_format(
            why, TEXT_MAX,
            "'%s' is not an account, which looks like alice@1: a name of A-Z a-z 0-9 _ . - and "
            "its node",
            text_escape(shown, sizeof shown, slice_of(word)));
        return ERR_MALFORMED;
    }
    if (parse_u64(slice_of(at + 1), NODES_MAX, &out->node) || !out->node) {
        text_format(why, TEXT_MAX, "'%s': a node is a whole number from 1 to %d",
                    text_escape(shown, sizeof shown, slice_of(word)), NODES_MAX);
        return ERR_MALFORMED;
    }
    text_format(out->name, sizeof out->name, "%.*s", (int)name.len, word);
    return OK;
}

int account_parse_amount(const char *word, uint64_t *out, char *why)
{
    char shown[TEXT_MAX / 4];
    if (!parse_whole(slice_of(word), MONEY_MAX, out) && *out)
        return OK;
    text_format(why, TEXT_MAX,
                "an amount is a whole number of minor units from 1 to %" PRIu64 ", not '%s'",
                MONEY_MAX, text_escape(shown, sizeof shown, slice_of(word)));
    return ERR_MALFORMED;
}
