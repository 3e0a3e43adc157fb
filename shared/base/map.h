/* map.h - a hash map from one or two 64-bit numbers to a pointer.
 *
 * A large one grows a little with each change: no call takes longer than a few microseconds,
 * however many keys there are. */
#ifndef CONCLAVE_BASE_MAP_H
#define CONCLAVE_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_key {
    uint64_t a, b;
};

struct map_slot {
    struct map_key key;
    void *value; /* NULL: free */
};

/* Zero-initialize before the first use. Open addressing, deletion by backward shift; in a table
 * that a larger one is about to replace, by a mark. */
struct map {
    struct map_slot *slots;
    size_t size, count;
    struct map_slot *old;    /* what is not moved yet; NULL: all is */
    size_t old_size, old_at; /* what is before old_at is moved */
    size_t old_freed;        /* bytes of it that are given back */
};

/* Returns the value under the key, or NULL. */
void *map_get(const struct map *map, struct map_key key);

/* Puts a value (not NULL) under the key; returns the value that was there before, or NULL. Borrows
 * the value. */
void *map_put(struct map *map, struct map_key key, void *value);

/* Removes the key; returns the value that was there, or NULL. */
void *map_remove(struct map *map, struct map_key key);

/* Visits all: start with *at = 0; returns NULL at the end. The map must not change meanwhile. */
void *map_next(const struct map *map, size_t *at, struct map_key *key);

/* Frees the table, not the values. */
void map_clear(struct map *map);

/* Returns a 64-bit hash of bytes (FNV-1a with a final mix): for keys of text in a map. */
uint64_t map_hash(const void *at, size_t len);

#endif
