#include "shared/base/map.h"

#include <stdlib.h>

#include "shared/base/large.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"
#include "shared/base/random.h"

#define MAP_SIZE_MIN 16
#define SMALL_SLOTS  8192 /* of a table that is moved at once: a fraction of a millisecond */
/* Of a larger one with each change. A table of n slots is replaced when it has 3/4 n keys, and the
 * next one, of 2 n, not before 3/4 n more have come: twice as many would do. */
#define MOVED_AT_ONCE 16
#define FREED_AT_ONCE ((size_t)MIB_BYTES) /* of an old table, as it is moved */

static char gone; /* marks a slot of an old table whose key was removed */

static size_t home_of(size_t size, struct map_key key)
{
    return (size_t)random_mix(key.a + random_mix(key.b)) & (size - 1);
}

static bool has(const struct map_slot *slot, struct map_key key)
{
    return slot->value != &gone && slot->key.a == key.a && slot->key.b == key.b;
}

/* The slot that a key has, or would have. */
static struct map_slot *slot_of(const struct map *map, struct map_key key)
{
    size_t at = home_of(map->size, key);
    while (map->slots[at].value && !has(&map->slots[at], key))
        at = (at + 1) & (map->size - 1);
    return &map->slots[at];
}

/* In the old table; NULL: it has none. What is before old_at is moved, so that whatever began its
 * search there, or behind the end of the table, is there no more, or lies further on. */
static struct map_slot *old_slot_of(const struct map *map, struct map_key key)
{
    size_t home = map->old ? home_of(map->old_size, key) : 0;
    for (size_t at = home > map->old_at ? home : map->old_at; map->old && at < map->old_size; at++)
        if (!map->old[at].value)
            return NULL;
        else if (has(&map->old[at], key))
            return &map->old[at];
    return NULL;
}

static struct map_slot *find(const struct map *map, struct map_key key)
{
    struct map_slot *slot = slot_of(map, key), *old = slot->value ? NULL : old_slot_of(map, key);
    return old ? old : slot;
}

void *map_get(const struct map *map, struct map_key key)
{
    return map->count ? find(map, key)->value : NULL;
}

/* --- growing --- */

static bool is_large(size_t size)
{
    return size * sizeof(struct map_slot) >= LARGE_BYTES;
}

static struct map_slot *new_slots(size_t size)
{
    return is_large(size) ? large_map(size * sizeof(struct map_slot))
                          : mem_new(size, sizeof(struct map_slot));
}

static void free_slots(struct map_slot *slots, size_t size)
{
    if (slots && is_large(size))
        large_unmap(slots, size * sizeof *slots);
    else
        free(slots);
}

/* Of an old table, as far as it is moved and not freed. */
static void free_moved(struct map *map)
{
    size_t moved = map->old_at * sizeof *map->old / FREED_AT_ONCE * FREED_AT_ONCE;
    bool all = map->old_at == map->old_size;
    if (all && !is_large(map->old_size))
        free(map->old);
    if (is_large(map->old_size) && (all || moved > map->old_freed)) {
        size_t end = all ? map->old_size * sizeof *map->old : moved;
        large_unmap((uint8_t *)map->old + map->old_freed, end - map->old_freed);
        map->old_freed = end;
    }
    if (all)
        map->old = NULL;
}

/* Moves what is in the next so many slots of the old table. */
static void move_some(struct map *map, size_t slots)
{
    for (; map->old && slots; slots--) {
        const struct map_slot *slot = &map->old[map->old_at++];
        if (slot->value && slot->value != &gone)
            *slot_of(map, slot->key) = *slot;
        free_moved(map);
    }
}

static void grow(struct map *map)
{
    move_some(map, SIZE_MAX); /* it ended long ago: see MOVED_AT_ONCE */
    map->old = map->size ? map->slots : NULL;
    map->old_size = map->size;
    map->old_at = map->old_freed = 0;
    map->size = map->size ? map->size * 2 : MAP_SIZE_MIN;
    map->slots = new_slots(map->size);
    if (map->old_size <= SMALL_SLOTS || MUTANT(map_grows_at_once))
        move_some(map, SIZE_MAX);
}

void *map_put(struct map *map, struct map_key key, void *value)
{
    if (map->count * 4 >= map->size * 3)
        grow(map);
    move_some(map, MOVED_AT_ONCE);
    struct map_slot *slot = find(map, key); /* of a new key: in the new table */
    void *before = slot->value;
    map->count += !before;
    *slot = (struct map_slot){.key = key, .value = value};
    return before;
}

static void close_hole(struct map *map, size_t hole)
{
    size_t mask = map->size - 1;
    for (size_t at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        size_t home = home_of(map->size, map->slots[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole].value = NULL;
}

void *map_remove(struct map *map, struct map_key key)
{
    if (!map->count)
        return NULL;
    move_some(map, MOVED_AT_ONCE);
    struct map_slot *slot = find(map, key);
    void *value = slot->value;
    if (!value)
        return NULL;
    map->count--;
    if (slot >= map->slots && slot < map->slots + map->size)
        close_hole(map, (size_t)(slot - map->slots));
    else
        slot->value = &gone;
    return value;
}

void *map_next(const struct map *map, size_t *at, struct map_key *key)
{
    size_t left = map->old ? map->old_size - map->old_at : 0;
    while (*at < left + map->size) {
        const struct map_slot *slot =
            *at < left ? &map->old[map->old_at + *at] : &map->slots[*at - left];
        ++*at;
        if (slot->value && slot->value != &gone) {
            if (key)
                *key = slot->key;
            return slot->value;
        }
    }
    return NULL;
}

void map_clear(struct map *map)
{
    free_slots(map->slots, map->size);
    if (map->old) {
        map->old_at = map->old_size;
        free_moved(map);
    }
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
