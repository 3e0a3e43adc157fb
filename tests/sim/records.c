/* The records of a virtual disk: a sorted table. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/error.h"
#include "tests/sim/world.h"

static int compare(const struct world_record *record, const struct write *write)
{
    size_t shorter = record->key_len < write->key_len ? record->key_len : write->key_len;
    int order = memcmp(record->key, write->key, shorter);
    return order ? order : (int)record->key_len - (int)write->key_len;
}

/* Where the key is, or belongs. */
static size_t find(const struct world_node *node, const struct write *write, bool *found)
{
    size_t low = 0, high = node->records_n;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare(&node->records[middle], write);
        if (!order) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void forget(struct world_node *node, size_t at)
{
    blob_drop(&node->records[at].value);
    node->records_n--;
    memmove(&node->records[at], &node->records[at + 1],
            (node->records_n - at) * sizeof *node->records);
}

static void insert(struct world_node *node, size_t at, const struct write *write)
{
    if (node->records_n == node->records_size) {
        node->records_size = node->records_size ? 2 * node->records_size : 64;
        node->records = mem_grow(node->records, node->records_size, sizeof *node->records);
    }
    memmove(&node->records[at + 1], &node->records[at],
            (node->records_n++ - at) * sizeof *node->records);
    struct world_record *record = &node->records[at];
    *record = (struct world_record){.key_len = write->key_len, .value = blob_ref(write->entry)};
    memcpy(record->key, write->key, write->key_len);
}

const struct world_record *records_find(const struct world_node *node, const struct record_key *key)
{
    struct write write = {.key_len = key->len};
    bool found;
    memcpy(write.key, key->at, key->len);
    size_t at = find(node, &write, &found);
    return found ? &node->records[at] : NULL;
}

void records_write(struct world_node *node, const struct write *write)
{
    bool found;
    size_t at = find(node, write, &found);
    if (found)
        forget(node, at);
    if (write->entry)
        insert(node, at, write);
}

void records_restore(struct world *world, node_id_t id)
{
    struct world_node *node = &world->nodes[id];
    for (size_t i = 0; i < node->records_n; i++) {
        const struct world_record *record = &node->records[i];
        if (node_restore_record(node->core, (struct slice){record->key, record->key_len},
                                (struct slice){record->value->at, record->value->len}))
            world_fail(world, "a node can read its own disk", "node %u refuses its record '%c'", id,
                       record->key[0]);
    }
    if (node_restore_end(node->core))
        world_fail(world, "a node can read its own disk", "node %u: records are missing", id);
}

void records_wipe(struct world_node *node)
{
    while (node->records_n)
        forget(node, node->records_n - 1);
    free(node->records);
    node->records = NULL;
    node->records_size = 0;
}
