#include "nodes/io/values.h"

#include <stdlib.h>

#include "shared/base/memory.h"

static struct map_key key_of(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

void values_put(struct values *values, struct value_id id, struct blob *value)
{
    struct blob *before = map_put(&values->map, key_of(id), blob_ref(value));
    blob_drop(&before);
}

struct blob *values_get(const struct values *values, struct value_id id)
{
    return map_get(&values->map, key_of(id));
}

static void drop_one(struct values *values, struct map_key key)
{
    struct blob *value = map_remove(&values->map, key);
    blob_drop(&value);
}

void values_drop(struct values *values, struct value_id id)
{
    if (id.job && id.op) {
        drop_one(values, key_of(id));
        return;
    }
    if (!values->map.count)
        return;
    struct map_key *keys = mem_grow(NULL, values->map.count, sizeof *keys), key;
    size_t n = 0, at = 0;
    while (map_next(&values->map, &at, &key))
        if (!id.job || key.a == id.job)
            keys[n++] = key;
    for (size_t i = 0; i < n; i++)
        drop_one(values, keys[i]);
    free(keys);
    if (!values->map.count)
        map_clear(&values->map);
}
