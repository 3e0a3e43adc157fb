#include "broker/fair.h"

#include <stdlib.h>

#include "shared/base/limits.h"
#include "shared/base/memory.h"
#include "shared/base/mutant.h"

struct fair_queue {
    struct map_key key;
    struct turn *first, *last;
    uint64_t n, bytes;
    struct fair_queue *next; /* in the ring */
};

static struct map_key key_of(struct slice key)
{
    if (MUTANT(one_turn_for_all))
        return (struct map_key){1, 1};
    return (struct map_key){map_hash(key.at, key.len), key.len};
}

static bool has_share(uint64_t own, uint64_t all, uint64_t more, uint64_t limit)
{
    return all + more <= limit && own + more <= limit - all;
}

/* The new queue is last: it comes after all that are there. */
static struct fair_queue *join(struct fair *fair, struct map_key key)
{
    struct fair_queue *queue = mem_new(1, sizeof *queue);
    queue->key = key;
    queue->next = queue;
    if (fair->last) {
        queue->next = fair->now;
        fair->last->next = queue;
    } else {
        fair->now = queue;
    }
    fair->last = queue;
    map_put(&fair->queues, key, queue);
    return queue;
}

static void leave(struct fair *fair, struct fair_queue *queue)
{
    bool alone = queue->next == queue;
    fair->last->next = queue->next; /* whose turn it is comes after the last */
    fair->now = alone ? NULL : queue->next;
    if (alone)
        fair->last = NULL;
    map_remove(&fair->queues, queue->key);
    free(queue);
}

bool fair_put(struct fair *fair, struct slice key, struct turn *turn, uint64_t bytes)
{
    struct map_key hashed = key_of(key);
    struct fair_queue *queue = map_get(&fair->queues, hashed);
    if (!has_share(queue ? queue->n : 0, fair->total->n, 1, FAIR_REQUESTS_MAX) ||
        !has_share(queue ? queue->bytes : 0, fair->total->bytes, bytes, FAIR_BYTES_MAX))
        return false;
    if (!queue)
        queue = join(fair, hashed);
    *turn = (struct turn){.bytes = bytes};
    if (queue->last)
        queue->last->next = turn;
    else
        queue->first = turn;
    queue->last = turn;
    queue->n++;
    queue->bytes += bytes;
    fair->total->n++;
    fair->total->bytes += bytes;
    return true;
}

const struct turn *fair_next(const struct fair *fair)
{
    return fair->now ? fair->now->first : NULL;
}

struct turn *fair_take(struct fair *fair)
{
    struct fair_queue *queue = fair->now;
    if (!queue)
        return NULL;
    struct turn *turn = queue->first;
    queue->first = turn->next;
    queue->n--;
    queue->bytes -= turn->bytes;
    fair->total->n--;
    fair->total->bytes -= turn->bytes;
    if (queue->first) {
        fair->last = queue;
        fair->now = queue->next;
    } else {
        leave(fair, queue);
    }
    turn->next = NULL;
    return turn;
}
