#include "nodes/io/clients.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"

struct client {
    size_t broker_len, client_len;
    uint8_t bytes[];
};

uint64_t clients_add(struct clients *clients, struct slice broker, struct slice client,
                     size_t limit)
{
    if (clients->map.count >= limit)
        return 0;
    struct client *it = mem_new(1, sizeof *it + broker.len + client.len);
    it->broker_len = broker.len;
    it->client_len = client.len;
    memcpy(it->bytes, broker.at, broker.len);
    memcpy(it->bytes + broker.len, client.at, client.len);
    map_put(&clients->map, (struct map_key){++clients->last, 0}, it);
    return clients->last;
}

struct client *clients_take(struct clients *clients, uint64_t number)
{
    return map_remove(&clients->map, (struct map_key){number, 0});
}

void client_envelope(const struct client *client, struct slice parts[ENVELOPE_PARTS])
{
    parts[0] = (struct slice){client->bytes, client->broker_len};
    parts[1] = (struct slice){client->bytes + client->broker_len, client->client_len};
    parts[2] = (struct slice){NULL, 0};
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
}
