#include "nodes/core/values/values.h"

#include <stdlib.h>

#include "shared/base/memory.h"

struct value {
    struct blob *blob;
    value_users users;
};

static struct map_key key_of(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

void values_put(struct values *values, struct value_id id, struct blob *blob, value_users users)
{
    struct value *value = map_get(&values->map, key_of(id));
    if (!value) {
        value = mem_new(1, sizeof *value);
        map_put(&values->map, key_of(id), value);
    }
    blob_ref(blob);
    blob_drop(&value->blob);
    value->blob = blob;
    value->users |= users;
}

bool values_hold(struct values *values, struct value_id id, enum value_user user)
{
    struct value *value = map_get(&values->map, key_of(id));
    if (value)
        value->users |= value_user_bit(user);
    return value != NULL;
}

bool values_holds(const struct values *values, struct value_id id, enum value_user user)
{
    const struct value *value = map_get(&values->map, key_of(id));
    return value && value->users & value_user_bit(user);
}

struct blob *values_get(const struct values *values, struct value_id id)
{
    const struct value *value = map_get(&values->map, key_of(id));
    return value ? value->blob : NULL;
}

static void let_go(struct values *values, struct map_key key, value_users users)
{
    struct value *value = map_get(&values->map, key);
    if (!value)
        return;
    value->users &= ~users;
    if (value->users)
        return;
    map_remove(&values->map, key);
    blob_drop(&value->blob);
    free(value);
}

static void drop_all(struct values *values, job_id_t job, value_users users)
{
    if (!values->map.count)
        return;
    struct map_key *keys = mem_grow(NULL, values->map.count, sizeof *keys), key;
    size_t n = 0, at = 0;
    while (map_next(&values->map, &at, &key))
        if (!job || key.a == job)
            keys[n++] = key;
    for (size_t i = 0; i < n; i++)
        let_go(values, keys[i], users);
    free(keys);
    if (!values->map.count)
        map_clear(&values->map);
}

void values_drop(struct values *values, enum value_user user, struct value_id id)
{
    if (id.job && id.op)
        let_go(values, key_of(id), value_user_bit(user));
    else
        drop_all(values, id.job, value_user_bit(user));
}

void values_clear(struct values *values)
{
    drop_all(values, JOB_NONE, ~0u);
    map_clear(&values->map);
}
