#include "broker/waiting.h"

#include <stdlib.h>

#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

#define TURN_US (30 * SECOND_US)

struct counts {
    uint64_t fresh, stale; /* since the last turn, and before */
};

static struct map_key key_of(struct slice client)
{
    return (struct map_key){map_hash(client.at, client.len), 0};
}

bool waiting_add(struct waiting *waiting, struct slice client, uint64_t limit)
{
    struct counts *counts = map_get(&waiting->clients, key_of(client));
    uint64_t own = counts ? counts->fresh + counts->stale : 0;
    bool full = waiting->n >= limit || own >= limit - waiting->n;
    if (full && !MUTANT(waits_unbounded))
        return false;
    if (!counts) {
        counts = mem_new(1, sizeof *counts);
        map_put(&waiting->clients, key_of(client), counts);
    }
    counts->fresh++;
    waiting->n++;
    return true;
}

void waiting_take(struct waiting *waiting, struct slice client)
{
    struct counts *counts = map_get(&waiting->clients, key_of(client));
    if (!counts)
        return; /* it came after all, and was forgotten */
    waiting->n--;
    if (counts->stale) {
        counts->stale--;
        waiting->stale--;
    } else {
        counts->fresh--;
    }
    if (!counts->fresh && !counts->stale)
        free(map_remove(&waiting->clients, key_of(client)));
}

void waiting_turn(struct waiting *waiting, uint64_t now_us)
{
    struct map left = {0};
    struct map_key key;
    struct counts *counts;
    if (now_us - waiting->turned_us < TURN_US)
        return;
    waiting->turned_us = now_us;
    waiting->n -= waiting->stale;
    waiting->stale = waiting->n;
    for (size_t at = 0; (counts = map_next(&waiting->clients, &at, &key));) {
        *counts = (struct counts){.stale = counts->fresh};
        if (counts->stale)
            map_put(&left, key, counts);
        else
            free(counts);
    }
    map_clear(&waiting->clients);
    waiting->clients = left;
}

void waiting_clear(struct waiting *waiting)
{
    struct counts *counts;
    for (size_t at = 0; (counts = map_next(&waiting->clients, &at, NULL));)
        free(counts);
    map_clear(&waiting->clients);
    *waiting = (struct waiting){0};
}
