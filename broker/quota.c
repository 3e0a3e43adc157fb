#include "broker/quota.h"

#include <stdlib.h>

#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

#define NS_PER_US ((uint64_t)1000)
/* What a key may save up: as much as it may ask for in so long. */
#define BURST_NS (QUOTA_BURST_US * NS_PER_US)

struct account {
    uint64_t until_ns;
};

void quota_init(struct quota *quota, uint64_t rate)
{
    *quota = (struct quota){.rate = rate};
}

void quota_clear(struct quota *quota)
{
    size_t at = 0;
    struct map_key key;
    for (void *account; (account = map_next(&quota->paid_until, &at, &key));)
        free(account);
    map_clear(&quota->paid_until);
}

static struct account *account_of(struct quota *quota, struct slice name)
{
    struct map_key key = {map_hash(name.at, name.len), name.len};
    struct account *account = map_get(&quota->paid_until, key);
    if (account)
        return account;
    /* Names come and go over the years: all begin again. */
    if (quota->paid_until.count >= QUOTA_NAMES_MAX)
        quota_clear(quota);
    account = mem_new(1, sizeof *account);
    map_put(&quota->paid_until, key, account);
    return account;
}

bool quota_allows(struct quota *quota, struct slice name, uint64_t now_us)
{
    if (!quota->rate || MUTANT(quota_ignored))
        return true;
    struct account *account = account_of(quota, name);
    uint64_t now_ns = now_us * NS_PER_US;
    uint64_t from_ns = account->until_ns > now_ns ? account->until_ns : now_ns;
    uint64_t until_ns = from_ns + SECOND_US * NS_PER_US / quota->rate;
    if (until_ns > now_ns + BURST_NS && from_ns > now_ns)
        return false;
    account->until_ns = until_ns;
    return true;
}
