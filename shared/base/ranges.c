#include "shared/base/ranges.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"

/* The first range that ends at the number, or beyond it; n: there is none. */
static size_t find(const struct ranges *set, uint64_t number)
{
    size_t low = 0, high = set->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (range_end(set->at[middle]) < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first range of which a number is `number` or greater. */
static size_t find_after(const struct ranges *set, uint64_t number)
{
    size_t at = find(set, number);
    return at < set->n && range_end(set->at[at]) == number ? at + 1 : at;
}

/* Replaces the ranges from..to-1 by others, of which there are up to two. */
static void splice(struct ranges *set, size_t from, size_t to, const struct range *by, size_t n)
{
    if (set->n + n > set->size) {
        set->size = 2 * set->size + 4;
        set->at = mem_grow(set->at, set->size, sizeof *set->at);
    }
    if (set->n > to)
        memmove(set->at + from + n, set->at + to, (set->n - to) * sizeof *set->at);
    if (n)
        memcpy(set->at + from, by, n * sizeof *by);
    set->n = set->n - (to - from) + n;
}

uint64_t ranges_add(struct ranges *set, struct range more)
{
    uint64_t first = more.first, end = range_end(more), had = 0;
    size_t from = find(set, first), to = from; /* those that touch it become one with it */
    if (!more.count)
        return 0;
    for (; to < set->n && set->at[to].first <= range_end(more); to++) {
        had += set->at[to].count;
        first = set->at[to].first < first ? set->at[to].first : first;
        end = range_end(set->at[to]) > end ? range_end(set->at[to]) : end;
    }
    splice(set, from, to, &(struct range){first, end - first}, 1);
    set->count += end - first - had;
    return end - first - had;
}

uint64_t ranges_remove(struct ranges *set, struct range less)
{
    struct range left[2];
    size_t n = 0, from = find_after(set, less.first), to = from;
    uint64_t removed = 0;
    if (!less.count)
        return 0;
    for (; to < set->n && set->at[to].first < range_end(less); to++) {
        struct range it = set->at[to];
        uint64_t first = it.first > less.first ? it.first : less.first;
        uint64_t end = range_end(it) < range_end(less) ? range_end(it) : range_end(less);
        if (it.first < first)
            left[n++] = (struct range){it.first, first - it.first};
        if (end < range_end(it))
            left[n++] = (struct range){end, range_end(it) - end};
        removed += end - first;
    }
    if (to > from)
        splice(set, from, to, left, n);
    set->count -= removed;
    return removed;
}

bool ranges_next(const struct ranges *set, struct range within, struct range *found)
{
    size_t at = find_after(set, within.first);
    if (!within.count || at == set->n || set->at[at].first >= range_end(within))
        return false;
    uint64_t first = set->at[at].first > within.first ? set->at[at].first : within.first;
    uint64_t end = range_end(set->at[at]);
    end = end < range_end(within) ? end : range_end(within);
    *found = (struct range){first, end - first};
    return true;
}

bool ranges_gap(const struct ranges *set, struct range within, struct range *found)
{
    size_t at = find_after(set, within.first);
    uint64_t first = within.first, end = range_end(within);
    if (at < set->n && set->at[at].first <= first)
        first = range_end(set->at[at++]);
    if (at < set->n && set->at[at].first < end)
        end = set->at[at].first;
    if (first >= end)
        return false;
    *found = (struct range){first, end - first};
    return true;
}

bool ranges_has(const struct ranges *set, uint64_t number)
{
    struct range found;
    return ranges_next(set, (struct range){number, 1}, &found);
}

bool ranges_has_all(const struct ranges *set, struct range range)
{
    struct range found;
    return !ranges_gap(set, range, &found);
}

void ranges_copy(struct ranges *set, const struct ranges *from)
{
    set->n = 0;
    if (set->size < from->n) {
        set->size = from->n;
        set->at = mem_grow(set->at, set->size, sizeof *set->at);
    }
    if (from->n)
        memcpy(set->at, from->at, from->n * sizeof *set->at);
    set->n = from->n;
    set->count = from->count;
}

void ranges_clear(struct ranges *set)
{
    free(set->at);
    *set = (struct ranges){0};
}

void ranges_check_invariants(const struct ranges *set)
{
    uint64_t count = 0;
    assert(set->n <= set->size);
    for (size_t i = 0; i < set->n; i++) {
        assert(set->at[i].count && (!i || range_end(set->at[i - 1]) < set->at[i].first));
        count += set->at[i].count;
    }
    assert(count == set->count);
}
