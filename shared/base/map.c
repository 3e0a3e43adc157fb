#include "shared/base/map.h"

#include <stdlib.h>

#include "shared/base/memory.h"
#include "shared/base/random.h"

#define MAP_SIZE_MIN 16

static size_t home_of(const struct map *map, struct map_key key)
{
    return (size_t)random_mix(key.a + random_mix(key.b)) & (map->size - 1);
}

static size_t slot_of(const struct map *map, struct map_key key)
{
    size_t at = home_of(map, key);
    while (map->slots[at].value && (map->slots[at].key.a != key.a || map->slots[at].key.b != key.b))
        at = (at + 1) & (map->size - 1);
    return at;
}

void *map_get(const struct map *map, struct map_key key)
{
    return map->count ? map->slots[slot_of(map, key)].value : NULL;
}

static void grow(struct map *map)
{
    struct map old = *map;
    map->size = old.size ? old.size * 2 : MAP_SIZE_MIN;
    map->slots = mem_new(map->size, sizeof *map->slots);
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].value)
            map->slots[slot_of(map, old.slots[i].key)] = old.slots[i];
    free(old.slots);
}

void *map_put(struct map *map, struct map_key key, void *value)
{
    if (map->count * 4 >= map->size * 3)
        grow(map);
    struct map_slot *slot = &map->slots[slot_of(map, key)];
    void *before = slot->value;
    map->count += !before;
    *slot = (struct map_slot){.key = key, .value = value};
    return before;
}

void *map_remove(struct map *map, struct map_key key)
{
    if (!map->count)
        return NULL;
    size_t hole = slot_of(map, key);
    void *value = map->slots[hole].value;
    if (!value)
        return NULL;
    map->count--;
    size_t mask = map->size - 1;
    for (size_t at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        size_t home = home_of(map, map->slots[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole].value = NULL;
    return value;
}

void *map_next(const struct map *map, size_t *at, struct map_key *key)
{
    while (*at < map->size) {
        struct map_slot *slot = &map->slots[(*at)++];
        if (slot->value) {
            if (key)
                *key = slot->key;
            return slot->value;
        }
    }
    return NULL;
}

void map_clear(struct map *map)
{
    free(map->slots);
    *map = (struct map){0};
}

uint64_t map_hash(const void *at, size_t len)
{
    const uint8_t *bytes = at;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return random_mix(hash);
}
