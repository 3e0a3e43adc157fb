#include "nodes/core/worker/held_values.h"

#include <assert.h>
#include <stdlib.h>

#include "shared/base/memory.h"

static struct map_key key_of(struct value_id id)
{
    return (struct map_key){id.job, id.op};
}

struct held_value *held_find(const struct held_values *held, struct value_id id)
{
    return map_get(&held->map, key_of(id));
}

struct held_value *held_add(struct held_values *held, struct value_id id, uint64_t len)
{
    struct held_value *value = mem_new(1, sizeof *value);
    *value = (struct held_value){.id = id, .len = len, .since = ++held->last_since};
    map_put(&held->map, key_of(id), value);
    held->bytes[HELD_IN_MEMORY] += len;
    return value;
}

void held_set(struct held_values *held, struct held_value *value, enum held_state state)
{
    held->bytes[value->state] -= value->len;
    held->bytes[state] += value->len;
    value->state = state;
}

void held_set_file(struct held_values *held, struct held_value *value, bool file)
{
    held->files += file;
    held->files -= value->file;
    value->file = file;
}

void held_remove(struct held_values *held, struct held_value *value)
{
    held_set_file(held, value, false);
    held->bytes[value->state] -= value->len;
    map_remove(&held->map, key_of(value->id));
    free(value);
    if (!held->map.count)
        map_clear(&held->map);
}

void held_each(struct held_values *held, held_fn *each, void *context)
{
    if (!held->map.count)
        return;
    size_t n = 0;
    struct held_value **all = mem_new(held->map.count, sizeof(struct held_value *)), *value;
    for (size_t at = 0; (value = map_next(&held->map, &at, NULL));)
        all[n++] = value;
    for (size_t i = 0; i < n; i++)
        each(context, all[i]);
    free(all);
}

/* Later jobs are served when there is time left from earlier ones. */
static int compare(const void *a, const void *b)
{
    const struct held_value *x = *(struct held_value *const *)a,
                            *y = *(struct held_value *const *)b;
    if (x->copy != y->copy)
        return x->copy ? -1 : 1;
    if (x->id.job != y->id.job)
        return x->id.job > y->id.job ? -1 : 1;
    if (x->last_use != y->last_use)
        return x->last_use > y->last_use ? -1 : 1;
    return x->since < y->since ? -1 : 1;
}

size_t held_needed_latest(const struct held_values *held, struct held_value **out, size_t max)
{
    if (!held->map.count)
        return 0;
    size_t n = 0;
    struct held_value **all = mem_new(held->map.count, sizeof(struct held_value *)), *value;
    for (size_t at = 0; (value = map_next(&held->map, &at, NULL));)
        if (value->state == HELD_IN_MEMORY && value->round != held->round)
            all[n++] = value;
    qsort(all, n, sizeof(struct held_value *), compare);
    for (size_t i = 0; i < n && i < max; i++)
        out[i] = all[i];
    free(all);
    return n < max ? n : max;
}

static void remove_one(void *held, struct held_value *value)
{
    held_remove(held, value);
}

void held_clear(struct held_values *held)
{
    held_each(held, remove_one, held);
}

void held_check_invariants(const struct held_values *held)
{
    uint64_t bytes[HELD_STATES] = {0}, files = 0;
    const struct held_value *value;
    for (size_t at = 0; (value = map_next(&held->map, &at, NULL));) {
        bytes[value->state] += value->len;
        files += value->file;
        assert(value->file || value->state == HELD_IN_MEMORY);
        assert(value->seq <= held->last_seq && value->round <= held->round);
    }
    for (int state = 0; state < HELD_STATES; state++)
        assert(bytes[state] == held->bytes[state]);
    assert(files == held->files);
}
