#include "shared/base/tally.h"

/* A count is the map's pointer itself: one that is there is not 0. */
uint64_t tally_of(const struct tally *tally, struct map_key key)
{
    return (uintptr_t)map_get(&tally->counts, key);
}

void tally_add(struct tally *tally, struct map_key key)
{
    uintptr_t more = (uintptr_t)tally_of(tally, key) + 1;
    map_put(&tally->counts, key, (void *)more);
    tally->n++;
}

bool tally_take(struct tally *tally, struct map_key key)
{
    uintptr_t count = (uintptr_t)map_remove(&tally->counts, key);
    if (!count)
        return false;
    if (count > 1)
        map_put(&tally->counts, key, (void *)(count - 1));
    tally->n--;
    return true;
}

void tally_clear(struct tally *tally)
{
    map_clear(&tally->counts);
    tally->n = 0;
}
