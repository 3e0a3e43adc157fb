#include "broker/waiting.h"

#include "shared/base/limits.h"
#include "shared/base/mutant.h"

#define TURN_US (30 * SECOND_US)

static struct map_key key_of(struct slice client)
{
    return (struct map_key){map_hash(client.at, client.len), 0};
}

uint64_t waiting_count(const struct waiting *waiting)
{
    return waiting->fresh.n + waiting->stale.n;
}

bool waiting_add(struct waiting *waiting, struct slice client, uint64_t limit)
{
    struct map_key key = key_of(client);
    uint64_t n = waiting_count(waiting);
    uint64_t own = tally_of(&waiting->fresh, key) + tally_of(&waiting->stale, key);
    if ((n >= limit || own >= limit - n) && !MUTANT(waits_unbounded))
        return false;
    tally_add(&waiting->fresh, key);
    return true;
}

void waiting_take(struct waiting *waiting, struct slice client)
{
    /* Of neither: it came after all, and was forgotten. */
    if (!tally_take(&waiting->stale, key_of(client)))
        tally_take(&waiting->fresh, key_of(client));
}

void waiting_turn(struct waiting *waiting, uint64_t now_us)
{
    if (now_us - waiting->turned_us < TURN_US)
        return;
    waiting->turned_us = now_us;
    tally_clear(&waiting->stale);
    waiting->stale = waiting->fresh;
    waiting->fresh = (struct tally){0};
}

void waiting_clear(struct waiting *waiting)
{
    tally_clear(&waiting->fresh);
    tally_clear(&waiting->stale);
    *waiting = (struct waiting){0};
}
