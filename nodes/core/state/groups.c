#include "nodes/core/state/groups.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/memory.h"

struct row_group *groups_joined(const struct row_groups *groups, size_t most)
{
    struct row_group *newest = groups->newest;
    return newest && newest->n < most ? newest : NULL;
}

static struct row_group *begin(struct row_groups *groups, enum row_table table, size_t most,
                               uint64_t saved)
{
    struct row_group *group = mem_new(1, sizeof *group);
    group->table = table;
    group->number = ++groups->last;
    group->saved = saved;
    group->rows = mem_new(most, sizeof(struct row *));
    group->older = groups->newest;
    *(groups->newest ? &groups->newest->newer : &groups->oldest) = group;
    groups->newest = group;
    groups->n++;
    return group;
}

void groups_add(struct row_groups *groups, enum row_table table, struct row *row, size_t most,
                uint64_t saved)
{
    struct row_group *group = groups_joined(groups, most);
    if (!group)
        group = begin(groups, table, most, saved);
    group->rows[group->n++] = row;
    row->group = group;
}

void groups_remove(struct row *row)
{
    struct row_group *group = row->group;
    size_t at = 0;
    while (group->rows[at] != row)
        at++;
    memmove(group->rows + at, group->rows + at + 1, (--group->n - at) * sizeof *group->rows);
    row->group = NULL;
}

struct row_group *groups_too_small(struct row_group *group, size_t most)
{
    if (group->older && group->older->n + group->n <= most / 2)
        return group->older;
    if (group->newer && group->newer->n + group->n <= most / 2)
        return group->newer;
    return group->n ? NULL : group;
}

void groups_merge(struct row_group *older, struct row_group *newer)
{
    for (size_t i = 0; i < newer->n; i++) {
        older->rows[older->n++] = newer->rows[i];
        newer->rows[i]->group = older;
    }
    newer->n = 0;
}

void groups_drop(struct row_groups *groups, struct row_group *group)
{
    *(group->older ? &group->older->newer : &groups->oldest) = group->newer;
    *(group->newer ? &group->newer->older : &groups->newest) = group->older;
    groups->n--;
    groups_changed(group);
    free(group->rows);
    free(group);
}

void groups_changed(struct row_group *group)
{
    checkpoint_drop(&group->packed);
    checkpoint_drop(&group->closed);
}

void groups_clear(struct row_groups *groups)
{
    while (groups->oldest)
        groups_drop(groups, groups->oldest);
    groups->last = 0;
}

void groups_check_invariants(const struct row_groups *groups, enum row_table table, size_t most)
{
    size_t n = 0;
    const struct row_group *older = NULL;
    for (const struct row_group *it = groups->oldest; it; older = it, it = it->newer, n++) {
        assert(it->older == older && it->table == table);
        assert(it->n && it->n <= most);
        assert(!older || (older->number < it->number && older->n + it->n > most / 2));
        for (size_t i = 0; i < it->n; i++)
            assert(it->rows[i]->group == it);
    }
    assert(n == groups->n && groups->newest == older);
}
