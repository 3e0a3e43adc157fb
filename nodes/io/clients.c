#include "nodes/io/clients.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/base/slice.h"

struct client {
    size_t broker_len, client_len;
    bool bundled;
    uint8_t bytes[];
};

/* --- shares --- */

static struct map_key broker_key(struct slice broker)
{
    return (struct map_key){map_hash(broker.at, broker.len), 0};
}

static struct map_key client_key(struct slice broker, struct slice client)
{
    /* Never 0, which stands for the broker itself. */
    return (struct map_key){map_hash(broker.at, broker.len), map_hash(client.at, client.len) | 1};
}

static bool has_room(const struct clients *clients, struct slice broker, struct slice client,
                     size_t limit)
{
    if (clients->map.count >= limit)
        return false;
    if (MUTANT(shares_unbounded))
        return true;
    uint64_t left = limit - clients->map.count;
    uint64_t of_broker = tally_of(&clients->shares, broker_key(broker));
    return of_broker < left &&
           tally_of(&clients->shares, client_key(broker, client)) < left - of_broker;
}

/* --- envelopes --- */

uint64_t clients_add(struct clients *clients, struct slice broker, struct slice client,
                     bool bundled, size_t limit)
{
    if (!has_room(clients, broker, client, limit))
        return 0;
    struct client *it = mem_new(1, sizeof *it + broker.len + client.len);
    it->broker_len = broker.len;
    it->client_len = client.len;
    it->bundled = bundled;
    slice_copy(it->bytes, broker);
    slice_copy(it->bytes + broker.len, client);
    map_put(&clients->map, (struct map_key){++clients->last, 0}, it);
    tally_add(&clients->shares, broker_key(broker));
    tally_add(&clients->shares, client_key(broker, client));
    return clients->last;
}

struct client *clients_take(struct clients *clients, uint64_t number)
{
    struct client *it = map_remove(&clients->map, (struct map_key){number, 0});
    if (it) {
        struct slice parts[ENVELOPE_PARTS];
        client_envelope(it, parts);
        tally_take(&clients->shares, broker_key(parts[0]));
        tally_take(&clients->shares, client_key(parts[0], parts[1]));
    }
    return it;
}

void client_envelope(const struct client *client, struct slice parts[ENVELOPE_PARTS])
{
    parts[0] = (struct slice){client->bytes, client->broker_len};
    parts[1] = (struct slice){client->bytes + client->broker_len, client->client_len};
    parts[2] = (struct slice){NULL, 0};
}

bool client_is_bundled(const struct client *client)
{
    return client->bundled;
}

void client_free(struct client *client)
{
    free(client);
}

void clients_clear(struct clients *clients)
{
    size_t at = 0;
    struct client *it;
    while ((it = map_next(&clients->map, &at, NULL)))
        client_free(it);
    map_clear(&clients->map);
    tally_clear(&clients->shares);
}
