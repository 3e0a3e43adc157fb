#include "broker/unread.h"

#include "shared/base/map.h"
#include "shared/base/mutant.h"

bool unread_has_room(const struct unread *unread, uint64_t bytes)
{
    if (MUTANT(passed_on_at_once))
        return true;
    return !unread->n || (unread->n < UNREAD_MAX && unread->bytes + bytes <= UNREAD_BYTES);
}

/* The oldest was read. */
static void drop_first(struct unread *unread)
{
    unread->bytes -= unread->rows[unread->first].bytes;
    unread->first = (unread->first + 1) % UNREAD_MAX;
    unread->n--;
}

void unread_add(struct unread *unread, struct slice client, uint64_t request, uint64_t bytes,
                uint64_t now_us)
{
    if (unread->n == UNREAD_MAX) /* with the mutant only */
        drop_first(unread);
    if (!unread->n)
        unread->since_us = now_us;
    if (!unread->silent_us)
        unread->silent_us = UNREAD_SILENT_US;
    unread->rows[(unread->first + unread->n) % UNREAD_MAX] =
        (struct unread_row){map_hash(client.at, client.len), request, bytes};
    unread->n++;
    unread->bytes += bytes;
}

void unread_answered(struct unread *unread, struct slice client, uint64_t request, uint64_t now_us)
{
    uint64_t hash = map_hash(client.at, client.len);
    for (uint64_t i = 0; i < unread->n; i++) {
        const struct unread_row *row = &unread->rows[(unread->first + i) % UNREAD_MAX];
        if (row->request != request || row->client != hash)
            continue;
        for (uint64_t read = i + 1; read; read--)
            drop_first(unread);
        unread->since_us = now_us;
        unread->silent_us = UNREAD_SILENT_US;
        return;
    }
}

void unread_turn(struct unread *unread, uint64_t now_us)
{
    if (!unread->n || now_us - unread->since_us < unread->silent_us)
        return;
    while (unread->n)
        drop_first(unread);
    unread->silent_us *= 2;
    if (unread->silent_us > UNREAD_SILENT_MAX_US)
        unread->silent_us = UNREAD_SILENT_MAX_US;
}
